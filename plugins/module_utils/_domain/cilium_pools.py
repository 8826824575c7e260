# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Pools of Cilium's cluster-pool and multi-pool IPAM: their CIDRs, block sizes and addresses.

Source of every rule: pkg/ipam of cilium/cilium (1.18.4), files allocator/clusterpool/cidralloc/cidralloc.go,
cidrset/cidr_set.go, allocator/multipool/pool_allocator.go and service/ipallocator/allocator.go.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    BlockPool,
    CidrError,
    Network,
    parse_network,
)

CLUSTER_POOL, MULTI_POOL = "cluster-pool", "multi-pool"
FAMILIES = (4, 6)
# flags of the cilium-operator: cluster-pool-ipv4-mask-size and cluster-pool-ipv6-mask-size
DEFAULT_MASK_SIZES: t.Final[Mapping[int, int]] = {4: 24, 6: 112}
# more blocks are not counted: no cluster has them, and a typing error must not fill the memory
MOST_BLOCKS = 1 << 24
# RangeSize of ipallocator/allocator.go: an agent's bitmap of an IPv6 CIDR ends here
_LARGEST_IPV6_RANGE = 1 << 16
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})


@dataclass(frozen=True)
class CiliumPool:
    """One pool in one family. ``problems`` says what is wrong with it, each in one sentence.

    With a problem in cluster-pool mode the operator does not start, or cuts no block from the CIDR; in multi-pool mode
    it does not know the pool. ``blocks`` has the CIDRs that can be cut into blocks.
    """

    name: str
    version: int
    mask_size: int
    blocks: tuple[BlockPool, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """IPv4 or IPv6."""
        return f"IPv{self.version}"

    @property
    def capacity(self) -> int:
        """Number of blocks of all its CIDRs."""
        return sum(one.capacity for one in self.blocks)

    @property
    def cidrs(self) -> tuple[Network, ...]:
        """Its CIDRs in their order; the operator fills one after the other."""
        return tuple(one.cluster for one in self.blocks)

    def part_of(self, network: Network) -> BlockPool | None:
        """The first of its CIDRs that ``network`` overlaps: the only one in which the operator books it."""
        return next((one for one in self.blocks if one.touches(network)), None)


def make_pool(name: str, version: int, texts: Iterable[str], mask_size: t.Any) -> CiliumPool:
    """The pool of these CIDR texts and this mask size (a number or its text). Never raises: see ``problems``."""
    problems: list[str] = []
    blocks: list[BlockPool] = []
    limit = 32 if version == 4 else 128
    try:
        size = int(str(mask_size).strip())
    except ValueError:
        size = -1
    if not 0 < size <= limit:
        problems.append(f"mask size {mask_size!r} of pool {name} (IPv{version}): give a number from 1 to {limit}")
    else:
        for text in texts:
            try:
                blocks.append(_part(name, version, text, size, blocks))
            except CidrError as error:
                problems.append(str(error))
    return CiliumPool(name, version, size, tuple(blocks), tuple(problems))


def _part(name: str, version: int, text: str, size: int, earlier: Iterable[BlockPool]) -> BlockPool:
    """One CIDR of a pool (NewCIDRSets of cidralloc.go). Raises CidrError with a sentence."""
    network = parse_network(text)
    if network.version != version:
        raise CidrError(f"{network} in pool {name} is IPv{network.version}, but stands among the IPv{version} CIDRs")
    for other in earlier:
        if other.touches(network):
            raise CidrError(f"{network} in pool {name} overlaps {other.cluster} of the same pool: remove one")
    if size < network.prefixlen:
        raise CidrError(f"{network} in pool {name} is smaller than one block of /{size}: no Node gets a block of it")
    made = BlockPool(network, size)
    if made.capacity > MOST_BLOCKS:
        raise CidrError(f"{network} in pool {name} has more than {MOST_BLOCKS} blocks of /{size}: they are not counted")
    return made


def enabled_families(config: Mapping[str, str]) -> tuple[int, ...]:
    """Families by the keys enable-ipv4 and enable-ipv6 of cilium-config; both are on when a key is absent."""
    return tuple(family for family in FAMILIES if str(config.get(f"enable-ipv{family}", "true")).strip() in _TRUE)


def cluster_pools(config: Mapping[str, str]) -> tuple[CiliumPool, ...]:
    """The pool of each enabled family by the keys cluster-pool-ipv{4,6}-{cidr,mask-size} of cilium-config.

    The list of CIDRs is separated by white space. An enabled family without CIDRs is a problem: the operator does not
    start (Init of clusterpool.go); so are CIDRs of a family that is off.
    """
    made = []
    enabled = enabled_families(config)
    for version in FAMILIES:
        key = f"cluster-pool-ipv{version}-cidr"
        texts = str(config.get(key) or "").split()
        mask_size = config.get(f"cluster-pool-ipv{version}-mask-size") or DEFAULT_MASK_SIZES[version]
        if version not in enabled:
            if texts:
                text = f"{key} is set although enable-ipv{version} is off: the operator does not start with it"
                made.append(CiliumPool(CLUSTER_POOL, version, DEFAULT_MASK_SIZES[version], problems=(text,)))
            continue
        pool = make_pool(CLUSTER_POOL, version, texts, mask_size)
        if not texts:
            text = f"{key} is empty although enable-ipv{version} is on: the operator does not start without it"
            pool = CiliumPool(CLUSTER_POOL, version, pool.mask_size, problems=(*pool.problems, text))
        made.append(pool)
    return tuple(made)


def pod_ip_pools(name: str, spec: Mapping[str, t.Any]) -> tuple[CiliumPool, ...]:
    """The families of one CiliumPodIPPool, from its spec (ipv4 and ipv6, each with cidrs and maskSize)."""
    made = []
    for version in FAMILIES:
        part = spec.get(f"ipv{version}") or {}
        if part.get("cidrs"):
            texts = [str(one) for one in part["cidrs"]]
            made.append(make_pool(name, version, texts, part.get("maskSize", "")))
    return tuple(made)


def usable_addresses(network: Network) -> int:
    """Addresses that an agent can give out of a CIDR, its own (router, health) included.

    The first and the last are left out where there are more than two; of IPv6 it uses 2^16 at most (NewCIDRRange).
    """
    size: int = network.num_addresses
    if network.version == 6:
        size = min(size, _LARGEST_IPV6_RANGE)
    return size - 2 if size > 2 else size


def counted_addresses(version: int, prefix: int) -> int:
    """Addresses that the operator counts in a CIDR of this length (addrsInPrefix of pool_allocator.go): no limit."""
    size: int = 1 << ((32 if version == 4 else 128) - prefix)
    return size - 2 if size > 2 else size


def blocks_for(needed: int, held: Iterable[Network], pool: CiliumPool) -> int:
    """Number of further blocks that multi-pool gives a Node that needs ``needed`` addresses and holds these CIDRs."""
    has = sum(counted_addresses(one.version, one.prefixlen) for one in held if one.version == pool.version)
    return max(0, -(-(needed - has) // counted_addresses(pool.version, pool.mask_size)))
