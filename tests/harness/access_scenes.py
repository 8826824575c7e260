"""Something to do for each playbook, all in one control plane, so that what each needs to be allowed can be watched.

A scene makes its work anew at each call of ``prepare`` and says the variables of the run. Nothing needs a host.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_objects import AccessObjects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    PlaybookAccess,
    name_for,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import (
    namespace_object,
    namespace_of,
    pod_object,
)
from testbed import (
    CiliumOperatorSpec,
    ControlPlaneSpec,
    KwokSpec,
    Testbed,
    TestbedSpec,
    binaries,
    objects,
    operator_pods,
    processes,
)
from testbed.client import ServerError
from testbed.recordings import agent_answers

from . import cleanup_scene, lone_node
from .waiting import wait_until

SYSTEM = "/api/v1/namespaces/kube-system"
CONFIG = f"{SYSTEM}/configmaps/cilium-config"
IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
#: Of an object that is gone.
NO_UID = "00000000-0000-4000-8000-000000000000"
#: The operator neither collects identities nor reacts within the time of a test.
SLOW = {
    "identity-gc-interval": "0",
    "identity-heartbeat-timeout": "1s",
    "identity-management-mode": "operator",
    "identity-allocation-sync-interval": "1s",
}


@dataclass(frozen=True)
class Scene:
    """``prepare(testbed, folder)`` makes the work and gives the variables, without the role's prefix.

    ``features`` are those that the work needs. ``prefix`` is that of the variables where it is not the playbook's name.
    """

    playbook: str
    prepare: Callable[[Testbed, Path], Mapping[str, Any]]
    features: tuple[str, ...] = ()
    prefix: str = ""

    def variables(self, testbed: Testbed, folder: Path, kubeconfig: Path) -> dict[str, Any]:
        """Make the work; the variables of the role."""
        found = {**self.prepare(testbed, folder), "kubeconfig": str(kubeconfig)}
        return {f"{self.prefix or self.playbook}_{key}": value for key, value in found.items()}


@contextmanager
def up(name: str) -> Iterator[Testbed]:
    """A control plane that shows its Node, the operator of Cilium as pods, and one agent that answers."""
    spec = TestbedSpec(
        name,
        control_plane=ControlPlaneSpec(cluster_cidrs=("10.146.0.0/16",), control_plane_node="cp1"),
        cilium=CiliumOperatorSpec(pods=True, config=SLOW, nodes_gc_interval="1h", endpoint_gc_interval="1h"),
        kwok=KwokSpec(exec_answers=agent_answers("healthy")),
    )
    with Testbed.up(spec) as testbed:
        testbed.client.apply("/api/v1/nodes/agent-a", objects.node("agent-a", labels=objects.AGENT_NODE))
        yield testbed


def _journals(folder: Path) -> Mapping[str, Any]:
    return {"journal_path": str(folder / "journals")}


def _nothing(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    del testbed, folder
    return {}


def _audit(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    del testbed
    return {"output_path": str(folder / "audit.json")}


def _relief(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    del folder
    with_collection(testbed)
    return {"cluster_cidrs": ["10.146.0.0/15"]}


def _etcd(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    from testbed import ports

    endpoint = f"http://127.0.0.1:{ports.port(testbed.directory, 'etcd')}"
    return {"endpoints": [endpoint], "seconds_between_looks": 0.1}


def _maintained_etcd(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    found = {key: value for key, value in _etcd(testbed, folder).items() if key == "endpoints"}
    return {**found, "keep_revisions": 10, "min_revisions": 10, "snapshot_dir": str(folder / "snapshots")}


def without_collection(testbed: Testbed) -> None:
    """The garbage collector of kube-controller-manager would be quicker than the clean-ups."""
    testbed.control_plane.stop_component(cleanup_scene.KCM)


def with_collection(testbed: Testbed) -> None:
    if not _runs(testbed):
        testbed.control_plane.restart_controller_manager()
        testbed.control_plane.wait_usable()


def _runs(testbed: Testbed) -> bool:
    record = processes.read(testbed.directory, cleanup_scene.KCM)
    return record is not None and processes.alive(record)


def _stale_pods(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    without_collection(testbed)
    _node(testbed, "n0")
    for name, phase in (("evicted", "Failed"), ("done", "Succeeded")):
        cleanup_scene.pod(testbed, f"{name}-{time.monotonic_ns()}", phase)
    return {**_journals(folder), "min_age": 0}


def _node(testbed: Testbed, name: str) -> str:
    found = testbed.client.find(f"/api/v1/nodes/{name}")
    if found is None:
        found = testbed.client.create("/api/v1/nodes", {"metadata": {"name": name}})
    return str(found["metadata"]["uid"])


def _endpoints(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    without_collection(testbed)
    cleanup_scene.endpoint(testbed, f"gone-{time.monotonic_ns()}", NO_UID)
    return {**_journals(folder), "min_age": 0}


def _cilium_nodes(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    without_collection(testbed)
    owner = {"apiVersion": "v1", "kind": "Node", "name": "gone", "uid": NO_UID}
    metadata = {"name": f"gone-{time.monotonic_ns()}", "ownerReferences": [{**owner, "name": "gone"}]}
    body = {"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": metadata, "spec": {"ipam": {}}}
    testbed.client.create(cleanup_scene.CILIUM_NODES, body)
    return {**_journals(folder), "quarantine": 0, "settle_seconds": 1}


def _identities(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    without_collection(testbed)
    _identity(testbed, 50_000 + time.monotonic_ns() % 10_000)
    time.sleep(3)  # older than two heartbeat timeouts
    return {**_journals(folder), "grace": 3, "rate": 0}


def _identity(testbed: Testbed, number: int) -> None:
    labels = {"k8s:app": f"gone-{number}", "k8s:io.kubernetes.pod.namespace": "default"}
    body = {"apiVersion": "cilium.io/v2", "kind": "CiliumIdentity", "metadata": {"name": str(number)}}
    testbed.client.create(IDENTITIES, {**body, "security-labels": labels})


def _undo(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """What the clean-up of identities has deleted last."""
    del testbed
    found = sorted((folder / "journals").rglob("identities-*.jsonl"), key=lambda path: path.stat().st_mtime)
    return {"journal_path": str(found[-1])}


def _first_run(testbed: Testbed, name: str) -> None:
    """The journal of an earlier run is not there, so that it is made."""
    path = f"/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-{name}"
    if testbed.client.find(path) is not None:
        testbed.client.delete(path)


def _restart(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    del folder
    with_collection(testbed)
    _first_run(testbed, "cilium")
    testbed.client.patch(CONFIG, {"data": {"identity-gc-rate-limit": str(2000 + time.monotonic_ns() % 1000)}})
    return {"component": "both", "always": True, "settle_seconds": 1, "timeout": 240}


def _tune(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    del folder
    with_collection(testbed)
    _first_run(testbed, "cilium")
    value = str(3000 + time.monotonic_ns() % 1000)
    return {"values": {"identity-gc-rate-limit": value}, "settle_seconds": 1, "timeout": 240}


def _use_no_identity(testbed: Testbed) -> None:
    """What other scenes have left would keep identities."""
    apps = "/apis/apps/v1/namespaces/default"
    for path in (f"{apps}/deployments/web", f"{apps}/daemonsets/tied"):
        _delete(testbed, path)
    now = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}

    def no_pod_is_left() -> bool:
        left = testbed.client.list(cleanup_scene.PODS)
        for pod in left:
            _delete(testbed, f"{cleanup_scene.PODS}/{pod['metadata']['name']}", now)
        return not left

    wait_until("no pod is left", no_pod_is_left, pause=0.5)
    for identity in testbed.client.list(IDENTITIES):
        _delete(testbed, f"{IDENTITIES}/{identity['metadata']['name']}")


def _delete(testbed: Testbed, path: str, how: Mapping[str, Any] | None = None) -> None:
    """Others may be quicker."""
    try:
        testbed.client.delete(path, how)
    except ServerError as error:
        if error.status != 404:
            raise


def _recover(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    with_collection(testbed)
    _use_no_identity(testbed)
    _first_run(testbed, "cilium")
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cilium-operator"
    deployment = "/apis/apps/v1/namespaces/kube-system/deployments/cilium-operator"
    verbs = ["get", "list", "watch", "update", "patch", "create"]
    rest = [{"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": verbs}]
    rest.append({"apiGroups": ["cilium.io"], "resources": ["ciliumnodes", "ciliumendpoints"], "verbs": ["delete"]})
    testbed.client.patch(role, {"rules": rest})
    testbed.client.patch(deployment, {"spec": {"replicas": 0}})
    testbed.client.patch(CONFIG, {"data": {"identity-gc-interval": "600"}})
    quick = {"identity-gc-interval": "5s", "identity-heartbeat-timeout": "5s", "identity-gc-rate-limit": "60000"}
    for number in range(3):
        _identity(testbed, 40_000 + number)
    return {
        **_journals(folder),
        "free_percent": 100,
        "values": quick,
        "accepted_risks": ["harmful-value"],
        "collect_timeout": 60,
        "collect_delay": 2,
        "settle_seconds": 1,
        "restart_timeout": 240,
        "endpoints_min_age": 1,
        "direct": True,
        "probe_image": "registry.k8s.io/pause:3.10",
        "probe_node": operator_pods.NODE,
        "probe_timeout": 30,
    }


def _stress(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """The operator collects, two simulated Nodes take pods, and a test that was killed has left its namespace."""
    del folder
    with_collection(testbed)
    _first_run(testbed, "stress-identities")
    quick = {"identity-gc-interval": "1s", "identity-heartbeat-timeout": "4s", "identity-gc-rate-limit": "60000"}
    testbed.client.patch(CONFIG, {"data": quick})
    operators = f"{SYSTEM}/pods"
    for pod in testbed.client.list(operators, {"labelSelector": "io.cilium/app=operator"}):
        testbed.client.delete(f"{operators}/{pod['metadata']['name']}")
    if testbed.client.find("/api/v1/nodes/w-0") is None:
        testbed.kwok.create_nodes(2, prefix="w")
    run = f"{time.monotonic_ns() % 10**10:010d}"
    testbed.client.create("/api/v1/namespaces", namespace_object(run, "2026-01-01T00:00:00+00:00", "killed"))
    space = f"/api/v1/namespaces/{namespace_of(run)}"
    wait_until("a service account", lambda: testbed.client.find(f"{space}/serviceaccounts/default") is not None)
    left = pod_object(run, 0, "app", "none", {"nodeSelector": {"testbed.podnet/nobody": "true"}})
    testbed.client.create(f"{space}/pods", left)
    deployment = "/apis/apps/v1/namespaces/kube-system/deployments/cilium-operator"
    wait_until("an operator", lambda: bool(testbed.client.get(deployment).get("status", {}).get("readyReplicas")))
    return {
        "identities": 4,
        "node_selector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
    }


def _rehearse(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """What the copy then shows does not matter here."""
    del testbed
    names = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "cilium-operator")
    programs = sorted({str(path.parent) for path in binaries.locate(names).values()})
    work = {"work_dir": str(folder / "rehearsals"), "programs": programs}
    return {**work, "playbook": "clean_stale_pods", "must_succeed": False}


def deploy_on(testbed: Testbed, node: str) -> None:
    """A pod on this Node that its Deployment makes anew elsewhere; where no Node is free, it waits."""
    path = "/apis/apps/v1/namespaces/default/deployments"
    preferred = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = [{"matchFields": [preferred]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    if testbed.client.find(f"{path}/web") is not None:
        testbed.client.delete(f"{path}/web")
    pod = {"containers": [{"name": "c", "image": "example.invalid/c"}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {**pod, "affinity": affinity}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    testbed.client.create(path, {"metadata": {"name": "web"}, "spec": spec})

    def runs() -> bool:
        pods = testbed.client.list(cleanup_scene.PODS, params={"labelSelector": "app=web"})
        return any(pod["spec"].get("nodeName") == node and pod["status"]["phase"] == "Running" for pod in pods)

    wait_until(f"a pod on {node}", runs)


def _retire(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    with_collection(testbed)
    lone_node.create(testbed, "spare", ready=True)
    deploy_on(testbed, "spare")
    return {
        "state_dir": str(folder / "retired"),
        "nodes": ["spare"],
        "without_hosts": True,
        "accepted_risks": ["does-not-fit", "other-nodes-not-ready", "other-nodes-cordoned"],
    }


def _remove(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    with_collection(testbed)
    lone_node.create(testbed, "gone", ready=False)
    return {"state_dir": str(folder / "removed"), "quarantine": 1, "settle_seconds": 2, "max_share": 0.5}


def damage(testbed: Testbed, name: str) -> None:
    """Everything of this name is there, and nothing is as it should be."""
    rbac, mine = "/apis/rbac.authorization.k8s.io/v1", "namespaces/kube-system"
    testbed.client.patch(f"/api/v1/{mine}/serviceaccounts/{name}", {"automountServiceAccountToken": True})
    for kind in ("clusterroles", f"{mine}/roles"):
        testbed.client.patch(f"{rbac}/{kind}/{name}", {"rules": []})
    for kind in ("clusterrolebindings", f"{mine}/rolebindings"):
        testbed.client.patch(f"{rbac}/{kind}/{name}", {"subjects": []})


def _access(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """One of two is there, with too much of one thing, too little of another; the other one is not."""
    del folder
    admin = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    name = name_for("audit")
    for namespaces in (("default",), ()):
        AccessObjects(admin, PlaybookAccess(name=name, playbooks=("audit",), cni_namespaces=namespaces)).present()
        if namespaces:
            AccessObjects(admin, PlaybookAccess(name=name_for("audit_kvstore"), playbooks=("audit_kvstore",))).absent()
    damage(testbed, name)
    return {"playbooks": ["audit", "audit_kvstore"]}


def _schedule(testbed: Testbed, folder: Path) -> Mapping[str, Any]:
    """As for install_access, and the CronJob itself is not there."""
    del folder
    admin = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    AccessObjects(admin, PlaybookAccess(name="nightly", playbooks=("audit",), cni_namespaces=("default",))).absent()
    image = "registry.example.com/ee:1"
    return {"name": "nightly", "namespace": "kube-system", "image": image, "schedule": "15 3 * * *"}


SCENES = {
    name: Scene(name, prepare, ("direct",) if name == "recover_identities" else ())
    for name, prepare in (
        ("audit", _audit),
        ("forecast", _nothing),
        ("simulate_label_filter", _nothing),
        ("audit_kvstore", _etcd),
        ("plan_pod_cidr_relief", _relief),
        ("clean_stale_pods", _stale_pods),
        ("clean_endpoints", _endpoints),
        ("clean_cilium_nodes", _cilium_nodes),
        ("clean_identities", _identities),
        ("undo_deletions", _undo),
        ("restart_cilium", _restart),
        ("tune_cilium", _tune),
        ("maintain_kvstore", _maintained_etcd),
        ("recover_identities", _recover),
        ("retire_nodes", _retire),
        ("remove_unreachable_nodes", _remove),
        ("install_access", _access),
        ("install_schedule", _schedule),
        ("rehearse", _rehearse),
        ("stress_identities", _stress),  # the last one: from then on the operator collects
    )
}


def requests_of(testbed: Testbed, user: str) -> list[dict[str, Any]]:
    """What the API server has recorded of a user."""
    lines = testbed.audit_log.read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["user"]["username"] == user]
