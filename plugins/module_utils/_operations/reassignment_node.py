# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The plan of one Node: why, what it loses and gets back, where its podCIDRs will come from, and what speaks against it."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, condition, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.node_metadata import format_taint, restorable
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import deletion_refusals, is_control_plane
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage, pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.block_budget import freed_by, sharing_a_block
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection, standing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import Drain, DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    FilterOptions,
    is_daemonset_pod,
    is_mirror,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.new_pod_cidrs import pool_labels, source_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_pods import (
    Elsewhere,
    ending,
    grace_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_of_node import further_objections
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal

_MISSING = "node-cidr-missing"
_DUPLICATE_RELEASES = re.compile(r"^v1\.31\.[0-3]($|[^0-9])")
#: Of one Node, in seconds: our own steps and what controllers and kubelet need, as measured on real hosts (24 to 30 s).
_SECONDS = 30
_SECONDS_AFTER_DELETION = 20


@dataclass(frozen=True)
class PlanOptions:
    """``nodes`` empty: every Node that the audit wants registered anew. ``run_nodes``: all Nodes of the whole run.

    ``accepted_risks`` are names that objections carry. ``even_if_healthy`` plans named Nodes without any finding.
    ``pod_cidrs`` {Node: podCIDRs} and ``keep_pod_cidrs`` choose podCIDRs instead of an allocator. ``probe_image`` is None
    where no probe is planned, and empty where nobody named one. ``drain_timeout`` in seconds; None: it is not judged.
    """

    nodes: tuple[str, ...] = ()
    run_nodes: tuple[str, ...] = ()
    control_plane: bool = False
    even_if_healthy: bool = False
    accepted_risks: tuple[str, ...] = ()
    pod_cidrs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keep_pod_cidrs: bool = False
    state_dir: str = ""
    journal: Journal | None = None
    settle_seconds: float = 30.0
    probe_namespace: str = "default"
    probe_image: str | None = None
    drain_timeout: float | None = None
    drain: DrainOptions = field(default_factory=lambda: DrainOptions(filters=FilterOptions(ignore_daemonsets=True)))

    def chosen(self, node: Mapping[str, t.Any]) -> list[str]:
        """podCIDRs that somebody has chosen for the new Node; empty when an allocator gives them."""
        name = str((node.get("metadata") or {}).get("name") or "")
        return list(self.pod_cidrs.get(name) or ()) or (pod_cidrs_of(node) if self.keep_pod_cidrs else [])


@dataclass
class NodePlan:
    """The plan of one Node. ``keeps`` is what it gets back, ``loses`` what it does not, in words."""

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
    provider_id: str = ""
    provider_risks: list[str] = field(default_factory=list)
    pool_labels: dict[str, str] = field(default_factory=dict)
    chosen_pod_cidrs: list[str] = field(default_factory=list)
    loses: list[str] = field(default_factory=list)
    expected_seconds: int = _SECONDS_AFTER_DELETION
    warnings: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    of_allocator: bool = True

    @property
    def waits_for_block(self) -> bool:
        """Whether it only lacks a podCIDR, and so may get one without being touched."""
        return not self.resume_step and {reason["id"] for reason in self.reasons} == {_MISSING}

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        values = {key: value for key, value in self.__dict__.items() if key != "of_allocator"}
        return {**values, "waits_for_block": self.waits_for_block, "steps": self.steps()}

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


def plan_node(
    client: KubeClient,
    context: Context,
    options: PlanOptions,
    name: str,
    findings: Sequence[Finding],
    image: BeforeImage | None,
    elsewhere: Elsewhere | None = None,
) -> NodePlan:
    """The plan of one Node. Reads only. ``elsewhere`` is not asked where it is None. Raises ApiError."""
    present = next((node for node in context.state.nodes if name_of(node) == name), None)
    deleted = image is not None and image.reached("deleting")
    # Of a Node that we deleted, the before-image knows what it was; of any other, the cluster does.
    node: Object = image.node if image is not None and deleted else t.cast(Object, present or {})
    person = bool(options.pod_cidrs) or options.keep_pod_cidrs
    source = source_of(context, node, options.chosen(node), person=person)
    plan = NodePlan(
        name=name,
        uid=str((node.get("metadata") or {}).get("uid") or ""),
        resume_step=image.step if image is not None else "",
        reasons=[{"id": one.id, "severity": one.severity, "summary": one.summary} for one in findings],
        pod_cidrs=pod_cidrs_of(node),
        new_pod_cidrs_from=source.words,
        control_plane=is_control_plane(node),
        was_unschedulable=image.was_unschedulable if image else bool((node.get("spec") or {}).get("unschedulable")),
        frees_blocks=sum(freed_by(name, context.node_cidrs, pool) for pool in context.pools),
        keeps=_keeps(node),
        pods={"evict": [], "delete": [], "keep": []},
        provider_id=str((node.get("spec") or {}).get("providerID") or ""),
        provider_risks=[refusal.code for refusal in deletion_refusals(node)],
        pool_labels=pool_labels(context, node),
        chosen_pod_cidrs=options.chosen(node),
        of_allocator=source.allocator,
    )
    if plan.pod_cidrs and plan.pod_cidrs != plan.chosen_pod_cidrs:
        plan.loses.append(f"its podCIDRs {', '.join(plan.pod_cidrs)}, and the addresses of its pods with them")
    if deleted:
        return plan  # the point of no return is passed: what is left is to finish
    objections = [*_objections(context, options, node), *further_objections(client, context, node), *source.objections]
    plan.refusals += [one.sentence for one in standing(objections, options.accepted_risks)]
    _plan_pods(client, context, options, plan, elsewhere)
    return plan


def _keeps(node: Object) -> dict[str, list[str]]:
    kept = restorable(node)
    annotations = (node.get("metadata") or {}).get("annotations") or {}
    return {
        "labels": [f"{key}={value}" for key, value in kept.labels.items()],
        "annotations": list(kept.annotations),
        "taints": [format_taint(taint) for taint in kept.taints],
        "left_out": sorted(set(annotations) - set(kept.annotations)),
    }


def _objections(context: Context, options: PlanOptions, node: Object) -> list[Objection]:
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
            f"Node {name} has another mask and shares a block of the allocator with {some(sharing)}: deleting it "
            "frees the block while they still use it"
        )
        found.append(Objection("shared-block", reason, "shared-block"))
    return found


