# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of addresses and blocks that Cilium gives out; each part is in a file of its own (cilium_ipam_*.py)."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    cilium_ipam_addresses,
    cilium_ipam_cidrs,
    cilium_ipam_nodes,
    cilium_ipam_placement,
    cilium_ipam_pools,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding


def check(context: Context) -> Iterator[Finding]:
    """Every cilium-pool-*, cilium-node-* and cilium address finding; none where another CNI does IPAM."""
    yield from cilium_ipam_pools.check(context)
    yield from cilium_ipam_nodes.check(context)
    yield from cilium_ipam_cidrs.check(context)
    yield from cilium_ipam_addresses.check(context)
    yield from cilium_ipam_placement.check(context)


def section(context: Context) -> dict[str, t.Any] | None:
    """``pools``: one row for each CIDR of each pool, in blocks (null where there are none or they are unknown);
    ``nodes``: {Node: capacity, used and free addresses}. None where Cilium does no IPAM, or it is unknown.
    """
    ipam = of(context)
    if not ipam.mode or not ipam.state.knows("ciliumnodes"):
        return None
    return {
        "pools": cilium_ipam_pools.summaries(ipam) if ipam.has_pools else None,
        "nodes": cilium_ipam_addresses.rows(context),
    }
