"""The picture of a pool."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from snapshots.small_clusters import audited, node

from ansible_collections.podnet.upkeep.plugins.module_utils._report.block_map import block_map, outside


def cells(cluster: str, *nodes: Any, mask: int = 24, services: tuple[str, ...] = ()) -> tuple[Counter[str], list[str]]:
    """Kinds of the cells of a map, and their titles."""
    family = "ipv6" if ":" in cluster else "ipv4"
    allocator = {"cluster_cidrs": [cluster], f"node_mask_size_{family}": mask, "service_ranges": list(services)}
    result = audited(nodes=nodes, allocator=allocator)
    text = block_map(result, result["pools"][0])
    return Counter(re.findall(r'<rect class="(\w+)"', text)), re.findall("<title>(.*?)</title>", text)


def test_small_pool() -> None:
    """Each block is a cell that says who holds it."""
    nodes = [node("a", "10.0.0.0/24"), node("b", "10.0.1.0/24"), node("c", "10.0.1.0/24"), node("d", "10.0.4.0/23")]
    kinds, titles = cells("10.0.0.0/20", *nodes, services=("10.0.15.0/24",))
    assert kinds == {"used": 1, "shared": 1, "odd": 2, "reserved": 1, "free": 11}
    assert titles[0] == "10.0.0.0/24: a (10.0.0.0/24)"
    assert titles[1] == "10.0.1.0/24: b (10.0.1.0/24), c (10.0.1.0/24)"
    assert titles[2] == "10.0.2.0/24: free"
    assert titles[5] == "10.0.5.0/24: d (10.0.4.0/23)"
    assert titles[15] == "10.0.15.0/24: service range"


def test_one_block() -> None:
    """The smallest pool."""
    assert cells("10.0.0.0/24", node("a", "10.0.0.0/24"))[0] == {"used": 1}


@pytest.mark.parametrize(
    ("cluster", "mask", "expected", "each"),
    [
        ("10.0.0.0/16", 24, 256, 1),
        ("10.0.0.0/14", 24, 1024, 1),
        ("10.0.0.0/13", 24, 512, 4),
        ("fd00::/48", 64, 512, 128),
    ],
)
def test_large_pools_have_cells_of_several_blocks(cluster: str, mask: int, expected: int, each: int) -> None:
    """The picture stays one that the eye can read."""
    address = "fd00::/64" if ":" in cluster else "10.0.0.0/24"
    kinds, titles = cells(cluster, node("a", address), mask=mask)
    assert kinds == {"used": 1, "free": expected - 1} and len(titles) == expected
    assert (f"and {each - 1} more blocks" in titles[0]) is (each > 1)


def test_one_node_on_the_whole_of_a_huge_pool() -> None:
    """It is drawn without walking through each of its blocks twice."""
    kinds, _titles = cells("10.0.0.0/8", node("a", "10.0.0.0/8"), mask=28)
    assert kinds == {"odd": 512}


def test_what_the_map_cannot_show() -> None:
    """podCIDRs of the family that are outside."""
    result = audited(nodes=[node("a", "10.9.0.0/24"), node("b", "10.0.0.0/24"), node("c", "fd00::/64")])
    assert outside(result, result["pools"][0]) == ["a 10.9.0.0/24"]
