"""How many further Nodes get a block, against an allocator that keeps a set; and what may not be changed."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.block_supply import (
    CiliumBlocks,
    NodeBlocks,
    asked_at_start,
    pre_allocation_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.capacity_what_if import (
    of_cilium_masks,
    of_masks,
    of_new_pool,
    of_nodes,
    of_ranges,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool, CidrError, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    MULTI_POOL,
    make_pool,
)


def net(text: str) -> Any:
    """A network."""
    return parse_network(text)


def served(cluster: str, mask: int, held: list[Any], service: list[Any], waiting: int) -> int:
    """Nodes that a slow allocator serves: it asks of each block whether anything overlaps it."""
    taken = [*held, *service]
    blocks = [one for one in net(cluster).subnets(new_prefix=mask) if not any(one.overlaps(other) for other in taken)]
    return max(0, len(blocks) - waiting)


@settings(max_examples=150, deadline=None)
@given(
    mask=st.integers(22, 28),
    held=st.lists(st.tuples(st.integers(0, 1 << 13), st.integers(18, 30)), max_size=12),
    service=st.lists(st.tuples(st.integers(0, 1 << 13), st.integers(20, 28)), max_size=2),
    waiting=st.integers(0, 3),
)
def test_node_blocks_against_a_slow_allocator(
    mask: int, held: list[tuple[int, int]], service: list[tuple[int, int]], waiting: int
) -> None:
    """Scattered, larger, smaller and foreign podCIDRs and service ranges; another mask and a larger range as well."""
    start = int(ipaddress.ip_address("10.0.0.0"))
    networks, services = (
        [ipaddress.ip_network((start + one, size), strict=False) for one, size in many] for many in (held, service)
    )
    supply = NodeBlocks([BlockPool(net("10.0.0.0/20"), mask, services)], networks, waiting, services)
    assert supply.further_nodes() == served("10.0.0.0/20", mask, networks, services, waiting)
    for other in (mask - 1, mask + 1):
        changed = supply.with_masks({4: other})
        assert changed.further_nodes() == served("10.0.0.0/20", other, networks, services, waiting)
        shared = sum(
            1
            for number, one in enumerate(networks)
            if one.prefixlen > other
            and one.overlaps(net("10.0.0.0/20"))
            and any(
                two.prefixlen > other and two.supernet(new_prefix=other) == one.supernet(new_prefix=other)
                for place, two in enumerate(networks)
                if place != number
            )
        )
        assert changed.sharing() == shared
    larger = supply.with_range(net("10.0.0.0/19"))
    assert larger.further_nodes() == served("10.0.0.0/19", mask, networks, services, waiting)


def dual(v4: str = "10.0.0.0/22", v6: str = "fd00::/62", *held: str) -> NodeBlocks:
    """Dual-stack with four blocks of each family."""
    return NodeBlocks([BlockPool(net(v4), 24), BlockPool(net(v6), 64)], [net(one) for one in held])


def test_the_scarcer_family_decides() -> None:
    """And the answer says that the other one leaks from then on."""
    supply = dual("10.0.0.0/20", "fd00::/62", "10.0.0.0/24", "fd00::/64")
    answer = of_nodes(supply, 4)
    assert supply.further_nodes() == 3 and answer.possible is False and answer.to_dict()["first_node_without"] == 4
    assert any(sentence.startswith("IPv6 ends first") for sentence in answer.sentences)
    assert of_nodes(supply, 3).possible is True and of_nodes(supply, None).possible is None


@pytest.mark.parametrize(
    ("sizes", "possible", "words"),
    [
        ({4: 25}, True, "2 podCIDRs of existing Nodes keep their size"),
        ({4: 23}, False, "unsafe: 2 Nodes would share a larger block"),
        ({4: 21}, False, "give a value from 22 to 32"),
        ({4: 27}, True, "29 addresses for pods, and kubelets here take 110 pods: lower maxPods"),
        ({6: 64}, False, "the cluster CIDR has no IPv6"),
    ],
)
def test_other_masks(sizes: dict[int, int], possible: bool, words: str) -> None:
    """Existing Nodes keep what they have; a larger block under two of them is unsafe."""
    supply = NodeBlocks([BlockPool(net("10.0.0.0/22"), 24)], [net("10.0.0.0/24"), net("10.0.1.0/24")])
    answer = of_masks(supply, sizes, {"w1": 110})
    assert answer.possible is possible and words in " ".join(answer.sentences)


@pytest.mark.parametrize(
    ("cidr", "words"),
    [
        ("10.9.0.0/16", "does not contain the cluster CIDR 10.0.0.0/22"),
        ("10.0.0.0/22", "does not contain the cluster CIDR"),
        ("fd00::/48", "the cluster has no IPv6 range"),
    ],
)
def test_ranges_that_the_allocator_cannot_take(cidr: str, words: str) -> None:
    """One range of each family, and it has to contain what Nodes have."""
    supply = NodeBlocks([BlockPool(net("10.0.0.0/22"), 24)], [])
    with pytest.raises(CidrError, match=words):
        supply.with_range(net(cidr))
    assert of_ranges(supply, [net(cidr)], "").possible is False


def cilium(mode: str = CLUSTER_POOL, **more: Any) -> CiliumBlocks:
    """One pool of two CIDRs with four /30 each."""
    name = CLUSTER_POOL if mode == CLUSTER_POOL else "default"
    pools = [make_pool(name, 4, ["10.1.0.0/28", "10.2.0.0/28"], 30)]
    held = more.pop("held", {})
    return CiliumBlocks(mode, pools, (4,), held, **more)


def test_cluster_pool_with_several_elements() -> None:
    """Filled one after the other; a CIDR outside of them takes nothing, one at the end of the list adds its blocks."""
    held = {"a": [(CLUSTER_POOL, net("10.2.0.4/30"))], "b": [(CLUSTER_POOL, net("10.9.0.0/30"))]}
    supply = cilium(held=held)
    assert supply.further_nodes() == 7
    assert supply.with_range(net("10.9.0.0/28"), CLUSTER_POOL).further_nodes() == 10
    assert of_ranges(supply, [net("10.9.0.0/28")], "").further_nodes == 10
    for cidr, words in (
        ("10.1.0.0/27", "overlaps 10.1.0.0/28"),
        ("10.9.0.0/31", "smaller than one block"),
        ("fd00::/64", "no pool"),
    ):
        answer = of_ranges(supply, [net(cidr)], "")
        assert answer.possible is False and words in answer.sentences[0]
    assert of_cilium_masks(supply, {4: 29}).possible is False


def test_multi_pool_counts_what_an_agent_asks_for() -> None:
    """Two addresses in a /30: sixteen at the start are eight blocks."""
    assert asked_at_start({"default": 8, "other": 8, "none": 0}) == {"default": 16, "other": 8, "none": 0}
    supply = cilium(MULTI_POOL, asked={"default": 4})
    assert supply.further_nodes() == 4
    assert cilium(MULTI_POOL, asked={"default": 5}).further_nodes() == 2
    assert cilium(MULTI_POOL, asked={"gone": 5}).further_nodes() == 0
    assert cilium(MULTI_POOL, asked={}).further_nodes() is None
    assert of_nodes(supply, 5).possible is False
    assert of_ranges(supply, [net("10.3.0.0/28")], "default").further_nodes == 6
    assert of_ranges(supply, [net("10.3.0.0/28")], "gone").possible is False
    assert of_cilium_masks(supply, {4: 29}).possible is False


def test_a_new_pool_beside_others() -> None:
    """Its own blocks; the Nodes that fit are as many as before, unless new Nodes ask for it at their start."""
    supply = cilium(MULTI_POOL, asked={"default": 4})
    answer = of_new_pool(supply, [net("10.3.0.0/26"), net("10.4.0.0/26")], "mars", 28)
    assert (answer.possible, answer.further_nodes) == (True, 4) and answer.to_dict()["first_node_without"] == 5
    assert "IPv4: 8 blocks with 14 addresses each" in answer.sentences[0] and "does not name it" in answer.sentences[-1]
    assert [(row["pool"], row["free"]) for row in answer.rows] == [("default", 8), ("mars", 8)]
    asking = cilium(MULTI_POOL, asked={"default": 4, "mars": 28})
    assert asking.further_nodes() == 0
    assert of_new_pool(asking, [net("10.3.0.0/26")], "mars", 28).further_nodes == 2
    for cidr, name, mask, words in (
        ("10.1.0.0/24", "mars", 28, "10.1.0.0/24 overlaps 10.1.0.0/28 of pool default"),
        ("10.3.0.0/26", "default", 28, "there is a pool default already"),
        ("10.3.0.0/26", "mars", 24, "smaller than one block of /24"),
    ):
        refused = of_new_pool(supply, [net(cidr)], name, mask)
        assert refused.possible is False and words in refused.sentences[0]
    assert (
        "cluster-pool has no CiliumPodIPPools" in of_new_pool(cilium(), [net("10.3.0.0/26")], "mars", 28).sentences[0]
    )
    nodes = NodeBlocks([BlockPool(net("10.0.0.0/22"), 24)], [])
    assert "has no pools" in of_new_pool(nodes, [net("10.3.0.0/26")], "mars", 28).sentences[0]


def test_pre_allocation() -> None:
    """As cilium-config has it; what cannot be read is not guessed."""
    assert pre_allocation_of("") == {"default": 8}
    assert pre_allocation_of("default=8,mars=4") == pre_allocation_of('{"default": "8", "mars": "4"}')
    assert pre_allocation_of("default") is None


def test_a_pool_with_a_problem_is_unknown() -> None:
    """The operator does not start: then nobody knows."""
    pools = [make_pool(CLUSTER_POOL, 4, ["10.1.0.0/28", "10.1.0.0/29"], 30)]
    supply = CiliumBlocks(CLUSTER_POOL, pools, (4,), {})
    answer = of_nodes(supply, 1)
    assert answer.possible is None and "overlaps" in answer.sentences[0] and supply.further_nodes() is None
    assert CiliumBlocks(CLUSTER_POOL, pools[:0], (4, 6), {}).further_nodes() is None
