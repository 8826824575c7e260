# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the CIDRs that CiliumNodes hold: shared, outside of every pool, of another size, in use by something else."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_addresses import in_use
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import (
    KUBERNETES,
    CiliumIpam,
    of,
    operator_error,
    parse_addresses,
    shown,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import internal_addresses
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    Network,
    is_within,
    overlapping,
    parse_network,
    span,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import MULTI_POOL

_SHOWN = 10


def check(context: Context) -> Iterator[Finding]:
    """All of them; in mode kubernetes Node.spec is judged elsewhere, here only what CiliumNodes say of it."""
    ipam = of(context)
    if not ipam.has_cidrs:
        return
    yield from _overlaps(context, ipam)
    if ipam.mode == KUBERNETES:
        return
    if ipam.has_pools:
        yield from _against_pools(ipam)
        yield from _not_booked(ipam)
    yield from _service_ranges(context, ipam)
    yield from _machine_network(ipam)


def _overlaps(context: Context, ipam: CiliumIpam) -> Iterator[Finding]:
    """In mode kubernetes only copies that differ from Node.spec: the others are node-cidr-overlap already."""
    owners = [(name, cidr) for name, held in ipam.allocated.items() for _pool, cidr in held]
    pairs = overlapping(owners)
    if ipam.mode == KUBERNETES:
        drifted = {name for name in ipam.allocated if name in ipam.nodes and set(ipam.cidrs(name)) != _own(ipam, name)}
        pairs = {name: found for name, found in pairs.items() if name in drifted}
    if not pairs:
        return
    used = in_use(context).by_node
    for name, found in sorted(pairs.items()):
        others = sorted({other for other, _own_cidr, _theirs in found})
        own = sorted({cidr for _other, cidr, _theirs in found}, key=str)
        spans = [span(cidr) for cidr in own]
        counts = {
            node: sum(1 for one in used.get(node, ()) if is_within(one, spans)) for node in (name, *others[:_SHOWN])
        }
        yield Finding(
            "cilium-node-cidr-overlap",
            Subject("Node", name),
            f"Node {name} shares addresses of {', '.join(map(str, own))} with {shown(others)}; in use: "
            + ", ".join(f"{count} on {node}" for node, count in counts.items()),
            {
                "overlaps": [
                    {"node": other, "own": str(mine), "theirs": str(theirs)}
                    for other, mine, theirs in sorted(found, key=str)[:_SHOWN]
                ],
                "count": len(others),
                "addresses_in_use": counts,
                "operator_error": operator_error(ipam.cilium_nodes[name]),
            },
        )


def _own(ipam: CiliumIpam, name: str) -> set[Network]:
    return {cidr for _pool, cidr in ipam.allocated[name]}


def _against_pools(ipam: CiliumIpam) -> Iterator[Finding]:
    for name, held in ipam.allocated.items():
        for pool_name, cidr in held:
            pool = ipam.books.pools.get((pool_name, cidr.version))
            if pool is None or not pool.blocks:
                # an absent pool and a family that is off have findings of their own
                continue
            evidence = {
                "cidr": str(cidr),
                "pool": pool_name,
                "pool_cidrs": [str(one) for one in pool.cidrs[:_SHOWN]],
                "mask_size": pool.mask_size,
            }
            if pool.part_of(cidr) is None:
                # in multi-pool mode the operator takes such a CIDR away from the Node when it starts
                yield Finding(
                    "cilium-node-cidr-outside-pool",
                    Subject("Node", name),
                    f"Node {name} has {cidr}, outside of pool {pool_name} ({shown(map(str, pool.cidrs))})",
                    {**evidence, "operator_error": operator_error(ipam.cilium_nodes[name])},
                    CRITICAL if ipam.mode == MULTI_POOL else "",
                )
            elif cidr.prefixlen != pool.mask_size:
                yield Finding(
                    "cilium-node-cidr-mask-mismatch",
                    Subject("Node", name),
                    f"Node {name} has {cidr}; blocks of pool {pool_name} are /{pool.mask_size}",
                    evidence,
                )


def _not_booked(ipam: CiliumIpam) -> Iterator[Finding]:
    """CIDRs inside a pool that the operator does not count as taken: it may give them to another Node."""
    for name, held in ipam.allocated.items():
        reason = ipam.books.refused.get(name, "")
        if ipam.ignored(name):
            reason = "its annotation ipam.cilium.io/ignore makes the operator pass it over"
        if not reason:
            continue
        open_cidrs = [cidr for pool, cidr in held if ipam.books.booked((pool, cidr.version), cidr) is False]
        if open_cidrs:
            texts = [str(cidr) for cidr in open_cidrs]
            yield Finding(
                "cilium-node-cidr-not-booked",
                Subject("Node", name),
                f"{', '.join(texts[:_SHOWN])} of Node {name} counts as free for the operator: {reason.splitlines()[0]}",
                {"cidrs": texts[:_SHOWN], "reason": reason, "all_cidrs": [str(cidr) for _pool, cidr in held[:_SHOWN]]},
            )


def _service_ranges(context: Context, ipam: CiliumIpam) -> Iterator[Finding]:
    for name, held in ipam.allocated.items():
        for _pool, cidr in held:
            for service in context.service_ranges:
                if service.version == cidr.version and service.overlaps(cidr):
                    yield Finding(
                        "cilium-node-cidr-overlaps-service-range",
                        Subject("Node", name),
                        f"Node {name} has {cidr}, which overlaps the service range {service}",
                        {"cidr": str(cidr), "service_range": str(service)},
                    )


def _machine_network(ipam: CiliumIpam) -> Iterator[Finding]:
    """Node addresses inside CIDRs: found by cutting the address to each mask in use, not by comparing all pairs."""
    holders: dict[Network, list[str]] = {}
    for name, held in ipam.allocated.items():
        for _pool, cidr in held:
            holders.setdefault(cidr, []).append(name)
    masks = sorted({(cidr.version, cidr.prefixlen) for cidr in holders})
    inside: dict[str, list[dict[str, t.Any]]] = {}
    for node_name, node in ipam.nodes.items():
        for address in parse_addresses(internal_addresses(node)):
            for version, prefix in masks:
                if version == address.version:
                    for holder in holders.get(parse_network(f"{address}/{prefix}"), ()):
                        inside.setdefault(holder, []).append({"node": node_name, "address": str(address)})
    for holder, machines in sorted(inside.items()):
        first = machines[0]
        more = f", and {len(machines) - 1} more Node addresses" if len(machines) > 1 else ""
        yield Finding(
            "cilium-node-cidr-overlaps-node-address",
            Subject("Node", holder),
            f"A CIDR of CiliumNode {holder} contains {first['address']}, the address of Node {first['node']}{more}",
            {"machines": machines[:_SHOWN], "count": len(machines)},
        )
