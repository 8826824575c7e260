"""Who provides a machine, and what deleting its Node does, in words."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider_name import if_deleted, provider_of

COMPUTE = "eks.amazonaws.com/compute-type"
SOCKET = {"kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/containerd/containerd.sock"}


def node(version: str = "v1.36.1", provider: str = "", **metadata: Any) -> dict[str, Any]:
    """A Node with this metadata."""
    return {
        "metadata": {"name": "w1", **metadata},
        "spec": {"providerID": provider} if provider else {},
        "status": {"nodeInfo": {"kubeletVersion": version}},
    }


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (node(), "own machine"),
        (node(annotations=SOCKET), "kubeadm"),
        (node(provider="aws:///eu-1a/i-0", annotations=SOCKET), "kubeadm on AWS"),
        (node(provider="aws:///eu-1a/i-0"), "machine of AWS"),
        (node(provider="aws:///eu-1a/i-0", labels={"kops.k8s.io/instancegroup": "n"}), "kOps on AWS"),
        (node(provider="aws:///eu-1a/i-0", labels={"karpenter.sh/nodepool": "n"}), "Karpenter on AWS"),
        (node(provider="aws:///eu-1a/i-0", labels={"eks.amazonaws.com/nodegroup": "n"}), "EKS managed node group"),
        (node("v1.33.1-eks-abc", provider="aws:///eu-1a/i-0"), "EKS"),
        (node(labels={COMPUTE: "fargate"}, provider="aws:///a/b/fargate-ip"), "EKS Fargate"),
        (node(labels={COMPUTE: "auto"}), "EKS Auto Mode"),
        (node(labels={COMPUTE: "hybrid"}), "EKS hybrid node"),
        (node(provider="eks-hybrid:///eu/c/mi-0"), "EKS hybrid node"),
        (node(provider="gce://p/z/n", labels={"cloud.google.com/gke-nodepool": "p"}), "GKE"),
        (node(provider="azure:///subscriptions/x", labels={"kubernetes.azure.com/agentpool": "p"}), "AKS"),
        (node(labels={"kubernetes.azure.com/managed": "false"}), "own machine joined to AKS"),
        (node(provider="openstack:///u", annotations={"cluster.x-k8s.io/machine": "m"}), "Cluster API on OpenStack"),
        (node(provider="metal3://u", annotations={"machine.openshift.io/machine": "m"}), "OpenShift machine on Metal3"),
        (node(provider="k3s://w1", version="v1.36.1+k3s1"), "k3s"),
        (node("v1.36.1+rke2r1"), "RKE2"),
        (node(provider="kind://docker/kind/w"), "kind"),
        (node(labels={"type": "kwok"}), "kwok (no machine)"),
        (node(annotations={"kwok.x-k8s.io/node": "fake"}), "kwok (no machine)"),
        (node(labels={"type": "virtual-kubelet"}), "virtual kubelet"),
        (node(provider="eu-central-1.i-abc"), "machine of Alibaba Cloud"),
        (node(provider="ocid1.instance.x"), "machine of Oracle Cloud"),
        (node(provider="newcloud://x"), "machine of newcloud"),
    ],
)
def test_provider(found: dict[str, Any], expected: str) -> None:
    """Product and cloud by labels, annotations, version and providerID."""
    assert provider_of(found) == expected


def test_what_happens_when_it_is_deleted() -> None:
    """Every refusal in words, or what is lost without one."""
    assert if_deleted(node()).startswith("The machine stays.") and "etcd" not in if_deleted(node())
    assert "etcd member is not touched" in if_deleted(node(labels={"node-role.kubernetes.io/control-plane": ""}))
    several = node(provider="openstack:///u", annotations={"cluster.x-k8s.io/machine": "m"})
    assert if_deleted(several) == (
        "Annotation cluster.x-k8s.io/machine: a machine health check may replace the machine as soon as the Node is gone. "
        "ProviderID openstack://: a cloud controller may act on the deletion of the Node."
    )
