# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Arithmetic of pod CIDR blocks, exactly as kube-controller-manager does it.

Source of every rule: pkg/controller/nodeipam/ipam/cidrset/cidr_set.go of kubernetes/kubernetes.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
import typing as t
from collections.abc import Iterable, Sequence

Network: t.TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Address: t.TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# clusterSubnetMaxDiff of cidr_set.go: the bitmap of an IPv6 pool has at most 2^16 blocks
LARGEST_IPV6_DIFFERENCE = 16
# above every number of an IPv4 address
_OF_IPV6: t.Final = 1 << 128


class CidrError(ValueError):
    """A CIDR or a mask cannot be used; the text says which and why."""


# as many as there are CIDRs of Nodes in a large cluster, which every check asks for again
@functools.lru_cache(maxsize=32768)
def parse_network(text: str) -> Network:
    """The network of ``text``; host bits are cut off, as Go's net.ParseCIDR does. Raises CidrError."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise CidrError(f"'{text}' is not a CIDR such as 10.244.0.0/16 or fd00:10:244::/48") from error


def parse_address(text: str) -> Address:
    """The address of ``text``; ValueError when it is none. What most are, IPv4, is parsed by the C library."""
    try:
        return ipaddress.IPv4Address(int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big"))
    except (OSError, TypeError, ValueError):
        return ipaddress.ip_address(text)


def key_of_address(address: Address) -> int:
    """A number for each address of both families; those of a network lie side by side (see ``span``)."""
    number = int(address)
    return number if address.version == 4 else number + _OF_IPV6


def span(network: Network) -> tuple[int, int]:
    """The keys of the first and the last address of a network."""
    first = key_of_address(network.network_address)
    return first, first + network.num_addresses - 1


def is_within(key: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether the address of this key is in one of the networks of these spans."""
    for first, last in spans:  # noqa: SIM110 (any() takes three times as long, for each of 100,000 pods)
        if first <= key <= last:
            return True
    return False


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks of a comma-separated list, in its order; an empty text is an empty tuple. Raises CidrError."""
    return tuple(parse_network(part) for part in text.split(",") if part.strip())


class BlockPool:
    """The blocks that one cluster CIDR is cut into; nothing is materialised, so huge pools cost nothing.

    A block has the prefix length ``mask_size``; blocks are numbered from 0. Raises CidrError where the
    controller-manager would not start: a mask shorter than the cluster's, or more than 2^16 IPv6 blocks.
    """

    def __init__(self, cluster: Network, mask_size: int, service_ranges: Iterable[Network] = ()) -> None:
        if not cluster.prefixlen <= mask_size <= cluster.max_prefixlen:
            raise CidrError(
                f"node mask size {mask_size} does not fit the cluster CIDR {cluster}: "
                f"give a value from {cluster.prefixlen} to {cluster.max_prefixlen}"
            )
        if cluster.version == 6 and mask_size - cluster.prefixlen > LARGEST_IPV6_DIFFERENCE:
            raise CidrError(
                f"node mask size {mask_size} is more than {LARGEST_IPV6_DIFFERENCE} bits longer than the cluster "
                f"CIDR {cluster}: kube-controller-manager does not start with it"
            )
        self.cluster = cluster
        self.mask_size = mask_size
        self.reserved: tuple[Network, ...] = tuple(
            network for network in service_ranges if network.version == cluster.version and self.touches(network)
        )

    @property
    def capacity(self) -> int:
        """Number of blocks, those that service ranges take included."""
        return 1 << (self.mask_size - self.cluster.prefixlen)

    def touches(self, network: Network) -> bool:
        """Whether ``Occupy`` accepts ``network``: the cluster contains it, or it contains the cluster."""
        return network.version == self.cluster.version and network.overlaps(self.cluster)

    def indices(self, network: Network) -> tuple[int, int] | None:
        """First and last block that ``network`` touches, both included; None when it is out of range."""
        if not self.touches(network):
            return None
        if network.prefixlen <= self.cluster.prefixlen:
            return 0, self.capacity - 1
        shift = self.cluster.max_prefixlen - self.mask_size
        start = int(self.cluster.network_address)
        first = (int(network.network_address) - start) >> shift
        last = (int(network.broadcast_address) - start) >> shift
        return first, last

    def block(self, index: int) -> Network:
        """The block with this number."""
        shift = self.cluster.max_prefixlen - self.mask_size
        start = int(self.cluster.network_address) + (index << shift)
        return ipaddress.ip_network((start, self.mask_size))

    def occupied(self, networks: Iterable[Network]) -> list[tuple[int, int]]:
        """Disjoint, ascending ranges of block numbers that ``networks`` and the service ranges touch."""
        ranges = sorted(
            found for network in (*networks, *self.reserved) if (found := self.indices(network)) is not None
        )
        merged: list[tuple[int, int]] = []
        for first, last in ranges:
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        return merged

    def used(self, networks: Iterable[Network]) -> int:
        """Number of blocks that ``networks`` and the service ranges take."""
        return sum(last - first + 1 for first, last in self.occupied(networks))

    def free(self, networks: Iterable[Network]) -> int:
        """Number of blocks that further Nodes can get."""
        return self.capacity - self.used(networks)


def overlapping(owners: Iterable[tuple[str, Network]]) -> dict[str, list[tuple[str, Network, Network]]]:
    """Which owners hold overlapping networks: {owner: [(other owner, own network, other's network)]}.

    Sorted by address with a stack of the networks that are still open, so the cost is that of sorting plus one step
    for each overlapping pair. Networks of one and the same owner are not compared.
    """
    found: dict[str, list[tuple[str, Network, Network]]] = {}
    ordered = sorted(owners, key=lambda entry: (entry[1].version, int(entry[1].network_address), entry[1].prefixlen))
    open_networks: list[tuple[str, Network]] = []
    for name, network in ordered:
        while open_networks and not _overlap(open_networks[-1][1], network):
            open_networks.pop()
        for other, other_network in open_networks:
            if other != name:
                found.setdefault(name, []).append((other, network, other_network))
                found.setdefault(other, []).append((name, other_network, network))
        open_networks.append((name, network))
    return found


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)
