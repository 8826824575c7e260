# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Who provides the machine of a Node, and what happens when the Node object is deleted, in words.

Sources: prefixes of providerID in the cloud providers of Cluster Autoscaler and in kOps; labels and annotations in the
documentation of each product. A prefix names the cloud only: machines of AWS are also those of kOps or kubeadm.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import (
    Node,
    deletion_refusals,
    is_control_plane,
)

_CLOUDS: Mapping[str, str] = {
    "aws": "AWS",
    "gce": "Google Cloud",
    "azure": "Azure",
    "openstack": "OpenStack",
    "vsphere": "vSphere",
    "digitalocean": "DigitalOcean",
    "hcloud": "Hetzner Cloud",
    "linode": "Linode",
    "ibm": "IBM Cloud",
    "oci": "Oracle Cloud",
    "qcloud": "Tencent Cloud",
    "scaleway": "Scaleway",
    "exoscale": "Exoscale",
    "vultr": "Vultr",
    "civo": "Civo",
    "ionos": "IONOS",
    "metal3": "Metal3",
    "equinixmetal": "Equinix Metal",
    "kubevirt": "KubeVirt",
    "harvester": "Harvester",
    "nutanix": "Nutanix",
    "proxmox": "Proxmox",
    "volcengine": "Volcengine",
}
_EKS_COMPUTE: Mapping[str, str] = {"fargate": "EKS Fargate", "auto": "EKS Auto Mode", "hybrid": "EKS hybrid node"}
# (place, prefix of a key, product), the most telling first
_SIGNS: t.Final = (
    ("labels", "eks.amazonaws.com/nodegroup", "EKS managed node group"),
    ("labels", "alpha.eksctl.io/", "EKS node of eksctl"),
    ("labels", "cloud.google.com/gke-nodepool", "GKE"),
    ("labels", "kubernetes.azure.com/agentpool", "AKS"),
    ("labels", "doks.digitalocean.com/", "DigitalOcean Kubernetes"),
    ("labels", "karpenter.sh/", "Karpenter"),
    ("annotations", "machine.openshift.io/machine", "OpenShift machine"),
    ("annotations", "machineconfiguration.openshift.io/", "OpenShift"),
    ("labels", "worker.gardener.cloud/", "Gardener"),
    ("labels", "node.gardener.cloud/", "Gardener"),
    ("annotations", "cluster.x-k8s.io/machine", "Cluster API"),
    ("labels", "kops.k8s.io/", "kOps"),
    ("labels", "microk8s.io/", "MicroK8s"),
    ("labels", "node.k0sproject.io/", "k0s"),
    ("annotations", "kubeadm.alpha.kubernetes.io/cri-socket", "kubeadm"),
)
_PREFIXES: t.Final[Mapping[str, tuple[str, ...]]] = {
    where: tuple(prefix for place, prefix, _product in _SIGNS if place == where) for where in ("labels", "annotations")
}
_VERSIONS: t.Final = (("-eks-", "EKS"), ("-gke.", "GKE"), ("+k3s", "k3s"), ("+rke2", "RKE2"))
_SIMULATED: Mapping[str, str] = {"kwok": "kwok (no machine)", "kubemark": "kubemark (no machine)", "kind": "kind"}


def _values(node: Node, key: str) -> Mapping[str, str]:
    found: Mapping[str, str] = (node.get("metadata") or {}).get(key) or {}
    return found


def provider_of(node: Node) -> str:
    """Product and cloud of a Node: ``EKS managed node group``, ``kOps on AWS``, ``kubeadm``, ``own machine``."""
    labels, identifier = _values(node, "labels"), str((node.get("spec") or {}).get("providerID") or "")
    scheme = identifier.partition("://")[0] if "://" in identifier else ""
    if labels.get("type") == "virtual-kubelet":
        return "virtual kubelet"
    if labels.get("type") == "kwok" or "kwok.x-k8s.io/node" in _values(node, "annotations"):
        return _SIMULATED["kwok"]
    if scheme in _SIMULATED:
        return _SIMULATED[scheme]
    compute = _EKS_COMPUTE.get(labels.get("eks.amazonaws.com/compute-type", ""))
    if compute or scheme == "eks-hybrid":
        return compute or _EKS_COMPUTE["hybrid"]
    product, cloud = _product(node, labels), _cloud(scheme, identifier)
    if product and cloud and not product.startswith(("EKS", "GKE", "AKS", "DigitalOcean")):
        return f"{product} on {cloud}"
    return product or (f"machine of {cloud}" if cloud else "own machine")


def _product(node: Node, labels: Mapping[str, str]) -> str:
    if labels.get("kubernetes.azure.com/managed") == "false":
        return "own machine joined to AKS"
    annotations = _values(node, "annotations")
    # most Nodes have none of them: one look at each key tells so
    signed = any(key.startswith(_PREFIXES["labels"]) for key in labels) or any(
        key.startswith(_PREFIXES["annotations"]) for key in annotations
    )
    for place, prefix, product in _SIGNS if signed else ():
        if any(key.startswith(prefix) for key in _values(node, place)):
            return product
    version = str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion", ""))
    return next((product for part, product in _VERSIONS if part in version), "")


def _cloud(scheme: str, identifier: str) -> str:
    if scheme in ("k3s", "rke2"):
        return ""
    if scheme:
        return _CLOUDS.get(scheme, scheme)
    if identifier.startswith("ocid1."):
        return _CLOUDS["oci"]
    # Alibaba Cloud: REGION.i-xxx
    return "Alibaba Cloud" if ".i-" in identifier else identifier


def if_deleted(node: Node) -> str:
    """What happens when this Node object is deleted: the reasons to refuse it, or what is lost without one."""
    refusals = deletion_refusals(node)
    if refusals:
        return " ".join(_sentence(one.reason) for one in refusals)
    text = (
        "The machine stays. The kubelet registers the Node again when it restarts, without the cordon and without labels, "
        "annotations and taints that others had put on it."
    )
    if is_control_plane(node):
        text += " Its etcd member is not touched; the role label and the taint of the control plane are lost."
    return text


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."
