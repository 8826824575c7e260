"""Restart and wait: by the times of the API, with conflicts, failing pods, leaders, and one node at a time."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi, Request

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    UpkeepError,
    WaitTimeoutError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_readiness import EndpointReadiness
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout import Rollout
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_nodes import (
    NodeByNode,
    RestartStoppedError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_pods import WaitSettings, Workload
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_status import RESTARTED_AT, RolloutError

from .conftest import FastClock, node

NS = "/api/v1/namespaces/kube-system"
PODS = f"{NS}/pods"
APPS = "/apis/apps/v1/namespaces/kube-system"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
LEASE = f"{LEASES}/cilium-operator-resource-lock"
OPERATOR = f"{APPS}/deployments/cilium-operator"
AGENTS = f"{APPS}/daemonsets/cilium"
CHANGE = "2026-11-01T06:00:00Z"
LABELS = {"app": "operator"}
NOW = datetime.datetime(2026, 11, 1, 7, tzinfo=datetime.timezone.utc)


def pod(
    name: str, created: str, *, on: str = "w1", labels: dict[str, str] | None = None, owner: str = "", **status: Any
) -> dict[str, Any]:
    """A Ready pod, unless `status` says otherwise."""
    owners = [{"kind": "DaemonSet", "name": "cilium", "uid": owner, "controller": True}] if owner else []
    metadata = {"name": name, "labels": labels or LABELS, "creationTimestamp": created, "ownerReferences": owners}
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": metadata, "spec": {"nodeName": on}, "status": status or ready}


def failing(restarts: int) -> dict[str, Any]:
    """Status of a pod whose container fails again and again."""
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    return {"phase": "Running", "containerStatuses": [{"restartCount": restarts, "state": state}]}


def workload(name: str, **spec: Any) -> dict[str, Any]:
    """A Deployment that is rolled out."""
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    template = {"metadata": {"labels": LABELS}}
    whole = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template, **spec}
    return {"metadata": {"name": name, "generation": 1}, "spec": whole, "status": status}


@pytest.fixture
def cluster(api: FakeApi) -> Iterator[FakeApi]:
    """An operator with one old pod; two agents."""
    api.store.now = lambda: NOW
    api.store.add(f"{APPS}/deployments", workload("cilium-operator"))
    api.store.add(PODS, pod("operator-old", "2026-11-01T05:00:00Z"))
    status = {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
    agents = {"metadata": {"name": "cilium", "generation": 1, "uid": "ds-1"}, "status": status}
    agents["spec"] = {"selector": {"matchLabels": {"k8s-app": "cilium"}}, "template": {}}
    api.store.add(f"{APPS}/daemonsets", agents)
    api.store.add("/api/v1/nodes", node("w2"))
    for name in ("w1", "w2"):
        api.store.add(
            PODS, pod(f"cilium-{name}", "2026-11-01T05:00:00Z", on=name, labels={"k8s-app": "cilium"}, owner="ds-1")
        )
    yield api


def operator(since: str | None = CHANGE) -> Workload:
    """The operator, with pods newer than `since`."""
    return Workload("Deployment", "kube-system", "cilium-operator", moment(since))


def rollout(client: KubeClient, fast: FastClock, what: Workload | None = None, **settings: Any) -> Rollout:
    """The operation."""
    return Rollout(client, what or operator(), WaitSettings(clock=fast.clock(), **{"timeout": 60, **settings}))


def template_of(api: FakeApi) -> str:
    """When it was told to restart; empty when never."""
    annotations = api.store.objects[OPERATOR]["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(RESTARTED_AT, ""))


def test_restart(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """By the annotation that kubectl uses, with the time of the server, for the object that was read."""
    operation = rollout(client, fast)
    plan = operation.plan()
    assert plan.restart and [one["metadata"]["name"] for one in plan.old] == ["operator-old"]
    assert template_of(cluster) == ""
    operation.run(plan)
    assert template_of(cluster) == "2026-11-01T07:00:00Z"
    (patch,) = [one for one in cluster.requests if one.method == "PATCH"]
    assert patch.body["metadata"]["resourceVersion"] and patch.body["metadata"]["uid"]


@pytest.mark.parametrize(
    ("created", "old"), [(CHANGE, True), ("2026-11-01T06:00:01Z", False), ("2026-11-01T05:59:59Z", True)]
)
def test_which_pods_are_old(created: str, old: bool, cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """A pod of the very second of the change counts as older: nobody knows which came first."""
    cluster.store.objects[f"{PODS}/operator-old"]["metadata"]["creationTimestamp"] = created
    assert rollout(client, fast).plan().restart is old
    assert rollout(client, fast, operator(None)).plan().restart


def test_no_restart_in_the_second_of_the_change(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """It is waited for, so that new pods count as younger; a moment far ahead is refused."""
    cluster.store.now = lambda: NOW + datetime.timedelta(seconds=fast.seconds)
    operation = rollout(client, fast, operator("2026-11-01T07:00:01Z"))
    operation.run(operation.plan())
    assert template_of(cluster) == "2026-11-01T07:00:02Z"
    with pytest.raises(InputError, match="still to come"):
        later = rollout(client, fast, operator("2026-11-01T09:00:00Z"))
        later.run(later.plan())


def test_a_restart_that_was_begun_is_waited_for(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """And not begun again."""
    template = cluster.store.objects[OPERATOR]["spec"]["template"]["metadata"]
    template["annotations"] = {RESTARTED_AT: "2026-11-01T06:30:00Z"}
    operation = rollout(client, fast)
    plan = operation.plan()
    assert not plan.restart and plan.old
    operation.run(plan)
    assert template_of(cluster) == "2026-11-01T06:30:00Z"


def test_status_writes_are_no_conflict(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The object is read again; a changed template is somebody else's, and refused."""
    operation = rollout(client, fast)
    plan = operation.plan()
    cluster.store.objects[OPERATOR]["metadata"]["resourceVersion"] = "9000"
    operation.run(plan)
    assert template_of(cluster)
    cluster.store.objects[OPERATOR]["metadata"].update(resourceVersion="9001")
    stale = rollout(client, fast).plan()
    cluster.store.objects[OPERATOR]["metadata"].update(resourceVersion="9002", generation=7)
    with pytest.raises(RefusedError, match="changed by somebody else"):
        rollout(client, fast, operator(None)).run(type(stale)(stale.workload, stale.pods, stale.old, True, ""))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"paused": True}, "is paused"),
        ({"replicas": 0}, ""),
    ],
)
def test_what_does_not_restart(
    change: dict[str, Any], words: str, cluster: FakeApi, client: KubeClient, fast: FastClock
) -> None:
    """A paused one is refused as kubectl does; one without pods has nothing to restart."""
    cluster.store.objects[OPERATOR]["spec"].update(change)
    if words:
        with pytest.raises(RefusedError, match=words):
            rollout(client, fast).plan()
    else:
        assert not rollout(client, fast).plan().restart


