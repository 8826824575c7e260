# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which Nodes are to be registered anew, why, in which order, what each keeps, and what speaks against it."""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, REASSIGN
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.controller_manager_loop import exits_at
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_cluster_cidrs import GROUPS
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import NODE_CIDR_RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import is_control_plane
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    InputError,
    RefusedError,
    WaitTimeoutError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import cluster_preflight, other_maintenance
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage, pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.block_budget import Turn, turns
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection, standing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.image_store import ImageStore
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.new_pod_cidrs import objects_in_use
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import Places, name_for
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_basis import (
    Basis,
    basis_of,
    digest_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_node import (
    NodePlan,
    PlanOptions,
    plan_node,
    some,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan_text import (
    head_lines,
    node_lines,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_pods import Elsewhere
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_probe import probe_outlook
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_network import network_agents
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_other_runs import other_runs
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_permissions import missing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_webhooks import (
    only_on,
    read_webhooks,
    without_endpoint,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import node_path, uid_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for

__all__ = ["Plan", "PlanOptions", "make_plan", "read_context", "wait_for_allocation"]


@dataclass
class Plan:
    """The plan of a run. It may start only when there are no ``refusals``. ``basis`` is what it rests on."""

    nodes: list[NodePlan]
    refusals: list[str]
    warnings: list[str]
    skipped: list[dict[str, str]]
    allocator: dict[str, t.Any]
    pools: list[dict[str, t.Any]]
    basis: Basis

    @property
    def all_refusals(self) -> list[str]:
        """Refusals of the cluster and of each planned Node."""
        return self.refusals + [sentence for node in self.nodes for sentence in node.refusals]

    @property
    def expected_seconds(self) -> int:
        """How long it will take when nothing makes it wait."""
        return sum(node.expected_seconds for node in self.nodes)

    def digest(self) -> str:
        """SHA-256 of what the plan rests on."""
        return digest_of(self.basis)

    def lines(self) -> list[str]:
        """The plan as text for a terminal or a diff."""
        lines = head_lines(self.nodes)
        for position, node in enumerate(self.nodes, start=1):
            lines += node_lines(position, node)
        lines += [f"skipped: Node {one['name']}: {one['reason']}" for one in self.skipped]
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"refused: {refusal}" for refusal in self.all_refusals]
        return lines


def make_plan(client: KubeClient, context: Context, options: PlanOptions) -> Plan:
    """Plan a run against the cluster of ``context``, which must be fresh. Reads only.

    Raises InputError for a Node that does not exist.
    """
    refusals = _objections_of_cluster(client, context, options)
    images = _images(options, refusals)
    findings = _reasons(run_checks(context))
    chosen, skipped = _choose(context, options, findings, images)
    # what is planned again before each Node of a run, nobody looks at beforehand
    elsewhere = None if options.run_nodes or refusals else Elsewhere(client, context)
    plans = [
        plan_node(client, context, options, name, findings.get(name, []), images.get(name), elsewhere)
        for name in chosen
    ]
    plans.sort(key=_order)
    ours = {plan.name for plan in plans} | set(options.run_nodes)
    others = cluster_preflight.other_nodes(context, ours)
    warnings: list[str] = []
    if plans:
        others += other_maintenance.reboots(client, context)
        risks, warnings = other_maintenance.cluster_autoscaler(client, plans)
        others += risks
    if plans and not refusals:  # else something of what follows may be forbidden
        others += network_agents(client, context, ours)
        others += _webhooks(client, plans, options)
        if options.probe_image is not None:
            names = [plan.name for plan in plans]
            risks, more = probe_outlook(client, names, options.probe_image, options.probe_namespace)
            others += risks
            warnings += more
    refusals += standing(others, options.accepted_risks)
    _add_block_refusals(context, plans)
    if not options.nodes:
        plans, refused = _without_refused(plans)
        skipped += refused
    return Plan(
        nodes=plans,
        refusals=[objection.sentence for objection in refusals],
        warnings=warnings,
        skipped=skipped,
        allocator=context.allocator.to_dict(),
        pools=context.pool_summaries(),
        basis=basis_of(_cluster_uid(client), context, options, plans),
    )


def _webhooks(client: KubeClient, plans: Sequence[NodePlan], options: PlanOptions) -> list[Objection]:
    """Webhooks that nobody answers for; those that only one of our Nodes answers for are refusals of that Node."""
    webhooks = read_webhooks(client)
    for plan in plans:
        if not plan.resume_step:  # else it is out already
            plan.refusals += [one.sentence for one in standing(only_on(webhooks, plan.name), options.accepted_risks)]
    return without_endpoint(webhooks)


def read_context(client: KubeClient, settings: t.Any) -> Context:
    """A fresh picture of the cluster. Raises RefusedError, naming the missing permission, without Nodes."""
    state = live.collect(client, live.LiveOptions(resources=(*NODE_CIDR_RESOURCES, *GROUPS)))
    if "nodes" in state.unknown:
        raise RefusedError(f"The cluster's nodes cannot be read: {state.unknown['nodes']}.")
    return Context(state, settings)


def wait_for_allocation(client: KubeClient, names: Sequence[str], seconds: float) -> None:
    """Give the allocator time to serve Nodes without podCIDR; that it does not is no error here."""

    def probe() -> bool | Pending:
        nodes = [client.find(node_path(name)) for name in names]
        missing = [name_of(node) for node in nodes if node is not None and not pod_cidrs_of(node)]
        return Pending(", ".join(missing)) if missing else True

    try:
        wait_for("Nodes get their podCIDRs", probe, timeout=seconds)
    except WaitTimeoutError:
        return  # the plan made next says which Nodes still wait, and why


def _cluster_uid(client: KubeClient) -> str:
    """The uid that no other cluster has; empty where it may not be read, which is a refusal of its own."""
    try:
        found = client.find("/api/v1/namespaces/kube-system")
    except ApiError as error:
        if error.status != 403:
            raise
        return ""
    return uid_of(found) if found is not None else ""


def _objections_of_cluster(client: KubeClient, context: Context, options: PlanOptions) -> list[Objection]:
    journal, playbook = options.journal, REASSIGN.rpartition(".")[2]
    found = missing(
        client,
        playbook,
        Places(run=journal.namespace if journal is not None else "", probe=options.probe_namespace),
        renamed=(name_for(playbook), journal.name) if journal is not None else ("", ""),
    )
    found += cluster_preflight.unreadable(context)
    objects = objects_in_use(context)
    found += cluster_preflight.allocation(
        context, somebody_else=bool(objects) or options.keep_pod_cidrs or bool(options.pod_cidrs)
    )
    if not found:
        found += cluster_preflight.garbage_collection(client)
        found += cluster_preflight.controller_manager(
            client, settle_seconds=options.settle_seconds, exits_at=exits_at(context)
        )
        if options.journal is not None:
            own = options.journal.name.removeprefix("podnet-upkeep-")
            found += other_runs(client, own, options.journal.namespace)
        if objects:
            found += other_maintenance.cluster_cidr_allocator(client, settle_seconds=options.settle_seconds)
    return standing(found, options.accepted_risks)


def _reasons(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Findings that this procedure mends, by Node."""
    by_node: dict[str, list[Finding]] = {}
    for finding in findings:
        if CATALOGUE[finding.id].playbook == REASSIGN and finding.subject.kind == "Node":
            by_node.setdefault(finding.subject.name, []).append(finding)
    return by_node


def _images(options: PlanOptions, refusals: list[Objection]) -> dict[str, BeforeImage]:
    """Before-images of runs that did not end, of Nodes that exist or that such a run has deleted."""
    if not options.state_dir:
        return {}
    try:
        return ImageStore(options.state_dir, options.journal).unfinished()
    except ApiError as error:
        if error.status != 403:
            raise
        refusals.append(Objection("permission-missing", str(error).rstrip(".")))
        return ImageStore(options.state_dir).unfinished()


def _choose(
    context: Context,
    options: PlanOptions,
    findings: Mapping[str, Sequence[Finding]],
    images: Mapping[str, BeforeImage],
) -> tuple[list[str], list[dict[str, str]]]:
    known = {name_of(node): node for node in context.state.nodes}
    unknown = [name for name in options.nodes if name not in known and name not in images]
    if unknown:
        existing = some(sorted(known)) or "no Nodes at all"
        raise InputError(f"nodes: there is no Node '{unknown[0]}' in this cluster; it has {existing}.")
    if options.nodes:
        return _named(options, findings, images)
    chosen, skipped = [], []
    for name in sorted({*findings, *images}):
        node = known.get(name)
        if node is not None and is_control_plane(node) and not options.control_plane and name not in images:
            reason = "it belongs to the control plane; name it and allow that to include it"
            skipped.append({"name": name, "reason": reason})
        else:
            chosen.append(name)
    return chosen, skipped


def _named(
    options: PlanOptions, findings: Mapping[str, Sequence[Finding]], images: Mapping[str, BeforeImage]
) -> tuple[list[str], list[dict[str, str]]]:
    chosen, skipped = [], []
    for name in dict.fromkeys(options.nodes):
        if findings.get(name) or name in images or options.even_if_healthy:
            chosen.append(name)
        else:
            skipped.append({"name": name, "reason": "nothing is wrong with its podCIDRs (any more)"})
    return chosen, skipped


def _order(plan: NodePlan) -> tuple[t.Any, ...]:
    """Unfinished Nodes first, workers before the control plane, Nodes that free blocks early, waiting ones late."""
    return (not plan.resume_step, plan.control_plane, plan.waits_for_block, -plan.frees_blocks, plan.name)


def _add_block_refusals(context: Context, plans: Sequence[NodePlan]) -> None:
    """Say so where a Node would find no block when its turn comes."""
    active = {plan.name: plan for plan in plans if plan.resume_step in ("", "captured") and plan.of_allocator}
    played = turns(list(active), context.waiting, context.node_cidrs, context.pools)
    for turn in played:
        if not turn.enough:
            active[turn.node].refusals.append(_no_block(turn, context.waiting))


def _no_block(turn: Turn, waiting: Collection[str]) -> str:
    others = sorted(set(waiting) - {turn.node})
    competition = f", and {len(others)} Nodes without podCIDR wait for one ({some(others)})" if others else ""
    return (
        f"Node {turn.node}: no {turn.family} block would be left for it: deleting it frees {turn.frees}{competition}. "
        "Free or add blocks first."
    )


def _without_refused(plans: Sequence[NodePlan]) -> tuple[list[NodePlan], list[dict[str, str]]]:
    """Of Nodes that nobody named, those with a refusal are left out and reported."""
    kept = [plan for plan in plans if not plan.refusals]
    left_out = [{"name": plan.name, "reason": " ".join(plan.refusals)} for plan in plans if plan.refusals]
    return kept, left_out
