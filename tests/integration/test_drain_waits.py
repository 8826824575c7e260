"""What a drain waits for on the real API server: budgets, volumes, pods that come late, and the lock of its run meanwhile."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease
from harness.playbook import run_playbook
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, KwokSpec, Testbed, TestbedSpec

from .drain_comparison import our_drain
from .drain_kubectl import Options
from .drain_pods import make_nodes, pods_of

pytestmark = pytest.mark.testbed

CONTROLLERS = "--controllers=disruption-controller,serviceaccount-controller"
BLOCKED = ["budget-exhausted", "replicaset", "daemonset"]
OPTIONS = Options(ignore_daemonsets=True)
LEASE_SECONDS = 8
SHOWN_EVERY = 10


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """API server, kwok, and the controllers that pods and budgets need."""
    plane = ControlPlaneSpec(
        allocate_node_cidrs=False, extra_arguments={"kube-controller-manager": (CONTROLLERS,), "kube-scheduler": ()}
    )
    with Testbed.up(TestbedSpec(name=f"drain-waits-{os.getpid()}", control_plane=plane, kwok=KwokSpec())) as made:
        yield made


@pytest.fixture
def client(testbed: Testbed) -> KubeClient:
    """The product's client."""
    return KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """For drains that wait while the test does something."""
    with ThreadPoolExecutor(2) as made:
        yield made


def cordoned(testbed: Testbed, name: str) -> bool:
    """Whether a Node is."""
    return bool(testbed.client.get(f"/api/v1/nodes/{name}")["spec"].get("unschedulable"))


def allow(testbed: Testbed, namespace: str) -> None:
    """Let the budget that forbids evictions allow them."""
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/exhausted"
    testbed.client.patch(path, {"spec": {"minAvailable": 0}})


def only_the_blocked(testbed: Testbed, name: str) -> bool:
    """Whether the drain has come to where it waits for the budget."""
    return set(pods_of(testbed, name)) == {"budget-exhausted", "daemonset"}


def results(answer: dict[str, Any]) -> dict[str, str]:
    """Result by pod."""
    return {pod["name"]: pod["result"] for pod in answer["pods"]}


def test_time_is_over(testbed: Testbed) -> None:
    """Which budget, how many healthy pods it needs and has; the rest is gone; the cordon is taken back."""
    make_nodes(testbed, {"late": BLOCKED}, kwok=True)
    answer = our_drain(testbed, "late", OPTIONS, 4)
    assert answer["msg"] == (
        "Node late is not empty after 4 seconds: late/budget-exhausted waits: The disruption budget exhausted needs 3 "
        "healthy pods and has 1 currently. Node late is schedulable again as before."
    )
    assert results(answer) == {"budget-exhausted": "waiting", "replicaset": "gone", "daemonset": "kept"}
    blocked = next(pod for pod in answer["pods"] if pod["name"] == "budget-exhausted")
    assert blocked["budget"] == {"name": "exhausted", "healthy_needed": 3, "healthy": 1}
    assert not cordoned(testbed, "late")


def test_budget_recovers_and_pods_come_late(testbed: Testbed, pool: ThreadPoolExecutor) -> None:
    """A pod that is bound while the drain waits goes as well, and the drain ends when the budget allows it."""
    make_nodes(testbed, {"recovers": BLOCKED}, kwok=True)
    draining = pool.submit(our_drain, testbed, "recovers", OPTIONS, 60, retry_interval=1)
    wait_until("the drain waits", lambda: only_the_blocked(testbed, "recovers"))
    blocked = testbed.client.get("/api/v1/namespaces/recovers/pods/budget-exhausted")
    late = {
        "metadata": {"name": "late", "ownerReferences": blocked["metadata"]["ownerReferences"]},
        "spec": {"nodeName": "recovers", "containers": [{"name": "main", "image": "simulated"}]},
    }
    testbed.client.create("/api/v1/namespaces/recovers/pods", {"apiVersion": "v1", "kind": "Pod", **late})
    wait_until("the late pod is gone", lambda: "late" not in pods_of(testbed, "recovers"))
    assert not draining.done()
    allow(testbed, "recovers")
    answer = draining.result(120)
    assert results(answer) == {"budget-exhausted": "gone", "replicaset": "gone", "daemonset": "kept", "late": "gone"}
    assert cordoned(testbed, "recovers") and not answer.get("failed")


