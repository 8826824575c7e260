# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which CiliumNodes have outlived their Node, what each holds, and what speaks against deleting it. Rules only.

Who would delete them: one that a Node owns goes with that Node (garbage collector of Kubernetes), one without owner after
two rounds of the operator (nodes-gc-interval, operator/watchers/cilium_node_gc.go). One that is left means that neither does
its work, or that somebody wants it so. Its block is free again with the deletion; so nothing may use it any more.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    TERMINAL_PHASES,
    Object,
    condition,
    name_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_node_picture import (
    NodePicture,
    has_its_node,
    owner_uids,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.object_times import last_written, seconds_since

# whose business the deletion is
GARBAGE_COLLECTOR, OPERATOR, EARLIER_NODE = "garbage-collector", "operator", "earlier-node"
EXTERNAL, KEPT = "external", "kept"
# risks that a user may take, by name
RISK_EXTERNAL, RISK_KEPT, RISK_GC_OFF, RISK_SHARED = "external-node", "kept", "nodes-gc-off", "shares-block"
RISKS = (RISK_EXTERNAL, RISK_KEPT, RISK_GC_OFF, RISK_SHARED)
_DO_NOT_GC = "cilium.io/do-not-gc"
_SHOWN = 5


@dataclass
class Examined:
    """One CiliumNode that has outlived its Node. ``blocks`` are its CIDRs as texts."""

    name: str
    cause: str
    evidence: str
    blocks: list[str]
    objections: list[Objection] = field(default_factory=list)


def cause_of(cilium_node: Object, node: Object | None) -> tuple[str, str]:
    """(whose business the deletion is, the evidence in words); empty for one that has its Node."""
    if has_its_node(cilium_node, node):
        return "", ""
    metadata, uids = cilium_node["metadata"], owner_uids(cilium_node)
    if node is not None:
        present = node["metadata"].get("uid")
        return (
            EARLIER_NODE,
            f"it belongs to an earlier Node of this name (uid {uids[0]}); the Node now has uid {present}",
        )
    if str((metadata.get("annotations") or {}).get(_DO_NOT_GC, "")).lower() == "true":
        return KEPT, f"there is no Node of this name; its annotation {_DO_NOT_GC} keeps it"
    if uids:
        return GARBAGE_COLLECTOR, f"its owner, the Node with uid {uids[0]}, is gone"
    others = [str(one.get("kind")) for one in metadata.get("ownerReferences") or ()]
    if others:
        return EXTERNAL, f"there is no Node of this name; its owner is a {others[0]}"
    return OPERATOR, "there is no Node of this name, and it has no owner"


def examine(name: str, picture: NodePicture, quarantine: float) -> Examined | None:
    """Judge one CiliumNode; None for one that has its Node, or that is being deleted. ``quarantine`` is in seconds."""
    cilium_node = picture.whole[name]
    if cilium_node["metadata"].get("deletionTimestamp"):
        return None
    cause, evidence = cause_of(cilium_node, picture.ipam.nodes.get(name))
    if not cause:
        return None
    found = Examined(name, cause, evidence, [str(one) for one in picture.cidrs(name)])
    found.objections += _by_cause(found, picture)
    found.objections += _by_time(found, cilium_node, picture, quarantine)
    found.objections += _by_use(found, picture)
    return found


def _by_cause(found: Examined, picture: NodePicture) -> t.Iterator[Objection]:
    name = found.name
    if found.cause == KEPT:
        yield Objection(RISK_KEPT, f"CiliumNode {name}: its annotation {_DO_NOT_GC} says to keep it", RISK_KEPT)
    elif found.cause == EXTERNAL:
        reason = f"CiliumNode {name}: no Node was to own it, so it may stand for a machine outside of Kubernetes"
        yield Objection(RISK_EXTERNAL, reason, RISK_EXTERNAL)
    elif found.cause == OPERATOR and picture.collection_is_off:
        reason = (
            f"CiliumNode {name}: nodes-gc-interval is 0, so somebody wants CiliumNodes without Node to stay (machines outside "
            "of Kubernetes have such)"
        )
        yield Objection(RISK_GC_OFF, reason, RISK_GC_OFF)
    if name in picture.unfinished:
        yield Objection("unfinished", f"CiliumNode {name}: a run that is not done registers its Node again")


def _by_time(found: Examined, cilium_node: Object, picture: NodePicture, quarantine: float) -> t.Iterator[Objection]:
    quiet = seconds_since(last_written(cilium_node), picture.now)
    if quiet is None or quiet < quarantine:
        since = "at an unknown time" if quiet is None else f"{words(quiet)} ago"
        reason = f"CiliumNode {found.name}: it was written {since}, within the quarantine of {words(quarantine)}"
        yield Objection("quarantine", reason)


def _by_use(found: Examined, picture: NodePicture) -> t.Iterator[Objection]:
    name, cidrs = found.name, picture.cidrs(found.name)
    agent = picture.context.cilium.agents_by_node.get(name)
    if agent is not None and (agent.get("status") or {}).get("phase") not in TERMINAL_PHASES:
        yield Objection(
            "agent-runs", f"CiliumNode {name}: the agent {name_of(agent)} is there and would write it again"
        )
    others = {other for other, _own, _theirs in picture.shared.get(name, ())}
    living = sorted(other for other in others if other not in picture.without_node)
    if living:
        reason = (
            f"CiliumNode {name}: {living[0]} has addresses of its blocks too. The operator frees a block whoever else holds "
            "it: restart it at once after the deletion, or it may give the block to a third Node"
        )
        yield Objection(RISK_SHARED, reason, RISK_SHARED)
    bound = picture.bound_pods(name)
    if bound:
        yield Objection("pods-bound", f"CiliumNode {name}: pods {_some(bound)} are bound to a Node of this name")
    using = [pod for pod, node in picture.pods_inside(cidrs) if node != name and node not in others]
    if using:
        yield Objection("pods-use-block", f"CiliumNode {name}: pods {_some(using)} have addresses of its blocks")
    left = {*picture.endpoints_of(name), *(one for one, node in picture.endpoints_inside(cidrs) if node not in others)}
    if left:
        reason = (
            f"CiliumNode {name}: CiliumEndpoints {_some(left)} are of this Node or of its blocks; when their pods are gone, "
            "podnet.upkeep.clean_endpoints deletes them"
        )
        yield Objection("endpoints-left", reason)


def causes_in_words(examined: Sequence[Examined], picture: NodePicture) -> list[str]:
    """Why nobody else has deleted them, and what to mend so that it does not come again."""
    causes = {one.cause for one in examined}
    found = []
    if GARBAGE_COLLECTOR in causes or EARLIER_NODE in causes:
        broken = [
            name_of(one) for one in picture.context.state.of("apiservices") if condition(one, "Available") == "False"
        ]
        text = "The garbage collector of Kubernetes deletes CiliumNodes whose Node is gone, within seconds; it has not."
        if broken:
            text += f" APIServices that are not available block it: {_some(broken)}. Mend them first."
        found.append(text)
    if OPERATOR in causes and picture.collection_is_off:
        found.append("nodes-gc-interval is 0, so the operator deletes no CiliumNode without owner.")
    elif OPERATOR in causes:
        found.append(
            "The operator deletes CiliumNodes without owner after two rounds of nodes-gc-interval; see whether it runs."
        )
    return found


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:_SHOWN]) + (f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else "")
