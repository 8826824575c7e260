# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""CiliumNodes that hold the same addresses: which side to drain first. A plan only; nothing here changes anything.

The operator books a block for the first CiliumNode by name when it starts and refuses the other side, whose error it writes
into operator-status. The refused side goes on to use the addresses; so two pods may have the same one.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import is_control_plane
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_node_picture import NodePicture


def block_conflicts(picture: NodePicture) -> list[dict[str, t.Any]]:
    """One row for each pair of CiliumNodes: their CIDRs, the pods of each, ``drain_first``, and the reasons."""
    users = _users(picture)
    rows = []
    for name, pairs in sorted(picture.shared.items()):
        for other in sorted({one for one, _own, _theirs in pairs if one > name}):
            mine = sorted({str(own) for one, own, _theirs in pairs if one == other})
            theirs = sorted({str(cidr) for one, _own, cidr in pairs if one == other})
            sides = [_Side(picture, name, users.get(name, 0)), _Side(picture, other, users.get(other, 0))]
            first, last = sorted(sides, key=lambda side: side.order)
            reasons = first.reasons_before(last)
            rows.append(
                {
                    "nodes": [name, other],
                    "cidrs": {name: mine, other: theirs},
                    "pods": {side.name: side.pods for side in sides},
                    "drain_first": first.name,
                    "reasons": reasons,
                    "act": first.act,
                }
            )
    return rows


class _Side:
    """One of the two. The lower its order, the less is lost when it gives its block back."""

    def __init__(self, picture: NodePicture, name: str, pods: int) -> None:
        self.name = name
        self.pods = pods
        self.has_node = name not in picture.without_node
        self.booked = name not in picture.ipam.books.refused if picture.ipam.has_pools else True
        node: Object | None = picture.ipam.nodes.get(name)
        self.is_control_plane = node is not None and is_control_plane(node)
        self.created = str(picture.whole[name]["metadata"].get("creationTimestamp") or "")

    @property
    def order(self) -> tuple[t.Any, ...]:
        """First without Node, then not of the control plane, then with fewer pods, then not booked, then the younger."""
        younger = [-ord(letter) for letter in self.created]
        return self.has_node, self.is_control_plane, self.pods, self.booked, younger, self.name

    @property
    def act(self) -> str:
        """What to do with it."""
        if not self.has_node:
            return (
                f"delete CiliumNode {self.name} (cilium_node_cleanup, with the risk shares-block), and restart the operator at "
                "once, so that it books the block for the other side"
            )
        return (
            f"drain Node {self.name}, stop its agent, delete CiliumNode {self.name}, restart the operator, start the agent, "
            "recreate the pods that are left, and make the Node schedulable"
        )

    def reasons_before(self, other: _Side) -> list[str]:
        """Why this side goes first."""
        found = []
        if self.has_node != other.has_node:
            found.append(f"{self.name} has no Node any more")
        if self.is_control_plane != other.is_control_plane:
            found.append(f"{other.name} is of the control plane")
        if self.pods != other.pods:
            found.append(
                f"{self.pods} pods of {self.name} have addresses of the block, and {other.pods} of {other.name}"
            )
        if self.booked != other.booked:
            side = self if not self.booked else other
            found.append(f"the operator has not booked the block for {side.name}")
        if self.created != other.created:
            side = self if self.created > other.created else other
            found.append(f"CiliumNode {side.name} is the younger one")
        return found or ["nothing tells them apart but their names"]


def _users(picture: NodePicture) -> dict[str, int]:
    """{CiliumNode: pods of its Node that run with an address of a CIDR that it shares}."""
    wanted = {name: [own for _other, own, _theirs in pairs] for name, pairs in picture.shared.items()}
    counts: dict[str, int] = {}
    for pod, addresses in picture.context.network_pods:
        node = str(pod["spec"]["nodeName"])
        cidrs = wanted.get(node, ())
        if any(one.version == cidr.version and one in cidr for one in addresses for cidr in cidrs):
            counts[node] = counts.get(node, 0) + 1
    return counts
