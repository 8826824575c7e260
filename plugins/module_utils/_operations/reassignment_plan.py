# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which Nodes are to be registered anew, why, in which order, what each keeps, and what speaks against it."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, REASSIGN
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.node_metadata import format_taint, restorable
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import deletion_refusals, is_control_plane
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    InputError,
    RefusedError,
    WaitTimeoutError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import cluster_preflight
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage, pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.block_budget import (
    Turn,
    freed_by,
    sharing_a_block,
    turns,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection, standing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import Drain, DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    FilterOptions,
    is_daemonset_pod,
    is_mirror,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.image_store import ImageStore
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import node_path
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for

_MISSING = "node-cidr-missing"
_DUPLICATE_RELEASES = re.compile(r"^v1\.31\.[0-3]($|[^0-9])")


@dataclass(frozen=True)
class PlanOptions:
    """``nodes`` empty: every Node that the audit wants registered anew. ``run_nodes``: all Nodes of the whole run.

    ``accepted_risks`` are names that objections carry. ``even_if_healthy`` plans named Nodes without any finding.
    """

    nodes: tuple[str, ...] = ()
    run_nodes: tuple[str, ...] = ()
    control_plane: bool = False
    even_if_healthy: bool = False
    accepted_risks: tuple[str, ...] = ()
    state_dir: str = ""
    journal: Journal | None = None
    settle_seconds: float = 30.0
    drain: DrainOptions = field(default_factory=lambda: DrainOptions(filters=FilterOptions(ignore_daemonsets=True)))


@dataclass
class NodePlan:
    """The plan of one Node."""

    name: str
    uid: str
    resume_step: str
    reasons: list[dict[str, str]]
    pod_cidrs: list[str]
    new_pod_cidrs_from: str
    control_plane: bool
    was_unschedulable: bool
    frees_blocks: int
    keeps: dict[str, list[str]]
    pods: dict[str, list[str]]
    warnings: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)

    @property
    def waits_for_block(self) -> bool:
        """Whether it only lacks a podCIDR, and so may get one without being touched."""
        return not self.resume_step and {reason["id"] for reason in self.reasons} == {_MISSING}

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {**self.__dict__, "waits_for_block": self.waits_for_block, "steps": self.steps()}

    def steps(self) -> list[str]:
        """What will be done, one line for each step."""
        uncordon = "leave it cordoned, as it was before" if self.was_unschedulable else "uncordon it"
        return [
            "check that the host is this Node's machine",
            "save the before-image",
            f"cordon, and evict {len(self.pods['evict'])} pods",
            "stop the kubelet",
            f"delete the Node, and {len(self.pods['delete'])} pods that stay bound to it",
            "wait until Lease, CSINode and CiliumNode of the old uid are gone",
            "remove sandboxes and CNI state from the host",
            "create the Node, cordoned, with its labels, annotations and taints",
            f"wait for podCIDRs from {self.new_pod_cidrs_from}",
            "start the kubelet and wait until it is Ready",
            "replace pods with addresses outside the new podCIDRs",
            "let a pod on another node connect to a pod on this one",
            uncordon,
        ]


@dataclass
class Plan:
    """The plan of a run. It may start only when there are no ``refusals``."""

    nodes: list[NodePlan]
    refusals: list[str]
    warnings: list[str]
    skipped: list[dict[str, str]]
    allocator: dict[str, t.Any]
    pools: list[dict[str, t.Any]]

    @property
    def all_refusals(self) -> list[str]:
        """Refusals of the cluster and of each planned Node."""
        return self.refusals + [sentence for node in self.nodes for sentence in node.refusals]

    def digest(self) -> str:
        """SHA-256 of what the plan rests on: Nodes with uid, podCIDRs and reasons in their order, and the allocator."""
        basis = {
            "allocator": self.allocator,
            "nodes": [
                [node.name, node.uid, node.pod_cidrs, sorted(reason["id"] for reason in node.reasons), node.resume_step]
                for node in self.nodes
            ],
        }
        return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()

    def lines(self) -> list[str]:
        """The plan as text for a terminal or a diff."""
        if not self.nodes:
            lines = ["No Node has to be registered anew."]
        else:
            count = len(self.nodes)
            lines = [f"{count} {'Node is' if count == 1 else 'Nodes are'} to be registered anew, one after the other:"]
        for position, node in enumerate(self.nodes, start=1):
            lines += _node_lines(position, node)
        lines += [f"skipped: Node {one['name']}: {one['reason']}" for one in self.skipped]
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"refused: {refusal}" for refusal in self.all_refusals]
        return lines


