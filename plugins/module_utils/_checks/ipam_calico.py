# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of Calico's IPAM: IPPools, and the blocks that Nodes have of them.

Source: lib/ipam of projectcalico/libcalico-go. Nodes take blocks as they need them; when no block is left they borrow single
addresses of blocks of others, unless strictAffinity is on. Single addresses are in IPAMBlock objects, which are not read.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_nodes import named
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    CidrError,
    Network,
    overlapping,
    parse_network,
)

_BLOCK_SIZES: t.Final = {4: 26, 6: 122}
_LOW_SHARE = 0.1


@dataclass(frozen=True)
class CalicoPool:
    """An IPPool with its use: blocks that Nodes have, and pods with an address of it."""

    name: str
    network: Network
    block_size: int
    disabled: bool
    used: int
    addresses: int

    @property
    def capacity(self) -> int:
        """Number of its blocks."""
        return 1 << (self.block_size - self.network.prefixlen)

    @property
    def free(self) -> int:
        """Blocks that no Node has."""
        return max(0, self.capacity - self.used)

    def to_dict(self) -> dict[str, t.Any]:
        """What findings and the page say about it."""
        return {
            "pool": self.name,
            "cidr": str(self.network),
            "block_size": self.block_size,
            "disabled": self.disabled,
            "capacity": self.capacity,
            "used": self.used,
            "free": self.free,
            "pods": self.addresses,
            "addresses": self.network.num_addresses,
        }


def _network(value: object) -> Network | None:
    try:
        return parse_network(str(value or ""))
    except CidrError:
        return None


def calico_blocks(context: Context) -> dict[Network, list[str]]:
    """{block: Nodes that have it}; those that Calico calls deleted are left out."""
    found: dict[Network, list[str]] = {}
    for one in context.state.of("blockaffinities"):
        spec = one.get("spec") or {}
        network = _network(spec.get("cidr"))
        if network is not None and str(spec.get("deleted", "")).lower() != "true":
            found.setdefault(network, []).append(str(spec.get("node") or ""))
    return found


def calico_pools(context: Context, blocks: Mapping[Network, t.Any]) -> list[CalicoPool]:
    """Every IPPool with its use, by name. What is no CIDR is left out (the API server of Calico lets none pass)."""
    specs = [
        (name_of(one), one.get("spec") or {}, network)
        for one in sorted(context.state.of("ippools"), key=name_of)
        if (network := _network((one.get("spec") or {}).get("cidr"))) is not None
    ]
    used = _counted([network for _name, _spec, network in specs], blocks)
    addresses = [address for _pod, owned in context.network_pods for address in owned]
    hosts = _counted([network for _name, _spec, network in specs], addresses)
    return [
        CalicoPool(
            name,
            network,
            _block_size(spec, network),
            bool(spec.get("disabled")),
            used[network],
            hosts[network],
        )
        for name, spec, network in specs
    ]


def _block_size(spec: Mapping[str, t.Any], network: Network) -> int:
    """As it is stated, within what a CIDR can have."""
    stated = int(spec.get("blockSize") or _BLOCK_SIZES[network.version])
    return min(max(stated, network.prefixlen), network.max_prefixlen)


def _counted(networks: Sequence[Network], inside: t.Iterable[t.Any]) -> dict[Network, int]:
    """How many of the addresses or blocks are in each network: whole numbers, so that many pods cost little."""
    ranges = [
        (network, network.version, int(network.network_address), int(network.broadcast_address)) for network in networks
    ]
    counts = dict.fromkeys(networks, 0)
    for one in inside:
        value = int(getattr(one, "network_address", one))
        for network, version, first, last in ranges:
            if one.version == version and first <= value <= last:
                counts[network] += 1
    return counts


def check(context: Context) -> Iterator[Finding]:
    """Nothing where Calico does not decide about addresses."""
    if context.ipam_model.name != "calico" or not context.state.knows("ippools", "blockaffinities"):
        return
    blocks = calico_blocks(context)
    pools = calico_pools(context, blocks)
    yield from _use(pools)
    yield from _ranges(context, pools)
    yield from _blocks(context, pools, blocks)


def _use(pools: Sequence[CalicoPool]) -> Iterator[Finding]:
    """One finding for each pool; the last open pool of a family being full is what stops new Nodes."""
    open_pools = [pool for pool in pools if not pool.disabled]
    for pool in open_pools:
        if pool.free >= _LOW_SHARE * pool.capacity and pool.free:
            continue
        others = [
            one.name for one in open_pools if one.network.version == pool.network.version and one.free and one != pool
        ]
        subject = Subject("IPPool", pool.name)
        text = f"{pool.free} of {pool.capacity} blocks of IPPool {pool.name} ({pool.network}) are free"
        text += f"; {named(others)} has free blocks too" if others else ""
        yield Finding("calico-pool-low", subject, text, pool.to_dict(), INFO if others else WARNING)


def _ranges(context: Context, pools: Sequence[CalicoPool]) -> Iterator[Finding]:
    owners = [(pool.name, pool.network) for pool in pools]
    pairs = overlapping(owners)
    for name, found in sorted(pairs.items()):
        others = sorted({f"IPPool {other} ({theirs})" for other, _own, theirs in found})
        text = f"IPPool {name} shares addresses with {named(others)}"
        yield Finding("calico-pool-overlap", Subject("IPPool", name), text, {"overlaps": others[:10]})
    for pool in pools:
        services = [
            str(one)
            for one in context.service_ranges
            if one.version == pool.network.version and one.overlaps(pool.network)
        ]
        if services:
            text = f"IPPool {pool.name} ({pool.network}) shares addresses with the service range {', '.join(services)}"
            yield Finding("calico-pool-overlap", Subject("IPPool", pool.name), text, {"overlaps": services})


def _blocks(
    context: Context, pools: Sequence[CalicoPool], blocks: Mapping[Network, Sequence[str]]
) -> Iterator[Finding]:
    if "nodes" not in context.state.unknown:
        nodes = {name_of(node) for node in context.state.nodes}
        stale = sorted({owner for owners in blocks.values() for owner in owners if owner not in nodes})
        if stale:
            count = sum(1 for owners in blocks.values() for owner in owners if owner not in nodes)
            text = f"{count} blocks belong to Nodes that are gone: {named(stale)}"
            yield Finding("calico-block-stale", _CLUSTER, text, {"nodes": stale[:10], "blocks": count})
    ranges = [
        (pool.network.version, int(pool.network.network_address), int(pool.network.broadcast_address)) for pool in pools
    ]
    outside = sorted(
        str(block)
        for block in blocks
        if not any(
            block.version == version and first <= int(block.network_address) <= last for version, first, last in ranges
        )
    )
    if outside:
        text = f"{len(outside)} blocks are in no IPPool: {named(outside)}"
        yield Finding("calico-block-outside-pools", _CLUSTER, text, {"blocks": outside[:10], "count": len(outside)})


_CLUSTER = Subject("Cluster", "cluster")
