# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The books that a cilium-operator makes from CiliumNodes when it starts: which blocks are taken, and what it refuses.

The operator keeps them in memory only, so they follow from the objects. A CIDR that it refuses it does not book: the
same addresses are free for the next Node. Source: allocateNode, reuseIPNets and allocateIPNet of
pkg/ipam/allocator/podcidr/podcidr.go, AllocateToNode of pkg/ipam/allocator/multipool/pool_allocator.go (1.18.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool, Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import CiliumPool

# what the operator writes into operator-status.error of a CiliumNode
ALLOCATOR_FULL = "allocator full"


class _Taken:
    """The blocks of one CIDR of a pool, one byte for each."""

    def __init__(self, blocks: BlockPool) -> None:
        self.blocks = blocks
        self._taken = bytearray(blocks.capacity)
        self.used = 0

    @property
    def free(self) -> int:
        return self.blocks.capacity - self.used

    def holds(self, network: Network) -> bool:
        """Whether every block that ``network`` touches is taken."""
        first, last = self.blocks.indices(network) or (0, -1)
        return self._taken.find(0, first, last + 1) < 0

    def occupy(self, network: Network) -> None:
        """Take all its blocks."""
        first, last = self.blocks.indices(network) or (0, -1)
        self.used += self._taken.count(0, first, last + 1)
        self._taken[first : last + 1] = b"\1" * (last - first + 1)

    def release(self, network: Network) -> None:
        """Free all its blocks, whoever took them, as Release of cidr_set.go does."""
        first, last = self.blocks.indices(network) or (0, -1)
        self.used -= self._taken.count(1, first, last + 1)
        self._taken[first : last + 1] = bytes(last - first + 1)


class Books:
    """Use of pools: ``restore_*`` fills them, then ``used``, ``free`` and ``refused`` tell.

    ``refused`` is {Node: the operator's reason}; ``waiting`` are Nodes that lack a block of a pool, by (pool, family).
    """

    def __init__(self, pools: Iterable[CiliumPool]) -> None:
        self.pools: dict[tuple[str, int], CiliumPool] = {(pool.name, pool.version): pool for pool in pools}
        self._names = {name for name, _version in self.pools}
        self._taken = {key: [_Taken(part) for part in pool.blocks] for key, pool in self.pools.items()}
        self.refused: dict[str, str] = {}
        self.waiting: dict[tuple[str, int], list[str]] = {}

    def used(self, key: tuple[str, int], part: int | None = None) -> int:
        """Blocks that are taken of a pool (name, family), or of one of its CIDRs by number."""
        taken = self._taken[key]
        return sum(one.used for one in taken) if part is None else taken[part].used

    def free(self, key: tuple[str, int]) -> int:
        """Blocks that the operator can still give out."""
        return sum(one.free for one in self._taken[key])

    def booked(self, key: tuple[str, int], network: Network) -> bool | None:
        """Whether no block of ``network`` can be given to another Node; None when it is outside the pool."""
        found = self._find(key, network)
        return None if found is None else found.holds(network)

    def _find(self, key: tuple[str, int], network: Network) -> _Taken | None:
        return next((one for one in self._taken.get(key, ()) if one.blocks.touches(network)), None)

    def _book(self, key: tuple[str, int], network: Network, full: str, outside: str, double: str) -> str:
        """Take the blocks of one CIDR; the reason when the operator refuses."""
        found = self._find(key, network)
        if found is None:
            return outside
        if not found.free:
            return full
        if found.holds(network):
            return double
        found.occupy(network)
        return ""

    def restore_cluster_pool(self, name: str, nodes: Mapping[str, Sequence[Network]]) -> None:
        """Book the podCIDRs of all CiliumNodes, in the order of their names, as an operator that starts.

        One refused CIDR makes the operator forget the others of that Node too. A Node with CIDRs of one family only is
        forgotten when the other family has no free block.
        """
        families = sorted(version for pool, version in self.pools if pool == name)
        partial = []
        for node, cidrs in sorted(nodes.items()):
            if not cidrs:
                for version in families:
                    self.waiting.setdefault((name, version), []).append(node)
                continue
            if self._restore_node(name, node, cidrs, families) and {one.version for one in cidrs} != set(families):
                partial.append(node)
        for node in partial:
            present = {one.version for one in nodes[node]}
            for version in families:
                if version not in present:
                    self.waiting.setdefault((name, version), []).append(node)
                    if not self.free((name, version)) and node not in self.refused:
                        self.refused[node] = ALLOCATOR_FULL
                        self._forget(name, nodes[node])

    def _restore_node(self, name: str, node: str, cidrs: Sequence[Network], families: Sequence[int]) -> bool:
        for version in (4, 6):
            own = [str(one) for one in cidrs if one.version == version]
            if own and version not in families:
                reason = f"allocator for IPv{version} addresses does not exist"
                self.refused[node] = f"unable to allocate CIDR [{' '.join(own)}] since {reason}"
                return False
        done: list[Network] = []
        for network in sorted(cidrs, key=lambda one: one.version):
            reason = self._book(
                (name, network.version),
                network,
                "allocator of its range full",
                f"allocator not configured for the requested CIDR {network}",
                f"requested CIDR ({network}) is already allocated",
            )
            if reason:
                self.refused[node] = reason
                self._forget(name, done)
                return False
            done.append(network)
        return True

    def _forget(self, name: str, cidrs: Iterable[Network]) -> None:
        for network in cidrs:
            found = self._find((name, network.version), network)
            if found is not None:
                found.release(network)

    def restore_multi_pool(self, nodes: Mapping[str, Iterable[tuple[str, Network]]]) -> None:
        """Book spec.ipam.pools.allocated of all CiliumNodes, given as (pool, CIDR), in the order of their names.

        A refused CIDR is taken out of the CiliumNode, the others of the Node stay.
        """
        for node, allocated in sorted(nodes.items()):
            reasons = []
            own: set[tuple[str, Network]] = set()
            for pool, network in allocated:
                if (pool, network) in own:
                    continue
                if pool not in self._names:
                    reasons.append(f"cannot reuse from non-existing pool: {pool}")
                    continue
                reason = self._book(
                    (pool, network.version),
                    network,
                    "pool empty",
                    f"cidr {network} is not part of the requested pool",
                    f"cidr {network} has already been allocated",
                )
                if reason:
                    reasons.append(f"unable to reuse from pool {pool}: {reason}")
                else:
                    own.add((pool, network))
            if reasons:
                self.refused[node] = "\n".join(reasons)
