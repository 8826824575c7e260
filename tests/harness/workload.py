"""Workload for repairs: what real clusters have on a Node, with pods on every host to speak to."""

from __future__ import annotations

from typing import Any

from testbed import Testbed

IMAGE = "testbed.local/agnhost:1"
PORT = 8080


def _container() -> dict[str, Any]:
    return {
        "name": "netexec",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": ["netexec", f"--http-port={PORT}"],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
    }


def _daemon_set(name: str, *, host_network: bool) -> dict[str, Any]:
    container = _container()
    if host_network:
        container.pop("readinessProbe")
        container["args"] = ["pause"]
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "hostNetwork": host_network,
                    "tolerations": [{"operator": "Exists"}],
                    "terminationGracePeriodSeconds": 1,
                    "affinity": _only_hosts(),
                    "containers": [container],
                },
            },
        },
    }


def _only_hosts() -> dict[str, Any]:
    """Keep pods off Nodes that have no machine behind them (the one that stands for the control plane)."""
    expression = {"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def deploy(testbed: Testbed, *, replicas: int = 4) -> None:
    """Create a Deployment with a PodDisruptionBudget, a DaemonSet with pod network and one with host network."""
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "terminationGracePeriodSeconds": 1,
                    "affinity": _only_hosts(),
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": {"app": "web"}},
                        }
                    ],
                    "containers": [_container()],
                },
            },
        },
    }
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"minAvailable": replicas - 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    testbed.client.create("/apis/apps/v1/namespaces/default/deployments", deployment)
    testbed.client.create("/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    for name, host_network in (("agent", False), ("hostagent", True)):
        testbed.client.create(
            "/apis/apps/v1/namespaces/kube-system/daemonsets", _daemon_set(name, host_network=host_network)
        )


def pods_on(testbed: Testbed, node: str) -> list[dict[str, Any]]:
    """All pods bound to one Node, terminating ones left out."""
    pods: list[dict[str, Any]] = testbed.client.list("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={node}"})
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether the pod's Ready condition is True."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def workload_ready(testbed: Testbed, replicas: int = 4) -> bool:
    """Whether the Deployment and both DaemonSets are complete."""
    web = testbed.client.get("/apis/apps/v1/namespaces/default/deployments/web").get("status", {})
    if web.get("readyReplicas", 0) != replicas or web.get("replicas", 0) != replicas:
        return False
    for name in ("agent", "hostagent"):
        status = testbed.client.get(f"/apis/apps/v1/namespaces/kube-system/daemonsets/{name}").get("status", {})
        if status.get("numberReady", 0) != len(testbed.hosts):
            return False
    return True


def network_pods(testbed: Testbed, node: str) -> list[dict[str, Any]]:
    """Ready pods of a Node that have an address of the pod network."""
    return [pod for pod in pods_on(testbed, node) if not pod["spec"].get("hostNetwork") and is_ready(pod)]


def answers(testbed: Testbed, from_host: str, address: str) -> bool:
    """Whether a process inside a pod of `from_host` reaches `address`: the way any client in the cluster would."""
    client = network_pods(testbed, from_host)[0]
    name = client["metadata"]["name"]
    script = (
        f"set -e; pod=$(crictl pods --name '^{name}$' --state ready -q | head -n 1); "
        f"container=$(crictl ps --pod $pod -q | head -n 1); "
        f"crictl exec $container /agnhost connect --timeout=3s {address}:{PORT}"
    )
    return int(testbed.hosts[from_host].run(script, check=False).returncode) == 0
