# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of ClusterCIDR objects: capacity, overlap, and which Node is served by which of them."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_nodes import labels_of, named
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network, overlapping
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cluster_cidr_objects import (
    ClusterCidr,
    ordered_for,
    parse,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import RANGE_ALLOCATOR
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import NODE_SPEC, UNKNOWN

# resource -> API group; an allocator knows the objects of its group only
GROUPS: t.Final = {"clustercidrs": "networking.x-k8s.io", "clustercidrs-in-tree": "networking.k8s.io"}


@dataclass(frozen=True)
class Pool:
    """A ClusterCIDR with the podCIDRs that all Nodes hold."""

    group: str
    of: ClusterCidr
    free: int

    def to_dict(self) -> dict[str, t.Any]:
        """What findings and the page say about it."""
        return {
            "name": self.of.name,
            "api_group": self.group,
            "ranges": [str(one) for one in self.of.networks],
            "selector": self.of.selector,
            "capacity": self.of.capacity,
            "free": self.free,
        }


def cluster_cidr_pools(context: Context) -> list[Pool]:
    """Every ClusterCIDR of the cluster, those of each API group by name."""
    held = [network for cidrs in context.node_cidrs.values() for network in cidrs]
    made = []
    for resource, group in GROUPS.items():
        for obj in sorted(context.state.of(resource), key=name_of):
            one = parse(obj, context.service_ranges)
            made.append(Pool(group, one, one.free(held)))
    return made


def check(context: Context) -> Iterator[Finding]:
    """Nothing where there are no such objects, or where Node.spec is known not to matter."""
    pools = cluster_cidr_pools(context)
    if not pools or context.ipam_model.name not in (NODE_SPEC, UNKNOWN):
        return
    yield from _allocators(context, pools)
    for pool in pools:
        if pool.of.problem:
            text = f"ClusterCIDR {pool.of.name} cannot be used: {pool.of.problem}"
            yield Finding("cluster-cidr-invalid", _subject(pool), text, pool.to_dict())
        if pool.of.terms > 1:
            text = (
                f"The nodeSelector of ClusterCIDR {pool.of.name} has {pool.of.terms} terms; its allocator takes Nodes that "
                f"match all of them ({pool.of.selector}), not one of them"
            )
            yield Finding("cluster-cidr-selector-terms", _subject(pool), text, pool.to_dict())
    yield from _overlap(pools)
    for group in sorted({pool.group for pool in pools}):
        yield from _service(context, [pool for pool in pools if pool.group == group], group)


def _subject(pool: Pool) -> Subject:
    return Subject("ClusterCIDR", pool.of.name)


def _allocators(context: Context, pools: Sequence[Pool]) -> Iterator[Finding]:
    """kube-controller-manager's own allocator beside the one with objects: both would give blocks to one Node."""
    allocator = context.allocator
    if allocator.allocate_node_cidrs and allocator.allocator_type == RANGE_ALLOCATOR:
        names = sorted(pool.of.name for pool in pools)
        text = f"{allocator.source} allocates podCIDRs (RangeAllocator) although there are ClusterCIDR objects ({named(names)})"
        evidence = {"allocator": allocator.to_dict(), "cluster_cidrs": names[:10], "count": len(names)}
        yield Finding("cluster-cidr-two-allocators", Subject("Cluster", "cluster"), text, evidence)


def _overlap(pools: Sequence[Pool]) -> Iterator[Finding]:
    owners = [(f"{pool.group}/{pool.of.name}", network) for pool in pools for network in pool.of.networks]
    for owner, pairs in sorted(overlapping(owners).items()):
        others = sorted({f"{other.partition('/')[2]} ({theirs})" for other, _own, theirs in pairs})
        name = owner.partition("/")[2]
        text = f"ClusterCIDR {name} shares addresses with {named(others)}"
        yield Finding("cluster-cidr-overlap", Subject("ClusterCIDR", name), text, {"overlaps": others[:10]})


def _service(context: Context, pools: Sequence[Pool], group: str) -> Iterator[Finding]:
    """Which Nodes nobody serves, whose block nobody remembers, and which pools are full."""
    objects = [pool.of for pool in pools]
    free = {pool.of.name: pool.free for pool in pools}
    served: dict[frozenset[tuple[str, str]], list[ClusterCidr]] = {}
    keys = {one.key for of in objects for one in of.requirements or ()}
    without: list[str] = []
    unserved: list[str] = []
    waiting: dict[str, list[str]] = {}
    strays: dict[bool, list[str]] = {True: [], False: []}
    for node in context.state.nodes:
        labels = {key: value for key, value in labels_of(node).items() if key in keys}
        alike = frozenset(labels.items())
        if alike not in served:
            served[alike] = ordered_for(labels, objects)
        candidates, name = served[alike], name_of(node)
        cidrs: Sequence[Network] = context.node_cidrs[name]
        if not candidates:
            (unserved if cidrs else without).append(name)
        elif not cidrs and not any(free[one.name] for one in candidates):
            waiting.setdefault(candidates[0].name, []).append(name)
        if cidrs and not any(one.contains(cidrs) for one in candidates):
            strays[any(one.contains([network]) for one in objects for network in cidrs)].append(name)
    yield from _unserved(without, unserved, group)
    yield from _strays(strays, group)
    for pool in pools:
        if not pool.of.problem and not pool.free:
            names = waiting.get(pool.of.name, [])
            text = f"All {pool.of.capacity} blocks of ClusterCIDR {pool.of.name} are taken"
            text += f"; waiting Nodes ({len(names)}): {named(names)}" if names else ""
            level = CRITICAL if names else WARNING
            yield Finding(
                "cluster-cidr-exhausted", _subject(pool), text, {**pool.to_dict(), "waiting": names[:10]}, level
            )


def _unserved(without: Sequence[str], unserved: Sequence[str], group: str) -> Iterator[Finding]:
    for names, words, level in (
        (without, "have no podCIDR and", CRITICAL),
        (unserved, "have a podCIDR, but", WARNING),
    ):
        if names:
            text = f"{len(names)} Nodes {words} match no ClusterCIDR of {group}: {named(names)}"
            evidence = {"nodes": list(names[:10]), "count": len(names), "api_group": group}
            yield Finding("node-without-cluster-cidr", Subject("API group", group), text, evidence, level)


def _strays(strays: dict[bool, list[str]], group: str) -> Iterator[Finding]:
    for taken, names in strays.items():
        if names:
            words = (
                "in a ClusterCIDR that does not select them: the block may be given out a second time"
                if taken
                else "outside every ClusterCIDR; the allocator leaves them alone"
            )
            text = f"podCIDRs of {len(names)} Nodes are {words} ({named(names)})"
            evidence = {"nodes": names[:10], "count": len(names), "api_group": group}
            level = CRITICAL if taken else INFO
            yield Finding("cluster-cidr-not-recorded", Subject("API group", group), text, evidence, level)
