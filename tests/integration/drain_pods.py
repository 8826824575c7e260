"""Pods of every kind that a drain decides about, put on simulated Nodes.

Each Node has a namespace of its own name, so that pods, owners and budgets of two Nodes can be the same and never meet.
A Node without kwok keeps its pods as they are made here (phase, readiness, deletionTimestamp), as nobody runs them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from harness.simulated_pods import wait_running
from harness.waiting import wait_until
from testbed import Testbed, objects
from testbed.client import Client, ServerError

APPS, BATCH = "apps/v1", "batch/v1"
FINALIZER = "testbed.podnet/held"
DAEMONSET = "agent"
EMPTY_DIR: Mapping[str, Any] = {"emptyDir": {}}
MEMORY_DIR = {"emptyDir": {"medium": "Memory"}}
GRACE_OF_THE_EXPIRED, GRACE_OF_THE_FRESH = 1, 3600


@dataclass(frozen=True)
class Kind:
    """One kind of pod. `owner` is (apiVersion, kind, name, controller); `deleted` the grace period of its deletion."""

    owner: tuple[str, str, str, bool] | None = None
    volumes: tuple[Mapping[str, Any], ...] = ()
    phase: str = "Running"
    ready: bool = True
    mirror: bool = False
    finalizer: bool = False
    deleted: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def owned(
    kind: str, api_version: str = APPS, name: str = "owner", controller: bool = True
) -> tuple[str, str, str, bool]:
    """An owner."""
    return (api_version, kind, name, controller)


REPLICASET = owned("ReplicaSet")
OF_DAEMONSET = owned("DaemonSet", name=DAEMONSET)
OF_LOST_DAEMONSET = owned("DaemonSet", name="gone")

KINDS: dict[str, Kind] = {
    "replicaset": Kind(REPLICASET),
    "statefulset": Kind(owned("StatefulSet")),
    "replicationcontroller": Kind(owned("ReplicationController", "v1")),
    "job-running": Kind(owned("Job", BATCH)),
    "job-succeeded": Kind(owned("Job", BATCH), phase="Succeeded", ready=False),
    "job-failed": Kind(owned("Job", BATCH), phase="Failed", ready=False),
    "custom-controller": Kind(owned("Machine", "example.com/v1")),
    "daemonset": Kind(OF_DAEMONSET),
    "daemonset-emptydir": Kind(OF_DAEMONSET, (EMPTY_DIR,)),
    "daemonset-failed": Kind(OF_DAEMONSET, phase="Failed", ready=False),
    "daemonset-pending": Kind(OF_DAEMONSET, phase="Pending", ready=False),
    "daemonset-orphan": Kind(OF_LOST_DAEMONSET),
    "daemonset-orphan-emptydir": Kind(OF_LOST_DAEMONSET, (EMPTY_DIR,)),
    "daemonset-orphan-succeeded": Kind(OF_LOST_DAEMONSET, phase="Succeeded", ready=False),
    "daemonset-of-openkruise": Kind(owned("DaemonSet", "apps.kruise.io/v1alpha1", DAEMONSET)),
    "bare": Kind(),
    "bare-pending": Kind(phase="Pending", ready=False),
    "bare-succeeded": Kind(phase="Succeeded", ready=False),
    "bare-failed-emptydir": Kind(None, (EMPTY_DIR,), phase="Failed", ready=False),
    "bare-finalizer": Kind(finalizer=True),
    "bare-emptydir": Kind(None, (EMPTY_DIR,)),
    "owner-not-controller": Kind(owned("ReplicaSet", controller=False)),
    "mirror": Kind(owned("Node", "v1"), mirror=True),
    "mirror-without-owner": Kind(mirror=True),
    "mirror-emptydir": Kind(owned("Node", "v1"), (EMPTY_DIR,), mirror=True),
    "mirror-of-daemonset": Kind(OF_DAEMONSET, mirror=True),
    "emptydir": Kind(REPLICASET, (EMPTY_DIR,)),
    "emptydir-memory": Kind(REPLICASET, ({"configMap": {"name": "x"}}, MEMORY_DIR)),
    "emptydir-succeeded": Kind(REPLICASET, (EMPTY_DIR,), phase="Succeeded", ready=False),
    "hostpath": Kind(REPLICASET, ({"hostPath": {"path": "/var"}},)),
    "local-volume": Kind(REPLICASET, ({"persistentVolumeClaim": {"claimName": "local"}},)),
    "terminating-expired": Kind(REPLICASET, deleted=GRACE_OF_THE_EXPIRED, finalizer=True),
    "terminating-fresh": Kind(REPLICASET, deleted=GRACE_OF_THE_FRESH),
    "terminating-expired-bare": Kind(deleted=GRACE_OF_THE_EXPIRED),
    "terminating-expired-daemonset": Kind(OF_DAEMONSET, deleted=GRACE_OF_THE_EXPIRED),
    "terminating-fresh-emptydir": Kind(REPLICASET, (EMPTY_DIR,), deleted=GRACE_OF_THE_FRESH),
    "terminating-fresh-bare": Kind(deleted=GRACE_OF_THE_FRESH),
    "budget-allows": Kind(REPLICASET, labels={"budget": "allows"}),
    "budget-allows-statefulset": Kind(owned("StatefulSet"), labels={"budget": "allows"}),
    "budget-two": Kind(REPLICASET, labels={"budget": "two"}),
    "budget-two-pending": Kind(REPLICASET, phase="Pending", ready=False, labels={"budget": "two"}),
    "budget-exhausted-pending": Kind(REPLICASET, phase="Pending", ready=False, labels={"budget": "exhausted"}),
    "budget-exhausted-terminating": Kind(REPLICASET, deleted=GRACE_OF_THE_FRESH, labels={"budget": "exhausted"}),
    "budget-exhausted-succeeded": Kind(REPLICASET, phase="Succeeded", ready=False, labels={"budget": "exhausted"}),
    "budget-always-unready": Kind(REPLICASET, ready=False, labels={"budget": "always"}),
    "budget-enough-unready": Kind(REPLICASET, ready=False, labels={"budget": "enough"}),
}
#: kubectl asks five seconds later again about these: they are few.
WAITING_KINDS: dict[str, Kind] = {
    "budget-exhausted": Kind(REPLICASET, labels={"budget": "exhausted"}),
    "budget-exhausted-statefulset": Kind(owned("StatefulSet"), labels={"budget": "exhausted"}),
    "budget-short-unready": Kind(REPLICASET, ready=False, labels={"budget": "short"}),
    "budget-just-enough": Kind(REPLICASET, labels={"budget": "just"}),
}
#: Its budget is never counted. The API asks to come back after ten seconds, and kubectl's transport does so ten times.
UNSYNCED_KINDS: dict[str, Kind] = {"budget-unsynced": Kind(REPLICASET, labels={"budget": "unsynced"})}
ALL_KINDS = {**KINDS, **WAITING_KINDS, **UNSYNCED_KINDS}
#: Kinds that a real drain of a Node with kwok can end with: nothing holds them, and kwok leaves their phase alone.
REAL_KINDS = tuple(
    name for name, kind in KINDS.items() if kind.phase != "Pending" and not name.startswith("budget-two")
)


def _budget(name: str, spec: Mapping[str, Any], selector: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"selector": selector or {"matchLabels": {"budget": name}}, **spec},
    }


BUDGETS = (
    _budget("allows", {"minAvailable": 0}),
    _budget("two", {"minAvailable": 0}),
    _budget(
        "two-again", {"minAvailable": 0}, {"matchExpressions": [{"key": "budget", "operator": "In", "values": ["two"]}]}
    ),
    _budget("exhausted", {"minAvailable": 3}),
    _budget("always", {"minAvailable": 3, "unhealthyPodEvictionPolicy": "AlwaysAllow"}),
    _budget("enough", {"minAvailable": 1}),
    _budget("just", {"minAvailable": 1}),
    _budget("short", {"minAvailable": 2}),
    _budget("unsynced", {"maxUnavailable": 1}),  # the ReplicaSet that it would count does not exist
)
SENTINEL = Kind(REPLICASET, labels={"budget": "enough"})  # the healthy pod that "enough" counts; on no Node


def _pod(
    namespace: str, name: str, kind: Kind, node: str, labels: Mapping[str, str], *, finalizer: bool
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": {**labels, **kind.labels}}
    if kind.owner is not None:
        api_version, owner, owner_name, controller = kind.owner
        uid = "11111111-1111-4111-8111-111111111111"
        reference = {"apiVersion": api_version, "kind": owner, "name": owner_name, "uid": uid, "controller": controller}
        metadata["ownerReferences"] = [reference]
    if kind.mirror:
        metadata["annotations"] = {"kubernetes.io/config.mirror": "x"}
    if finalizer:
        metadata["finalizers"] = [FINALIZER]
    volumes = [{"name": f"v{number}", **volume} for number, volume in enumerate(kind.volumes)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": node,
            "automountServiceAccountToken": False,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": "simulated"}],
            "volumes": volumes,
        },
    }


def _status(kind: Kind) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True" if kind.ready else "False"}
    return {"status": {"phase": kind.phase, "conditions": [ready]}}


def _settle(client: Client, path: str, kind: Kind, *, kwok: bool) -> None:
    """Give a pod its phase; with kwok it runs first, and only then it may be something else."""
    if kwok:
        wait_running(client, path)
    client.patch(f"{path}/status", _status(kind))
    if kind.deleted is not None:
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": kind.deleted}
        client.delete(path, body)


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _make_namespace(client: Client, name: str) -> None:
    client.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    try:
        client.create(f"/api/v1/namespaces/{name}/serviceaccounts", account)
    except ServerError as error:
        if error.status != 409:  # the controller-manager was faster
            raise
    client.create(f"/apis/apps/v1/namespaces/{name}/daemonsets", _daemonset())


def _daemonset() -> dict[str, Any]:
    """The DaemonSet that the pods of DaemonSets name; it matches no Node."""
    labels = {"app": DAEMONSET}
    template = {
        "metadata": {"labels": labels},
        "spec": {"nodeSelector": {"nowhere": "true"}, "containers": [{"name": "main", "image": "simulated"}]},
    }
    return {
        "apiVersion": APPS,
        "kind": "DaemonSet",
        "metadata": {"name": DAEMONSET},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def make_node(testbed: Testbed, name: str, kinds: Iterable[str], *, kwok: bool) -> None:
    """Create Node and namespace `name` with one pod for each kind, named after it.

    Every second pod has the label tier=front, the others tier=back.
    """
    client = testbed.client
    node = objects.node(name)
    if not kwok:
        node["metadata"]["annotations"] = {}
    client.create("/api/v1/nodes", node)
    if kwok:  # pods that are there before kwok has taken the Node over can be overlooked by it
        wait_until(f"{name} is Ready", lambda: _is_ready(client.get(f"/api/v1/nodes/{name}")))
    _make_namespace(client, name)
    pods = f"/api/v1/namespaces/{name}/pods"
    chosen = list(kinds)
    for number, kind_name in enumerate(chosen):
        kind = ALL_KINDS[kind_name]
        labels = {"kind": kind_name, "tier": ("front", "back")[number % 2]}
        finalizer = kind.finalizer or (kwok and kind.deleted is not None)  # else kwok ends it at once
        client.create(pods, _pod(name, kind_name, kind, name, labels, finalizer=finalizer))
    if any(ALL_KINDS[one].labels for one in chosen):
        client.create(pods, _pod(name, "sentinel", SENTINEL, "elsewhere", {"tier": "front"}, finalizer=False))
        _settle(client, f"{pods}/sentinel", SENTINEL, kwok=False)
        for budget in BUDGETS:
            client.create(f"/apis/policy/v1/namespaces/{name}/poddisruptionbudgets", budget)
    for kind_name in chosen:
        _settle(client, f"{pods}/{kind_name}", ALL_KINDS[kind_name], kwok=kwok)


def make_nodes(testbed: Testbed, sets: Mapping[str, Iterable[str]], *, kwok: bool) -> None:
    """Create one Node for each set of kinds, and wait until the budgets have counted their pods."""
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda item: make_node(testbed, item[0], item[1], kwok=kwok), sets.items()))
    wait_for_budgets(testbed, sets)


def _expected(budget: str, kinds: Iterable[str]) -> int:
    """How many healthy pods a budget is to count."""
    counted = [ALL_KINDS[name] for name in kinds] + [SENTINEL]
    covered = [kind for kind in counted if kind.labels.get("budget") == budget]
    return sum(1 for kind in covered if kind.ready and kind.deleted is None and kind.phase == "Running")


def wait_for_budgets(testbed: Testbed, sets: Mapping[str, Iterable[str]], seconds: float = 180) -> None:
    """Wait until the disruption controller has seen the last status of every pod."""
    end = time.monotonic() + seconds
    while True:
        wrong = []
        for budget in testbed.client.list("/apis/policy/v1/poddisruptionbudgets"):
            namespace, name = budget["metadata"]["namespace"], budget["metadata"]["name"]
            status = budget.get("status") or {}
            if namespace not in sets or name.startswith("two"):
                continue  # of two budgets of a pod only one is counted anew when the pod changes
            fresh = status.get("observedGeneration") == budget["metadata"]["generation"]
            expected = _expected(name, sets[namespace])
            if name != "unsynced" and (not fresh or status.get("currentHealthy") != expected):
                wrong.append(f"{namespace}/{name}: {status}, expected {expected}")
            if name == "unsynced" and expected and not status.get("conditions"):
                wrong.append(f"{namespace}/{name}: {status}")
        if not wrong:
            return
        assert time.monotonic() < end, wrong
        time.sleep(0.3)


def pods_of(testbed: Testbed, namespace: str) -> dict[str, dict[str, Any]]:
    """Pods of a Node's namespace by name, but for the sentinel."""
    found = testbed.client.list(f"/api/v1/namespaces/{namespace}/pods")
    return {pod["metadata"]["name"]: pod for pod in found if pod["metadata"]["name"] != "sentinel"}