def _node_lines(position: int, node: NodePlan) -> list[str]:
    lines = [f"{position}. Node {node.name} ({', '.join(node.pod_cidrs) or 'no podCIDR'})"]
    if node.resume_step:
        lines.append(f"   goes on after the step '{node.resume_step}' of an earlier run")
    lines += [f"   because: {reason['summary']}" for reason in node.reasons]
    if node.waits_for_block:
        lines.append("   is left alone if it gets a podCIDR before its turn")
    lines.append(f"   new podCIDRs from: {node.new_pod_cidrs_from}")
    for what in ("labels", "annotations", "taints"):
        if node.keeps[what]:
            lines.append(f"   keeps {what}: {', '.join(node.keeps[what])}")
    if node.keeps["left_out"]:
        lines.append(f"   written anew by their owners: {', '.join(node.keeps['left_out'])}")
    for what, word in (("evict", "evicts"), ("delete", "replaces"), ("keep", "keeps")):
        if node.pods[what]:
            lines.append(f"   {word} pods: {', '.join(node.pods[what])}")
    lines.append(f"   in the end: {node.steps()[-1]}")
    lines += [f"   warning: {warning}" for warning in node.warnings]
    return lines


def make_plan(client: KubeClient, context: Context, options: PlanOptions) -> Plan:
    """Plan a run against the cluster of ``context``, which must be fresh. Reads only.

    Raises InputError for a Node that does not exist.
    """
    refusals = _objections_of_cluster(client, context, options)
    images = _images(options, refusals)
    findings = _reasons(run_checks(context))
    chosen, skipped = _choose(context, options, findings, images)
    plans = [_plan_node(client, context, options, name, findings.get(name, []), images.get(name)) for name in chosen]
    plans.sort(key=_order)
    ours = {plan.name for plan in plans} | set(options.run_nodes)
    refusals += standing(cluster_preflight.other_nodes(context, ours), options.accepted_risks)
    _add_block_refusals(context, plans)
    if not options.nodes:
        plans, refused = _without_refused(plans)
        skipped += refused
    return Plan(
        nodes=plans,
        refusals=[objection.sentence for objection in refusals],
        warnings=cluster_preflight.cluster_autoscaler(client) if plans else [],
        skipped=skipped,
        allocator=context.allocator.to_dict(),
        pools=context.pool_summaries(),
    )


def read_context(client: KubeClient, settings: t.Any) -> Context:
    """A fresh picture of the cluster. Raises RefusedError, naming the missing permission, without Nodes."""
    state = live.collect(client)
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


def _objections_of_cluster(client: KubeClient, context: Context, options: PlanOptions) -> list[Objection]:
    found = cluster_preflight.missing_permissions(client)
    found += cluster_preflight.unreadable(context)
    found += cluster_preflight.allocation(context)
    if not found:
        found += cluster_preflight.garbage_collection(client)
        found += cluster_preflight.controller_manager(client, settle_seconds=options.settle_seconds)
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
        existing = _some(sorted(known)) or "no Nodes at all"
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
    """Unfinished Nodes first, workers before the control plane, Nodes that free blocks early, waiting ones last."""
    return (not plan.resume_step, plan.waits_for_block, plan.control_plane, -plan.frees_blocks, plan.name)


def _plan_node(
    client: KubeClient,
    context: Context,
    options: PlanOptions,
    name: str,
    findings: Sequence[Finding],
    image: BeforeImage | None,
) -> NodePlan:
    present = next((node for node in context.state.nodes if name_of(node) == name), None)
    deleted = image is not None and image.reached("deleting")
    # Of a Node that we deleted, the before-image knows what it was; of any other, the cluster does.
    node: Object = image.node if image is not None and deleted else t.cast(Object, present or {})
    kept = restorable(node)
    metadata = node.get("metadata") or {}
    pods: dict[str, list[str]] = {"evict": [], "delete": [], "keep": []}
    plan = NodePlan(
        name=name,
        uid=str(metadata.get("uid") or ""),
        resume_step=image.step if image is not None else "",
        reasons=[{"id": one.id, "severity": one.severity, "summary": one.summary} for one in findings],
        pod_cidrs=pod_cidrs_of(node),
        new_pod_cidrs_from=_source(context),
        control_plane=is_control_plane(node),
        was_unschedulable=image.was_unschedulable if image else bool((node.get("spec") or {}).get("unschedulable")),
        frees_blocks=sum(freed_by(name, context.node_cidrs, pool) for pool in context.pools),
        keeps={
            "labels": [f"{key}={value}" for key, value in kept.labels.items()],
            "annotations": list(kept.annotations),
            "taints": [format_taint(taint) for taint in kept.taints],
            "left_out": sorted(set(metadata.get("annotations") or {}) - set(kept.annotations)),
        },
        pods=pods,
    )
    if deleted:
        return plan  # the point of no return is passed: what is left is to finish
    plan.refusals += [
        one.sentence for one in standing(_objections_of_node(context, options, node), options.accepted_risks)
    ]
    _plan_pods(client, options, plan)
    return plan


