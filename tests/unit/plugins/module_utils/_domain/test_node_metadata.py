"""What of a Node has to come back, and what must not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.node_metadata import (
    difference,
    format_taint,
    restorable,
)


def node(labels: dict[str, str], annotations: dict[str, str], taints: list[dict[str, Any]]) -> dict[str, Any]:
    """A Node."""
    return {"metadata": {"name": "w1", "labels": labels, "annotations": annotations}, "spec": {"taints": taints}}


@pytest.mark.parametrize(
    "key",
    [
        "csi.volume.kubernetes.io/nodeid",
        "volumes.kubernetes.io/controller-managed-attach-detach",
        "node.alpha.kubernetes.io/ttl",
        "flannel.alpha.coreos.com/public-ip",
        "projectcalico.org/IPv4Address",
        "network.cilium.io/ipv4-pod-cidr",
        "kube-router.io/pod-cidr",
        "kube-router.io/pod-cidrs",
        "k8s.ovn.org/node-subnets",
        "k3s.io/node-args",
        "rke2.io/node-config-hash",
        "weave.works/kured-node-lock",
        "management.cattle.io/pod-limits",
    ],
)
def test_annotations_that_must_not_come_back(key: str) -> None:
    """Above all those that hold the old pod CIDR."""
    assert restorable(node({}, {key: "old"}, [])).annotations == {}


@pytest.mark.parametrize("key", ["kubeadm.alpha.kubernetes.io/cri-socket", "example.com/note", "k3s.io/hostname"])
def test_annotations_that_come_back(key: str) -> None:
    """Nobody else writes them again."""
    assert restorable(node({}, {key: "x"}, [])).annotations == {key: "x"}


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("node.kubernetes.io/not-ready", False),
        ("node.kubernetes.io/unschedulable", False),
        ("node.cloudprovider.kubernetes.io/uninitialized", False),
        ("ToBeDeletedByClusterAutoscaler", False),
        ("karpenter.sh/disrupted", False),
        ("node.kubernetes.io/out-of-service", True),
        ("node-role.kubernetes.io/control-plane", True),
        ("dedicated", True),
    ],
)
def test_taints(key: str, kept: bool) -> None:
    """Those that controllers derive from conditions do not come back."""
    found = restorable(node({}, {}, [{"key": key, "effect": "NoSchedule", "timeAdded": "2026-01-01T00:00:00Z"}])).taints
    assert found == ([{"key": key, "effect": "NoSchedule"}] if kept else [])


def test_difference_is_by_key_and_effect_for_taints() -> None:
    """The API knows a taint by both."""
    before = node(
        {}, {}, [{"key": "a", "value": "1", "effect": "NoSchedule"}, {"key": "a", "value": "1", "effect": "NoExecute"}]
    )
    after = node({}, {}, [{"key": "a", "value": "2", "effect": "NoSchedule"}])
    assert [format_taint(taint) for taint in difference(before, after).missing_taints] == ["a=1:NoExecute"]


def test_difference_separates_missing_from_changed() -> None:
    """Missing ones are put back, others are only reported."""
    found = difference(node({"a": "1", "b": "1"}, {"c": "1", "d": "1"}, []), node({"b": "2", "x": "y"}, {"d": "2"}, []))
    assert found.missing
    assert found.missing_labels == {"a": "1"}
    assert found.changed_labels == {"b": ("1", "2")}
    assert found.missing_annotations == {"c": "1"}
    assert found.changed_annotations == {"d": ("1", "2")}
    assert found.lines() == [
        "label a=1 is missing",
        "annotation c is missing",
        "label b is '2', was '1'",
        "annotation d has another value than before",
    ]


def test_equal_nodes_have_no_difference() -> None:
    """Also when the new one has more, and when fields are absent."""
    assert not difference(node({"a": "1"}, {}, []), node({"a": "1", "b": "2"}, {"c": "d"}, [])).missing
    assert not difference({"metadata": {}}, {"metadata": {}}).missing
