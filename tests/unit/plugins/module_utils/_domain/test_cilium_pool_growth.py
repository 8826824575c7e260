"""Appending CIDRs to a pool: what is refused, what stays, and what it gives."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pool_growth import (
    Held,
    PoolGrowth,
    Taken,
    grow,
    objections,
    removed_in_use,
    taken_over,
    wanted_networks,
)

POOL = ["10.60.0.0/22"]


def growth(*wanted: str, pool: list[str] | None = None, mask: int = 24, name: str = "cluster-pool") -> PoolGrowth:
    """The pool of IPv4 with these CIDRs."""
    return grow(name, 4, POOL if pool is None else pool, mask, wanted_networks(wanted))


def sentences(made: PoolGrowth, taken: tuple[Taken, ...] = (), held: tuple[Held, ...] = ()) -> list[str]:
    """Why not."""
    return [one.sentence for one in objections("the key", made, taken, held)]


def test_what_is_there_stays_and_what_is_added_counts() -> None:
    """Blocks of the new CIDRs; one that is there already is none, however it is written."""
    made = growth("10.61.0.0/22", "10.60.0.0/22", "fd00::/104")
    assert made.added == (ipaddress.ip_network("10.61.0.0/22"),) and made.blocks == 4
    assert made.after.cidrs == (*made.before.cidrs, *made.added) and sentences(made) == []
    assert growth("10.60.0.0/22").blocks == 0


@pytest.mark.parametrize(
    ("wanted", "pool", "words"),
    [
        (("10.60.1.0/24",), POOL, "10.60.1.0/24 overlaps 10.60.0.0/22, which the pool has already"),
        (("10.0.0.0/8",), POOL, "10.0.0.0/8 overlaps 10.60.0.0/22"),
        (("10.62.0.0/25",), POOL, "10.62.0.0/25 in pool cluster-pool is smaller than one block of /24"),
        (("10.62.0.0/16", "10.62.1.0/24"), POOL, "overlaps 10.62.0.0/16 of the same pool"),
        (("10.62.0.0/22",), ["10.60.0.0/22", "banana"], "not sound as it is ('banana' is not a CIDR"),
        (("10.62.0.0/22",), ["10.60.0.0/22,10.61.0.0/22"], "not sound as it is"),
    ],
)
def test_refusals(wanted: tuple[str, ...], pool: list[str], words: str) -> None:
    """One sentence each, which cannot be overridden."""
    (found,) = sentences(growth(*wanted, pool=pool))
    assert words in found and "accepted_risks" not in found


@pytest.mark.parametrize("text", ["10.61.0.5/22", "10.61.0.0", "banana", "10.61.0.0/33", ""])
def test_what_is_no_range(text: str) -> None:
    """Host bits are mostly a typing error, and an address alone is no range."""
    with pytest.raises(CidrError, match=r"(write it as|not a CIDR)"):
        wanted_networks([text])


def test_overlaps_with_others_are_told_by_what_they_are() -> None:
    """Those that can be accepted name their risk, and five are shown."""
    taken = (
        *(Taken(parse_network(f"10.61.0.{n}"), f"10.61.0.{n}, the address of Node n{n}") for n in range(7)),
        Taken(parse_network("10.61.0.0/16"), "the cluster CIDR", "in-tree-cluster-cidr"),
        Taken(parse_network("10.63.0.0/16"), "elsewhere"),
        Taken(parse_network("::/0"), "of the other family"),
    )
    first, second = sentences(growth("10.61.0.0/22"), taken)
    assert "10.61.0.4, the address of Node n4 and 2 more" in first and "accepted_risks" not in first
    assert "overlaps the cluster CIDR (accept it with accepted_risks: [in-tree-cluster-cidr])" in second


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ([("a", "cluster-pool", "10.61.1.0/24")], ""),
        ([("a", "other", "10.61.1.0/24")], "which CiliumNode a has of pool other"),
        ([("a", "cluster-pool", "10.61.1.0/25")], "which is no block of /24"),
        ([("a", "cluster-pool", "10.61.0.0/16")], "which is no block of /24"),
        (
            [("a", "cluster-pool", "10.61.1.0/24"), ("b", "cluster-pool", "10.61.1.0/24")],
            "is held by CiliumNode a and by b",
        ),
    ],
)
def test_blocks_that_nodes_hold_already(held: list[tuple[str, str, str]], words: str) -> None:
    """Whole ones with one owner are taken over by an operator that starts: a range that was lost may come back."""
    blocks = tuple(Held(node, pool, parse_network(cidr)) for node, pool, cidr in held)
    found = sentences(growth("10.61.0.0/22"), held=blocks)
    assert (words in found[0]) if words else not found
    assert taken_over(growth("10.61.0.0/22"), blocks) == sorted({node for node, _pool, _cidr in held})


def test_a_range_in_use_is_not_taken_out() -> None:
    """Of which Nodes have blocks; others may go, and order is no matter."""
    held = [Held("a", "cluster-pool", parse_network("10.61.1.0/24")), Held("b", "x", parse_network("10.62.0.0/24"))]
    before = ["10.60.0.0/22", "10.61.0.0/22", "10.62.0.0/22"]
    (found,) = removed_in_use("k", before, ["10.62.0.0/22", "10.60.0.0/22"], held)
    assert "10.61.0.0/22 out of the pool, of which a have blocks" in found.reason and not found.risk
    assert not list(removed_in_use("k", before, ["10.61.0.0/22"], held))


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(16, 28)), min_size=1, max_size=6))
def test_nothing_that_overlaps_is_let_through(wanted: list[tuple[int, int]]) -> None:
    """Whatever is asked for: without objection all CIDRs are apart, and capacity is the sum of their blocks."""
    networks = [ipaddress.ip_network((f"10.60.{third}.0", size), strict=False) for third, size in wanted]
    made = growth(*dict.fromkeys(map(str, networks)), pool=["10.60.16.0/20"], mask=24)
    every = [*made.before.cidrs, *made.added]
    apart = all(not one.overlaps(two) for place, one in enumerate(every) for two in every[place + 1 :])
    fits = all(one.prefixlen <= 24 for one in made.added)
    assert (not sentences(made)) == (apart and fits) or not made.added
    if made.added and apart and fits:
        assert made.blocks == sum(2 ** (24 - one.prefixlen) for one in made.added)
