# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which Nodes are really gone and may be removed, what goes with each, and what speaks against it. Reads only."""

from __future__ import annotations

import datetime
import hashlib
import json
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, condition, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider_name import provider_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.tolerations import OUT_OF_SERVICE, stays_under
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import node_silence, refusals_removal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.block_budget import freed_by
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection, standing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.node_silence import Signs
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.server_clock import server_time
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

#: The taint by which the control plane is told that the machine is out of service; the value says that it is ours.
TAINT: t.Final = {"key": OUT_OF_SERVICE, "value": "podnet-upkeep", "effect": "NoExecute"}


@dataclass(frozen=True)
class RemovalOptions:
    """Times in seconds. ``nodes`` empty: every Node that is not Ready. ``powered_off``: Nodes whose machine is off."""

    nodes: tuple[str, ...] = ()
    quarantine: float = 1800.0
    settle_seconds: float = 40.0
    controller_settle_seconds: float = 30.0
    max_nodes: int = 3
    max_share: float = 0.2
    accepted_risks: tuple[str, ...] = ()
    powered_off: tuple[str, ...] = ()
    namespace: str = "kube-system"


@dataclass
class NodeRemovalPlan:
    """One Node. ``pods``: ``evicted`` by the taint, and those that ``stay`` under it until the Node is deleted."""

    name: str
    uid: str
    provider: str
    ready: str
    silent_seconds: int
    pod_cidrs: list[str]
    frees_blocks: int
    pods: dict[str, list[str]]
    volumes: list[str]
    refusals: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {**self.__dict__, "steps": self.steps()}

    def steps(self) -> list[str]:
        """What will be done, one line for each step."""
        steps = [
            "see once more that the kubelet is silent",
            "save the Node object",
            f"taint it with {OUT_OF_SERVICE} ({TAINT['effect']})",
            f"wait until the control plane has removed {len(self.pods['evicted'])} pods",
        ]
        if self.volumes:
            steps.append(f"wait until {len(self.volumes)} volumes are detached")
        steps += [f"delete Node {self.name} with uid {self.uid}", "wait until what belonged to it is gone"]
        if self.pods["stay"]:
            steps.append(
                f"wait until the control plane has removed {len(self.pods['stay'])} pods that tolerate the taint"
            )
        return steps

    def lines(self) -> list[str]:
        """The plan of this Node as text."""
        lines = [
            f"Node {self.name} ({self.provider}; {', '.join(self.pod_cidrs) or 'no podCIDR'}) is silent for "
            f"{words(self.silent_seconds)} and will be removed; that frees {self.frees_blocks} blocks"
        ]
        for what, word in (("evicted", "removes pods"), ("stay", "removes pods in the end")):
            if self.pods[what]:
                lines.append(f"   {word}: {', '.join(self.pods[what])}")
        if self.volumes:
            lines.append(f"   detaches volumes: {', '.join(self.volumes)}")
        return lines


@dataclass
class RemovalPlan:
    """The plan of a run; it may start only without ``refusals``."""

    nodes: list[NodeRemovalPlan]
    refusals: list[str]
    skipped: list[dict[str, str]]

    @property
    def all_refusals(self) -> list[str]:
        """Refusals of the cluster and of each planned Node."""
        return self.refusals + [sentence for node in self.nodes for sentence in node.refusals]

    def digest(self) -> str:
        """SHA-256 of what the plan rests on: the Nodes with uid and podCIDRs."""
        basis = [[node.name, node.uid, node.pod_cidrs] for node in self.nodes]
        return hashlib.sha256(json.dumps(basis).encode()).hexdigest()

    def lines(self) -> list[str]:
        """The plan as text for a terminal or a diff."""
        lines = [line for node in self.nodes for line in node.lines()] or ["No Node is to be removed."]
        lines += [f"skipped: Node {one['name']}: {one['reason']}" for one in self.skipped]
        lines += [f"refused: {one}" for one in self.all_refusals]
        return lines


def make_removal_plan(
    client: KubeClient,
    context: Context,
    options: RemovalOptions,
    *,
    clock: Clock | None = None,
    now: Callable[[], datetime.datetime] | None = None,
) -> RemovalPlan:
    """Plan against the cluster of ``context``, which must be fresh. ``now`` is the API server's time.

    A named Node that does not exist is reported as skipped: an earlier run may have removed it. Raises ApiError.
    """
    known = {name_of(node): node for node in context.state.nodes}
    absent = [name for name in dict.fromkeys(options.nodes) if name not in known]
    named = [name for name in dict.fromkeys(options.nodes) if name in known]
    silent = [name for name, node in sorted(known.items()) if condition(node, "Ready") != "True"]
    wanted = named if options.nodes else silent
    cluster = _objections_of_cluster(client, context, options) if wanted else []
    gone = [{"name": name, "reason": "there is no Node of this name (any more)"} for name in absent]
    plan = RemovalPlan([], [one.sentence for one in cluster], gone)
    if cluster or not wanted:
        return plan
    moment = (now or (lambda: server_time(client, options.namespace)))()
    unfinished = refusals_removal.unfinished_nodes(client, options.namespace)
    signs: dict[str, Signs] = {}
    for name in wanted:
        planned, found = _plan_node(client, context, options, name, moment, unfinished)
        objections = standing(found, options.accepted_risks)
        planned.refusals = [one.sentence for one in objections]
        plan.nodes.append(planned)
        seen = None if objections else node_silence.read(client, name)
        if seen is not None:
            signs[name] = seen[1]
    _watch(client, plan, options, signs, clock)
    _leave_out(plan, options)
    return plan


