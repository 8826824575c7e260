"""Which object is the truth."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import detect


@pytest.mark.parametrize(
    ("daemon_sets", "cilium", "allocates", "expected"),
    [
        ([], None, True, "node-spec"),
        ([], None, False, "unknown"),
        ([], None, None, "unknown"),
        (["kube-flannel-ds"], None, None, "node-spec"),
        (["aws-node"], None, False, "aws-vpc-cni"),
        (["calico-node", "kube-proxy"], None, True, "calico"),
        (["cilium"], {"ipam": "kubernetes"}, True, "node-spec"),
        (["cilium"], {"ipam": "cluster-pool"}, True, "cilium-cluster-pool"),
        (["cilium"], {}, True, "cilium-cluster-pool"),
        (["cilium", "aws-node"], {"ipam": "eni"}, False, "cilium-eni"),
        (["ovnkube-node"], None, True, "ovn-kubernetes"),
    ],
)
def test_detection(
    daemon_sets: list[str], cilium: dict[str, str] | None, allocates: bool | None, expected: str
) -> None:
    """Cilium's own mode first, then the CNI, then the allocator."""
    model = detect(daemon_sets, cilium, allocates)
    assert model.name == expected
    assert model.node_spec_is_truth is (expected == "node-spec")
    assert model.evidence
