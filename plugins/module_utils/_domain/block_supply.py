# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How many further Nodes get a block, and how many would with another mask or another range.

Two allocators cut blocks: kube-controller-manager (range_allocator.go, see ``cidr``) and the cilium-operator (see
``cilium_pools`` and ``cilium_pools_books``). Both give a Node one block of each family, or of multi-pool as many as its agent
asks for, and serve who has waited first: the one at every try, the other when it starts.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool, CidrError, Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    MULTI_POOL,
    CiliumPool,
    blocks_for,
    make_pool,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools_books import Books

#: Addresses that an agent of Cilium takes for itself of each family: router and health endpoint.
AGENT_ADDRESSES = 2
DEFAULT_PRE_ALLOCATION: t.Final[Mapping[str, int]] = {"default": 8}


@dataclass(frozen=True)
class Row:
    """Use of one pool of one family in blocks."""

    pool: str
    family: str
    mask_size: int
    capacity: int
    free: int

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        used = self.capacity - self.free
        return {
            "pool": self.pool,
            "family": self.family,
            "mask_size": self.mask_size,
            "capacity": self.capacity,
            "used": used,
            "free": self.free,
        }


@dataclass(frozen=True)
class NodeBlocks:
    """The cluster CIDRs of kube-controller-manager, what Nodes hold of any range, and how many Nodes wait for a block."""

    pools: Sequence[BlockPool]
    held: Sequence[Network]
    waiting: int = 0
    service_ranges: Sequence[Network] = ()

    def rows(self) -> list[Row]:
        """One row for each family."""
        return [
            Row(
                str(pool.cluster), f"IPv{pool.cluster.version}", pool.mask_size, pool.capacity, pool.free(self.of(pool))
            )
            for pool in self.pools
        ]

    def of(self, pool: BlockPool) -> list[Network]:
        """What is held of the pool's family."""
        return [network for network in self.held if network.version == pool.cluster.version]

    def further_nodes(self) -> int:
        """How many Nodes that are created from now on get a block of every family."""
        return max(0, min(row.free for row in self.rows()) - self.waiting)

    def with_masks(self, sizes: Mapping[int, int]) -> NodeBlocks:
        """The same with other node masks by family. Raises CidrError where kube-controller-manager would not start."""
        made = [
            BlockPool(pool.cluster, sizes.get(pool.cluster.version, pool.mask_size), self.service_ranges)
            for pool in self.pools
        ]
        return replace(self, pools=made)

    def sharing(self) -> int:
        """How many Nodes have a podCIDR in a block in which another one lies too: one bit stands for all of them."""
        found = 0
        for pool in self.pools:
            places = Counter(
                index
                for network in self.of(pool)
                if network.prefixlen > pool.mask_size and (index := pool.indices(network)) is not None
            )
            found = max(found, sum(count for count in places.values() if count > 1))
        return found

    def of_other_size(self) -> int:
        """How many podCIDRs have another size than new ones."""
        sizes = {pool.cluster.version: pool.mask_size for pool in self.pools}
        return sum(1 for network in self.held if sizes.get(network.version, network.prefixlen) != network.prefixlen)

    def with_range(self, cluster: Network) -> NodeBlocks:
        """The same with a larger cluster CIDR. Raises CidrError where that cannot be done without registering Nodes again."""
        pools = {pool.cluster.version: pool for pool in self.pools}
        present = pools.get(cluster.version)
        if present is None:
            raise CidrError(
                f"{cluster}: the cluster has no IPv{cluster.version} range; a family cannot be added to Nodes that exist"
            )
        if cluster == present.cluster or not _contains(cluster, present.cluster):
            raise CidrError(
                f"{cluster} does not contain the cluster CIDR {present.cluster}: kube-controller-manager takes one range of "
                "each family, and does not start while Nodes are outside of it; give a range that contains it"
            )
        made = BlockPool(cluster, present.mask_size, self.service_ranges)
        return replace(self, pools=[made if pool is present else pool for pool in self.pools])