def _objections_of_cluster(client: KubeClient, context: Context, options: RemovalOptions) -> list[Objection]:
    found = refusals_removal.of_cluster(
        client,
        context,
        max_share=options.max_share,
        settle_seconds=options.controller_settle_seconds,
        namespace=options.namespace,
    )
    return standing(found, options.accepted_risks)


def _plan_node(
    client: KubeClient,
    context: Context,
    options: RemovalOptions,
    name: str,
    moment: datetime.datetime,
    unfinished: Sequence[str],
) -> tuple[NodeRemovalPlan, list[Objection]]:
    seen = node_silence.read(client, name)
    node: JsonObject = seen[0] if seen is not None else {"metadata": {"name": name}}
    signs = node_silence.signs_of(node, None) if seen is None else seen[1]
    pods = bound_pods(client, name)
    volumes = volumes_of(client, name)
    planned = NodeRemovalPlan(
        name=name,
        uid=signs.uid,
        provider=provider_of(node),
        ready=signs.ready,
        silent_seconds=int(signs.seconds(moment)),
        pod_cidrs=pod_cidrs_of(node),
        frees_blocks=sum(freed_by(name, context.node_cidrs, pool) for pool in context.pools),
        pods=pods_by_fate(pods),
        volumes=volumes,
    )
    found = silence_objections(name, signs, moment, options.quarantine)
    found += refusals_removal.of_node(
        context, node, pods, volumes, unfinished=unfinished, powered_off=options.powered_off
    )
    return planned, found


def silence_objections(name: str, signs: Signs, moment: datetime.datetime, quarantine: float) -> list[Objection]:
    """Whether the Node is silent, and for long enough."""
    if signs.ready == "True":
        return [Objection("node-is-ready", f"Node {name} is Ready")]
    if not signs.reported:
        reason = (
            f"No kubelet has ever reported about Node {name}, so it was created by hand or by a run that did not end"
        )
        return [Objection("never-registered", reason, "never-registered")]
    silent = signs.seconds(moment)
    if silent < quarantine:
        reason = (
            f"Node {name} is silent for {words(silent)} only (condition Ready: {signs.ready}, and its Lease), not for the "
            f"quarantine of {words(quarantine)}"
        )
        return [Objection("quarantine", reason)]
    return []


def _watch(
    client: KubeClient, plan: RemovalPlan, options: RemovalOptions, signs: Mapping[str, Signs], clock: Clock | None
) -> None:
    lives = node_silence.watch(client, signs, options.settle_seconds, clock=clock)
    for planned in plan.nodes:
        if planned.name in lives:
            planned.refusals.append(f"Node {planned.name} is not gone: {lives[planned.name]}.")


def _leave_out(plan: RemovalPlan, options: RemovalOptions) -> None:
    """Of Nodes that nobody named, those with a refusal are left out; of all, no more than ``max_nodes`` are taken."""
    if not options.nodes:
        plan.skipped += [{"name": one.name, "reason": " ".join(one.refusals)} for one in plan.nodes if one.refusals]
        plan.nodes = [one for one in plan.nodes if not one.refusals]
    plan.nodes.sort(key=lambda one: (-one.silent_seconds, one.name))
    for one in plan.nodes[options.max_nodes :]:
        reason = f"max_nodes is {options.max_nodes}, and others are gone for longer"
        plan.skipped.append({"name": one.name, "reason": reason})
    plan.nodes = plan.nodes[: options.max_nodes]


def bound_pods(client: KubeClient, name: str) -> list[Object]:
    """Pods that are bound to the Node. Raises ApiError."""
    return client.list("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={name}"})


def pods_by_fate(pods: Sequence[Mapping[str, t.Any]]) -> dict[str, list[str]]:
    """``evicted`` by the taint, or ``stay`` under it, as ``namespace/name``."""
    fates: dict[str, list[str]] = {"evicted": [], "stay": []}
    for pod in pods:
        reference = f"{pod['metadata'].get('namespace')}/{name_of(pod)}"
        fates["stay" if stays_under(pod, TAINT) else "evicted"].append(reference)
    return {key: sorted(value) for key, value in fates.items()}


def volumes_of(client: KubeClient, name: str) -> list[str]:
    """PersistentVolumes (else attachments) that are attached to the Node. Raises ApiError."""
    return sorted(
        str(((one.get("spec") or {}).get("source") or {}).get("persistentVolumeName") or name_of(one))
        for one in client.list("/apis/storage.k8s.io/v1/volumeattachments")
        if (one.get("spec") or {}).get("nodeName") == name
    )
