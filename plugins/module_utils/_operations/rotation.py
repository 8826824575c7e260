# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How the pod network of a cluster gets other ranges: the plan for a new cluster CIDR.

Whether Nodes can follow one by one depends on one rule: kube-controller-manager exits when it starts and any Node has a
podCIDR outside its range (kubernetes: NewCIDRRangeAllocator of range_allocator.go).
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, REASSIGN
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import rotation_checks as tests
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import (
    PlanCheck,
    PlanStep,
    RotationPlan,
    checked,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation_outage import outage_plan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation_texts import (
    STABLE,
    flags_of,
    step_for_upgrades,
    where_flags_are,
)

_MASK = [
    "Another mask cannot be introduced while Nodes have blocks of the old one: the allocator keeps one bit for each block of "
    "the new size, so deleting one Node of a smaller mask frees a block that others still use, and the next Node gets "
    "addresses twice.",
]
_FAMILIES = [
    "The families of the cluster CIDR change. podCIDRs of a Node are set once, so every Node has to be registered anew, and "
    "kube-controller-manager exits at Nodes whose podCIDRs do not fit the order of its ranges.",
]
_PARTIAL = [
    "The new range contains the old one only in part, so for kube-controller-manager it is as good as disjoint: it exits at "
    "every Node whose podCIDR is outside.",
]
_SUPERSET = [
    "The new range contains the old one and has the same mask, so every Node keeps its block and kube-controller-manager "
    "starts. No Node has to be touched for that; new blocks come from anywhere in the new range.",
]


def cidr_plan(
    client: KubeClient,
    context: Context,
    target: AllocatorSettings,
    *,
    reserved: Sequence[Network] = (),
    settle_seconds: float = 30.0,
) -> RotationPlan:
    """The plan for another cluster CIDR. Reads only. Raises ApiError."""
    kind = tests.relation(context.allocator, target)
    if kind == tests.UNCHANGED:
        return RotationPlan(kind, True, ["The cluster CIDR is this one already; nothing is to be changed."], [], [])
    if kind == tests.NOT_KNOWN:
        missing = PlanCheck("The cluster CIDR in force is known", "failed", "state it with the option allocator")
        return RotationPlan(kind, False, ["What is in force is not visible, so nothing can be planned."], [missing], [])
    if kind == tests.SUPERSET:
        return _superset(client, context, target, reserved, settle_seconds)
    why = {tests.NEW_MASK: _MASK, tests.NEW_FAMILIES: _FAMILIES, tests.OVERLAPPING: _PARTIAL}.get(kind, [])
    return outage_plan(client, context, target, kind, why, reserved=reserved, settle_seconds=settle_seconds)


def _superset(
    client: KubeClient, context: Context, target: AllocatorSettings, reserved: Sequence[Network], settle: float
) -> RotationPlan:
    held = [cidr for cidrs in context.node_cidrs.values() for cidr in cidrs]
    added = [new for new in target.cluster_cidrs if new not in context.allocator.cluster_cidrs]
    checks = [
        *tests.of_cluster(client, context, settle),
        checked(
            "kube-controller-manager allocates podCIDRs",
            "" if context.allocator.allocate_node_cidrs else f"it does not ({context.allocator.source})",
        ),
        tests.of_settings(context),
        *tests.of_ranges(context, added, reserved),
        tests.of_start(context, target),
        tests.of_capacity(context, target, held),
    ]
    return RotationPlan(
        tests.SUPERSET,
        True,
        list(_SUPERSET),
        checks,
        _superset_steps(context, target),
        nodes_to_rotate(context, target),
        target.to_dict(),
    )


def _superset_steps(context: Context, target: AllocatorSettings) -> list[PlanStep]:
    steps = []
    elsewhere = tests.acts_elsewhere(context, target)
    if elsewhere:
        title = "Let everything that is configured with the range know the new one, before a Node gets a block of it"
        steps.append(
            PlanStep(title, elsewhere, ["podnet.upkeep.audit has no finding about flannel, Calico or kube-proxy"])
        )
    steps.append(
        PlanStep(
            "Let firewalls, routes and security groups between the hosts pass the new range",
            [f"allow {', '.join(map(str, target.cluster_cidrs))} wherever the old range is allowed"],
        )
    )
    steps.append(step_for_upgrades(target))
    steps.append(
        PlanStep(
            "Restart kube-controller-manager with the new range, one control plane host after the other",
            [
                f"set {flags_of(target)} {where_flags_are(context)}; change nothing else",
                "wait, and verify, after each host",
            ],
            [STABLE, "a Node that waits without podCIDR gets one"],
        )
    )
    free = min((pool.free(_of(context, pool.cluster.version)) for pool in target.pools()), default=0)
    waiting = len(context.waiting)
    steps.append(
        PlanStep(
            "Look at the result",
            ["ansible-playbook podnet.upkeep.audit"],
            [f"{free} blocks are free, {waiting} of them are taken at once by Nodes that wait"],
        )
    )
    return steps


def _of(context: Context, version: int) -> list[Network]:
    return [cidr for cidrs in context.node_cidrs.values() for cidr in cidrs if cidr.version == version]


def nodes_to_rotate(context: Context, target: AllocatorSettings) -> list[dict[str, str]]:
    """Nodes that ``reassign_pod_cidrs`` is to register anew once the target is in force, and why."""
    found: dict[str, list[str]] = {}
    for finding in run_checks(tests.seen_with(context, target)):
        mended = finding.subject.kind == "Node" and CATALOGUE[finding.id].playbook == REASSIGN
        if mended and finding.subject.name not in context.waiting:
            found.setdefault(finding.subject.name, []).append(finding.summary)
    return [{"name": name, "reason": "; ".join(reasons)} for name, reasons in sorted(found.items())]
