"""The model of a single Node in a mixed cluster."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import (
    NODE_SPEC,
    UNKNOWN,
    IpamEvidence,
    IpamModel,
    detect,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_of_node import model_of_node

COMPUTE = "eks.amazonaws.com/compute-type"
WINDOWS = {"kubernetes.io/os": "windows"}
AWS = IpamEvidence(["aws-node"])
POOL = IpamEvidence(["cilium"], {"ipam": "cluster-pool"})


@pytest.mark.parametrize(
    ("found", "labels", "own", "expected"),
    [
        (AWS, {}, ["aws-node", "kube-proxy"], "aws-vpc-cni"),
        (AWS, {}, [], "aws-vpc-cni"),
        (AWS, {}, None, "aws-vpc-cni"),
        (AWS, {COMPUTE: "fargate"}, [], "aws-fargate"),
        (AWS, {COMPUTE: "auto"}, [], "aws-auto"),
        (AWS, {COMPUTE: "ec2"}, ["aws-node"], "aws-vpc-cni"),
        (AWS, {COMPUTE: "hybrid"}, [], UNKNOWN),
        (AWS, {COMPUTE: "hybrid"}, ["calico-node"], "calico"),
        (AWS, {"type": "virtual-kubelet"}, [], "virtual-kubelet"),
        (AWS, WINDOWS, [], "aws-windows"),
        (POOL, WINDOWS, [], UNKNOWN),
        (IpamEvidence(["cilium"], {"ipam": "kubernetes"}), WINDOWS, [], UNKNOWN),
        (IpamEvidence(["kube-flannel-ds"]), WINDOWS, [], NODE_SPEC),
        # half way from Calico to Cilium: Cilium's configuration is there, Nodes differ
        (IpamEvidence(["calico-node", "cilium"], {"ipam": "cluster-pool"}), {}, ["calico-node"], "calico"),
        (IpamEvidence(["calico-node", "cilium"], {"ipam": "cluster-pool"}), {}, ["cilium"], "cilium-cluster-pool"),
        # the cluster contradicts itself, the Node does not
        (IpamEvidence(["calico-node", "kube-flannel-ds"]), {}, ["kube-flannel-ds"], NODE_SPEC),
        (IpamEvidence(["calico-node", "kube-flannel-ds"]), {}, ["calico-node", "kube-flannel-ds"], UNKNOWN),
    ],
)
def test_model(found: IpamEvidence, labels: dict[str, str], own: list[str] | None, expected: str) -> None:
    """Labels first, then the CNI that runs on it, then what holds for the cluster."""
    model = model_of_node(labels, own, detect(found), found)
    assert model.name == expected and model.evidence


def test_which_cni_takes_node_spec() -> None:
    """It decides which page is shown."""
    for name, cni in (("kube-flannel", "flannel"), ("canal", "canal"), ("netd", "gke"), ("kindnet", "kindnet")):
        assert detect(IpamEvidence([name])) == IpamModel(NODE_SPEC, f"DaemonSet {name}", cni)
    assert detect(IpamEvidence(["kindnet", "netd"])).cni == ""
    assert detect(IpamEvidence([], gke_nodes=True)).cni == "gke"
    assert detect(IpamEvidence(["cilium"], {"ipam": "kubernetes"})).cni == "cilium"
