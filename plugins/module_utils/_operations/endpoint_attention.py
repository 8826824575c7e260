# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What no deletion of an endpoint mends: endpoints that stay unready, pods without endpoint, slices that lag behind."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import endpoint_pods, endpoint_slices
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment, words
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import controller_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_picture import EndpointPicture
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.object_times import seconds_since

_SHOWN = 10
_WAITING = "waiting-for-identity"


@dataclass
class _Stuck:
    states: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    example: str = ""


def agents_to_restart(picture: EndpointPicture, stuck_after: float) -> list[dict[str, t.Any]]:
    """One row for each Node with endpoints that were unready for ``stuck_after`` seconds or longer, the worst first.

    How long: by the agent's own log where agents were asked, else since the last write to the endpoint, which is the
    shortest that it can be.
    """
    cilium = picture.context.cilium
    logged = _by_agents(picture)
    by_node: dict[str, _Stuck] = {}
    for one in picture.unready:
        node = cilium.node_names_by_address.get(one.address, "")
        name = f"{one.namespace}/{one.name}"
        state, since = logged.get(name, ("", ""))
        begun = moment(since) if state == one.state else None
        lasted = seconds_since(begun or one.written, picture.now)
        if not node or node not in picture.around.nodes or lasted is None or lasted < stuck_after:
            continue
        found = by_node.setdefault(node, _Stuck())
        found.states[one.state] += 1
        if lasted >= found.longest:
            found.longest, found.example = lasted, name
    rows = [_row(picture, node, found) for node, found in by_node.items()]
    return sorted(rows, key=lambda row: (-row["endpoints"], row["node"]))


def _row(picture: EndpointPicture, node: str, found: _Stuck) -> dict[str, t.Any]:
    agent = picture.context.cilium.agents_by_node.get(node)
    phase = ((agent or {}).get("status") or {}).get("phase")
    runs = agent is not None and phase == "Running" and not agent["metadata"].get("deletionTimestamp")
    states = ", ".join(f"{count} {state}" for state, count in found.states.most_common())
    text = (
        f"{sum(found.states.values())} endpoints are not ready ({states}), {found.example} for {words(found.longest)}"
    )
    if agent is None:
        text += "; no agent runs there: look at the DaemonSet cilium first"
    elif not runs:
        text += f"; its agent is {phase}: look at its log first"
    return {
        "node": node,
        "agent": str(agent["metadata"]["name"]) if agent is not None else "",
        "agent_runs": runs,
        "endpoints": sum(found.states.values()),
        "states": dict(sorted(found.states.items())),
        "longest_seconds": int(found.longest),
        "example": found.example,
        "words": text,
    }


def _by_agents(picture: EndpointPicture) -> dict[str, tuple[str, str]]:
    return {
        str(one["pod"]): (str(one.get("state")), str(one["since"]))
        for answer in picture.context.state.of("agents")
        for one in answer.get("endpoints") or ()
        if one.get("pod") and one.get("since")
    }


def waiting_note(rows: Collection[Mapping[str, t.Any]]) -> str:
    """A restart of agents gives nobody an identity where none is left: what to look at first; empty without cause."""
    waiting = sum(row["states"].get(_WAITING, 0) for row in rows)
    if not waiting:
        return ""
    nodes = sum(1 for row in rows if row["states"].get(_WAITING))
    return (
        f"{waiting} endpoints on {nodes} Nodes wait for an identity. Where identities have run out, a restart of agents helps "
        "nobody: see podnet.upkeep.audit, then podnet.upkeep.clean_identities."
    )


def pods_without_endpoint(picture: EndpointPicture) -> list[Object]:
    """Running pods of Nodes with an agent that have no CiliumEndpoint, and those not that another CNI has set up."""
    found = endpoint_pods.pods_without_endpoint(picture.context) or {}
    pods = [pod for _node, of_node in sorted(found.items()) for pod in of_node]
    return sorted(pods, key=lambda pod: (str(pod["metadata"].get("namespace")), str(pod["metadata"]["name"])))


def missing_rows(pods: Collection[Object]) -> list[dict[str, t.Any]]:
    """One row for each of these pods, with the safe act."""
    rows = []
    for pod in pods:
        controller = controller_of(pod)
        owner = f"{controller.get('kind')}/{controller.get('name')}" if controller else ""
        node = str(pod["spec"]["nodeName"])
        if owner:
            act = "recreate the pod: its controller makes another (recreate_pods does so by eviction)"
        else:
            act = f"no controller would make it again: restart the agent of Node {node}, or recreate the pod yourself"
        rows.append(
            {
                "namespace": str(pod["metadata"].get("namespace")),
                "name": str(pod["metadata"]["name"]),
                "uid": str(pod["metadata"].get("uid")),
                "node": node,
                "controller": owner,
                "act": act,
            }
        )
    return rows


def slice_leftovers(picture: EndpointPicture, dead: Collection[tuple[str, str]]) -> dict[str, t.Any]:
    """Entries of CiliumEndpointSlices whose endpoint is gone or will be: the operator takes them out, nobody else may."""
    if not endpoint_slices.enabled(picture.context):
        return {"enabled": False, "stale_entries": 0, "examples": [], "words": ""}
    living = {
        (str(one["metadata"].get("namespace")), str(one["metadata"]["name"]))
        for one in picture.context.state.of("ciliumendpoints")
    } - set(dead)
    stale = sorted(
        f"{piece.get('namespace')}/{entry.get('name')}"
        for piece in picture.context.state.of("ciliumendpointslices")
        for entry in piece.get("endpoints") or ()
        if (str(piece.get("namespace") or ""), str(entry.get("name"))) not in living
    )
    text = ""
    if stale:
        text = (
            f"{len(stale)} entries of CiliumEndpointSlices name endpoints that are gone or dead. Agents read the slices; the "
            "operator takes such entries out within seconds after the CiliumEndpoint is gone, and all of them when it starts. "
            "Slices are never changed here."
        )
    return {"enabled": True, "stale_entries": len(stale), "examples": stale[:_SHOWN], "words": text}
