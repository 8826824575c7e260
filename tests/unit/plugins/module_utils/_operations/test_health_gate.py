"""The gate between two nodes: only what was healthy counts, and what is worse is named."""

from __future__ import annotations

from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.health_baseline import Baseline
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.health_gate import HealthError, HealthGate

from .conftest import FastClock, node

APPS = "/apis/apps/v1/namespaces/default"
WEB = f"{APPS}/deployments/web"
BUDGET = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web"
SETTINGS = AuditSettings(allocator=settings_from_options({"cluster_cidrs": ["10.244.0.0/16"]}))


def workload(name: str, ready: int, wanted: int = 4) -> dict[str, Any]:
    """A Deployment or StatefulSet."""
    return {"metadata": {"name": name}, "spec": {"replicas": wanted}, "status": {"readyReplicas": ready}}


@pytest.fixture
def cluster(api: FakeApi) -> FakeApi:
    """A healthy Deployment with its budget, a StatefulSet that was broken before, a DaemonSet, two Nodes in range."""
    api.store.objects["/api/v1/nodes/w1"] = api.store.add(
        "/api/v1/nodes", node(podCIDR="10.244.1.0/24", podCIDRs=["10.244.1.0/24"])
    )
    api.store.add("/api/v1/nodes", node("w2", podCIDR="10.244.2.0/24", podCIDRs=["10.244.2.0/24"]))
    api.store.add(f"{APPS}/deployments", workload("web", 4))
    api.store.add(f"{APPS}/statefulsets", workload("broken", 1))
    status = {"desiredNumberScheduled": 2, "numberReady": 2}
    api.store.add(f"{APPS}/daemonsets", {"metadata": {"name": "agent"}, "status": status})
    allowed = {"disruptionsAllowed": 1, "currentHealthy": 4, "desiredHealthy": 3, "expectedPods": 4}
    api.store.add(BUDGET.rpartition("/")[0], {"metadata": {"name": "web"}, "status": allowed})
    return api


def gate(client: KubeClient, fast: FastClock, **options: Any) -> HealthGate:
    """The gate."""
    return HealthGate(client, SETTINGS, clock=fast.clock(), **options)


def captured(client: KubeClient, fast: FastClock) -> Baseline:
    """What is healthy, after a way through JSON."""
    return Baseline.from_dict(gate(client, fast).capture().to_dict())


def test_what_is_captured(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Healthy ones only."""
    baseline = captured(client, fast)
    assert set(baseline.workloads) == {"Deployment default/web", "DaemonSet default/agent", "DaemonSet default/owner"}
    assert baseline.budgets == {"default/web": 1} and baseline.nodes == ("w1", "w2")
    assert gate(client, fast).problems(baseline) == []


def test_it_waits_until_everything_is_back(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """What was broken before is not waited for, and the lock is kept meanwhile."""
    baseline = captured(client, fast)
    cluster.store.objects[WEB]["status"]["readyReplicas"] = 3
    cluster.store.objects[f"{APPS}/statefulsets/broken"]["status"]["readyReplicas"] = 0
    beats: list[float] = []

    def recover() -> None:
        if fast.seconds > 20:
            cluster.store.objects[WEB]["status"]["readyReplicas"] = 4

    fast.on_sleep = recover
    gate(client, fast, heartbeat=lambda: beats.append(fast.seconds)).wait(baseline, 60)
    assert 20 < fast.seconds < 30 and len(beats) > 5


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (WEB, {"readyReplicas": 3}, r"Deployment default/web: 3 of 4 pods are ready"),
        (
            f"{APPS}/daemonsets/agent",
            {"desiredNumberScheduled": 2, "numberReady": 1},
            "DaemonSet default/agent: 1 of 2",
        ),
        (BUDGET, {"currentHealthy": 2, "desiredHealthy": 3, "expectedPods": 4}, "default/web: 2 of 3 needed pods"),
        (BUDGET, {"currentHealthy": 3, "desiredHealthy": 3, "expectedPods": 4}, "allows 0 disruptions, 1 before"),
        ("/api/v1/nodes/w2", {"conditions": []}, "Node w2 is not Ready"),
    ],
)
def test_what_does_not_recover_is_named(
    path: str, status: dict[str, Any], words: str, cluster: FakeApi, client: KubeClient, fast: FastClock
) -> None:
    """And the run stops."""
    baseline = captured(client, fast)
    cluster.store.objects[path]["status"] = status
    with pytest.raises(HealthError, match=words) as caught:
        gate(client, fast).wait(baseline, 10)
    assert len(caught.value.details()["problems"]) == 1
    assert gate(client, fast, ignore=["Deployment default/web", "w2", "DaemonSet default/agent"]).problems(
        baseline
    ) in (
        [],
        caught.value.problems if path == BUDGET else [],
    )


def test_what_people_change_meanwhile_does_not_count(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Scaled down, deleted, replaced by another of its name."""
    baseline = captured(client, fast)
    cluster.store.objects[WEB]["spec"]["replicas"] = 3
    cluster.store.objects[WEB]["status"]["readyReplicas"] = 3
    scaled = {"disruptionsAllowed": 0, "currentHealthy": 3, "desiredHealthy": 3, "expectedPods": 3}
    cluster.store.objects[BUDGET]["status"] = scaled
    del cluster.store.objects[f"{APPS}/daemonsets/agent"]
    cluster.store.add(f"{APPS}/daemonsets", {"metadata": {"name": "owner"}, "status": {"desiredNumberScheduled": 2}})
    assert gate(client, fast).problems(baseline) == []


def test_new_critical_findings(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Those of before are known; another one is not."""
    cluster.store.objects["/api/v1/nodes/w1"]["spec"].update(podCIDR="10.9.0.0/24", podCIDRs=["10.9.0.0/24"])
    baseline = captured(client, fast)
    assert baseline.critical == ("node-cidr-out-of-range Node w1",)
    assert gate(client, fast).problems(baseline) == []
    cluster.store.objects["/api/v1/nodes/w2"]["spec"].update(podCIDR="10.8.0.0/24", podCIDRs=["10.8.0.0/24"])
    with pytest.raises(HealthError, match="new critical finding node-cidr-out-of-range Node w2"):
        gate(client, fast).wait(baseline, 5)


def test_a_pause_keeps_the_lock(client: KubeClient, fast: FastClock) -> None:
    """As any wait."""
    beats: list[float] = []
    gate(client, fast, heartbeat=lambda: beats.append(fast.seconds)).pause(90)
    assert fast.seconds == 90 and len(beats) == 90
