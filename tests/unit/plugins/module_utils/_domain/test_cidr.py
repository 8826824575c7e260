"""BlockPool against an independent slow model, and against the values that cidr_set_test.go names."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    BlockPool,
    CidrError,
    Network,
    overlapping,
    parse_network,
    parse_networks,
)


def slow_blocks(cluster: Network, mask_size: int, networks: list[Network]) -> set[int]:
    """The model: enumerate every block and ask of each whether one of the networks overlaps it."""
    blocks = list(cluster.subnets(new_prefix=mask_size))
    return {index for index, block in enumerate(blocks) for network in networks if network.overlaps(block)}


@st.composite
def pools_and_networks(draw: st.DrawFn) -> tuple[Network, int, list[Network], list[Network]]:
    """A small pool of either family and networks in, around and beside it."""
    if draw(st.booleans()):
        base, width = ipaddress.ip_address("10.16.0.0"), 32
    else:
        base, width = ipaddress.ip_address("fd00:10::"), 128
    prefix = draw(st.integers(width - 16, width - 9))
    mask_size = draw(st.integers(prefix, min(prefix + 7, width)))
    cluster = ipaddress.ip_network((int(base), prefix))

    def network(length: int, offset: int) -> Network:
        address = int(base) + offset * (1 << 4) - (1 << 17)
        return ipaddress.ip_network((ipaddress.ip_address(address) if width == 32 else address, length), strict=False)

    lengths, offsets = st.integers(width - 20, width), st.integers(0, 1 << 14)
    networks = draw(st.lists(st.builds(network, lengths, offsets), max_size=6))
    services = draw(st.lists(st.builds(network, lengths, offsets), max_size=2))
    return cluster, mask_size, networks, services


@given(pools_and_networks())
def test_use_equals_the_slow_model(case: tuple[Network, int, list[Network], list[Network]]) -> None:
    """Used, free and the occupied ranges are those of the model."""
    cluster, mask_size, networks, services = case
    pool = BlockPool(cluster, mask_size, services)
    expected = slow_blocks(cluster, mask_size, networks + services)
    assert pool.used(networks) == len(expected)
    assert pool.free(networks) == pool.capacity - len(expected)
    listed = {index for first, last in pool.occupied(networks) for index in range(first, last + 1)}
    assert listed == expected
    ranges = pool.occupied(networks)
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(ranges))


@pytest.mark.parametrize(
    ("cluster", "mask", "network", "expected"),
    [
        ("10.0.0.0/16", 24, "10.0.0.0/16", (0, 255)),
        ("10.0.0.0/16", 24, "10.0.128.0/17", (128, 255)),
        ("10.0.0.0/16", 24, "10.0.1.0/25", (1, 1)),
        ("10.0.0.0/16", 24, "10.0.0.0/8", (0, 255)),  # contains the cluster: everything is marked used
        ("10.0.0.0/16", 24, "10.1.0.0/24", None),
        ("10.0.0.0/16", 24, "fd00::/64", None),
        ("fd00:10::/48", 64, "fd00:10:0:ffff::/64", (65535, 65535)),
    ],
)
def test_indices(cluster: str, mask: int, network: str, expected: tuple[int, int] | None) -> None:
    """Which blocks a network touches (getBeginningAndEndIndices)."""
    assert BlockPool(parse_network(cluster), mask).indices(parse_network(network)) == expected


@pytest.mark.parametrize(
    ("cluster", "mask", "capacity"),
    [
        ("10.0.0.0/16", 24, 256),
        ("10.0.0.0/16", 26, 1024),
        ("10.233.64.0/18", 24, 64),
        ("10.0.0.0/24", 24, 1),
        ("10.0.0.0/8", 30, 4194304),
        ("fd00::/48", 64, 65536),
        ("fd00::/64", 80, 65536),
    ],
)
def test_capacity(cluster: str, mask: int, capacity: int) -> None:
    """Blocks of a pool; huge ones cost nothing."""
    assert BlockPool(parse_network(cluster), mask).capacity == capacity


def test_service_range_around_the_cluster_takes_all() -> None:
    """kubernetes#103898: cluster CIDR inside the default service range leaves no block."""
    pool = BlockPool(parse_network("10.111.0.0/16"), 24, [parse_network("10.96.0.0/12")])
    assert pool.free([]) == 0


@pytest.mark.parametrize(("cluster", "mask"), [("10.0.0.0/16", 15), ("10.0.0.0/16", 33), ("fd00::/47", 64)])
def test_masks_the_controller_manager_refuses(cluster: str, mask: int) -> None:
    """Too short, too long, too many IPv6 blocks: one sentence with the value."""
    with pytest.raises(CidrError, match=str(mask)):
        BlockPool(parse_network(cluster), mask)


def test_blocks_are_numbered_from_the_start() -> None:
    """Block and number belong together."""
    pool = BlockPool(parse_network("10.0.0.0/16"), 24)
    assert str(pool.block(7)) == "10.0.7.0/24"
    assert pool.indices(pool.block(255)) == (255, 255)


def test_parsing() -> None:
    """Host bits are cut off as Go does; an empty list is empty; nonsense is named."""
    assert [str(one) for one in parse_networks("10.0.0.1/16, fd00::1/64")] == ["10.0.0.0/16", "fd00::/64"]
    assert parse_networks("") == ()
    with pytest.raises(CidrError, match="'banana' is not a CIDR"):
        parse_network("banana")


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"),
            st.builds(
                lambda start, length: ipaddress.ip_network((0x0A000000 + start, length), strict=False),
                st.integers(0, 255),
                st.integers(24, 32),
            ),
        ),
        max_size=10,
    )
)
def test_overlaps_equal_all_pairs(owners: list[tuple[str, Network]]) -> None:
    """The sweep finds exactly the pairs that a comparison of all pairs finds."""
    expected = {
        (one, other) for one, own in owners for other, theirs in owners if one != other and own.overlaps(theirs)
    }
    found = {(name, other) for name, pairs in overlapping(owners).items() for other, _own, _theirs in pairs}
    assert found == expected


def test_families_do_not_overlap() -> None:
    """::/0 and 0.0.0.0/0 have nothing in common."""
    assert overlapping([("a", parse_network("0.0.0.0/0")), ("b", parse_network("::/0"))]) == {}
