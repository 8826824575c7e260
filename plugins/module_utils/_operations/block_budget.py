# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether there is a block for each Node when its turn comes; without I/O.

Deleting a Node frees the blocks that only it touched, and the next one to ask gets them: Nodes that wait without
podCIDR ask all the time, so they are served first (kubernetes: pkg/controller/nodeipam/ipam/range_allocator.go).
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool, Network

NodeCidrs = Mapping[str, Sequence[Network]]


@dataclass(frozen=True)
class Turn:
    """One Node's turn in one family: blocks it frees, and blocks free for it after all waiting Nodes were served."""

    node: str
    family: str
    frees: int
    left: int

    @property
    def enough(self) -> bool:
        """Whether the Node gets a block."""
        return self.left >= 1


def freed_by(name: str, node_cidrs: NodeCidrs, pool: BlockPool) -> int:
    """Blocks of the pool that become free when this Node goes: those that nobody else touches."""
    everybody = [cidr for cidrs in node_cidrs.values() for cidr in _family(cidrs, pool)]
    others = [cidr for other, cidrs in node_cidrs.items() if other != name for cidr in _family(cidrs, pool)]
    return pool.used(everybody) - pool.used(others)


def turns(
    order: Sequence[str], waiting: Collection[str], node_cidrs: NodeCidrs, pools: Sequence[BlockPool]
) -> list[Turn]:
    """Play the run through: the Nodes of ``order`` in this order, with ``waiting`` Nodes taking what becomes free.

    A Node of ``order`` that waits itself needs a block, but frees none.
    """
    found = []
    for pool in pools:
        held = {name: list(_family(cidrs, pool)) for name, cidrs in node_cidrs.items()}
        free = pool.free([cidr for cidrs in held.values() for cidr in cidrs])
        served: set[str] = set()
        gone: set[str] = set()
        for name in order:
            if name in served:
                continue
            present = {other: cidrs for other, cidrs in held.items() if other not in gone}
            frees = freed_by(name, present, pool)
            gone.add(name)
            free += frees
            for other in sorted(set(waiting) - served - {name}):
                if free <= 0:
                    break
                served.add(other)
                free -= 1
            found.append(Turn(name, f"IPv{pool.cluster.version}", frees, free))
            free -= 1 if free > 0 else 0
            served.add(name)
    return found


def sharing_a_block(name: str, node_cidrs: NodeCidrs, pools: Sequence[BlockPool]) -> list[str]:
    """Other Nodes whose podCIDRs lie in the same block as this Node's, where its mask is not the pool's.

    The allocator keeps one bit for a block: deleting any of them frees the bit under the feet of the others.
    """
    found = set()
    for pool in pools:
        own = [
            pool.indices(cidr) for cidr in _family(node_cidrs.get(name, ()), pool) if cidr.prefixlen != pool.mask_size
        ]
        for other, cidrs in node_cidrs.items():
            if other == name:
                continue
            for cidr in _family(cidrs, pool):
                theirs = pool.indices(cidr)
                if theirs and any(mine and mine[0] <= theirs[1] and theirs[0] <= mine[1] for mine in own):
                    found.add(other)
    return sorted(found)


def _family(cidrs: Sequence[Network], pool: BlockPool) -> t.Iterator[Network]:
    return (cidr for cidr in cidrs if cidr.version == pool.cluster.version)
