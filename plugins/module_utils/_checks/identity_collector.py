# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What the cluster shows of the cilium-operator as the collector of identities."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_view import CiliumView
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import allows
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.prometheus_text import values
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment

LEASE = "cilium-operator-resource-lock"


def operator_replicas(cilium: CiliumView) -> tuple[int, int] | None:
    """(ready, wanted) of the operator's Deployment; None when it was not seen."""
    operator = cilium.operator
    if operator is None:
        return None
    wanted = (operator.get("spec") or {}).get("replicas")
    return int((operator.get("status") or {}).get("readyReplicas") or 0), 1 if wanted is None else int(wanted)


def leader_lease(state: ClusterState, cilium: CiliumView) -> tuple[float, float | None] | t.Literal[False] | None:
    """Seconds since the leader renewed its Lease and since it took it; False when nobody holds it, None when unknown.

    Where not even the operator's Deployment is seen, the operator may be another one with another Lease.
    """
    if not state.knows("leases"):
        return None
    spec = next((one.get("spec") or {} for one in state.of("leases") if name_of(one) == LEASE), {})
    renewed = moment(spec.get("renewTime"))
    if renewed is None or not spec.get("holderIdentity"):
        return None if cilium.operator is None else False
    acquired = moment(spec.get("acquireTime"))
    now = state.taken_at.timestamp()
    return now - renewed.timestamp(), None if acquired is None else now - acquired.timestamp()


def forbidden_verbs(state: ClusterState, *verbs: str) -> tuple[str, ...] | None:
    """Those of the verbs that the operator's ClusterRole does not allow on CiliumIdentities; None when it was not seen."""
    roles = state.of("clusterroles")
    if not roles:
        return None
    rules = [rule for role in roles for rule in role.get("rules") or ()]
    return tuple(verb for verb in verbs if not allows(rules, verb))


def collection_rounds(state: ClusterState) -> tuple[float, float] | None:
    """(successful, failed) rounds of the collection by the operator's metrics; None when they were not read."""
    counts: Counter[str] = Counter()
    for entry in state.of("metrics"):
        if entry.get("component") == "operator":
            for labels, value in values(entry.get("samples") or {}, "cilium_operator_identity_gc_runs"):
                counts[labels.get("outcome", "")] += int(value)
    return (counts["success"], counts["fail"]) if counts else None
