"""Holds back what a step waits for, so that a test can do something in the middle of the wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.waiting import wait_until
from testbed import Testbed

from . import faults, workload
from .interruptions import loud_steps
from .stepped_run import Step

_BUDGET = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web"
_FINALIZER = "testbed.local/hold"


@dataclass(frozen=True)
class Hold:
    """The task whose name begins with `task` waits from `begin` to `end`; `seconds` after its start it does."""

    name: str
    task: str
    begin: Callable[[Testbed, str], object]
    end: Callable[[Testbed, str], object]
    seconds: float = 3.0


def _forbid_evictions(testbed: Testbed, _host: str) -> None:
    testbed.client.patch(_BUDGET, {"spec": {"minAvailable": "100%"}})
    wait_until("evictions are forbidden", lambda: _allowed(testbed) == 0)


def _allowed(testbed: Testbed) -> int:
    return int(testbed.client.get(_BUDGET)["status"]["disruptionsAllowed"])


def _allow_evictions(testbed: Testbed, _host: str) -> None:
    replicas = testbed.client.get("/apis/apps/v1/namespaces/default/deployments/web")["spec"]["replicas"]
    testbed.client.patch(_BUDGET, {"spec": {"minAvailable": replicas - 1}})


def _add_finalizer(testbed: Testbed, host: str) -> None:
    testbed.client.patch(f"/api/v1/nodes/{host}", {"metadata": {"finalizers": [_FINALIZER]}})


def _remove_finalizer(testbed: Testbed, host: str) -> None:
    node: dict[str, Any] | None = testbed.client.find(f"/api/v1/nodes/{host}")
    if node is not None and node["metadata"].get("finalizers"):
        testbed.client.patch(f"/api/v1/nodes/{host}", {"metadata": {"finalizers": None}})


def _stop_controllers(testbed: Testbed, _host: str) -> None:
    testbed.control_plane.stop_component("kube-controller-manager")


def _start_controllers(testbed: Testbed, _host: str) -> None:
    faults.restart_controller_manager(testbed)


def _lose_daemonset_pod(testbed: Testbed, host: str) -> None:
    """No controller makes the deleted pod anew."""
    _stop_controllers(testbed, host)
    pods = testbed.client.list("/api/v1/namespaces/kube-system/pods", params={"labelSelector": "app=agent"})
    for pod in pods:
        if pod["spec"].get("nodeName") == host:
            path = f"/api/v1/namespaces/kube-system/pods/{pod['metadata']['name']}"
            testbed.client.delete(path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})


def _lose_replica(testbed: Testbed, _host: str) -> None:
    """No scheduler gives the pod that replaces it a Node."""
    testbed.control_plane.stop_component("kube-scheduler")
    pods = testbed.client.list("/api/v1/namespaces/default/pods", params={"labelSelector": "app=web"})
    now = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
    testbed.client.delete(f"/api/v1/namespaces/default/pods/{pods[0]['metadata']['name']}", now)
    wait_until("a replica is missing", lambda: not workload.workload_ready(testbed, len(pods)))


def _start_scheduler(testbed: Testbed, _host: str) -> None:
    testbed.control_plane.start_component("kube-scheduler")


def _freeze(unit: str) -> Callable[[Testbed, str], object]:
    return lambda testbed, host: faults.in_guest(testbed, host, f"systemctl kill --signal=STOP {unit}")


def _thaw(unit: str) -> Callable[[Testbed, str], object]:
    return lambda testbed, host: faults.in_guest(testbed, host, f"systemctl kill --signal=CONT {unit}")


def _silence_kubelet(testbed: Testbed, host: str) -> None:
    """It may have registered already, so what it would renew is taken away while it sleeps."""
    _freeze("kubelet")(testbed, host)
    lease = f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{host}"
    if testbed.client.find(lease) is not None:
        testbed.client.delete(lease)


HOLDS = (
    Hold("eviction", "Cordon and drain", _forbid_evictions, _allow_evictions),
    Hold("deletion", "Delete the Node and wait", _add_finalizer, _remove_finalizer),
    Hold("allocation", "Create the Node anew", _stop_controllers, _start_controllers),
    Hold("sandboxes", "Remove what pods and CNI left", _freeze("containerd"), _thaw("containerd")),
    Hold("registration", "Wait until the kubelet has taken its Node over", _silence_kubelet, _thaw("kubelet")),
    Hold("daemonsets", "Replace network agents", _lose_daemonset_pod, _start_controllers),
    Hold("probe", "Let pods on another node", _freeze("containerd"), _thaw("containerd")),
    Hold("verification", "Wait until everything about the Node", _lose_daemonset_pod, _start_controllers),
    Hold("health", "Wait until everything that was healthy", _lose_replica, _start_scheduler),
)


def step_of_wait(hold: Hold) -> Step:
    """The step that waits for what is held back."""
    return next(step for step in loud_steps() if step.task.startswith(hold.task))
