"""Restarts on the real controllers: verdicts as kubectl's, one node at a time, and nothing that was young already."""

from __future__ import annotations

import datetime
import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout import Rollout
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_nodes import NodeByNode
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_pods import WaitSettings, Workload
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_status import (
    RolloutError,
    what_is_missing,
)
from harness.waiting import wait_until
from testbed import KwokSpec, Testbed, TestbedSpec, binaries, objects, processes

pytestmark = [pytest.mark.testbed, pytest.mark.once]

APPS = "/apis/apps/v1/namespaces/default"
PODS = "/api/v1/namespaces/default/pods"
NODES = ("w0", "w1", "w2", "w3")
AGENT = {"k8s-app": "agent"}


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """Four simulated Nodes, a DaemonSet on each, a Deployment."""
    with Testbed.up(TestbedSpec(name=f"rollout-{os.getpid()}", kwok=KwokSpec())) as made:
        for name in NODES:
            made.client.create("/api/v1/nodes", objects.node(name))
        template = {
            "metadata": {"labels": AGENT},
            "spec": {
                "automountServiceAccountToken": False,
                "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "main", "image": "simulated"}],
            },
        }
        made.client.create(
            f"{APPS}/daemonsets",
            {"metadata": {"name": "agent"}, "spec": {"selector": {"matchLabels": AGENT}, "template": template}},
        )
        web = {"metadata": {"labels": {"app": "web"}}, "spec": template["spec"]}
        spec = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": web}
        made.client.create(f"{APPS}/deployments", {"metadata": {"name": "web"}, "spec": spec})
        wait_until("the DaemonSet is there", lambda: len(ready(made, "k8s-app=agent")) == 4)
        wait_until("the Deployment is there", lambda: len(ready(made, "app=web")) == 3)
        yield made


@pytest.fixture
def client(testbed: Testbed) -> KubeClient:
    """The product's client."""
    return KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})


def ready(testbed: Testbed, selector: str) -> dict[str, str]:
    """{Node and name: uid} of pods that are Ready and not going."""
    return {
        f"{pod['spec'].get('nodeName')}/{pod['metadata']['name']}": pod["metadata"]["uid"]
        for pod in testbed.client.list(PODS, {"labelSelector": selector})
        if not pod["metadata"].get("deletionTimestamp") and (pod["status"].get("phase") == "Running")
    }


def by_node(testbed: Testbed) -> dict[str, str]:
    """{Node: uid of its agent}."""
    return {key.partition("/")[0]: uid for key, uid in ready(testbed, "k8s-app=agent").items()}


def moment_now() -> datetime.datetime:
    """Now, in whole seconds as the API has them."""
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def test_a_deployment(testbed: Testbed, client: KubeClient) -> None:
    """All pods are new, kubectl agrees that it is rolled out, and the second run has nothing to do."""
    before = set(ready(testbed, "app=web").values())
    what = Workload("Deployment", "default", "web", moment_now())
    operation = Rollout(client, what, WaitSettings(timeout=30))
    plan = operation.plan()
    assert plan.restart and len(plan.old) == 3
    operation.run(plan)
    assert not before & set(ready(testbed, "app=web").values())
    assert "successfully rolled out" in kubectl(testbed, "deployment/web")
    assert not operation.plan().old and not operation.plan().restart


