"""Addresses of a testbed, and the routes that its hosts need."""

from __future__ import annotations

import ipaddress
from typing import Any

from testbed.hosts import network
from testbed.hosts.routes import wanted_routes
from testbed.paths import MAXIMUM_TESTBEDS

MAXIMUM_HOSTS = 50


def test_no_two_testbeds_or_hosts_share_an_address() -> None:
    """All indexes and host numbers that a specification allows, both families; interface names fit the kernel's 15."""
    seen = set()
    for index in range(MAXIMUM_TESTBEDS):
        assert len(network.bridge_name(index)) <= 15
        seen.add(ipaddress.ip_address(network.bridge_address(index)))
        for number in range(MAXIMUM_HOSTS):
            seen.add(ipaddress.ip_address(network.host_address(index, number)))
            seen.add(ipaddress.ip_address(network.host_address_ipv6(index, number)))
    assert len(seen) == MAXIMUM_TESTBEDS * (1 + 2 * MAXIMUM_HOSTS)


def node(name: str, cidrs: list[str], *addresses: str) -> dict[str, Any]:
    """A Node with podCIDRs and InternalIPs."""
    entries = [{"type": "Hostname", "address": name}]
    entries += [{"type": "InternalIP", "address": address} for address in addresses]
    return {"metadata": {"name": name}, "spec": {"podCIDRs": cidrs}, "status": {"addresses": entries}}


def test_one_route_for_each_block_of_the_other_nodes() -> None:
    """By way of the Node's address of the same family, whatever the order; a host needs none for its own block."""
    nodes = [
        node("h1", ["10.121.0.0/24", "fd00:1::/64"], "10.98.0.10", "fd00:98::a"),
        node("h2", ["fd00:2::/64", "10.121.1.0/24"], "10.98.0.11", "fd00:98::b"),
    ]
    assert wanted_routes(nodes, "h1") == {"10.121.1.0/24": "10.98.0.11", "fd00:2::/64": "fd00:98::b"}
    assert wanted_routes(nodes, "h2") == {"10.121.0.0/24": "10.98.0.10", "fd00:1::/64": "fd00:98::a"}


def test_nodes_without_block_or_machine_have_no_route() -> None:
    """No podCIDR, no address of the family, no status at all, or a Node that only stands for the control plane."""
    nodes = [
        node("no-block", [], "10.98.0.11"),
        node("other-family", ["fd00:2::/64"], "10.98.0.12"),
        node("control-plane", ["10.121.2.0/24"], "127.0.0.1"),
        {"metadata": {"name": "new"}, "spec": {"podCIDRs": ["10.121.3.0/24"]}},
        {"metadata": {"name": "empty"}, "spec": {}, "status": {}},
    ]
    assert wanted_routes(nodes, "h1") == {}
