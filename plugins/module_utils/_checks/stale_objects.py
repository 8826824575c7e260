# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of objects that outlived their Node, or that belong to an earlier Node of the same name.

Leases and CSINodes carry the name of their Node; the garbage collector deletes them by the uid in their ownerReference. A
kubelet renews a Lease that has an owner already without changing it, and never makes a CSINode again, so an old uid has
consequences (pkg/kubelet/util/nodelease.go; kubernetes/kubernetes 120063).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import (
    MOST_FINDINGS,
    counted,
    first,
    listed,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, condition, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment

# the garbage collector is given so long (it takes seconds; a restart of the controller-manager up to a minute)
_GRACE = datetime.timedelta(minutes=2)
_SIMULATED = "kwok.x-k8s.io/node"
_PURPOSE = {"nodeleases": "Lease", "csinodes": "CSINode"}


def check(context: Context) -> Iterator[Finding]:
    """Nothing is judged where Nodes could not be read."""
    if not context.state.knows("nodes"):
        return
    nodes = {name_of(node): node for node in context.state.of("nodes")}
    yield from _leases(context, nodes)
    yield from _csi_nodes(context, nodes)


def _owner(obj: Object) -> str:
    """uid of the owning Node; empty when it has none."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((str(one.get("uid") or "") for one in owners if one.get("kind") == "Node"), "")


def _older_than_grace(context: Context, text: str | None) -> bool:
    """Whether this was long enough ago; a time that is not known counts as long ago."""
    found = moment(text)
    return found is None or context.state.taken_at - found > _GRACE + context.state.skew


def _of_earlier_node(context: Context, obj: Object, node: Object) -> bool:
    """Whether the owner is another Node than the one of this name, for longer than the garbage collector needs."""
    owner, present = _owner(obj), str(node["metadata"].get("uid") or "")
    other = bool(owner and present) and owner != present
    return other and _older_than_grace(context, node["metadata"].get("creationTimestamp"))


def _leases(context: Context, nodes: dict[str, Object]) -> Iterator[Finding]:
    running, stale, earlier = [], [], []
    for lease in context.state.of("nodeleases"):
        name, renewed = name_of(lease), (lease.get("spec") or {}).get("renewTime")
        if name in nodes:
            if _of_earlier_node(context, lease, nodes[name]):
                earlier.append(name)
        elif _older_than_grace(context, renewed):
            stale.append(name)
        elif _older_than_grace(context, lease["metadata"].get("creationTimestamp")):
            running.append(name)
    yield from _each(
        "kubelet-without-node",
        running,
        "Host {0} has a kubelet that renews its Lease, and no Node object",
        "{0} hosts have a kubelet that renews its Lease, and no Node object: {1}",
    )
    yield from _together("stale-node-lease", "nodeleases", stale, earlier)


def _csi_nodes(context: Context, nodes: dict[str, Object]) -> Iterator[Finding]:
    if not context.state.knows("csinodes"):
        return
    objects = {name_of(one): one for one in context.state.of("csinodes")}
    stale = [name for name in objects if name not in nodes]
    earlier = [name for name, one in objects.items() if name in nodes and _of_earlier_node(context, one, nodes[name])]
    yield from _together("stale-csinode", "csinodes", stale, earlier)
    # where no Node has one, nothing makes them here
    if objects:
        missing = [name for name, node in nodes.items() if name not in objects and _needs_csi_node(context, node)]
        yield from _each(
            "csinode-missing",
            missing,
            "Node {0} is Ready and has no CSINode",
            "{0} Nodes are Ready and have no CSINode: {1}",
        )


def _needs_csi_node(context: Context, node: Object) -> bool:
    metadata = node["metadata"]
    simulated = _SIMULATED in (metadata.get("annotations") or {})
    virtual = (metadata.get("labels") or {}).get("type") == "virtual-kubelet"
    settled = _older_than_grace(context, metadata.get("creationTimestamp"))
    return not simulated and not virtual and settled and condition(node, "Ready") == "True"


def _each(identifier: str, names: list[str], one: str, many: str) -> Iterator[Finding]:
    if len(names) > MOST_FINDINGS:
        evidence = {"nodes": first(names), "count": len(names)}
        yield Finding(identifier, Subject("Cluster", "cluster"), many.format(len(names), listed(names)), evidence)
        return
    for name in sorted(names):
        yield Finding(identifier, Subject("Node", name), one.format(name), {"node": name})


def _together(identifier: str, resource: str, stale: list[str], earlier: list[str]) -> Iterator[Finding]:
    kind = _PURPOSE[resource]
    if not stale and not earlier:
        return
    parts = []
    if stale:
        parts.append(f"{counted(len(stale), kind)} without Node: {listed(stale)}")
    if earlier:
        parts.append(f"{counted(len(earlier), kind)} of an earlier Node of the same name: {listed(earlier)}")
    yield Finding(
        identifier,
        Subject(f"{kind}s", "left behind"),
        "; ".join(parts),
        {
            "without_node": first(stale),
            "without_node_count": len(stale),
            "of_earlier_node": first(earlier),
            "of_earlier_node_count": len(earlier),
        },
    )
