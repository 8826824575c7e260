# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether the cilium-operator deletes dead CiliumEndpoints itself, and the trap in the settings that seem to turn it off.

Source of the rules: operator/endpointgc/gc.go, operator/cmd/root.go and pkg/option/config.go of cilium/cilium 1.18.4. Each
cilium-endpoint-gc-interval the leader looks at all endpoints that are older than this interval. With disable-endpoint-crd, or
with the interval 0, it looks once, when it starts, and deletes them all. But Cilium takes disable-endpoint-crd for false without
a kvstore unless all enforcement of policies is off, and where identities are CiliumIdentities the operator does not start with
the interval 0: "Cilium Identity garbage collector requires the CiliumEndpoint garbage collector to be enabled".
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_view import CiliumView
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_collector import (
    leader_lease,
    operator_replicas,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_endpoint_objects import DISABLED, in_force
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import DurationError, parse_timedelta
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words

HEALTHY, OFF, BROKEN, UNKNOWN = "healthy", "off", "broken", "unknown"
INTERVAL = "cilium-endpoint-gc-interval"
_DEFAULT = "5m0s"
_STALE_LEASE = 120.0
_ONCE = "the operator deletes every CiliumEndpoint once when it starts, those of running pods too"


@dataclass(frozen=True)
class EndpointCollection:
    """``verdict``: healthy, off, broken or unknown. ``trap`` warns of the deletion of all endpoints; empty without it."""

    verdict: str
    reasons: tuple[str, ...] = ()
    trap: str = ""

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {"verdict": self.verdict, "reasons": list(self.reasons), "trap": self.trap}


def endpoint_collection(state: ClusterState, cilium: CiliumView) -> EndpointCollection:
    """The verdict by cilium-config, the operator's Deployment, its Lease and its ClusterRole, as far as they were read."""
    if cilium.config is None:
        return EndpointCollection(UNKNOWN, ("cilium-config cannot be read",))
    text = cilium.value(INTERVAL, _DEFAULT)
    try:
        interval = parse_timedelta(text)
    except DurationError as error:
        return EndpointCollection(
            BROKEN, (f"{INTERVAL} is '{text}', with which the operator does not start ({error})",)
        )
    if in_force(cilium.config):
        reason = f"{DISABLED} turns CiliumEndpoints and their collection off"
        return EndpointCollection(OFF, (reason,), f"{DISABLED}: {_ONCE}.")
    if interval <= datetime.timedelta():
        fixed = f"Set {INTERVAL} to a real interval, such as {_DEFAULT}, before it restarts."
        if cilium.identity_mode == "kvstore" and cilium.value("kvstore").strip():
            reason = f"{INTERVAL} {text} turns the collection off"
            return EndpointCollection(OFF, (reason,), f"{INTERVAL} {text}: {_ONCE}. {fixed}")
        reason = f"with {INTERVAL} {text} the operator does not start where identities are CiliumIdentities"
        trap = f"{reason[0].upper()}{reason[1:]} (1.18.4); where it does, {_ONCE}. {fixed}"
        return EndpointCollection(BROKEN, (reason,), trap)
    faults = list(_faults(state, cilium))
    if faults:
        return EndpointCollection(BROKEN, tuple(faults))
    if operator_replicas(cilium) is None and leader_lease(state, cilium) is None:
        return EndpointCollection(UNKNOWN, ("neither the Deployment of the operator nor its Lease could be read",))
    return EndpointCollection(HEALTHY, (f"the operator looks every {words(interval.total_seconds())}",))


def _faults(state: ClusterState, cilium: CiliumView) -> t.Iterator[str]:
    replicas, lease = operator_replicas(cilium), leader_lease(state, cilium)
    if replicas is not None and replicas[0] == 0 and not (lease and lease[0] <= _STALE_LEASE):
        yield f"0 of {replicas[1]} replicas of the operator are ready"
    if lease is False:
        yield "no replica of the operator holds its Lease"
    elif lease is not None and lease[0] > _STALE_LEASE:
        yield f"the Lease of the operator was renewed {words(lease[0])} ago, so nobody leads"
    roles = state.of("clusterroles")
    if roles and not any(_may_delete(rule) for role in roles for rule in role.get("rules") or ()):
        yield "the ClusterRole of the operator does not allow it to delete ciliumendpoints"


def _may_delete(rule: Mapping[str, t.Any]) -> bool:
    wanted: Iterable[tuple[str, set[str]]] = (
        ("apiGroups", {"cilium.io", "*"}),
        ("resources", {"ciliumendpoints", "*"}),
        ("verbs", {"delete", "*"}),
    )
    return not rule.get("resourceNames") and all(found & set(rule.get(key) or ()) for key, found in wanted)
