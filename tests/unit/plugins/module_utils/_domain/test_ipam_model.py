"""Which object is the truth."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import (
    NODE_SPEC,
    UNKNOWN,
    IpamEvidence,
    IpamModel,
    detect,
)


@pytest.mark.parametrize(
    ("daemon_sets", "cilium", "allocates", "expected"),
    [
        ([], {}, True, NODE_SPEC),
        ([], {}, False, UNKNOWN),
        ([], {}, None, UNKNOWN),
        (["kube-proxy"], {}, True, NODE_SPEC),
        (["kube-flannel-ds"], {}, None, NODE_SPEC),
        (["kube-flannel-ds"], {}, False, NODE_SPEC),
        (["aws-node"], {}, False, "aws-vpc-cni"),
        (["aws-node", "calico-node"], {}, None, "aws-vpc-cni"),
        (["calico-node", "kube-proxy"], {}, True, "calico"),
        (["calico-node", "kube-flannel-ds"], {}, True, UNKNOWN),
        (["cilium"], {"ipam": "kubernetes"}, True, NODE_SPEC),
        (["cilium"], {"ipam": "cluster-pool"}, True, "cilium-cluster-pool"),
        (["cilium"], {"cluster-name": "default"}, True, "cilium-cluster-pool"),
        (["cilium"], {}, True, UNKNOWN),
        (["cilium", "aws-node"], {"ipam": "eni"}, False, "cilium-eni"),
        (["cilium", "aws-node"], {"ipam": "cluster-pool", "cni-chaining-mode": "aws-cni"}, None, "aws-vpc-cni"),
        (["cilium", "kube-flannel-ds"], {"cni-chaining-mode": "generic-veth"}, True, NODE_SPEC),
        (["cilium"], {"cni-chaining-mode": "portmap", "ipam": "multi-pool"}, True, "cilium-multi-pool"),
        (["ovnkube-node"], {}, True, "ovn-kubernetes"),
        (["kube-ovn-cni"], {}, True, "kube-ovn"),
    ],
)
def test_detection(daemon_sets: list[str], cilium: dict[str, str], allocates: bool | None, expected: str) -> None:
    """Cilium's own mode first, then the CNI, then the allocator."""
    model = detect(IpamEvidence(daemon_sets, cilium, allocate_node_cidrs=allocates))
    assert model.name == expected
    assert model.node_spec_is_truth is (expected == NODE_SPEC)
    assert model.evidence and model.description


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ('{"ipam": {"type": "host-local", "subnet": "usePodCidr"}}', NODE_SPEC),
        ('{"ipam": {"type": "calico-ipam"}}', "calico"),
        ("", "calico"),
    ],
)
def test_calico_with_and_without_its_own_ipam(network: str, expected: str) -> None:
    """With host-local, Calico uses Node.spec (canal and GKE do so)."""
    found = IpamEvidence(["calico-node"], calico_config={"cni_network_config": network}, allocate_node_cidrs=True)
    assert detect(found).name == expected


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (IpamEvidence(None, allocate_node_cidrs=True), "DaemonSets cannot be read"),
        (IpamEvidence(["cilium"], None, allocate_node_cidrs=True), "cilium-config cannot be read"),
        (IpamEvidence(["calico-node"], calico_config=None, allocate_node_cidrs=True), "calico-config cannot be read"),
    ],
)
def test_incomplete_evidence_is_unknown(found: IpamEvidence, words: str) -> None:
    """What is not readable is never taken for absent."""
    model = detect(found)
    assert model.name == UNKNOWN and words in model.evidence


def test_unreadable_config_maps_do_not_matter_without_cilium_and_calico() -> None:
    """Flannel does not need them."""
    assert detect(IpamEvidence(["kube-flannel-ds"], None, None)).name == NODE_SPEC


def test_gke() -> None:
    """Its cloud allocator fills Node.spec, with an invisible control plane."""
    assert detect(IpamEvidence(gke_nodes=True)).name == NODE_SPEC


def test_tenant_networks() -> None:
    """There, two pods with one address are no fault."""
    assert not IpamModel("ovn-kubernetes", "").addresses_are_unique
    assert IpamModel("calico", "").addresses_are_unique
