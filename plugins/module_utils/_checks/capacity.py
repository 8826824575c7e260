# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a forecast needs of one state: the same keys as in the result of an audit, and the allocators themselves."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cilium_ipam, node_capacity
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_demand import lacks, waiting_by_pool
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_growth import forecast, turnover
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import view_of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.node_capacity import pod_limit
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import POLICIES, RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.block_supply import (
    CiliumBlocks,
    NodeBlocks,
    asked_at_start,
    pre_allocation_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import IN_USE, PENDING
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import CollectionTimes

#: What a forecast reads of a cluster: nothing of this tells how much room there is, or how fast it goes.
RESOURCES_OF_A_FORECAST: t.Final = tuple(
    name for name in RESOURCES if name not in {"apiservices", "csinodes", "events", "nodeleases", *POLICIES}
)


@dataclass(frozen=True)
class Present:
    """The state that a forecast starts from. None is unknown, or not there; ``why`` says which, by resource.

    ``document`` has the keys of an audit's result that ``usage_history`` reads. ``cluster`` is the uid of the namespace
    kube-system, empty where it is unknown. ``limits``: {Node: pods that its kubelet takes}.
    """

    document: Mapping[str, t.Any]
    nodes: NodeBlocks | None = None
    cilium: CiliumBlocks | None = None
    identities_in_use: int | None = None
    times: CollectionTimes | None = None
    collects: bool | None = None
    turnover: Mapping[str, t.Any] | None = None
    single: Mapping[str, t.Any] | None = None
    cluster: str = ""
    limits: Mapping[str, int] | None = None
    why: Mapping[str, str] | None = None


def usage_document(context: Context) -> dict[str, t.Any]:
    """The keys of an audit's result that tell what is in use, without any check: for one state of a history."""
    view = view_of(context)
    allowed = view.range
    section = cilium_ipam.section(context) or {}
    addresses: dict[str, t.Any] = {name: one.to_dict() for name, one in node_capacity.addresses(context).items()}
    addresses.update(section.get("nodes") or {})
    span = None
    if allowed is not None:
        span = {"minimum": allowed.minimum, "maximum": allowed.maximum, "capacity": allowed.capacity}
    free = None if view.used is None or allowed is None else max(0, allowed.capacity - view.used)
    return {
        "taken_at": context.state.taken_at.isoformat(),
        "origin": context.state.origin,
        "pools": context.pool_summaries() if context.ipam_model.node_spec_is_truth else [],
        "cilium_pools": section.get("pools"),
        "identities": {"range": span, "used": view.used, "free": free},
        "nodes": [
            {
                "name": name_of(node),
                "pod_cidrs": [str(one) for one in context.node_cidrs[name_of(node)]],
                "addresses": addresses.get(name_of(node)),
            }
            for node in context.state.nodes
        ],
        "unknown": dict(context.state.unknown),
    }


def cluster_uid(context: Context) -> str:
    """The uid of the namespace kube-system, which a cluster has for its life; empty where it is unknown."""
    for one in context.state.of("namespaces"):
        if name_of(one) == "kube-system":
            return str(one["metadata"].get("uid") or "")
    return ""


def present_of(context: Context) -> Present:
    """Everything that a forecast and its what-if need."""
    view = view_of(context)
    known = context.cilium.installed and view.known
    counts = view.counts() if known else None
    expected, churn = (forecast(view), turnover(view)) if known else (None, None)
    return Present(
        document=usage_document(context),
        nodes=_node_blocks(context),
        cilium=_cilium_blocks(context),
        identities_in_use=None if counts is None else counts[IN_USE] + counts[PENDING],
        times=view.times if known and context.cilium.config else None,
        collects=view.verdict.collects if known else None,
        turnover=None if churn is None else churn.to_dict(),
        single=None if expected is None else expected.to_dict(),
        cluster=cluster_uid(context),
        limits={name_of(node): most for node in context.state.nodes if (most := pod_limit(node)) is not None},
        why=_why(context),
    )


def _node_blocks(context: Context) -> NodeBlocks | None:
    if not context.ipam_model.node_spec_is_truth or not context.pools or "nodes" in context.state.unknown:
        return None
    held = [network for cidrs in context.node_cidrs.values() for network in cidrs]
    return NodeBlocks(context.pools, held, len(context.waiting), context.allocator.service_ranges)


def _cilium_blocks(context: Context) -> CiliumBlocks | None:
    ipam = of(context)
    if not ipam.has_pools:
        return None
    waiting = {key: len(names) for key, names in waiting_by_pool(lacks(ipam)).items()}
    held = {name: found for name, found in ipam.allocated.items() if not ipam.ignored(name)}
    spare = pre_allocation_of(context.cilium.value("ipam-multi-pool-pre-allocation"))
    asked = asked_at_start(spare) if spare is not None else {}
    return CiliumBlocks(ipam.mode, ipam.pools, ipam.families, held, waiting, asked)


def _why(context: Context) -> dict[str, str]:
    """Why a resource is not foretold."""
    found = {}
    allocator, model, view = context.allocator, context.ipam_model, view_of(context)
    if "nodes" in context.state.unknown:
        found["node-blocks"] = f"nodes could not be read: {context.state.unknown['nodes']}"
    elif not model.node_spec_is_truth:
        found["node-blocks"] = f"blocks of Node.spec do not decide here: the IPAM model is {model.name}"
    elif allocator.allocate_node_cidrs is False:
        found["node-blocks"] = f"{allocator.source} does not allocate podCIDRs"
    elif not context.pools:
        found["node-blocks"] = "the settings of the allocator are not known; state them in the option allocator"
    ipam = of(context)
    if not context.cilium.installed:
        found["cilium-pools"] = found["identities"] = "there is no Cilium here"
        return found
    if not ipam.has_pools:
        found["cilium-pools"] = (
            f"the operator has no pools with ipam {ipam.mode or 'that is not known'}, or they could not be read"
        )
    if view.used is None:
        text = view.range_or_problem if isinstance(view.range_or_problem, str) else "they are kept in a kvstore"
        found["identities"] = text if view.known else "ciliumidentities could not be read"
    elif view.why_unclassified:
        found["churn"] = "; ".join(view.why_unclassified)
    return found
