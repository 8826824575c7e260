# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The way to a cluster CIDR that does not contain the old one: an outage that people lead, as a checked plan.

With the in-tree allocator there is no rolling way: the old kube-controller-manager gives no block of the new range, and the
new one exits at the first Node that still has a block of the old one, and with it every controller of the cluster.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import NODE_SPEC
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import deletion_refusals
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import rotation_checks as tests
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import (
    PASSED,
    UNKNOWN,
    PlanCheck,
    PlanStep,
    RotationPlan,
    checked,
    some,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_permissions import missing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation_texts import (
    CHECK,
    STABLE,
    flags_of,
    step_for_upgrades,
    where_flags_are,
)

_WHY = [
    "The new range does not contain the old one. With the allocator of kube-controller-manager Nodes cannot follow one by "
    "one: with the old flags it gives out no block of the new range, and with the new flags it exits at the first Node that "
    "has a block outside, and with it all controllers of the cluster stop.",
]
_WAYS = [
    "Ways without this outage, in the order of preference: a range that contains the old one and has the same mask (method "
    "superset); an allocator outside kube-controller-manager with ClusterCIDR pools (option cluster_cidr_pool); allocation "
    "off, with podCIDRs that you hand out to each Node as it is registered anew, where the CNI accepts Nodes of both ranges; "
    "a new cluster.",
]


def outage_plan(
    client: KubeClient,
    context: Context,
    target: AllocatorSettings,
    kind: str,
    why: Sequence[str],
    *,
    reserved: Sequence[Network] = (),
    settle_seconds: float = 30.0,
) -> RotationPlan:
    """The guided outage. Every precondition is tested against the live cluster. Reads only. Raises ApiError."""
    checks = [
        *tests.of_cluster(client, context, settle_seconds),
        *_of_old_ranges(context, target, kind),
        *tests.of_ranges(context, target.cluster_cidrs, reserved),
        checked(
            "kube-controller-manager takes these ranges and masks",
            "" if target.pools() else f"{flags_of(target)} is not valid for it",
        ),
        tests.of_capacity(context, target, ()),
        tests.of_settings(context),
        _of_deletions(context),
        _of_permissions(client),
        _of_flags(context),
        _of_cni(context),
    ]
    nodes = [
        {"name": name_of(node), "reason": f"its podCIDR {', '.join(map(str, cidrs))} is of the old range"}
        for node in context.state.nodes
        if (cidrs := context.node_cidrs[name_of(node)])
    ]
    return RotationPlan(kind, False, [*(why or _WHY), *_WAYS], checks, _steps(context, target), nodes, target.to_dict())


def _of_old_ranges(context: Context, target: AllocatorSettings, kind: str) -> list[PlanCheck]:
    """A range that overlaps the old one would be used twice while Nodes are half-way."""
    pairs = [
        f"{new} and {old}"
        for new in target.cluster_cidrs
        for old in context.allocator.cluster_cidrs
        if new.version == old.version and new.overlaps(old)
    ]
    what = "The new range is apart from the old one"
    if kind in (tests.NEW_MASK, tests.NEW_FAMILIES) and pairs:
        return [PlanCheck(what, PASSED, f"{some(pairs)}: all Nodes leave it before the first gets a block again")]
    return [
        checked(
            what, f"{some(pairs)} overlap; choose a range beside it, or one that contains all of it" if pairs else ""
        )
    ]


def _of_deletions(context: Context) -> PlanCheck:
    """Every Node has to be deleted, those of the control plane too."""
    found = [f"Node {name_of(node)}: {one.reason}" for node in context.state.nodes for one in deletion_refusals(node)]
    return checked("Every Node object may be deleted without destroying a machine or an etcd member", some(found, 3))


def _of_permissions(client: KubeClient) -> PlanCheck:
    found = missing(client, "reassign_pod_cidrs")
    return checked("Our credentials may do what is needed", "; ".join(one.reason for one in found))


def _of_flags(context: Context) -> PlanCheck:
    what = "It is known where the flags of kube-controller-manager are"
    if context.allocator.source.startswith("option"):
        return PlanCheck(
            what, UNKNOWN, "they were stated with the option allocator; find the file on each control plane host"
        )
    return PlanCheck(what, PASSED, context.allocator.source)


def _of_cni(context: Context) -> PlanCheck:
    what = "It is known which CNI takes the podCIDR from the Node"
    model = context.ipam_model
    if model.name == NODE_SPEC and model.cni:
        return PlanCheck(what, PASSED, model.cni)
    return PlanCheck(what, UNKNOWN, f"{model.evidence}; find out what on the hosts has the old range written in it")


def _steps(context: Context, target: AllocatorSettings) -> list[PlanStep]:
    ranges = ", ".join(map(str, target.cluster_cidrs))
    pods = len(context.network_pods)
    stateful = sum(1 for pod, _addresses in context.network_pods if _is_stateful(pod))
    return [
        PlanStep(
            "Prepare; nothing is changed yet",
            [
                "snapshot etcd, and keep `kubectl get nodes,pods -A -o yaml`",
                f"announce the outage: all {pods} pods of the pod network restart ({stateful} of StatefulSets), "
                "PodDisruptionBudgets cannot be kept, and nothing is rescheduled meanwhile",
                "pause autoscalers, machine health checks, GitOps and every other run of this collection",
                "rehearse these steps on a copy of the cluster",
            ],
            ["etcdctl snapshot status", CHECK],
        ),
        PlanStep(
            "Let firewalls, routes and security groups between the hosts pass the new range",
            [f"allow {ranges} beside the old range"],
        ),
        PlanStep(
            "Stop kube-controller-manager on every control plane host",
            ["move /etc/kubernetes/manifests/kube-controller-manager.yaml to a folder beside it (kubeadm, RKE2)"],
            ["no process kube-controller-manager runs, and its Lease is not renewed for 30 seconds"],
            outage=True,
        ),
        PlanStep(
            "Stop the kubelet on every host, workers first",
            [
                "systemctl stop kubelet (or k3s-agent, rke2-agent ...); containers go on running with their old addresses"
            ],
            ["every Node is silent"],
            outage=True,
        ),
        PlanStep(
            "Delete every Node, and what nobody collects while controllers are stopped",
            [
                "podnet.upkeep.node_registration state=captured for each Node (all labels, annotations and taints)",
                "delete each Node by its uid, then its Lease in kube-node-lease, its CSINode and its bound pods by uid",
            ],
            ["no Node, no Lease in kube-node-lease, no CSINode and no bound pod is left"],
            outage=True,
        ),
        PlanStep(
            "Change every place that has the range",
            [
                *(tests.acts_elsewhere(context, target) or ["the CNI's own configuration, if it has the range"]),
                *step_for_upgrades(target).acts,
                f"{flags_of(target)} {where_flags_are(context)}",
            ],
            ["the files of all control plane hosts are equal"],
            outage=True,
        ),
        PlanStep(
            "Create every Node again, cordoned, with what was captured and without podCIDRs; start kube-controller-manager",
            ["podnet.upkeep.node_registration state=precreated for each Node", "move the manifests back"],
            [STABLE, f"every Node has a podCIDR inside {ranges}"],
            outage=True,
        ),
        PlanStep(
            "Clean every host of the old range and start its kubelet, control plane first",
            [
                "remove sandboxes, the CNI's bridge, /var/lib/cni and rendered configuration, as the role "
                "reassign_pod_cidrs does (tasks clean_host)",
                "systemctl start kubelet",
                "restart the pods of the CNI and kube-proxy",
            ],
            ["every Node is Ready", "no pod has an address outside the podCIDR of its Node"],
            outage=True,
        ),
        PlanStep(
            "Prove the network, and open the Nodes",
            ["podnet.upkeep.node_network_probe for each Node", "kubectl uncordon, where it was schedulable before"],
            [CHECK, "workloads and PodDisruptionBudgets are as before"],
        ),
        PlanStep(
            "Way back, as long as no Node has a block of the new range",
            [
                "put the old flags back, start kube-controller-manager and the kubelets: with the old range they register as before"
            ],
        ),
    ]


def _is_stateful(pod: dict[str, object]) -> bool:
    metadata: dict[str, list[dict[str, object]]] = pod.get("metadata") or {}  # type: ignore[assignment]
    return any(one.get("kind") == "StatefulSet" for one in metadata.get("ownerReferences") or ())