def test_some_nodes_one_at_a_time(testbed: Testbed, client: KubeClient) -> None:
    """Only theirs, in their order, never two Nodes without an agent at once; then none is old."""
    before, missing, stop = by_node(testbed), [0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            missing.append(4 - len(by_node(testbed)))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    order: list[str] = []

    def after_each() -> None:
        now = by_node(testbed)
        order.extend(name for name in NODES if now.get(name) not in (before[name], None) and name not in order)

    try:
        what = Workload("DaemonSet", "default", "agent", moment_now())
        operation = NodeByNode(client, what, WaitSettings(timeout=30), between=after_each)
        done = operation.run(operation.plan(["w3", "w1"]))
    finally:
        stop.set()
        watcher.join()
    assert done == order == ["w3", "w1"]
    assert max(missing) <= 1
    after = by_node(testbed)
    assert {name for name in NODES if after[name] != before[name]} == {"w1", "w3"}
    assert not operation.plan(["w3", "w1"]).old
    assert len(operation.plan([]).old) == 2


def test_on_delete(testbed: Testbed, client: KubeClient) -> None:
    """The template changes and nothing restarts by itself; node by node it does."""
    testbed.client.patch(
        f"{APPS}/daemonsets/agent", {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
    )
    before = by_node(testbed)
    what = Workload("DaemonSet", "default", "agent", moment_now())
    operation = NodeByNode(client, what, WaitSettings(timeout=30))
    assert operation.run(operation.plan([])) == list(NODES)
    after = by_node(testbed)
    assert all(after[name] != before[name] for name in NODES)
    testbed.client.patch(f"{APPS}/daemonsets/agent", {"spec": {"updateStrategy": {"type": "RollingUpdate"}}})


def kubectl(testbed: Testbed, what: str) -> str:
    """What `kubectl rollout status --watch=false` says, with its errors."""
    program = _kubectl()
    # without a home, its cache would be made where the tests run
    cache = f"--cache-dir={testbed.directory / 'kubectl-cache'}"
    done = subprocess.run(
        [str(program), cache, "rollout", "status", "--watch=false", what],
        env={"KUBECONFIG": str(testbed.kubeconfig), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def _kubectl() -> Path:
    return binaries.locate(["kubectl"])["kubectl"]


def status_of(rng: random.Random, kind: str, generation: int) -> dict[str, Any]:
    """A status as no controller need ever write it."""
    seen = generation - rng.choice([0, 0, 0, 1])
    if kind == "daemonsets":
        counts = {"desiredNumberScheduled": rng.randint(0, 4), "updatedNumberScheduled": rng.randint(0, 4)}
        counts |= {
            "numberAvailable": rng.randint(0, 4),
            "currentNumberScheduled": 4,
            "numberMisscheduled": 0,
            "numberReady": 0,
        }
        return {"observedGeneration": seen, **counts}
    total = rng.randint(0, 4)
    updated = rng.randint(0, total)
    reason = rng.choice(["NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"])
    condition = {"type": "Progressing", "status": "True", "reason": reason, "message": "m"}
    available = rng.randint(0, total)
    counts = {"replicas": total, "updatedReplicas": updated, "availableReplicas": available, "readyReplicas": total}
    return {"observedGeneration": seen, **counts, "unavailableReplicas": 0, "conditions": rng.choice([[condition], []])}


@pytest.mark.parametrize("rounds", [30, pytest.param(300, marks=pytest.mark.long)])
def test_our_verdict_is_that_of_kubectl(rounds: int, testbed: Testbed, client: KubeClient) -> None:
    """Over generated statuses, with no controller that would correct them."""
    processes.stop(testbed.directory, "kube-controller-manager")
    try:
        rng = random.Random(rounds)
        seen = set()
        for _round in range(rounds):
            kind, resource, name = rng.choice(
                [("Deployment", "deployments", "web"), ("DaemonSet", "daemonsets", "agent")]
            )
            path = f"{APPS}/{resource}/{name}"
            if rng.random() < 0.3 and kind == "Deployment":
                testbed.client.patch(path, {"spec": {"replicas": rng.randint(0, 4)}})
            generation = testbed.client.get(path)["metadata"]["generation"]
            testbed.client.patch(f"{path}/status", {"status": status_of(rng, resource, generation)})
            theirs = kubectl(testbed, f"{resource}/{name}")
            try:
                ours = "waits" if what_is_missing(kind, client.get(path)) else "done"
            except RolloutError:
                ours = "failed"
            verdict = (
                "done"
                if "successfully rolled out" in theirs
                else "failed"
                if "exceeded its progress" in theirs
                else "waits"
            )
            assert ours == verdict, (theirs, testbed.client.get(path)["status"])
            seen.add((kind, verdict))
        assert len(seen) == 5
    finally:
        testbed.restart_controller_manager()
