# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which Nodes lack a block of one of Cilium's pools."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import (
    KUBERNETES,
    CiliumIpam,
    ipam_spec,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    MULTI_POOL,
    blocks_for,
)


@dataclass(frozen=True)
class Lack:
    """What one Node lacks: ``blocks`` more of a pool (None where nobody can say, as the pool is not there)."""

    node: str
    pool: str
    version: int
    has: int
    blocks: int | None


def lacks(ipam: CiliumIpam) -> list[Lack]:
    """Every Node that lacks a CIDR of a family that is on, or addresses that its agent asks for.

    In mode kubernetes only Nodes that have some podCIDR, but none of a family that is on: a Node without any is a matter
    of the allocator of Node.spec.
    """
    if ipam.mode == MULTI_POOL:
        return [one for name in ipam.cilium_nodes for one in _unserved(ipam, name)]
    found = []
    for name in ipam.cilium_nodes:
        present = {cidr.version for cidr in ipam.cidrs(name)}
        if ipam.ignored(name) or (ipam.mode == KUBERNETES and not present):
            continue
        for version in ipam.families:
            if version not in present:
                found.append(Lack(name, CLUSTER_POOL, version, len(present), 1))
    return found


def waiting_by_pool(found: Iterable[Lack]) -> dict[tuple[str, int], list[str]]:
    """{(pool, family): Nodes that lack a block of it}."""
    waiting: dict[tuple[str, int], list[str]] = {}
    for one in found:
        waiting.setdefault((one.pool, one.version), []).append(one.node)
    return waiting


def _unserved(ipam: CiliumIpam, name: str) -> list[Lack]:
    """Requested, but not covered by the CIDRs that the Node has, as AllocateToNode counts it."""
    found = []
    held = ipam.allocated[name]
    for entry in (ipam_spec(ipam.cilium_nodes[name]).get("pools") or {}).get("requested") or ():
        pool_name = str(entry.get("pool"))
        needed = entry.get("needed") or {}
        for version in ipam.families:
            wanted = _number(needed.get(f"ipv{version}-addrs"))
            own = [cidr for pool, cidr in held if pool == pool_name and cidr.version == version]
            pool = ipam.books.pools.get((pool_name, version))
            if pool is None or not pool.blocks:
                if wanted and not own:
                    found.append(Lack(name, pool_name, version, 0, None))
                continue
            blocks = blocks_for(wanted, own, pool)
            if blocks:
                found.append(Lack(name, pool_name, version, len(own), blocks))
    return found


def _number(value: t.Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