def _contains(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and outer.prefixlen <= inner.prefixlen and outer.overlaps(inner)


@dataclass(frozen=True)
class CiliumBlocks:
    """Pools of Cilium, and what CiliumNodes hold: (pool, CIDR). ``waiting``: {(pool, family): Nodes that wait}.

    ``asked`` says how many addresses the agent of a new Node asks for of each pool (multi-pool only).
    """

    mode: str
    pools: Sequence[CiliumPool]
    families: Sequence[int]
    held: Mapping[str, Sequence[tuple[str, Network]]]
    waiting: Mapping[tuple[str, int], int] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)

    def books(self) -> Books:
        """What an operator that starts now makes of it."""
        if self.mode == MULTI_POOL:
            made = Books(self.pools)
            made.restore_multi_pool(self.held)
            return made
        made = Books([one for one in self.pools if one.version in self.families])
        made.restore_cluster_pool(
            CLUSTER_POOL, {name: [cidr for _pool, cidr in held] for name, held in self.held.items()}
        )
        return made

    def problems(self) -> list[str]:
        """What is wrong with the pools: the operator does not start, or gives nothing out of them."""
        return [problem for pool in self.pools for problem in pool.problems]

    def rows(self) -> list[Row]:
        """One row for each pool and family."""
        books = self.books()
        return [
            Row(name, f"IPv{version}", pool.mask_size, pool.capacity, books.free((name, version)))
            for (name, version), pool in books.pools.items()
        ]

    def further_nodes(self) -> int | None:
        """How many Nodes that are created from now on get what their agents ask for; None where that is not known.

        Of cluster-pool a block of each family; of multi-pool what ``asked`` says, of the families that the pool has.
        """
        books = self.books()
        if self.problems():
            return None
        if self.mode != MULTI_POOL:
            keys = [(CLUSTER_POOL, version) for version in self.families]
            if not keys or any(key not in books.pools for key in keys):
                return None
            return max(0, min(books.free(key) - self.waiting.get(key, 0) for key in keys))
        found = []
        for name, addresses in self.asked.items():
            keys = [(name, version) for version in self.families if (name, version) in books.pools]
            if not keys:
                return 0 if addresses else None
            for key in keys:
                blocks = blocks_for(addresses, (), books.pools[key])
                if blocks:
                    found.append(max(0, books.free(key) - self.waiting.get(key, 0)) // blocks)
        return min(found) if found else None

    def with_range(self, cidr: Network, name: str) -> CiliumBlocks:
        """The same with one more CIDR at the end of a pool. Raises CidrError where the operator would not take it."""
        wanted = (name, cidr.version)
        pools = list(self.pools)
        place = next((number for number, one in enumerate(pools) if (one.name, one.version) == wanted), None)
        if place is None:
            known = sorted({one.name for one in pools})
            raise CidrError(
                f"{cidr}: there is no pool {name} with IPv{cidr.version}; there are {', '.join(known) or 'none'}"
            )
        before = pools[place]
        made = make_pool(name, cidr.version, [*map(str, before.cidrs), str(cidr)], before.mask_size)
        new = [problem for problem in made.problems if problem not in before.problems]
        if new:
            raise CidrError(new[0])
        pools[place] = replace(made, problems=before.problems)
        return replace(self, pools=pools)

    def with_pool(self, name: str, cidrs: Sequence[Network], mask_size: int) -> CiliumBlocks:
        """The same with a new CiliumPodIPPool. Raises CidrError where it is none, or would give addresses of another pool."""
        if self.mode != MULTI_POOL:
            raise CidrError(
                f"{self.mode} has no CiliumPodIPPools; leave out the mask size to add CIDRs to its one pool"
            )
        if any(one.name == name for one in self.pools):
            raise CidrError(
                f"there is a pool {name} already, and its mask size cannot be changed; leave out the mask size to add CIDRs to it"
            )
        made = []
        for version in sorted({cidr.version for cidr in cidrs}):
            pool = make_pool(name, version, [str(cidr) for cidr in cidrs if cidr.version == version], mask_size)
            if pool.problems:
                raise CidrError(pool.problems[0])
            made.append(pool)
        for cidr in cidrs:
            for other in self.pools:
                if (taken := other.part_of(cidr)) is not None:
                    raise CidrError(
                        f"{cidr} overlaps {taken.cluster} of pool {other.name}: pods of both would get the same addresses"
                    )
        return replace(self, pools=[*self.pools, *made])


def asked_at_start(pre_allocation: Mapping[str, int]) -> dict[str, int]:
    """Addresses that a new agent asks for of each pool (neededIPCeil of pkg/ipam/multipool.go).

    Its own two come out of the pool ``default``.
    """
    found = {}
    for pool, spare in pre_allocation.items():
        used = AGENT_ADDRESSES if pool == "default" else 0
        whole = -(-used // spare) if spare else 0
        found[pool] = (whole + 1) * spare if spare else used
    return found


def pre_allocation_of(text: str) -> dict[str, int] | None:
    """The key ipam-multi-pool-pre-allocation (``default=8,other=4``, or JSON-like); None where it cannot be read."""
    if not text.strip():
        return dict(DEFAULT_PRE_ALLOCATION)
    found = {}
    for part in text.strip().strip("{}").replace('"', "").replace(":", "=").split(","):
        name, equals, number = (one.strip() for one in part.partition("="))
        if not equals or not name or not number.isdecimal():
            return None
        found[name] = int(number)
    return found