def test_volumes_are_detached_first(testbed: Testbed, pool: ThreadPoolExecutor) -> None:
    """The drain ends when the VolumeAttachment of the Node is gone, and not when the pods are."""
    make_nodes(testbed, {"volumes": ["replicaset"]}, kwok=True)
    attachments = "/apis/storage.k8s.io/v1/volumeattachments"
    for name, node in (("here", "volumes"), ("elsewhere", "other")):
        spec = {"attacher": "csi.example.com", "nodeName": node, "source": {"persistentVolumeName": f"pv-{name}"}}
        attachment = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": name}}
        testbed.client.create(attachments, {**attachment, "spec": spec})
    failed = our_drain(testbed, "volumes", OPTIONS, 3)
    assert "volumes of removed pods are detached from node volumes (still attached: pv-here)" in failed["msg"]
    assert results(failed) == {"replicaset": "gone"} and not cordoned(testbed, "volumes")
    draining = pool.submit(our_drain, testbed, "volumes", OPTIONS, 60)
    wait_until("cordoned again", lambda: cordoned(testbed, "volumes"))
    time.sleep(2)
    assert not draining.done()
    testbed.client.delete(f"{attachments}/here")
    assert not draining.result(120).get("failed")


def started(client: KubeClient, name: str, holder: str = "alice") -> tuple[RunLease, dict[str, Any]]:
    """The Lease of a run, and the option `run` of its steps."""
    lease = RunLease(client, name, "kube-system", holder, LEASE_SECONDS)
    assert not lease.acquire()
    run = {"name": name, "namespace": "kube-system", "holder": holder, "lease_seconds": LEASE_SECONDS}
    return lease, run


def test_lock_is_kept_in_the_wait(testbed: Testbed, client: KubeClient, pool: ThreadPoolExecutor) -> None:
    """The drain takes three times as long as the Lease is valid, and it is never expired meanwhile."""
    make_nodes(testbed, {"locked": BLOCKED}, kwok=True)
    lease, run = started(client, "long-drain")
    draining = pool.submit(our_drain, testbed, "locked", OPTIONS, 60, run=run)
    expired, end = [], time.monotonic() + 3 * LEASE_SECONDS
    while time.monotonic() < end:
        state = lease.state()
        assert state is not None
        expired.append(state.expired)
        time.sleep(0.5)
    assert not any(expired) and not draining.done()
    allow(testbed, "locked")
    assert results(draining.result(120))["budget-exhausted"] == "gone"


def test_lock_that_is_taken_over(testbed: Testbed, client: KubeClient, pool: ThreadPoolExecutor) -> None:
    """The drain ends, evicts nothing more, and leaves the node cordoned to the run that has the lock now."""
    make_nodes(testbed, {"taken": BLOCKED}, kwok=True)
    lease, run = started(client, "taken-over")
    draining: Future[dict[str, Any]] = pool.submit(our_drain, testbed, "taken", OPTIONS, 60, run=run)
    wait_until("the drain waits", lambda: only_the_blocked(testbed, "taken"))
    path = f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{lease.name}"
    testbed.client.patch(path, {"spec": {"holderIdentity": "bob"}})
    answer = draining.result(120)
    assert "is held by bob now" in answer["msg"]
    assert answer["msg"].endswith("Node taken stays cordoned, because another run may be at work on it.")
    assert results(answer)["budget-exhausted"] == "waiting" and cordoned(testbed, "taken")
    allow(testbed, "taken")
    time.sleep(2)
    assert only_the_blocked(testbed, "taken")


PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - podnet.upkeep.node_drain:
        kubeconfig: "{{ kubeconfig }}"
        name: shown
        ignore_daemonsets: true
        timeout: 300
"""
JSON_LINES = """
import json
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "json_lines"

    def v2_runner_on_ok(self, result):
        print(json.dumps(result.result if hasattr(result, "result") else result._result))
"""


def test_long_drain_is_shown_while_it_waits(testbed: Testbed, tmp_path: Path) -> None:
    """By the action plugin, on standard error: a line every ten seconds at most, and the JSON of a callback stays whole."""
    make_nodes(testbed, {"shown": BLOCKED}, kwok=True)
    playbook = tmp_path / "drain.yml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")

    def allow_after_a_line() -> None:
        wait_until("the drain waits", lambda: only_the_blocked(testbed, "shown"))
        time.sleep(SHOWN_EVERY + 4)
        allow(testbed, "shown")

    allowing = threading.Thread(target=allow_after_a_line)
    allowing.start()
    (tmp_path / "json_lines.py").write_text(JSON_LINES, encoding="utf-8")
    began = time.monotonic()
    done = run_playbook(
        str(playbook),
        variables={"kubeconfig": str(testbed.kubeconfig)},
        env={"ANSIBLE_CALLBACK_PLUGINS": str(tmp_path), "ANSIBLE_STDOUT_CALLBACK": "json_lines"},
    )
    took = time.monotonic() - began
    allowing.join()
    assert done.returncode == 0, done.output
    lines = [line for line in done.stderr.splitlines() if "shown: 1 of 2 pods to go" in line]
    assert 1 <= len(lines) <= took / SHOWN_EVERY, done.stderr
    told = "shown/budget-exhausted waits: The disruption budget exhausted needs 3 healthy pods and has 1 currently"
    assert told in lines[0]
    (answer,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert results(answer) == {"budget-exhausted": "gone", "replicaset": "gone", "daemonset": "kept"}
