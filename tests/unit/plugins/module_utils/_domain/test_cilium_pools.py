"""Pools of Cilium against brute force: blocks as sets of addresses, the operator as the simplest program that does it."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    CiliumPool,
    blocks_for,
    cluster_pools,
    enabled_families,
    make_pool,
    pod_ip_pools,
    usable_addresses,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools_books import Books

BASES = {4: "10.0.0.0/24", 6: "fd00::/120"}


def networks(version: int, shortest: int = 22) -> st.SearchStrategy[Network]:
    """Networks in and around the base of a family, from wider than a whole pool to single addresses."""
    base = ipaddress.ip_network(BASES[version])
    limit = base.max_prefixlen
    first = int(base.network_address) - (256 if version == 4 else 0)
    shift = 0 if version == 4 else 96
    return st.builds(
        lambda offset, prefix: ipaddress.ip_network(
            (first + offset, prefix) if version == 4 else (first + offset, min(limit, prefix)), strict=False
        ),
        st.integers(0, 767),
        st.integers(shortest + shift, limit),
    )


def pools_of(version: int) -> st.SearchStrategy[CiliumPool]:
    """Pools of one to three CIDRs that do not overlap, with blocks no larger than the smallest."""
    base = ipaddress.ip_network(BASES[version])
    quarters = list(base.subnets(prefixlen_diff=2))

    def build(chosen: list[Network], extra: int) -> CiliumPool:
        size = base.prefixlen + 2 + extra
        return make_pool(CLUSTER_POOL, version, [str(one) for one in chosen], size)

    return st.builds(build, st.lists(st.sampled_from(quarters), min_size=1, max_size=3, unique=True), st.integers(0, 5))


def blocks(part: Network, size: int) -> list[Network]:
    return list(part.subnets(new_prefix=size))


class BruteForce:
    """allocateNode of podcidr.go, with each block as a network and `taken` as a set."""

    def __init__(self, pools: list[CiliumPool]) -> None:
        self.sets = {
            pool.version: [(part.cluster, blocks(part.cluster, pool.mask_size)) for part in pool.blocks]
            for pool in pools
        }
        self.taken: set[Network] = set()

    def touched(self, network: Network) -> list[Network] | None:
        for cluster, parts in self.sets.get(network.version, []):
            if cluster.overlaps(network):
                return [part for part in parts if part.overlaps(network)]
        return None

    def full(self, network: Network) -> bool:
        (parts,) = [parts for cluster, parts in self.sets[network.version] if cluster.overlaps(network)][:1]
        return all(part in self.taken for part in parts)

    def free(self, version: int) -> int:
        return sum(1 for _cluster, parts in self.sets[version] for part in parts if part not in self.taken)

    def restore(self, nodes: dict[str, list[Network]]) -> set[str]:
        refused = set()
        partial = []
        for name, cidrs in sorted(nodes.items()):
            if not cidrs:
                continue
            done: list[Network] = []
            for cidr in sorted(cidrs, key=lambda one: one.version):
                touched = self.touched(cidr)
                foreign = any(one.version not in self.sets for one in cidrs)
                if foreign or not touched or self.full(cidr) or all(one in self.taken for one in touched):
                    refused.add(name)
                    for one in done:
                        self.taken -= set(self.touched(one) or ())
                    break
                self.taken |= set(touched)
                done.append(cidr)
            else:
                if {one.version for one in cidrs} != set(self.sets):
                    partial.append(name)
        for name in partial:
            missing = set(self.sets) - {one.version for one in nodes[name]}
            if any(not self.free(version) for version in missing):
                refused.add(name)
                for one in nodes[name]:
                    self.taken -= set(self.touched(one) or ())
        return refused


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_books_equal_brute_force(data: Any) -> None:
    """One or two families, CIDRs of any size in and outside the pools, several for one Node."""
    versions = data.draw(st.sampled_from([(4,), (6,), (4, 6)]))
    pools = [data.draw(pools_of(version)) for version in versions]
    anything = st.one_of(networks(4), networks(6))
    nodes = data.draw(
        st.dictionaries(st.sampled_from("abcdefgh"), st.lists(anything, max_size=3), max_size=8),
    )
    books, brute = Books(pools), BruteForce(pools)
    books.restore_cluster_pool(CLUSTER_POOL, nodes)
    refused = brute.restore(nodes)
    assert set(books.refused) == refused
    for pool in pools:
        key = (CLUSTER_POOL, pool.version)
        assert not pool.problems
        assert pool.capacity == sum(len(blocks(part.cluster, pool.mask_size)) for part in pool.blocks)
        assert books.free(key) == brute.free(pool.version)
        assert books.used(key) == pool.capacity - books.free(key)
        assert books.used(key) == sum(books.used(key, part) for part in range(len(pool.blocks)))
    for cidrs in nodes.values():
        for cidr in cidrs:
            touched = brute.touched(cidr)
            expected = None if touched is None else all(one in brute.taken for one in touched)
            assert books.booked((CLUSTER_POOL, cidr.version), cidr) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("abcdef"), st.lists(st.tuples(st.sampled_from(["p", "q", "gone"]), networks(4)), max_size=4)
    )
)
def test_multi_pool_books_keep_what_is_not_refused(nodes: dict[str, list[tuple[str, Network]]]) -> None:
    """Each pool has a book of its own; each refused CIDR is refused alone."""
    pools = [make_pool("p", 4, ["10.0.0.0/25"], 28), make_pool("q", 4, ["10.0.0.128/25", "10.0.1.0/26"], 27)]
    books = Books(pools)
    books.restore_multi_pool(nodes)
    taken: dict[str, set[Network]] = {"p": set(), "q": set()}
    refused = set()
    for name, held in sorted(nodes.items()):
        own = set()
        for pool_name, cidr in held:
            if (pool_name, cidr) in own:
                continue
            found = [pool for pool in pools if pool.name == pool_name]
            part = found[0].part_of(cidr) if found else None
            if part is None:
                refused.add(name)
                continue
            all_blocks = blocks(part.cluster, found[0].mask_size)
            touched = {one for one in all_blocks if one.overlaps(cidr)}
            if touched <= taken[pool_name] or set(all_blocks) <= taken[pool_name]:
                refused.add(name)
                continue
            taken[pool_name] |= touched
            own.add((pool_name, cidr))
    assert set(books.refused) == refused
    assert {name: books.used((name, 4)) for name in taken} == {name: len(one) for name, one in taken.items()}


@pytest.mark.parametrize(
    ("cidr", "expected"),
    [
        ("10.0.0.0/24", 254),
        ("10.0.0.0/30", 2),
        ("10.0.0.0/31", 2),
        ("10.0.0.1/32", 1),
        ("fd00::/120", 254),
        ("fd00::/112", 65534),
        ("fd00::/64", 65534),  # the agent's bitmap ends at 2^16
        ("fd00::/128", 1),
    ],
)
def test_usable_addresses(cidr: str, expected: int) -> None:
    """NewCIDRRange of ipallocator/allocator.go."""
    assert usable_addresses(ipaddress.ip_network(cidr)) == expected


@given(st.integers(0, 200), st.lists(st.integers(24, 32), max_size=3), st.integers(26, 32))
def test_blocks_for_equals_counting_one_by_one(needed: int, held: list[int], mask_size: int) -> None:
    """allocateCIDRs of pool_allocator.go: another block as long as something is lacking."""
    pool = make_pool("p", 4, ["10.0.0.0/16"], mask_size)
    cidrs = [ipaddress.ip_network((index << 8, prefix)) for index, prefix in enumerate(held)]
    lacking = needed - sum(usable_addresses(one) for one in cidrs)
    count = 0
    while lacking > 0:
        lacking -= usable_addresses(ipaddress.ip_network((0, mask_size)))
        count += 1
    assert blocks_for(needed, cidrs, pool) == count


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"cluster-pool-ipv4-cidr": "10.0.0.0/33"}, "'10.0.0.0/33' is not a CIDR"),
        # the list is separated by white space
        ({"cluster-pool-ipv4-cidr": "10.0.0.0/16,10.1.0.0/16"}, "is not a CIDR"),
        ({"cluster-pool-ipv4-cidr": "fd00::/104"}, "is IPv6, but stands among the IPv4 CIDRs"),
        ({"cluster-pool-ipv4-cidr": "10.0.0.0/16 10.0.7.0/24"}, "overlaps 10.0.0.0/16 of the same pool"),
        ({"cluster-pool-ipv4-cidr": "10.0.0.0/25"}, "smaller than one block of /24"),
        ({"cluster-pool-ipv4-cidr": "10.0.0.0/16", "cluster-pool-ipv4-mask-size": "x"}, "give a number from 1 to 32"),
        ({"cluster-pool-ipv4-cidr": "10.0.0.0/16", "cluster-pool-ipv4-mask-size": "33"}, "give a number from 1 to 32"),
        ({"cluster-pool-ipv4-cidr": "0.0.0.0/0", "cluster-pool-ipv4-mask-size": "32"}, "they are not counted"),
        ({}, "cluster-pool-ipv4-cidr is empty although"),
        (
            {"cluster-pool-ipv4-cidr": "10.0.0.0/8", "cluster-pool-ipv6-cidr": "fd00::/104"},
            "is set although enable-ipv6 is off",
        ),
        (
            {"enable-ipv4": "false", "enable-ipv6": "true", "cluster-pool-ipv6-cidr": "fd00::/96"},
            None,
        ),
        (
            {
                "enable-ipv4": "false",
                "enable-ipv6": "true",
                "cluster-pool-ipv6-cidr": "fd00::/96",
                "cluster-pool-ipv6-mask-size": "120",
            },
            "more than 16 bits longer",
        ),
    ],
)
def test_problems_of_a_cluster_pool(config: dict[str, str], words: str | None) -> None:
    """One sentence each, and no exception."""
    made = cluster_pools({"enable-ipv6": "false", **config})
    problems = [text for pool in made for text in pool.problems]
    assert len(problems) == (1 if words else 0)
    assert not words or words in problems[0]


def test_defaults() -> None:
    """Both families are on; masks are those of the operator's flags."""
    assert enabled_families({}) == (4, 6)
    pools = cluster_pools({"cluster-pool-ipv4-cidr": "10.0.0.0/8", "cluster-pool-ipv6-cidr": "fd00::/104"})
    assert [(pool.version, pool.mask_size, pool.capacity) for pool in pools] == [(4, 24, 65536), (6, 112, 256)]


def test_families_of_a_pod_ip_pool() -> None:
    """Each of its own mask size; a part without CIDRs is none."""
    spec = {"ipv4": {"cidrs": ["10.0.0.0/16", "10.2.0.0/16"], "maskSize": 27}, "ipv6": {"cidrs": [], "maskSize": 124}}
    (pool,) = pod_ip_pools("p", spec)
    assert (pool.name, pool.family, pool.capacity) == ("p", "IPv4", 4096)
    assert pod_ip_pools("p", {"ipv4": {"cidrs": ["10.0.0.0/16"]}})[0].problems


@given(st.text(max_size=20), st.one_of(st.text(max_size=5), st.integers(), st.none()))
def test_no_text_makes_it_raise(cidr: str, mask_size: Any) -> None:
    """Whatever a ConfigMap holds."""
    pool = make_pool("p", 4, [cidr], mask_size)
    assert pool.blocks or pool.problems
