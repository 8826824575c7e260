# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Where deleting a Node object would destroy a machine, an etcd member or something else: refusals by evidence.

Source of each row: Karpenter's termination controller, Cluster API's MachineHealthCheck, k3s' etcd member controller,
the cloud providers' documentation.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Node = Mapping[str, t.Any]

# providerID schemes behind which no controller deletes or replaces a machine when its Node goes
_SAFE_PROVIDERS = ("k3s://", "rke2://", "kind://", "kwok://", "kubemark://")
# finalizers that k3s and RKE2 put on every Node and that do no harm
_SAFE_FINALIZER_PREFIX = "wrangler.cattle.io/"
# taints of Cluster Autoscaler and of Karpenter (before and since v1) on Nodes whose machine they are about to remove
_TAINTS_OF_REMOVERS = ("ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption")
# MicroK8s: microk8s-resources/default-args/kubelet, and scripts/wrappers/join.py for a worker
MICROK8S = "microk8s.io/cluster"
MICROK8S_CONTROL_PLANE = "node.kubernetes.io/microk8s-controlplane"
MICROK8S_WORKER = "node.kubernetes.io/microk8s-worker"


@dataclass(frozen=True)
class Refusal:
    """Why a Node must not be deleted. ``override`` is the name of the accepted risk, or None where there is none."""

    code: str
    reason: str
    override: str | None

    def sentence(self, node: str) -> str:
        """The reason with the way out."""
        way_out = f"accept it with accepted_risks: [{self.override}]" if self.override else "there is no override"
        return f"Node {node}: {self.reason} ({way_out})."


def _metadata(node: Node, key: str) -> Mapping[str, str]:
    value: Mapping[str, str] = node.get("metadata", {}).get(key) or {}
    return value


def _any_prefix(values: Mapping[str, str], *prefixes: str) -> str:
    return min((key for key in values if key.startswith(prefixes)), default="")


def _version(node: Node) -> str:
    return str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", ""))


def _embedded_etcd(node: Node) -> Refusal | None:
    labels = _metadata(node, "labels")
    version = _version(node)
    labelled = labels.get("node-role.kubernetes.io/etcd") == "true" and ("+k3s" in version or "+rke2" in version)
    # pkg/etcd/etcd.go of k3s writes these on every member
    if labelled or _any_prefix(_metadata(node, "annotations"), "etcd.k3s.cattle.io/", "etcd.rke2.cattle.io/"):
        reason = "it is an embedded etcd member of k3s or RKE2: deleting the Node removes the member for good"
        return Refusal("embedded-etcd", reason, None)
    return None


def _virtual(node: Node) -> Refusal | None:
    taints = (node.get("spec") or {}).get("taints") or ()
    provided = any(str(one.get("key")).startswith("virtual-kubelet.io/") for one in taints)
    if provided or _metadata(node, "labels").get("type") in ("virtual-kubelet", "kwok"):
        return Refusal("not-a-host", "it has no machine behind it, so no kubelet can register it again", None)
    return None


def _karpenter(node: Node) -> Refusal | None:
    finalizers = node.get("metadata", {}).get("finalizers") or ()
    labels = _metadata(node, "labels")
    key = (
        "karpenter.sh/termination" if "karpenter.sh/termination" in finalizers else _any_prefix(labels, "karpenter.sh/")
    )
    if key or labels.get("eks.amazonaws.com/compute-type") in ("auto", "fargate"):
        reason = f"{key or 'EKS compute-type'} shows that deleting the Node terminates the machine"
        return Refusal("machine-is-terminated", reason, None)
    return None


def _machine_api(node: Node) -> Refusal | None:
    key = _any_prefix(_metadata(node, "annotations"), "cluster.x-k8s.io/machine", "machine.openshift.io/machine")
    if key:
        reason = f"annotation {key}: a machine health check may replace the machine as soon as the Node is gone"
        return Refusal("machine-api", reason, "machine-api")
    key = _any_prefix(_metadata(node, "labels"), "worker.gardener.cloud/", "node.gardener.cloud/")
    if key:
        reason = f"label {key}: Gardener's machine controller replaces machines whose Node stays away"
        return Refusal("machine-api", reason, "machine-api")
    return None


def _managed(node: Node) -> Refusal | None:
    labels = _metadata(node, "labels")
    key = _any_prefix(
        labels,
        "eks.amazonaws.com/nodegroup",
        "cloud.google.com/gke-nodepool",
        "kubernetes.azure.com/agentpool",
        "doks.digitalocean.com/",
    )
    if not key and "-gke." in _version(node):
        return Refusal("managed-node", "its kubelet is one of GKE: the provider manages this machine", "managed-node")
    # a Node that an administrator joined to AKS says that it is not managed
    if key and labels.get("kubernetes.azure.com/managed") != "false":
        return Refusal(
            "managed-node", f"label {key}: the provider manages this machine and its podCIDR", "managed-node"
        )
    return None


def _cloud(node: Node) -> Refusal | None:
    provider = str((node.get("spec") or {}).get("providerID") or "")
    if provider and not provider.startswith(_SAFE_PROVIDERS):
        # Alibaba Cloud and Oracle Cloud have identifiers without a scheme
        scheme, separator, _rest = provider.partition("://")
        shown = f"{scheme}{separator}" if separator else provider
        reason = f"providerID {shown}: a cloud controller may act on the deletion of the Node"
        return Refusal("cloud-provider", reason, "cloud-provider")
    return None


def _finalizers(node: Node) -> Refusal | None:
    foreign = [
        name
        for name in node.get("metadata", {}).get("finalizers") or ()
        if not name.startswith((_SAFE_FINALIZER_PREFIX, "karpenter.sh/"))
    ]
    if foreign:
        reason = f"finalizer {foreign[0]}: the Node does not go before its controller has acted"
        return Refusal("foreign-finalizer", reason, "foreign-finalizer")
    return None


def _leaving(node: Node) -> Refusal | None:
    """Somebody else is deleting the Node, or has decided to."""
    if node.get("metadata", {}).get("deletionTimestamp"):
        return Refusal("being-removed", "it is being deleted by somebody else already", None)
    taints = (node.get("spec") or {}).get("taints") or ()
    key = next((str(one.get("key")) for one in taints if str(one.get("key")).startswith(_TAINTS_OF_REMOVERS)), "")
    if key:
        return Refusal("being-removed", f"taint {key}: its autoscaler has decided to remove the machine", None)
    return None


_RULES: tuple[Callable[[Node], Refusal | None], ...] = (
    _embedded_etcd,
    _virtual,
    _karpenter,
    _machine_api,
    _managed,
    _cloud,
    _finalizers,
    _leaving,
)


def deletion_refusals(node: Node) -> list[Refusal]:
    """Every reason why this Node object must not be deleted; empty when none is known."""
    return [refusal for rule in _RULES if (refusal := rule(node)) is not None]


def is_control_plane(node: Node) -> bool:
    """Whether the Node carries a control plane role label, that of MicroK8s included."""
    labels = _metadata(node, "labels")
    roles = (f"node-role.kubernetes.io/{role}" for role in ("control-plane", "master", "etcd"))
    return any(label in labels for label in (*roles, MICROK8S_CONTROL_PLANE))
