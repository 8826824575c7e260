# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Further CIDRs for Cilium's cluster pool: the keys of cilium-config that they change, and every reason against it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cilium_ipam_view
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_demand import lacks, waiting_by_pool
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_networks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import Change, ChangeObjection
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pool_growth import (
    Held,
    PoolGrowth,
    grow,
    objections,
    removed_in_use,
    taken_over,
    wanted_networks,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    DEFAULT_MASK_SIZES,
    FAMILIES,
    MULTI_POOL,
    enabled_families,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pool_obstacles import (
    Obstacles,
    obstacles_of,
)

CIDR_KEYS: Mapping[int, str] = {version: f"cluster-pool-ipv{version}-cidr" for version in FAMILIES}
NATIVE = "native-routing-cidr"
#: What no object of the cluster tells, so that it is left to who runs it.
UNCHECKED = (
    "routes, BGP peers and firewalls outside of the cluster",
    "pod networks of other clusters (ClusterMesh, VPN, peering)",
)
_SHOWN = 10


@dataclass
class Growth:
    """``change`` is what cilium-config gets (empty where everything is there), ``report`` one entry for each family."""

    change: dict[str, str | None] = field(default_factory=dict)
    objections: list[ChangeObjection] = field(default_factory=list)
    report: list[dict[str, t.Any]] = field(default_factory=list)


def networks_of(option: str, texts: Sequence[str]) -> list[Network]:
    """The CIDRs of an option. Raises InputError with the remedy."""
    try:
        return wanted_networks(texts)
    except CidrError as error:
        raise InputError(f"{option}: {error}.") from error


def grow_cluster_pool(
    client: KubeClient, context: Context, config: Mapping[str, str], wanted: Sequence[Network]
) -> Growth:
    """Append what is not in the pool yet. Raises InputError where there is no cluster pool, ApiError."""
    mode = config.get("ipam", CLUSTER_POOL).strip()
    if mode != CLUSTER_POOL:
        raise InputError(f"add_pool_cidrs: the key ipam is {mode}, so there is no cluster pool; {_instead(mode)}.")
    made = Growth()
    for version in sorted({one.version for one in wanted}):
        key = CIDR_KEYS[version]
        text = config.get(key, "")
        mask_size = config.get(f"cluster-pool-ipv{version}-mask-size") or DEFAULT_MASK_SIZES[version]
        growth = grow(CLUSTER_POOL, version, text.split(), mask_size, wanted)
        # what is there stays as it is written
        value = " ".join([text.rstrip(), *map(str, growth.added)]) if growth.added else text
        made.change[key] = value
        if growth.added:
            made.objections += _objections(client, context, config, key, growth)
        made.report.append(report_of(context, growth))
    return made


def _instead(mode: str) -> str:
    if mode == MULTI_POOL:
        return "a CiliumPodIPPool is enlarged by podnet.upkeep.cilium_pod_ip_pool"
    if mode == "kubernetes":
        return "podCIDRs are given out by kube-controller-manager or the cloud, whose ranges it is"
    return "addresses come from the cloud or from somebody else"


def _objections(
    client: KubeClient, context: Context, config: Mapping[str, str], key: str, growth: PoolGrowth
) -> list[ChangeObjection]:
    if growth.version not in enabled_families(config):
        off = f"{growth.added[0]} is IPv{growth.version}, and enable-ipv{growth.version} is off"
        return [ChangeObjection(key, f"{off}: the operator would not start with it")]
    obstacles = obstacles_of(client, context, key, CLUSTER_POOL)
    return [
        *obstacles.unseen,
        *objections(key, growth, obstacles.taken, obstacles.held),
        *native_routing(config, key, growth),
    ]


def native_routing(config: Mapping[str, str], key: str, growth: PoolGrowth) -> list[ChangeObjection]:
    """Against ranges outside of what is routed without masquerading: packets between pods would get the Node's address."""
    name = f"ipv{growth.version}-native-routing-cidr"
    try:
        routed = parse_networks(config.get(name, ""))
    except CidrError:
        return []  # a finding of its own; the agents do not start with it
    outside = [
        one for one in growth.added if routed and not any(one.subnet_of(t.cast(t.Any, other)) for other in routed)
    ]
    return [
        ChangeObjection(
            key,
            f"{one} is outside of {name} ({', '.join(map(str, routed))}), so packets to its pods would be masqueraded; "
            f"set {name} so that it has all ranges, for the agents as well",
            NATIVE,
        )
        for one in outside
    ]


def report_of(context: Context, growth: PoolGrowth, obstacles: Obstacles | None = None) -> dict[str, t.Any]:
    """What the growth is worth: blocks, Nodes that wait for one, and Nodes that hold some of the new ones already."""
    ipam = cilium_ipam_view.of(context)
    held = obstacles.held if obstacles else held_blocks(context)
    key = (growth.before.name, growth.version)
    known = ipam.has_pools
    waiting = sorted(waiting_by_pool(lacks(ipam)).get(key, [])) if known else None
    return {
        "pool": growth.before.name,
        "family": growth.before.family,
        "mask_size": growth.before.mask_size,
        "cidrs": [str(one) for one in growth.before.cidrs],
        "added": [str(one) for one in growth.added],
        "capacity": growth.before.capacity,
        "capacity_after": growth.after.capacity,
        "blocks_added": growth.blocks,
        "free": ipam.books.free(key) if known and key in ipam.books.pools else None,
        "waiting": None if waiting is None else waiting[:_SHOWN],
        "waiting_count": None if waiting is None else len(waiting),
        "taken_over": taken_over(growth, held)[:_SHOWN],
        "unchecked": list(UNCHECKED),
    }


def held_blocks(context: Context) -> list[Held]:
    """The blocks that CiliumNodes have."""
    allocated = cilium_ipam_view.of(context).allocated
    return [Held(name, pool, network) for name, found in allocated.items() for pool, network in found]


def changes_pool(change: Change) -> bool:
    """Whether a change is about the CIDRs of the cluster pool, so that CiliumNodes have to be looked at."""
    return any(key in CIDR_KEYS.values() for key in change)


def shrinking(context: Context, before: Mapping[str, str], change: Change) -> list[ChangeObjection]:
    """Against a change, also back to what was before, that takes CIDRs out of the pool of which Nodes have blocks."""
    found: list[ChangeObjection] = []
    for key in CIDR_KEYS.values():
        if key not in change or before.get("ipam", CLUSTER_POOL) != CLUSTER_POOL:
            continue
        old, new = before.get(key, "").split(), (change[key] or "").split()
        if not context.state.knows("ciliumnodes"):
            if set(old) - set(new):
                reason = "CiliumNodes could not be read, so nobody knows which ranges Nodes have blocks of; allow to list them"
                found.append(ChangeObjection(key, reason))
            continue
        found += removed_in_use(key, old, new, held_blocks(context))
    return found
