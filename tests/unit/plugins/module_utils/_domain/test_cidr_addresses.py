"""Addresses as numbers: parsed and compared as the library ipaddress does it, only faster."""

from __future__ import annotations

import ipaddress

from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    Address,
    is_within,
    key_of_address,
    parse_address,
    span,
)

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
NEARLY = st.text("0123456789.:af/ %-", max_size=20)


def of_library(text: str) -> Address | None:
    """The address, or that it is none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@given(st.one_of(ADDRESSES.map(str), NEARLY, st.text(max_size=8)))
@example("1.2.3.04")
@example("01.2.3.4")
@example("1.2.3")
@example(" 1.2.3.4")
@example("1.2.3.4\x00")
@example("1.2.3.256")
@example("\u0661.2.3.4")
@example("::ffff:1.2.3.4")
def test_an_address_is_what_the_library_takes_for_one(text: str) -> None:
    """Nothing more, nothing less, and the same one."""
    try:
        found: Address | None = parse_address(text)
    except ValueError:
        found = None
    assert found == of_library(text) and type(found) is type(of_library(text))


@given(ADDRESSES, ADDRESSES, st.integers(0, 128))
def test_within_a_network(address: Address, other: Address, length: int) -> None:
    """By numbers as by objects, also across families."""
    network = ipaddress.ip_network(f"{other}/{min(length, other.max_prefixlen)}", strict=False)
    assert is_within(key_of_address(address), [span(network)]) == (address in network)
    assert not is_within(key_of_address(address), [])
    assert (key_of_address(address) == key_of_address(other)) == (address == other)