def _plan_pods(
    client: KubeClient, context: Context, options: PlanOptions, plan: NodePlan, elsewhere: Elsewhere | None
) -> None:
    try:
        planned = Drain(client, plan.name, options.drain).plan()
    except RefusedError as error:
        plan.refusals.append(str(error))
        return
    except ApiError as error:
        if error.status != 403:
            raise
        plan.refusals.append(str(error))  # the missing permission; the cluster's refusals name all of them
        return
    bound = {str(pod["metadata"]["uid"]): pod for pod in planned.pods}
    leaving = []
    for decision in planned.decisions:
        pod = bound[decision.uid]
        if decision.action == "remove":
            plan.pods["evict"].append(decision.reference)
            leaving.append(pod)
        elif is_daemonset_pod(pod) and not is_mirror(pod):
            plan.pods["delete"].append(decision.reference)
        else:
            plan.pods["keep"].append(decision.reference)
    plan.expected_seconds = _SECONDS + max((grace_of(pod, options.drain.grace_period) for pod in leaving), default=0)
    plan.loses += _lost_with(leaving)
    plan.warnings += [f"PodDisruptionBudget {text}: the drain may have to wait for it" for text in planned.exhausted]
    objections, warnings = ending(plan.name, leaving, options.drain_timeout, options.drain.grace_period)
    plan.warnings += warnings
    if leaving and not _places_besides(context, plan.name):
        reason = (
            f"Node {plan.name}: no other Node is Ready and schedulable, so its pods would not run anywhere meanwhile"
        )
        objections.append(Objection("no-other-node", reason, "no-other-node"))
    elif elsewhere is not None:
        plan.warnings += elsewhere.warnings(plan.name, leaving)
    plan.refusals += [one.sentence for one in standing(objections, options.accepted_risks)]


def _lost_with(leaving: Sequence[JsonObject]) -> list[str]:
    found = []
    volatile = [_reference(pod) for pod in leaving if any("emptyDir" in one for one in _volumes(pod))]
    if volatile:
        found.append(f"data in emptyDir volumes of {some(volatile)}")
    alone = [
        _reference(pod)
        for pod in leaving
        if not any(one.get("controller") for one in pod["metadata"].get("ownerReferences") or ())
    ]
    if alone:
        found.append(f"pods that nobody starts again: {some(alone)}")
    return found


def _places_besides(context: Context, name: str) -> bool:
    return any(
        name_of(node) != name
        and condition(node, "Ready") == "True"
        and not (node.get("spec") or {}).get("unschedulable")
        for node in context.state.nodes
    )


def _volumes(pod: JsonObject) -> list[dict[str, t.Any]]:
    return (pod.get("spec") or {}).get("volumes") or []


def _reference(pod: JsonObject) -> str:
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"


def some(names: Sequence[str], most: int = 5) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
