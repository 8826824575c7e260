"""Blocks when each Node's turn comes, played through; the real allocator is the oracle of the arithmetic elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool, Network, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.block_budget import (
    freed_by,
    sharing_a_block,
    turns,
)

POOL = BlockPool(parse_network("10.121.0.0/22"), 24)  # four blocks
POOL6 = BlockPool(parse_network("fd00::/62"), 64)


def cidrs(**nodes: str) -> dict[str, list[Network]]:
    """{Node: podCIDRs}; an empty text is a Node that waits."""
    return {name: [parse_network(part) for part in text.split(",") if part] for name, text in nodes.items()}


def enough(
    order: Sequence[str],
    waiting: Sequence[str],
    nodes: Mapping[str, Sequence[Network]],
    pools: Sequence[BlockPool] = (POOL,),
) -> dict[str, bool]:
    """Who gets a block."""
    result: dict[str, bool] = {}
    for turn in turns(order, waiting, nodes, pools):
        result[turn.node] = result.get(turn.node, True) and turn.enough
    return result


def test_freed_blocks() -> None:
    """A wide Node frees several, one out of range none, two in one block neither."""
    nodes = cidrs(wide="10.121.0.0/23", out="10.200.0.0/24", one="10.121.2.0/25", two="10.121.2.128/25")
    assert {name: freed_by(name, nodes, POOL) for name in nodes} == {"wide": 2, "out": 0, "one": 0, "two": 0}


@pytest.mark.parametrize(
    ("nodes", "order", "waiting", "expected"),
    [
        # a Node out of range needs a block that nobody holds
        (cidrs(a="10.200.0.0/24"), ["a"], [], {"a": True}),
        (cidrs(a="10.200.0.0/24", b="10.121.0.0/22"), ["a"], [], {"a": False}),
        # a full pool: a Node gets its own block back, unless somebody waits
        (cidrs(a="10.121.0.0/24", b="10.121.1.0/24", c="10.121.2.0/23"), ["a"], [], {"a": True}),
        (cidrs(a="10.121.0.0/24", b="10.121.1.0/24", c="10.121.2.0/23", w=""), ["a"], ["w"], {"a": False}),
        # the wide one first: it serves itself and the waiting one, whose own turn is then not needed
        (cidrs(a="10.121.0.0/24", b="10.121.1.0/24", c="10.121.2.0/23", w=""), ["c", "w"], ["w"], {"c": True}),
        # two that wait and one block
        (cidrs(c="10.121.0.0/22", v="", w=""), ["c"], ["v", "w"], {"c": True}),
        # a waiting Node alone, with and without a free block
        (cidrs(w=""), ["w"], ["w"], {"w": True}),
        (cidrs(c="10.121.0.0/22", w=""), ["w"], ["w"], {"w": False}),
        # five Nodes out of range and four blocks
        (
            cidrs(**{f"n{number}": f"10.200.{number}.0/24" for number in range(5)}),
            [f"n{number}" for number in range(5)],
            [],
            {"n0": True, "n1": True, "n2": True, "n3": True, "n4": False},
        ),
    ],
)
def test_who_gets_a_block(
    nodes: dict[str, list[Network]], order: list[str], waiting: list[str], expected: dict[str, bool]
) -> None:
    """Deletions free, waiting Nodes come first."""
    assert enough(order, waiting, nodes) == expected


def test_both_families_count() -> None:
    """One family without a block is enough to fail."""
    nodes = cidrs(a="10.121.0.0/24,fd00:9::/64", b="10.121.1.0/24,fd00::/62")
    assert enough(["a"], [], nodes, [POOL, POOL6]) == {"a": False}


def test_sharing_a_block() -> None:
    """Smaller Nodes in one block share it; equal ones that overlap are another finding."""
    nodes = cidrs(one="10.121.2.0/25", two="10.121.2.128/25", three="10.121.3.0/24", four="10.121.3.0/24")
    assert sharing_a_block("one", nodes, [POOL]) == ["two"]
    assert sharing_a_block("three", nodes, [POOL]) == []
    assert sharing_a_block("absent", nodes, [POOL]) == []