def test_on_delete(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """A changed template would restart nothing."""
    cluster.store.objects[AGENTS]["spec"]["updateStrategy"] = {"type": "OnDelete"}
    with pytest.raises(RefusedError, match="node_by_node"):
        rollout(client, fast, Workload("DaemonSet", "kube-system", "cilium")).plan()


def test_a_new_pod_that_fails_ends_the_wait(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Long before the time is over; an old one that failed for long is the reason to restart, and none to give up."""
    cluster.store.objects[f"{PODS}/operator-old"]["status"] = failing(40)
    cluster.store.objects[OPERATOR]["status"]["availableReplicas"] = 0
    operation = rollout(client, fast, timeout=1000)
    plan = operation.plan()

    def world() -> None:
        if fast.seconds > 20:
            cluster.store.add(PODS, pod("operator-new", "2026-11-01T07:00:01Z", **failing(3)))

    fast.on_sleep = world
    with pytest.raises(RolloutError, match="operator-new failed 3 times") as caught:
        operation.run(plan)
    assert 20 < fast.seconds < 30
    assert caught.value.details()["pods_not_ready"][0]["trouble"] == "CrashLoopBackOff after 3 restarts"


def test_time_out_and_progress_deadline(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Both say what was seen last."""
    status = cluster.store.objects[OPERATOR]["status"]
    status["updatedReplicas"] = 0
    with pytest.raises(WaitTimeoutError, match="0 of 1 pods are updated"):
        rollout(client, fast).wait()
    status["conditions"] = [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "has timed out."}]
    with pytest.raises(RolloutError, match="exceeded its progress deadline: has timed out"):
        rollout(client, fast).wait()


def lease(holder: str, seconds: int) -> dict[str, Any]:
    """A Lease whose holder has led so long."""
    renewed = NOW + datetime.timedelta(seconds=seconds)
    times = {"acquireTime": NOW.isoformat(), "renewTime": renewed.isoformat()}
    return {"metadata": {"name": "cilium-operator-resource-lock"}, "spec": {"holderIdentity": holder, **times}}


def test_a_leader_is_waited_for(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Not the one of before the restart, and not one that has just begun."""
    cluster.store.add(LEASES, lease("old", 999))

    def world() -> None:
        if fast.seconds > 10:
            cluster.store.objects[LEASE]["spec"] = lease("new", int(fast.seconds) - 10)["spec"]

    fast.on_sleep = world
    operation = rollout(client, fast, leader_lease="cilium-operator-resource-lock", settle_seconds=5)
    operation.run(operation.plan())
    assert 15 <= fast.seconds < 20


def test_a_leader_that_fails_is_seen(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The roll-out was complete, and the pod exits when it leads."""
    cluster.store.add(LEASES, lease("old", 999))

    def world() -> None:
        if fast.seconds > 5:
            cluster.store.objects[f"{PODS}/operator-old"]["status"] = failing(3)

    fast.on_sleep = world
    operation = rollout(client, fast, leader_lease="cilium-operator-resource-lock")
    with pytest.raises(RolloutError, match="failed 3 times"):
        operation.run(operation.plan())


# -- one node at a time --------------------------------------------------------------------------------------------


class DaemonSetController:
    """Makes a new pod a moment after one is gone; it remembers how many Nodes were without one at once."""

    def __init__(self, api: FakeApi, fast: FastClock, **status: Any) -> None:
        self.api, self.fast, self.status = api, fast, status
        self.most_missing = 0
        self.made: list[str] = []
        fast.on_sleep = self.act

    def act(self) -> None:
        """One look."""
        have = {
            one["spec"]["nodeName"]
            for path, one in self.api.store.objects.items()
            if path.startswith(f"{PODS}/cilium-")
        }
        missing = sorted({"w1", "w2"} - have)
        self.most_missing = max(self.most_missing, len(missing))
        for name in missing:
            self.made.append(name)
            created = "2026-11-01T07:00:01Z"
            labels = {"k8s-app": "cilium"}
            made = pod(f"cilium-{name}-{len(self.made)}", created, on=name, labels=labels, owner="ds-1", **self.status)
            self.api.store.add(PODS, made)


def agents(since: str | None = CHANGE) -> Workload:
    """The agents."""
    return Workload("DaemonSet", "kube-system", "cilium", moment(since))


def by_node(client: KubeClient, fast: FastClock, what: Workload | None = None, **more: Any) -> NodeByNode:
    """The operation."""
    return NodeByNode(client, what or agents(), WaitSettings(timeout=60, clock=fast.clock()), **more)


def test_one_node_at_a_time(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """In the order that was asked for, with the gate after each; the second run has nothing to do."""
    controller = DaemonSetController(cluster, fast)
    gates: list[int] = []
    operation = by_node(client, fast, between=lambda: gates.append(len(controller.made)))
    assert operation.run(operation.plan(["w2", "w1"])) == ["w2", "w1"]
    assert controller.made == ["w2", "w1"] and controller.most_missing == 1 and gates == [1, 2]
    assert not operation.plan(["w2", "w1"]).old
    assert all(one.body["preconditions"]["uid"] for one in cluster.requests if one.method == "DELETE")


def test_nodes_that_cannot_be(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Unknown, without a pod, or not Ready."""
    operation = by_node(client, fast)
    with pytest.raises(InputError, match="there is no Node w9"):
        operation.plan(["w1", "w9"])
    cluster.store.add("/api/v1/nodes", node("w3"))
    assert operation.plan(["w3"]).without == ["w3"]
    cluster.store.objects["/api/v1/nodes/w2"]["status"]["conditions"][0]["status"] = "Unknown"
    with pytest.raises(RefusedError, match="w2 are not Ready"):
        operation.plan([])
    assert [one["metadata"]["name"] for one in operation.plan(["w1"]).old] == ["cilium-w1"]


def test_it_stops_where_something_is_wrong(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The pod does not start, the cluster does not recover, or a person says stop; what is left is named."""
    DaemonSetController(cluster, fast, **failing(3))
    operation = by_node(client, fast)
    with pytest.raises(RestartStoppedError, match=r"Stopped at node w1.*failed 3 times") as caught:
        operation.run(operation.plan([]))
    assert caught.value.details()["remaining_nodes"] == ["w1", "w2"]
    assert caught.value.details()["pods_not_ready"]
    assert f"{PODS}/cilium-w2" in cluster.store.objects

    DaemonSetController(cluster, fast)

    def worse() -> None:
        raise UpkeepError("It is worse.")

    operation = by_node(client, fast, between=worse)
    with pytest.raises(RestartStoppedError, match="after 1 of 1: It is worse") as caught:
        operation.run(operation.plan(["w2"]))
    assert caught.value.details() == {"restarted_nodes": ["w2"], "remaining_nodes": []}

    operation = by_node(client, fast, agents(None), may_continue=lambda: "the switch stop is set")
    with pytest.raises(RestartStoppedError, match="Stopped before node w1: the switch stop is set"):
        operation.run(operation.plan([]))


def test_a_pod_that_somebody_else_replaced(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Another uid: the delete is refused, and their new pod does."""
    operation = by_node(client, fast)
    plan = operation.plan(["w1"])
    cluster.store.objects[f"{PODS}/cilium-w1"]["metadata"]["uid"] = "another"
    assert operation.run(plan) == ["w1"]
    assert cluster.store.objects[f"{PODS}/cilium-w1"]["metadata"]["uid"] == "another"


ENDPOINTS = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"


def test_endpoints_of_the_node(cluster: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Those that were ready are waited for while their pod is the same; broken ones and those of other pods are not."""
    cluster.store.objects["/apis/cilium.io/v2"] = {"metadata": {"name": "v2"}}
    for name in ("was-ready", "was-broken", "goes", "no-endpoint"):
        cluster.store.add("/api/v1/namespaces/default/pods", pod(name, "2026-11-01T05:00:00Z"))
    for name, state in (("was-ready", "ready"), ("was-broken", "waiting-for-identity"), ("goes", "ready")):
        cluster.store.add(ENDPOINTS, {"metadata": {"name": name}, "status": {"state": state}})
    readiness = EndpointReadiness(client)
    before = readiness.ready_on("w1")
    assert set(before) == {"default/was-ready", "default/goes"}
    for name in ("was-ready", "goes"):
        cluster.store.objects[f"{ENDPOINTS}/{name}"]["status"]["state"] = "restoring"
    del cluster.store.objects["/api/v1/namespaces/default/pods/goes"]
    assert readiness.not_ready("w1", before) == {"default/was-ready": "restoring"}

    DaemonSetController(cluster, fast)
    controller = fast.on_sleep

    def world() -> None:
        controller()
        if fast.seconds > 10:
            cluster.store.objects[f"{ENDPOINTS}/was-ready"]["status"]["state"] = "ready"

    cluster.store.objects[f"{ENDPOINTS}/was-ready"]["status"]["state"] = "ready"
    deleted: list[str] = []

    def restoring(request: Request) -> None:
        if request.method == "DELETE" and not deleted:
            deleted.append(request.path)
            cluster.store.objects[f"{ENDPOINTS}/was-ready"]["status"]["state"] = "restoring"

    cluster.before_request = restoring
    fast.on_sleep = world
    operation = by_node(client, fast, endpoints=readiness)
    operation.run(operation.plan(["w1"]))
    assert fast.seconds > 10