def _objections_of_node(context: Context, options: PlanOptions, node: Object) -> list[Objection]:
    name = name_of(node)
    found = [
        Objection(refusal.code, f"Node {name}: {refusal.reason}", refusal.override)
        for refusal in deletion_refusals(node)
    ]
    if is_control_plane(node) and not options.control_plane:
        found.append(
            Objection("control-plane", f"Node {name} belongs to the control plane; allow that with control_plane")
        )
    version = context.state.server_version or ""
    if _DUPLICATE_RELEASES.match(version) and (node.get("metadata") or {}).get("finalizers"):
        reason = (
            f"Node {name} has finalizers, and kube-controller-manager {version} gives its block away while it still "
            "exists (fixed in 1.31.4)"
        )
        found.append(Objection("duplicate-cidr-release", reason))
    sharing = sharing_a_block(name, context.node_cidrs, context.pools)
    if sharing:
        reason = (
            f"Node {name} has another mask and shares a block of the allocator with {_some(sharing)}: deleting it "
            "frees the block while they still use it"
        )
        found.append(Objection("shared-block", reason, "shared-block"))
    return found


def _plan_pods(client: KubeClient, options: PlanOptions, plan: NodePlan) -> None:
    drain = Drain(client, plan.name, options.drain)
    try:
        planned = drain.plan()
    except RefusedError as error:
        plan.refusals.append(str(error))
        return
    except ApiError as error:
        if error.status != 403:
            raise
        plan.refusals.append(str(error))  # the missing permission; the cluster's refusals name all of them
        return
    bound = {str(pod["metadata"]["uid"]): pod for pod in planned.pods}
    for decision in planned.decisions:
        pod = bound[decision.uid]
        if decision.action == "remove":
            plan.pods["evict"].append(decision.reference)
        elif is_daemonset_pod(pod) and not is_mirror(pod):
            plan.pods["delete"].append(decision.reference)
        else:
            plan.pods["keep"].append(decision.reference)
    plan.warnings += [f"PodDisruptionBudget {text}: the drain may have to wait for it" for text in planned.exhausted]


def _add_block_refusals(context: Context, plans: Sequence[NodePlan]) -> None:
    """Say so where a Node would find no block when its turn comes."""
    active = {plan.name: plan for plan in plans if plan.resume_step in ("", "captured")}
    played = turns(list(active), context.waiting, context.node_cidrs, context.pools)
    for turn in played:
        if not turn.enough:
            active[turn.node].refusals.append(_no_block(turn, context.waiting))


def _no_block(turn: Turn, waiting: Collection[str]) -> str:
    others = sorted(set(waiting) - {turn.node})
    competition = f", and {len(others)} Nodes without podCIDR wait for one ({_some(others)})" if others else ""
    return (
        f"Node {turn.node}: no {turn.family} block would be left for it: deleting it frees {turn.frees}{competition}. "
        "Free or add blocks first."
    )


def _without_refused(plans: Sequence[NodePlan]) -> tuple[list[NodePlan], list[dict[str, str]]]:
    """Of Nodes that nobody named, those with a refusal are left out and reported."""
    kept = [plan for plan in plans if not plan.refusals]
    left_out = [{"name": plan.name, "reason": " ".join(plan.refusals)} for plan in plans if plan.refusals]
    return kept, left_out


def _source(context: Context) -> str:
    settings = context.allocator
    ranges = ", ".join(f"{cidr} (/{settings.mask_sizes[cidr.version]} each)" for cidr in settings.cluster_cidrs)
    return f"the allocator, out of {ranges}" if ranges else "the allocator"


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
