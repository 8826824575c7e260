"""What the tests of operations share: a fake API with one node, and a clock that does not wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock


class FastClock:
    """Time that passes only when somebody sleeps; `on_sleep` lets the world move on meanwhile."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.on_sleep: Any = lambda: None

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self.on_sleep()

    def clock(self) -> Clock:
        """The form that operations take."""
        return Clock(lambda: self.seconds, self.sleep)


def node(name: str = "w1", **spec: Any) -> dict[str, Any]:
    """A Ready Node with labels, annotations and a taint of its own."""
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"rack": "r1", "kubernetes.io/hostname": name},
            "annotations": {"example.com/note": "keep", "flannel.alpha.coreos.com/backend-data": "old"},
        },
        "spec": {
            "podCIDR": "10.200.7.0/24",
            "podCIDRs": ["10.200.7.0/24"],
            "taints": [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}],
            **spec,
        },
        "status": {
            "nodeInfo": {"machineID": "m1", "bootID": "b1"},
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-02T00:00:00Z"}],
        },
    }


def bound_pod(name: str, owner: str = "ReplicaSet", node_name: str = "w1", **labels: str) -> dict[str, Any]:
    """A running pod on the node."""
    return {
        "metadata": {
            "name": name,
            "labels": labels,
            "ownerReferences": [{"kind": owner, "name": "owner", "controller": True}] if owner else [],
        },
        "spec": {"nodeName": node_name},
        "status": {
            "phase": "Running",
            "podIPs": [{"ip": "10.200.7.5"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A cluster with Node w1."""
    with FakeApi() as running:
        running.store.add("/api/v1/nodes", node())
        running.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        running.store.add("/apis/apps/v1/namespaces/default/daemonsets", {"metadata": {"name": "owner"}})
        yield running


@pytest.fixture
def client(api: FakeApi) -> KubeClient:
    """A client of it."""
    return KubeClient.from_options(api.options)


@pytest.fixture
def fast() -> FastClock:
    """A clock for the operations."""
    return FastClock()
