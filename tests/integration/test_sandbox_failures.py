"""Real failures of pod sandboxes and of the controller-manager, and whether the audit says where they come from.

One host with a real kubelet, in the order in which it gets worse: CNI state of an earlier podCIDR, no podCIDR because the
pool is full, and a controller-manager that exits at each of its starts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.controller_manager_loop import exits_at
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_path import walk
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import controller_manager
from harness import workload
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, HostSpec, Testbed, TestbedSpec, objects, processes
from testbed.hosts import drift

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

RANGE = "10.153.0.0/23"  # two blocks
COMPONENT = "kube-controller-manager"
# its defaults are 15, 10 and 2 seconds: the same, faster
ELECTION = ("--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms")


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """One host with pods."""
    control_plane = ControlPlaneSpec(cluster_cidrs=(RANGE,), extra_arguments={COMPONENT: ELECTION})
    spec = TestbedSpec(f"sandbox-{os.getpid()}", control_plane, hosts=(HostSpec("h1"),))
    with Testbed.up(spec) as made:
        workload.deploy(made, replicas=1)
        wait_until("a pod runs", lambda: workload.network_pods(made, "h1"))
        yield made


def audited(testbed: Testbed) -> tuple[Context, list[Finding]]:
    """The cluster as it is now, and all findings about it."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    context = Context(
        live.collect(client, live.LiveOptions()), AuditSettings(settings_from_options({"cluster_cidrs": [RANGE]}))
    )
    return context, run_checks(context)


def about(findings: list[Finding], identifier: str) -> Finding:
    """The only finding with this id."""
    found = [one for one in findings if one.id == identifier]
    assert len(found) == 1, [(one.id, one.summary) for one in findings]
    return found[0]


def failing_pod(testbed: Testbed, name: str, text: str) -> None:
    """Bind a pod to h1, and wait for the event of its kubelet that has this text."""
    container = {"name": "c", "image": workload.IMAGE, "imagePullPolicy": "Never"}
    body = {"metadata": {"name": name}, "spec": {"nodeName": "h1", "containers": [container]}}
    testbed.client.create("/api/v1/namespaces/default/pods", body)
    path, selector = "/api/v1/namespaces/default/events", {"fieldSelector": f"involvedObject.name={name}"}

    def said() -> bool:
        return any(text in one["message"] for one in testbed.client.list(path, params=selector))

    wait(f"the kubelet says of {name}: {text}", said)


def wait(what: str, condition: Callable[[], Any]) -> None:
    """As in the harness; a minute."""
    wait_until(what, condition)


def test_bridge_of_an_earlier_pod_cidr(testbed: Testbed) -> None:
    """The configuration follows the new podCIDR, cni0 does not: no sandbox, and the old pods are named as the cause."""
    host = testbed.hosts["h1"]
    before = host.facts().subnets
    drift.naive_reregistration(testbed, "h1")
    assert tuple(testbed.client.get("/api/v1/nodes/h1")["spec"]["podCIDRs"]) != before
    wait("pods with old addresses", lambda: workload.network_pods(testbed, "h1"))
    host.run("rm /etc/cni/net.d/10-containerd-net.conflist && systemctl restart kubelet")
    wait("a new configuration", lambda: host.facts().subnets not in ((), before))
    failing_pod(testbed, "behind-the-bridge", '"cni0" already has an IP address different from')
    _context, findings = audited(testbed)
    explained = about(findings, "sandbox-failures-explained")
    assert (explained.subject.name, explained.severity) == ("h1", "critical")
    assert [one["id"] for one in explained.evidence["causes"]] == ["pod-address-outside-node-cidr"]
    assert "default/behind-the-bridge" in explained.evidence["pods"]
    assert not [one.id for one in findings if one.id == "sandbox-failures-unexplained"]


