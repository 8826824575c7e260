# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Values of cilium-config that are well-formed and yet stop a program, or make the trouble worse.

Sources: pkg/clustermesh/types/{types,option}.go, pkg/kvstore/cell.go, pkg/option/config.go, operator/identitygc,
operator/endpointgc. What stops an operator was seen with the real cilium-operator 1.18.4.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain import cilium_endpoint_objects
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import (
    AGENT,
    DETAILS,
    OPERATOR,
    forms_in,
    owners,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_values import (
    duration,
    integer,
    problem,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import format_duration, parse

BOTH = (AGENT, OPERATOR)
_MINUTE = parse("1m")
# our judgement: below it, an identity whose first endpoint is slow to appear can be marked and deleted
SHORTEST_HEARTBEAT = 5 * _MINUTE
# our judgement: four times the default; unused identities then stay for hours
LONGEST_GC_INTERVAL = 60 * _MINUTE
SLOWEST_GC = 250  # the default of old versions, which users found too slow (cilium/cilium#12451)
LEASE_DEFAULT, LEASE_RANGE = parse("15m"), (parse("25s"), parse("24h"))
POLICY_MAP_RANGE = (256, 65536)
_CLUSTER_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")


@dataclass(frozen=True)
class RuleBreak:
    """One value that breaks a rule: ``stops`` names the programs that do not start with it, else it is harmful only.

    ``severity`` is that of a harmful one. ``effect`` is a clause, ``wanted`` says what to set instead.
    """

    key: str
    value: str
    effect: str
    wanted: str
    stops: tuple[str, ...] = ()
    severity: str = "warning"


def broken_rules(config: Mapping[str, str], release: Release | None) -> t.Iterator[RuleBreak]:
    """Every rule that the data of cilium-config breaks; values that no program can read are left to ``problem``."""
    yield from _cluster(config)
    yield from _modes(config)
    yield from _identity_gc(config, release)
    yield from _endpoint_gc(config, release)
    yield from _kvstore(config, release)
    yield from _policy_map(config, release)


def _cluster(config: Mapping[str, str]) -> t.Iterator[RuleBreak]:
    most_text = config.get("max-connected-clusters", "255").strip() or "0"
    most, number = integer(most_text), integer(config.get("cluster-id", "0").strip() or "0")
    if most is not None and most not in (255, 511):
        yield RuleBreak("max-connected-clusters", most_text, "it can be 255 or 511 only", "255 or 511", BOTH)
        most = 255
    if number is not None and not 0 <= number <= (most or 255):
        effect = f"a cluster has a number from 0 to max-connected-clusters, which is {most or 255}"
        yield RuleBreak("cluster-id", str(number), effect, f"0 to {most or 255}", BOTH)
    name = config.get("cluster-name", "default").strip()
    if not _CLUSTER_NAME.match(name):
        effect = "a name has at most 32 lower-case letters, digits and inner hyphens"
        yield RuleBreak("cluster-name", name, effect, "such a name", BOTH)
    elif number and name == "default":
        effect = "the name default cannot be used together with a cluster-id other than 0"
        yield RuleBreak("cluster-name", name, effect, "a name of its own", BOTH)


def _modes(config: Mapping[str, str]) -> t.Iterator[RuleBreak]:
    for key, stops in (("identity-allocation-mode", BOTH), ("ipam", (AGENT,)), ("identity-management-mode", ())):
        choices = DETAILS[key].choices
        value = config.get(key, choices[0]).strip()
        if value not in choices:
            effect = f"there are {', '.join(choices)}" if stops else "it is taken for agent"
            yield RuleBreak(key, value, effect, "one of " + ", ".join(choices), stops)


def _nanoseconds(config: Mapping[str, str], key: str, owner: str, release: Release | None) -> int | None:
    """What the owner takes a duration for; None when it is not set, or the owner cannot read it or does not know it."""
    if key not in config:
        return None
    for form in forms_in(key, release):
        if form.owner == owner and form.kind == "duration" and not problem(form, config[key]):
            return duration(form, config[key])
    return None


def _identity_gc(config: Mapping[str, str], release: Release | None) -> t.Iterator[RuleBreak]:
    key = "identity-gc-interval"
    interval = _nanoseconds(config, key, OPERATOR, release)
    if interval is not None and interval <= 0:
        effect = "the operator deletes no identity, so the pool fills up with unused ones"
        yield RuleBreak(key, config[key], effect, DETAILS[key].default)
    elif interval is not None and interval > LONGEST_GC_INTERVAL:
        effect = f"unused identities stay for many hours (default {DETAILS[key].default})"
        yield RuleBreak(key, config[key], effect, DETAILS[key].default)
    key = "identity-heartbeat-timeout"
    timeout = _nanoseconds(config, key, OPERATOR, release)
    if timeout is not None and timeout < SHORTEST_HEARTBEAT:
        effect = (
            f"identities that are in use can be deleted before their endpoint is seen (default {DETAILS[key].default})"
        )
        yield RuleBreak(key, config[key], effect, f"at least {format_duration(SHORTEST_HEARTBEAT)}")
    key = "identity-gc-rate-limit"
    limit = integer(config.get(key, DETAILS[key].default))
    if limit is not None and limit < SLOWEST_GC:
        effect = "the operator deletes at most so many identities in each identity-gc-rate-interval"
        yield RuleBreak(key, config[key], effect, f"{DETAILS[key].default} (the default)")


def _endpoint_gc(config: Mapping[str, str], release: Release | None) -> t.Iterator[RuleBreak]:
    """Both traps were tried on the real operator 1.18.4; the deletion with the interval 0 beside a kvstore is from source."""
    once = "each operator deletes all CiliumEndpoints of the cluster when it starts, and then collects none"
    key = "cilium-endpoint-gc-interval"
    interval = _nanoseconds(config, key, OPERATOR, release)
    without = cilium_endpoint_objects.asked_for(config)
    crd = config.get("identity-allocation-mode", "crd").strip() != "kvstore"
    if without and crd:
        value = config["disable-endpoint-crd"]
        if cilium_endpoint_objects.in_force(config):
            effect = f"{once}; without CiliumEndpoints its GC takes identities that are in use for unused ones"
            yield RuleBreak("disable-endpoint-crd", value, effect, "false", severity="critical")
        else:
            effect = f"it is ignored only as long as there is no kvstore and policies are enforced; otherwise {once}"
            yield RuleBreak("disable-endpoint-crd", value, effect, "false")
    elif interval == 0 and not without:
        effect = f"the operator does not start (seen with 1.18.4); where it starts, {once}"
        yield RuleBreak(key, config[key], effect if crd else once, DETAILS[key].default, severity="critical")
    elif interval is not None and interval < 0:
        yield RuleBreak(key, config[key], "an interval cannot be negative", DETAILS[key].default)
    key = "nodes-gc-interval"
    interval = _nanoseconds(config, key, OPERATOR, release)
    if interval is not None and interval <= 0:
        effect = "CiliumNodes that have neither a Node nor an owner are never deleted, and keep their CIDRs"
        yield RuleBreak(key, config[key], effect, DETAILS[key].default, severity="info")


def _kvstore(config: Mapping[str, str], release: Release | None) -> t.Iterator[RuleBreak]:
    key = "kvstore-lease-ttl"
    readers = [owner for owner in owners(key, release) if _nanoseconds(config, key, owner, release) is not None]
    if not readers:
        return
    lease = _nanoseconds(config, key, readers[0], release) or 0
    shortest, longest = LEASE_RANGE
    if not shortest <= lease <= longest:
        effect = f"it does not lie in the range {format_duration(shortest)} to {format_duration(longest)}"
        yield RuleBreak(key, config[key], effect, format_duration(LEASE_DEFAULT), tuple(readers))
    elif lease < LEASE_DEFAULT and config.get("kvstore", "").strip():
        effect = "keys of an agent that is away that long are lost, so identities and addresses come and go"
        yield RuleBreak(key, config[key], effect, f"{format_duration(LEASE_DEFAULT)} (the default)")


def _policy_map(config: Mapping[str, str], release: Release | None) -> t.Iterator[RuleBreak]:
    key = "bpf-policy-map-max"
    entries = integer(config.get(key, DETAILS[key].default))
    smallest, largest = POLICY_MAP_RANGE
    if entries is None or smallest <= entries <= largest:
        return
    wanted = f"{smallest} to {largest}"
    if entries > largest:
        yield RuleBreak(key, config[key], f"agents lower it to {largest}", wanted)
    elif release is not None and release < (1, 18):
        yield RuleBreak(key, config[key], f"the smallest policy map has {smallest} entries", wanted, (AGENT,))
    else:
        yield RuleBreak(key, config[key], f"agents raise it to {smallest}", wanted)
