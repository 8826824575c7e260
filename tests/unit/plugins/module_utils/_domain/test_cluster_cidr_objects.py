"""ClusterCIDR objects as kubernetes-sigs/node-ipam-controller reads them."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cluster_cidr_objects import (
    ClusterCidr,
    Requirement,
    ordered_for,
    parse,
)


def requirement(key: str, operator: str, *values: str) -> dict[str, Any]:
    """One expression."""
    return {"key": key, "operator": operator, "values": list(values)}


def made(name: str, host_bits: Any = 8, terms: Any = None, deleting: bool = False, **ranges: Any) -> ClusterCidr:
    """A parsed object; `terms` None: no nodeSelector."""
    metadata = {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {})}
    selector = {} if terms is None else {"nodeSelector": {"nodeSelectorTerms": terms}}
    return parse({"metadata": metadata, "spec": {"perNodeHostBits": host_bits, **ranges, **selector}})


def of(*expressions: dict[str, Any]) -> dict[str, Any]:
    """A term."""
    return {"matchExpressions": list(expressions)}


@pytest.mark.parametrize(
    ("operator", "values", "there", "absent"),
    [
        ("In", ["5", "6"], True, False),
        ("In", ["6"], False, False),
        ("NotIn", ["6"], True, True),
        ("NotIn", ["5"], False, True),
        ("Exists", [], True, False),
        ("DoesNotExist", [], False, True),
        ("Gt", ["4"], True, False),
        ("Gt", ["5"], False, False),
        ("Lt", ["6"], True, False),
        ("Lt", ["x"], False, False),
        ("Lt", [], False, False),
        ("Like", ["5"], False, False),
    ],
)
def test_operators(operator: str, values: list[str], there: bool, absent: bool) -> None:
    """As labels.Requirement of apimachinery has them."""
    one = Requirement("k", operator, tuple(values))
    assert one.matches({"k": "5"}) is there and one.matches({}) is absent and str(one)


def test_all_terms_must_match() -> None:
    """In every other nodeSelector one is enough; and fields are looked up among labels."""
    both = made("x", terms=[of(requirement("a", "Exists")), of(requirement("b", "Exists"))], ipv4="10.0.0.0/16")
    assert both.terms == 2 and not both.selects({"a": ""}) and both.selects({"a": "", "b": ""})
    field = made("x", terms=[{"matchFields": [requirement("metadata.name", "In", "w1")]}], ipv4="10.0.0.0/16")
    assert not field.selects({}) and field.selects({"metadata.name": "w1"})


def test_selectors_in_words() -> None:
    """Without one, with an empty one, with several expressions."""
    assert made("x", ipv4="10.0.0.0/16").selector == "Nodes that no other ClusterCIDR serves"
    assert made("x", terms=[], ipv4="10.0.0.0/16").selector == "all Nodes"
    terms = [of(requirement("b", "NotIn", "2", "1"), requirement("a", "DoesNotExist"))]
    assert made("x", terms=terms, ipv4="10.0.0.0/16").selector == "!a, b notin (1,2)"


def test_order() -> None:
    """Requirements, capacity, size of the blocks, texts; those without nodeSelector last, deleted and broken ones never."""
    zone, pool = requirement("zone", "In", "a"), requirement("pool", "Exists")
    objects = [
        made("default", ipv4="10.0.0.0/16"),
        made("deleted", terms=[of(zone, pool)], deleting=True, ipv4="10.9.0.0/16"),
        made("broken", terms=[of(zone, pool)], ipv4="10.9.0.0/99"),
        made("everything", terms=[], ipv4="10.8.0.0/16"),
        made("large", terms=[of(zone)], ipv4="10.1.0.0/16"),
        made("small", terms=[of(zone)], ipv4="10.2.0.0/20"),
        made("small-blocks", 4, terms=[of(zone)], ipv4="10.3.0.0/24"),
        made("same-a", terms=[of(zone)], ipv4="10.4.0.0/20"),
        made("two", terms=[of(zone, pool)], ipv4="10.5.0.0/16"),
        made("other", terms=[of(requirement("zone", "In", "b"))], ipv4="10.6.0.0/16"),
    ]
    names = [one.name for one in ordered_for({"zone": "a", "pool": ""}, objects)]
    assert names == ["two", "small-blocks", "small", "same-a", "large", "everything", "default"]
    assert [one.name for one in ordered_for({}, objects)] == ["everything", "default"]


@pytest.mark.parametrize(
    ("host_bits", "ranges", "words"),
    [
        (8, {}, "neither an IPv4 nor an IPv6 range"),
        (None, {"ipv4": "10.0.0.0/16"}, "perNodeHostBits is not a number"),
        (True, {"ipv4": "10.0.0.0/16"}, "perNodeHostBits is not a number"),
        (8, {"ipv4": "x"}, "'x' is not a CIDR"),
        (8, {"ipv4": "fd00::/64"}, "a range of the other family"),
        (20, {"ipv4": "10.0.0.0/16"}, "does not fit"),
        (64, {"ipv6": "fd00::/40"}, "more than 16 bits"),
    ],
)
def test_what_the_allocator_rejects(host_bits: Any, ranges: dict[str, str], words: str) -> None:
    """It is kept, says why, and holds nothing."""
    one = made("x", host_bits, **ranges)
    assert words in one.problem and one.capacity == one.free([]) == 0


def test_dual_stack_counts_the_family_with_fewer_blocks() -> None:
    """A Node takes a block of each."""
    one = made("x", 8, ipv4="10.0.0.0/22", ipv6="fd00::/118")
    assert one.capacity == 4
    held = [parse_network("10.0.0.0/24"), parse_network("fd00::/120"), parse_network("fd00::100/120")]
    assert (one.used(held), one.free(held)) == (2, 2)
    assert one.contains(held) and not one.contains([parse_network("10.9.0.0/24")])
    only_ipv4 = made("x", 8, ipv4="10.0.0.0/22")
    assert not only_ipv4.contains(held)


@given(
    prefix=st.integers(20, 28),
    host_bits=st.integers(2, 8),
    blocks=st.sets(st.integers(0, 40)),
)
def test_free_blocks_against_brute_force(prefix: int, host_bits: int, blocks: set[int]) -> None:
    """Counted one by one."""
    one = made("x", host_bits, ipv4=f"10.0.0.0/{prefix}")
    if one.problem:
        assert 32 - host_bits < prefix
        return
    every = list(ipaddress.ip_network(f"10.0.0.0/{prefix}").subnets(new_prefix=32 - host_bits))
    held = [every[index] for index in blocks if index < len(every)]
    assert one.capacity == len(every)
    assert one.free(held) == sum(1 for block in every if not any(block.overlaps(other) for other in held))


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    selector=anything
    | st.fixed_dictionaries(
        {"nodeSelectorTerms": anything | st.lists(st.fixed_dictionaries({"matchExpressions": anything}))}
    ),
    host_bits=anything,
    ipv4=anything,
)
def test_nothing_that_a_file_may_hold_is_an_error(selector: Any, host_bits: Any, ipv4: Any) -> None:
    """A saved state may have been edited."""
    spec = {"nodeSelector": selector, "perNodeHostBits": host_bits, "ipv4": ipv4}
    one = parse({"metadata": {"name": "x"}, "spec": spec})
    assert isinstance(one.selector, str) and isinstance(ordered_for({"a": "b"}, [one]), list)