def test_node_without_block_in_a_full_pool(testbed: Testbed) -> None:
    """The allocator's own event, and the kubelet's: explained by the missing podCIDR, and that by the full pool."""
    drift.unregister(testbed, "h1")
    testbed.client.delete("/apis/apps/v1/namespaces/default/deployments/web")
    for name in ("first", "second"):
        testbed.client.create("/api/v1/nodes", objects.node(name))
        wait(
            f"{name} has a block", lambda name=name: testbed.client.get(f"/api/v1/nodes/{name}")["spec"].get("podCIDR")
        )
    drift.register(testbed, "h1")
    selector = {"fieldSelector": "involvedObject.name=h1,reason=CIDRNotAvailable"}
    wait("the allocator says no", lambda: testbed.client.list("/api/v1/namespaces/default/events", params=selector))
    failing_pod(testbed, "without-network", "cni plugin not initialized")
    context, findings = audited(testbed)
    refused = about(findings, "cidr-not-available")
    assert (refused.evidence["nodes"], refused.evidence["cause"]) == (["h1"], "pod-cidr-pool-exhausted")
    assert f"all 2 blocks of {RANGE} are taken" in refused.summary
    explained = about(findings, "sandbox-failures-explained")
    assert [one["id"] for one in explained.evidence["causes"]] == ["node-cidr-missing", "pod-cidr-pool-exhausted"]
    # what failed on the earlier Node of this name counts no more
    assert "default/behind-the-bridge" not in explained.evidence["pods"]
    answers = {one["step"]: one["answer"] for one in walk(context, findings)}
    assert (answers["no-cidr"], answers["exhausted"], answers["sandboxes"]) == ("yes", "yes", "yes")
    assert answers["control-plane"] == "no"


def test_controller_manager_that_exits_at_each_start(testbed: Testbed) -> None:
    """Its Lease is fresh all the time; the audit sees the Node at which it exits, and when the leader took over."""
    spec = {"podCIDR": "10.77.0.0/24", "podCIDRs": ["10.77.0.0/24"]}
    testbed.client.create("/api/v1/nodes", objects.node("odd", spec=spec))
    time.sleep(1.1)  # creation and acquisition are told apart by seconds
    _context, findings = audited(testbed)
    assert about(findings, "node-cidr-out-of-range").subject.name == "odd"
    assert not [one for one in findings if one.id.startswith("controller-manager")]  # it runs on, for now
    before = lease(testbed)["leaseTransitions"]
    testbed.control_plane.stop_component(COMPONENT)
    for _start in range(3):
        testbed.control_plane.start_component(COMPONENT)
        record = processes.read(testbed.directory, COMPONENT)
        assert record is not None
        wait("it exits", lambda record=record: not processes.alive(record))
        assert "out the range of cluster cidr" in processes.tail(testbed.directory, COMPONENT, 60)
    assert lease(testbed)["leaseTransitions"] == before + 3  # it leads each time before it exits
    context, findings = audited(testbed)
    crash = about(findings, "controller-manager-crash-loop")
    assert (crash.severity, crash.evidence["exits_at"]) == ("critical", ["odd"])
    assert crash.evidence["lease"]["stale"] is False and crash.evidence["lease"]["renewed_seconds_ago"] < 60
    assert {one["step"]: one["answer"] for one in walk(context, findings)}["control-plane"] == "yes"
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    refused = controller_manager(client, settle_seconds=0, exits_at=exits_at(context))
    assert [one.code for one in refused] == ["controller-manager-down"]
    assert "do not fit --cluster-cidr (odd)" in refused[0].reason

    testbed.client.delete("/api/v1/nodes/odd")
    testbed.control_plane.start_component(COMPONENT)
    transitions = lease(testbed)["leaseTransitions"]
    wait("it leads again", lambda: lease(testbed)["leaseTransitions"] > transitions)
    time.sleep(3)
    _context, findings = audited(testbed)
    assert not [one for one in findings if one.id.startswith("controller-manager")]


def lease(testbed: Testbed) -> dict[str, Any]:
    """The spec of the controller-manager's Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{COMPONENT}"
    found: dict[str, Any] = testbed.client.get(path)["spec"]
    return found
