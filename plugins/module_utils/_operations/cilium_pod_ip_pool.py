# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Further CIDRs for one CiliumPodIPPool: what it gets, every reason against it, and one guarded request that writes it.

The operator watches pools and hands out of a new CIDR at once, also to CiliumNodes that wait (seen with 1.18.4).
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import ChangeObjection
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pool_growth import (
    PoolGrowth,
    grow,
    objections,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import MULTI_POOL, enabled_families
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.config_owner import owners_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_plan import GITOPS
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pool_growth import (
    native_routing,
    report_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pool_obstacles import (
    Obstacles,
    obstacles_of,
)

_KIND = RESOURCES["ciliumpodippools"]


@dataclass
class PodIpPoolPlan:
    """``cidrs`` is {ipv4 or ipv6: the whole list afterwards} of the families that change."""

    path: str
    obj: JsonObject
    cidrs: dict[str, list[str]] = field(default_factory=dict)
    objections: list[ChangeObjection] = field(default_factory=list)
    report: list[dict[str, t.Any]] = field(default_factory=list)


def plan_pod_ip_pool(client: KubeClient, context: Context, name: str, wanted: Sequence[Network]) -> PodIpPoolPlan:
    """Append what is not in the pool yet. Raises InputError where there is no such pool, or nobody uses pools; ApiError."""
    config = context.cilium.config
    if config is None:
        raise InputError("cilium-config could not be read, so nobody knows whether pools are used; allow to get it.")
    if context.cilium.ipam_mode != MULTI_POOL:
        raise InputError(
            f"name: the key ipam of cilium-config is {context.cilium.ipam_mode}, so no Node has addresses of a CiliumPodIPPool; "
            "the cluster pool is enlarged by add_pool_cidrs of podnet.upkeep.cilium_config."
        )
    plan = _found(client, name)
    spec = plan.obj.get("spec") or {}
    key = f"CiliumPodIPPool {name}"
    obstacles: Obstacles | None = None
    for version in sorted({one.version for one in wanted}):
        family = f"ipv{version}"
        part = spec.get(family) or {}
        texts = [str(one) for one in part.get("cidrs") or ()]
        growth = grow(name, version, texts, part.get("maskSize", ""), wanted)
        if growth.added:
            obstacles = obstacles or obstacles_of(client, context, key, name)
            plan.cidrs[family] = [*texts, *map(str, growth.added)]
            plan.objections += _objections(key, growth, config, obstacles, known=bool(part))
        plan.report.append(report_of(context, growth, obstacles))
    if plan.cidrs:
        plan.objections += [
            ChangeObjection(
                key,
                f"{owner.tool} owns it ({owner.evidence}) and may undo the change at once; change it at its source",
                GITOPS,
            )
            for owner in owners_of(plan.obj["metadata"])
            if owner.reverts_by_itself
        ]
        plan.objections = list(dict.fromkeys(plan.objections))
    return plan


def _found(client: KubeClient, name: str) -> PodIpPoolPlan:
    for version in _KIND.versions:
        path = f"{_KIND.path(version)}/{name}"
        found = client.find(path)
        if found is not None:
            return PodIpPoolPlan(path, found)
    raise InputError(
        f"name: there is no CiliumPodIPPool {name}; kubectl get ciliumpodippools lists those that there are."
    )


def _objections(
    key: str, growth: PoolGrowth, config: Mapping[str, str], obstacles: Obstacles, *, known: bool
) -> list[ChangeObjection]:
    first, family = growth.added[0], f"IPv{growth.version}"
    if growth.version not in enabled_families(config):
        return [
            ChangeObjection(key, f"{first} is {family}, and enable-ipv{growth.version} is off, so no Node asks for it")
        ]
    if not known:
        reason = f"{first} is {family}, and the pool has no part for {family}, so there is no mask size that Nodes know"
        return [ChangeObjection(key, f"{reason}; make another pool")]
    return [
        *obstacles.unseen,
        *objections(key, growth, obstacles.taken, obstacles.held),
        *native_routing(config, key, growth),
    ]


def write_pod_ip_pool(client: KubeClient, plan: PodIpPoolPlan, *, dry_run: bool = False) -> JsonObject:
    """Write the lists, only over the pool that was judged. Raises RefusedError when somebody else has changed it, ApiError."""
    metadata = plan.obj["metadata"]
    body = {
        "metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
        "spec": {family: {"cidrs": cidrs} for family, cidrs in plan.cidrs.items()},
    }
    try:
        return client.patch(plan.path, body, dry_run=dry_run)
    except ApiError as error:
        if error.status != 409:
            raise
        raise RefusedError(
            f"Somebody else changed CiliumPodIPPool {metadata['name']} meanwhile; nothing was written. Look at it, and repeat "
            "the command."
        ) from error


def change_of(plan: PodIpPoolPlan) -> dict[str, dict[str, list[str]]]:
    """{ipv4 or ipv6: all CIDRs before and after} of the families that change."""
    spec = plan.obj.get("spec") or {}
    return {
        family: {"before": [str(one) for one in (spec.get(family) or {}).get("cidrs") or ()], "after": cidrs}
        for family, cidrs in sorted(plan.cidrs.items())
    }


def diff_of_pool(plan: PodIpPoolPlan) -> dict[str, str]:
    """Before and after of its CIDRs, a line each."""
    header = f"CiliumPodIPPool {plan.obj['metadata']['name']}"
    change = change_of(plan)

    def lines(when: str) -> str:
        return "".join(f"{family}: {cidr}\n" for family, lists in change.items() for cidr in lists[when])

    return {"before_header": header, "after_header": header, "before": lines("before"), "after": lines("after")}
