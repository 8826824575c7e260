# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a new cluster CIDR is to the one in force, and what speaks against it, tested against the cluster."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Callable, Collection, Iterable, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.controller_manager_loop import EXITS, exits_at
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    condition,
    internal_addresses,
    name_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import cluster_preflight
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import (
    PASSED,
    UNKNOWN,
    PlanCheck,
    checked,
    some,
)

UNCHANGED, SUPERSET, NEW_MASK, NEW_FAMILIES = "unchanged", "superset", "new-mask", "new-families"
DISJOINT, OVERLAPPING, NOT_KNOWN = "disjoint", "overlapping", "unknown"
#: Findings that say that another place does not know the range yet.
ELSEWHERE = frozenset(
    {
        "flannel-network-mismatch",
        "flannel-config-invalid",
        "calico-pool-mismatch",
        "kube-proxy-range-mismatch",
        "cilium-native-routing-mismatch",
    }
)


def relation(now: AllocatorSettings, target: AllocatorSettings) -> str:
    """Which of the constants above the target is to the settings in force."""
    if not now.known:
        return NOT_KNOWN
    if now.families != target.families:
        return NEW_FAMILIES
    if any(now.mask_sizes[version] != target.mask_sizes[version] for version in now.families):
        return NEW_MASK
    pairs = list(zip(now.cluster_cidrs, target.cluster_cidrs, strict=True))
    if all(old == new for old, new in pairs):
        return UNCHANGED
    if all(old.subnet_of(new) for old, new in pairs):  # type: ignore[arg-type]
        return SUPERSET
    return OVERLAPPING if any(old.overlaps(new) for old, new in pairs) else DISJOINT


def seen_with(context: Context, target: AllocatorSettings) -> Context:
    """The same cluster, judged as if kube-controller-manager ran with the target."""
    return Context(context.state, AuditSettings(target, context.settings.headroom_factor))


def findings_with(context: Context, target: AllocatorSettings, ids: Collection[str]) -> list[Finding]:
    """What the audit would say with the target, of these ids."""
    return [one for one in run_checks(seen_with(context, target)) if one.id in ids]


def of_cluster(client: KubeClient, context: Context, settle_seconds: float) -> list[PlanCheck]:
    """Whether the cluster is in a state in which its network can be changed. Raises ApiError."""
    checks = [
        PlanCheck("The cluster's objects can be read", UNKNOWN, f"{resource} cannot be read: {why}")
        for resource, why in sorted(context.state.unknown.items())
    ]
    model = context.ipam_model
    away = "" if model.node_spec_is_truth else f"{model.name}: {model.evidence}"
    checks.append(checked("Pods get addresses out of Node.spec.podCIDRs", away))
    out = [name_of(node) for node in context.state.nodes if condition(node, "Ready") != "True"]
    checks.append(checked("Every Node is Ready", f"not Ready: {some(out)}" if out else ""))
    checks.append(
        _objected("kube-controller-manager leads and is stable", lambda: _controllers(client, context, settle_seconds))
    )
    checks.append(_objected("Every API service answers", lambda: cluster_preflight.garbage_collection(client)))
    return checks


def _controllers(client: KubeClient, context: Context, settle_seconds: float) -> list[cluster_preflight.Objection]:
    return cluster_preflight.controller_manager(client, settle_seconds=settle_seconds, exits_at=exits_at(context))


def _objected(what: str, ask: Callable[[], list[cluster_preflight.Objection]]) -> PlanCheck:
    found = ask()
    if found and found[0].override:
        return PlanCheck(what, UNKNOWN, found[0].reason)
    return checked(what, "; ".join(one.reason for one in found))


def of_ranges(context: Context, ranges: Sequence[Network], reserved: Iterable[Network] = ()) -> list[PlanCheck]:
    """Whether new ranges are free of service ranges, addresses of Nodes, and networks that the user names."""
    services = [
        f"{one} and {service}" for one in ranges for service in context.service_ranges if _overlap(one, service)
    ]
    checks = [checked("No service range is in the new range", some(services))]
    if not context.service_ranges:
        checks = [PlanCheck("No service range is in the new range", UNKNOWN, "the service range is not visible")]
    inside = [
        f"{address} of Node {name_of(node)}"
        for node in context.state.nodes
        for address in internal_addresses(node)
        if any(_contains(one, address) for one in ranges)
    ]
    checks.append(checked("No address of a Node is in the new range", some(inside)))
    others = [f"{one} and {other}" for one in ranges for other in reserved if _overlap(one, other)]
    checks.append(checked("No network that you named is in the new range", some(others)))
    return checks


def of_start(context: Context, target: AllocatorSettings) -> PlanCheck:
    """Whether kube-controller-manager starts with the target and the Nodes as they are."""
    what = "kube-controller-manager starts with the new range and the Nodes as they are"
    if not target.pools():
        return checked(what, "it does not take these ranges and masks")
    exits = findings_with(context, target, EXITS)
    return checked(what, f"it exits at {some([str(one.subject) for one in exits])}" if exits else "")


def of_settings(context: Context) -> PlanCheck:
    """Whether all controller-managers that are visible have the same settings."""
    what = "All controller-managers have the same settings"
    differ = [one for one in run_checks(context) if one.id == "controller-manager-replicas-disagree"]
    return checked(what, "; ".join(one.summary for one in differ))


def of_capacity(context: Context, target: AllocatorSettings, held: Iterable[Network]) -> PlanCheck:
    """Whether there is a block for every Node in the target, beside what is ``held`` of it."""
    what = "There is a block for every Node"
    networks = list(held)
    lacking = []
    for pool in target.pools():
        own = [one for one in networks if one.version == pool.cluster.version]
        needed = len(context.state.nodes) - len(own)
        if pool.free(own) < needed:
            lacking.append(f"{pool.cluster} (/{pool.mask_size} each) has {pool.free(own)} free, {needed} are needed")
    if lacking:
        return checked(what, "; ".join(lacking))
    return PlanCheck(what, PASSED, "; ".join(f"{pool.cluster} has {pool.capacity} blocks" for pool in target.pools()))


def acts_elsewhere(context: Context, target: AllocatorSettings) -> list[str]:
    """What has to know the range before a Node gets a block of it, as the audit finds it."""
    ranges = ",".join(map(str, target.cluster_cidrs))
    return [
        f"{one.subject}: {one.summary}; change it to contain {ranges}, and restart the pods that read it"
        for one in findings_with(context, target, ELSEWHERE)
    ]


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _contains(network: Network, text: str) -> bool:
    try:
        address: t.Any = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.version == network.version and address in network
