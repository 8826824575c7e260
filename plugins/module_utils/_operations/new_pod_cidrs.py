# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Where the new Node's podCIDRs will come from: a person, a ClusterCIDR object, or the allocator's one pool."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_cluster_cidrs import GROUPS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cluster_cidr_objects import (
    ClusterCidr,
    ordered_for,
    parse,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import some
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_cidr_validation import faults


@dataclass(frozen=True)
class Source:
    """In words where they come from, and what speaks against it. ``allocator``: of the pool that all Nodes share."""

    words: str
    objections: list[Objection] = field(default_factory=list)
    allocator: bool = False


def objects_in_use(context: Context) -> list[ClusterCidr]:
    """ClusterCIDRs that decide: those of the cluster, where kube-controller-manager itself allocates nothing."""
    if context.allocator.allocate_node_cidrs:
        return []
    return [parse(obj, context.service_ranges) for resource in GROUPS for obj in context.state.of(resource)]


def pool_labels(context: Context, node: Mapping[str, t.Any]) -> dict[str, str]:
    """The labels of a Node that decide from which ClusterCIDR it gets its podCIDRs."""
    keys = {one.key for of in objects_in_use(context) for one in of.requirements or ()}
    labels = (node.get("metadata") or {}).get("labels") or {}
    return {key: str(labels[key]) for key in sorted(keys & set(labels))}


def source_of(context: Context, node: Mapping[str, t.Any], chosen: Sequence[str], *, person: bool = False) -> Source:
    """The source for one Node; ``chosen`` are podCIDRs that a person gives it. ``person``: to some Nodes one does."""
    if chosen:
        return _chosen(context, node, chosen)
    objects = objects_in_use(context)
    if objects:
        return _of_objects(context, node, objects)
    settings = context.allocator
    ranges = ", ".join(f"{cidr} (/{settings.mask_sizes[cidr.version]} each)" for cidr in settings.cluster_cidrs)
    objections = []
    if person and settings.allocate_node_cidrs is not True:
        reason = f"Node {name_of(node)}: no podCIDRs are chosen for it, and no allocator would give it any"
        objections.append(Objection("allocator-off", reason))
    return Source(f"the allocator, out of {ranges}" if ranges else "the allocator", objections, allocator=True)


def _chosen(context: Context, node: Mapping[str, t.Any], chosen: Sequence[str]) -> Source:
    name = name_of(node)
    wanted = {"metadata": {"name": name}, "spec": {"podCIDRs": list(chosen)}}
    found = faults(wanted, context.state.nodes, context.allocator)
    objections = [Objection("chosen-pod-cidrs", f"Node {name} cannot get {', '.join(chosen)}: {one}") for one in found]
    objections += _competing(context, name, chosen)
    return Source(f"your choice: {', '.join(chosen)}", objections)


def _competing(context: Context, name: str, chosen: Sequence[str]) -> list[Objection]:
    """Nodes that wait take what becomes free within seconds of the deletion, also a block that is meant for the new Node.

    It would be created with its block all the same, and two Nodes would have it.
    """
    others = set(context.waiting) - {name}
    if not others:
        return []
    waiting = [node for node in context.state.nodes if name_of(node) in others]
    wanted = _parsed(chosen)
    objects, settings = objects_in_use(context), context.allocator
    if objects:
        takers = [node for node in waiting if _overlaps(wanted, _ranges_for(node, objects))]
    elif settings.allocate_node_cidrs is False:
        takers = []
    else:
        reaches = not settings.cluster_cidrs or _overlaps(wanted, settings.cluster_cidrs)
        takers = waiting if reaches else []
    if not takers:
        return []
    who = some(sorted(map(name_of, takers)))
    sure = bool(objects) or settings.allocate_node_cidrs is True
    reason = (
        f"Node {name}: Nodes without podCIDR wait for one ({who}), and {'an' if sure else 'if there is an'} allocator"
        f"{' runs that' if sure else ', it'} could give them {', '.join(chosen)} as soon as the Node is deleted, so that two "
        "Nodes would have it; let them have podCIDRs first, or delete them"
    )
    if sure:
        return [Objection("competing-nodes", reason)]
    reason += ". Say with the option allocator whether one runs (allocate_node_cidrs)"
    return [Objection("competing-nodes", reason, "competing-nodes")]


def _ranges_for(node: Mapping[str, t.Any], objects: Sequence[ClusterCidr]) -> list[Network]:
    labels = (node.get("metadata") or {}).get("labels") or {}
    return [network for one in ordered_for(labels, objects) for network in one.networks]


def _overlaps(wanted: Sequence[Network], ranges: Sequence[Network]) -> bool:
    return any(one.version == other.version and one.overlaps(other) for one in wanted for other in ranges)


def _of_objects(context: Context, node: Mapping[str, t.Any], objects: Sequence[ClusterCidr]) -> Source:
    name = name_of(node)
    candidates = ordered_for((node.get("metadata") or {}).get("labels") or {}, objects)
    if not candidates:
        reason = f"Node {name}: no ClusterCIDR serves a Node with its labels, so it would get no podCIDR"
        return Source("no ClusterCIDR", [Objection("no-block", reason)])
    own = _parsed(pod_cidrs_of(node))
    held = [network for cidrs in context.node_cidrs.values() for network in cidrs if network not in own]
    free = sum(one.free(held) for one in candidates)
    competing = sorted(set(context.waiting) - {name})
    objections = []
    if free <= len(competing):
        others = f", and {len(competing)} Nodes without podCIDR wait for one" if competing else ""
        reason = f"Node {name}: its ClusterCIDRs would have {free} free blocks when it is deleted{others}"
        objections.append(Objection("no-block", reason))
    first = next((one for one in candidates if one.free(held) > 0), candidates[0])
    ranges = ", ".join(map(str, first.networks))
    return Source(f"ClusterCIDR {first.name} ({ranges}), by its labels", objections)


def _parsed(texts: Sequence[str]) -> list[Network]:
    found: list[Network] = []
    for text in texts:
        try:
            found.append(parse_network(text))
        except CidrError:  # a finding of its own; nobody can hold it
            continue
    return found
