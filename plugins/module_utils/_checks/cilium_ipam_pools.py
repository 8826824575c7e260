# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of Cilium's pools: invalid, exhausted, nearly so, in use by something else, asked for but not there."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_demand import lacks, waiting_by_pool
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import (
    CiliumIpam,
    ipam_spec,
    of,
    parse_addresses,
    shown,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import internal_addresses, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Address
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import CLUSTER_POOL, CiliumPool

# below this share of free blocks the pool is a matter for this week, not for planning
_URGENT_SHARE = 0.1
_SHOWN = 10


def check(context: Context) -> Iterator[Finding]:
    """All cilium-pool-* findings; none where the operator has no pools."""
    ipam = of(context)
    if not ipam.has_pools:
        return
    machines = _machines(ipam)
    waiting = waiting_by_pool(lacks(ipam))
    for pool in ipam.pools:
        subject = Subject("CiliumPool", f"{pool.name} {pool.family}")
        for problem in pool.problems:
            evidence = {"pool": pool.name, "family": pool.family, "mode": ipam.mode}
            yield Finding("cilium-pool-invalid", subject, problem[:1].upper() + problem[1:], evidence)
        if pool.blocks and (pool.name, pool.version) in ipam.books.pools:
            yield from _use(context, ipam, pool, subject, waiting.get((pool.name, pool.version), []))
            yield from _foreign_use(context, pool, subject, machines)
    yield from _absent_pools(ipam)


def summaries(ipam: CiliumIpam) -> list[dict[str, t.Any]]:
    """Use of each CIDR of each pool, in blocks, as an operator that starts now counts it."""
    rows = []
    for key, pool in ipam.books.pools.items():
        for number, part in enumerate(pool.blocks):
            used = ipam.books.used(key, number)
            rows.append(
                {
                    "pool": pool.name,
                    "family": pool.family,
                    "cidr": str(part.cluster),
                    "mask_size": pool.mask_size,
                    "capacity": part.capacity,
                    "used": used,
                    "free": part.capacity - used,
                }
            )
    return rows


def _use(
    context: Context, ipam: CiliumIpam, pool: CiliumPool, subject: Subject, waiting: list[str]
) -> Iterator[Finding]:
    free = ipam.books.free((pool.name, pool.version))
    evidence: dict[str, t.Any] = {
        "cidrs": [str(cidr) for cidr in pool.cidrs[:_SHOWN]],
        "mask_size": pool.mask_size,
        "capacity": pool.capacity,
        "used": pool.capacity - free,
        "free": free,
        "waiting_nodes": len(waiting),
    }
    blocks = f"{pool.capacity} /{pool.mask_size} blocks of pool {pool.name} ({pool.family})"
    if not free:
        summary = f"All {blocks} are taken"
        if waiting:
            summary += f"; waiting Nodes ({len(waiting)}): {shown(waiting)}"
        evidence["waiting"] = sorted(waiting)[:_SHOWN]
        yield Finding("cilium-pool-exhausted", subject, summary, evidence, CRITICAL if waiting else WARNING)
        return
    summary = f"{free} of {blocks} are free"
    if free < _URGENT_SHARE * pool.capacity:
        yield Finding("cilium-pool-headroom-low", subject, summary, evidence, WARNING)
    # in multi-pool mode the number of blocks is not that of Nodes
    elif ipam.mode == CLUSTER_POOL and pool.capacity < context.settings.headroom_factor * len(ipam.cilium_nodes):
        yield Finding("cilium-pool-headroom-low", subject, summary, evidence, INFO)


def _machines(ipam: CiliumIpam) -> list[tuple[Address, str]]:
    return [
        (address, name) for name, node in ipam.nodes.items() for address in parse_addresses(internal_addresses(node))
    ]


def _foreign_use(
    context: Context, pool: CiliumPool, subject: Subject, machines: list[tuple[Address, str]]
) -> Iterator[Finding]:
    """Nothing marks a block as used by Nodes or Services: sooner or later a Node gets it."""
    for cidr in pool.cidrs:
        for service in context.service_ranges:
            if service.version == cidr.version and service.overlaps(cidr):
                yield Finding(
                    "cilium-pool-overlaps-service-range",
                    subject,
                    f"{cidr} of pool {pool.name} overlaps the service range {service}",
                    {"cidr": str(cidr), "service_range": str(service)},
                )
        inside = [(str(address), name) for address, name in machines if address in cidr]
        if inside:
            first = inside[0]
            more = f", and {len(inside) - 1} more Node addresses" if len(inside) > 1 else ""
            yield Finding(
                "cilium-pool-overlaps-node-address",
                subject,
                f"{cidr} of pool {pool.name} contains {first[0]}, the address of Node {first[1]}{more}",
                {
                    "cidr": str(cidr),
                    "nodes": [{"node": name, "address": address} for address, name in inside[:_SHOWN]],
                    "count": len(inside),
                },
            )


def _absent_pools(ipam: CiliumIpam) -> Iterator[Finding]:
    """Multi-pool: pools that CiliumNodes name and that are not there."""
    if ipam.mode == CLUSTER_POOL:
        return
    known = {name_of(one) for one in ipam.state.of("ciliumpodippools")}
    asking: dict[str, set[str]] = {}
    holding: dict[str, set[str]] = {}
    for name, node in ipam.cilium_nodes.items():
        pools = ipam_spec(node).get("pools") or {}
        for entry in pools.get("requested") or ():
            asking.setdefault(str(entry.get("pool")), set()).add(name)
        for entry in pools.get("allocated") or ():
            holding.setdefault(str(entry.get("pool")), set()).add(name)
    for pool in sorted((set(asking) | set(holding)) - known):
        waiting, having = asking.get(pool, set()), holding.get(pool, set())
        summary = f"There is no CiliumPodIPPool {pool}"
        if waiting:
            summary += f"; Nodes that ask for addresses of it ({len(waiting)}): {shown(waiting)}"
        if having:
            summary += f"; Nodes that still hold CIDRs of it ({len(having)}): {shown(having)}"
        evidence = {
            "requested_by": sorted(waiting)[:_SHOWN],
            "held_by": sorted(having)[:_SHOWN],
            "existing_pools": sorted(known)[:_SHOWN],
        }
        yield Finding("cilium-pool-missing", Subject("CiliumPodIPPool", pool), summary, evidence)
