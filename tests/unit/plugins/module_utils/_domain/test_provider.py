"""Where a Node must not be deleted."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import (
    deletion_refusals,
    is_control_plane,
)


def node(version: str = "v1.36.1", provider: str = "", **metadata: Any) -> dict[str, Any]:
    """A Node with this metadata."""
    return {
        "metadata": {"name": "w1", **metadata},
        "spec": {"providerID": provider} if provider else {},
        "status": {"nodeInfo": {"kubeletVersion": version}},
    }


@pytest.mark.parametrize(
    ("found", "code", "override"),
    [
        (node("v1.36.1+k3s1", labels={"node-role.kubernetes.io/etcd": "true"}), "embedded-etcd", None),
        (node(labels={"type": "virtual-kubelet"}), "not-a-host", None),
        (node(labels={"karpenter.sh/nodepool": "x"}), "machine-is-terminated", None),
        (node(finalizers=["karpenter.sh/termination"]), "machine-is-terminated", None),
        (node(labels={"eks.amazonaws.com/compute-type": "fargate"}), "machine-is-terminated", None),
        (node(annotations={"cluster.x-k8s.io/machine": "m"}), "machine-api", "machine-api"),
        (node(annotations={"machine.openshift.io/machine": "m"}), "machine-api", "machine-api"),
        (node(labels={"worker.gardener.cloud/pool": "p"}), "machine-api", "machine-api"),
        (node(labels={"cloud.google.com/gke-nodepool": "p"}), "managed-node", "managed-node"),
        (node(labels={"kubernetes.azure.com/agentpool": "p"}), "managed-node", "managed-node"),
        (node(provider="aws:///eu-1a/i-0"), "cloud-provider", "cloud-provider"),
        (node(provider="eu-central-1.i-abc"), "cloud-provider", "cloud-provider"),
        (node(finalizers=["example.com/hold"]), "foreign-finalizer", "foreign-finalizer"),
    ],
)
def test_refusals(found: dict[str, Any], code: str, override: str | None) -> None:
    """Each row of the table, with its named override or none."""
    refusals = deletion_refusals(found)
    assert [(one.code, one.override) for one in refusals] == [(code, override)]
    sentence = refusals[0].sentence("w1")
    assert "w1" in sentence and (override or "no override") in sentence


@pytest.mark.parametrize(
    "found",
    [
        node(),
        node(provider="k3s://w1"),
        node("v1.36.1+k3s1"),
        node(labels={"node-role.kubernetes.io/etcd": "true"}),  # kubeadm: the member is no business of the Node
        node(labels={"kubernetes.azure.com/agentpool": "p", "kubernetes.azure.com/managed": "false"}),
        node(finalizers=["wrangler.cattle.io/node"]),
    ],
)
def test_ordinary_nodes(found: dict[str, Any]) -> None:
    """Nothing is known against deleting them."""
    assert deletion_refusals(found) == []


@pytest.mark.parametrize(
    ("provider", "shown"), [("aws:///eu-1a/i-0", "aws://:"), ("ocid1.instance.oc1", "ocid1.instance")]
)
def test_the_provider_is_named_as_it_is_written(provider: str, shown: str) -> None:
    """With its scheme, or whole where it has none."""
    assert f"providerID {shown}" in deletion_refusals(node(provider=provider))[0].reason


def test_several_reasons_are_all_given() -> None:
    """A Node of Cluster API in a cloud: both are to be accepted."""
    found = node(provider="aws:///eu-1a/i-0", annotations={"cluster.x-k8s.io/machine": "m"})
    assert [one.code for one in deletion_refusals(found)] == ["machine-api", "cloud-provider"]


def test_control_plane() -> None:
    """By role label."""
    assert is_control_plane(node(labels={"node-role.kubernetes.io/control-plane": ""}))
    assert not is_control_plane(node(labels={"node-role.kubernetes.io/worker": ""}))
