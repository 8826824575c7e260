"""Clusters to rehearse on, small and as large as the largest that we promise, as saved states with budgets and workloads."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

TAKEN = datetime.datetime(2026, 11, 1, 6, tzinfo=datetime.timezone.utc)
TIME = "2026-10-30T06:00:00Z"
CLUSTER_CIDR = "10.32.0.0/11"  # 8,192 blocks
#: Its podCIDR is that of an older cluster; the one of which karpenter would destroy the machine; the one with a lonely pod.
DRIFTED, KARPENTER, BLOCKED = "node-1", "node-2", "node-3"
PODS_OF_A_SET = 20
LEAKED = 3


def uid(kind: int, number: int) -> str:
    """A uid."""
    return f"{kind:08d}-0000-4000-8000-{number:012d}"


def _node(number: int) -> dict[str, Any]:
    name = f"node-{number}"
    cidr = "10.250.7.0/24" if name == DRIFTED else f"10.{32 + number // 256}.{number % 256}.0/24"
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": f"zone-{number % 3}",
    }
    if name == KARPENTER:
        labels["karpenter.sh/nodepool"] = "general"
    said = {"lastTransitionTime": TIME, "reason": "KubeletReady"}
    conditions = [
        {"type": kind, "status": "True" if kind == "Ready" else "False", **said} for kind in ("MemoryPressure", "Ready")
    ]
    address = f"172.{16 + number // 65536}.{number // 256 % 256}.{number % 256}"
    info = {
        **{"kubeletVersion": "v1.36.1", "osImage": "Linux", "containerRuntimeVersion": "containerd://2.1.0"},
        **{"machineID": f"{number:032x}", "bootID": uid(8, number), "systemUUID": uid(9, number)},
        **{"architecture": "amd64", "operatingSystem": "linux", "kernelVersion": "6.1.0", "kubeProxyVersion": ""},
    }
    return {
        "metadata": {
            "name": name,
            "uid": uid(1, number),
            "creationTimestamp": TIME,
            "labels": labels,
            "annotations": {"team": "red"},
        },
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "capacity": {"pods": "110"},
            "allocatable": {"pods": "110"},
            "conditions": conditions,
            "nodeInfo": info,
        },
    }


def _address(number: int, on: int) -> str:
    prefix = "10.250.7" if f"node-{on}" == DRIFTED else f"10.{32 + on // 256}.{on % 256}"
    return f"{prefix}.{number + 2}"


def _pods(nodes: int, per_node: int) -> Iterator[dict[str, Any]]:
    for number in range(nodes * per_node):
        on, app = number % nodes, number // PODS_OF_A_SET
        yield _pod(
            f"app-{app}-6c9d7-{number:05x}",
            f"team-{app % 200}",
            number,
            on,
            _address(number // nodes, on),
            f"app-{app}",
            app,
        )


def _pod(name: str, namespace: str, number: int, on: int, address: str, app: str, owner: int) -> dict[str, Any]:
    owners = [{"kind": "ReplicaSet", "name": f"{app}-6c9d7", "uid": uid(3, owner), "controller": True}]
    return {
        "metadata": {
            **{"name": name, "namespace": namespace, "uid": uid(2, number), "creationTimestamp": TIME},
            "labels": {"app": app, "pod-template-hash": "6c9d7"},
            "ownerReferences": owners,
        },
        "spec": {"nodeName": f"node-{on}", "serviceAccountName": "default", "containers": []},
        "status": {"phase": "Running", "startTime": TIME, "podIPs": [{"ip": address}]},
    }


def _identity(number: int, app: str, namespace: str) -> dict[str, Any]:
    labels = {
        "k8s:app": app,
        "k8s:io.kubernetes.pod.namespace": namespace,
        "k8s:io.cilium.k8s.policy.cluster": "default",
        "k8s:io.cilium.k8s.policy.serviceaccount": "default",
        "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": namespace,
    }
    return {"metadata": {"name": str(256 + number), "creationTimestamp": TIME}, "security-labels": labels}


def _endpoint(pod: dict[str, Any], number: int, identity: int) -> dict[str, Any]:
    metadata = pod["metadata"]
    owner = {"kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    on = int(pod["spec"]["nodeName"].removeprefix("node-"))
    return {
        "metadata": {
            **{"name": metadata["name"], "namespace": metadata["namespace"], "creationTimestamp": TIME},
            "ownerReferences": [owner],
        },
        "status": {
            "id": number % 4096,
            "identity": {"id": identity},
            "state": "ready",
            "networking": {
                "addressing": [{"ipv4": pod["status"]["podIPs"][0]["ip"]}],
                "node": f"172.{16 + on // 65536}.{on // 256 % 256}.{on % 256}",
            },
        },
    }


def _config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "kube-system", "creationTimestamp": TIME}, "data": data}


def _budget(namespace: str, name: str, app: str, minimum: int) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": uid(7, minimum), "creationTimestamp": TIME},
        "spec": {"minAvailable": minimum, "selector": {"matchLabels": {"app": app}}},
    }


def cluster(nodes: int = 8, per_node: int = 5, identities: int = 0, *, cilium: bool = True) -> ClusterState:
    """A cluster with one Node to register anew, one of karpenter, and one whose pod a budget holds.

    ``identities``: so many, of which those behind the last application but ``LEAKED`` are in use by nobody too. Without
    ``cilium`` pods have a network of podCIDRs.
    """
    pods = list(_pods(nodes, per_node))
    alone = _pod("lonely-6c9d7-0", "payments", len(pods), 3, _address(per_node, 3), "lonely", 999_999)
    apps = sorted({int(pod["metadata"]["labels"]["app"].removeprefix("app-")) for pod in pods})
    kubeadm = {
        "ClusterConfiguration": f"networking: {{podSubnet: {CLUSTER_CIDR}, serviceSubnet: 10.96.0.0/16}}\n"
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
    }
    known: dict[str, list[dict[str, Any]]] = {name: [] for name in RESOURCES}
    known["nodes"] = [_node(number) for number in range(nodes)]
    known["pods"] = [*pods, alone]
    known["configmaps"] = [_config_map("kubeadm-config", kubeadm)]
    known["namespaces"] = [
        {
            "metadata": {
                "name": name,
                "uid": uid(6, number),
                "creationTimestamp": TIME,
                "labels": {"kubernetes.io/metadata.name": name},
            }
        }
        for number, name in enumerate(
            ["default", "kube-system", "payments", *sorted({pod["metadata"]["namespace"] for pod in pods})]
        )
    ]
    known["csinodes"] = [
        {
            "metadata": {
                "name": f"node-{one}",
                "uid": uid(5, one),
                "creationTimestamp": TIME,
                "ownerReferences": [{"kind": "Node", "name": f"node-{one}", "uid": uid(1, one)}],
            }
        }
        for one in range(nodes)
    ]
    absent = {name for name, one in RESOURCES.items() if "." in one.group and not one.group.endswith("k8s.io")}
    absent |= {"clustercidrs", "clustercidrs-in-tree", "cninodes"}
    if cilium:
        absent -= {name for name, one in RESOURCES.items() if one.group == "cilium.io"}
        _add_cilium(known, pods, alone, apps, max(identities, len(apps) + 1 + LEAKED))
    budgets = [_budget("payments", "lonely", "lonely", 1), _budget("team-0", "relaxed", "app-0", 2)]
    resources: dict[str, tuple[Any, ...]] = {
        name: tuple(prune(name, one) for one in objects) for name, objects in known.items() if name not in absent
    }
    resources["rehearsal-budgets"] = tuple(budgets)
    return ClusterState(
        taken_at=TAKEN,
        server_version="v1.36.1",
        resources=resources,
        absent=frozenset(absent & set(RESOURCES)),
        origin="a test",
    )


def _add_cilium(
    known: dict[str, list[dict[str, Any]]],
    pods: list[dict[str, Any]],
    alone: dict[str, Any],
    apps: list[int],
    count: int,
) -> None:
    config = {
        **{
            "cluster-name": "default",
            "cluster-id": "0",
            "ipam": "kubernetes",
            "enable-ipv4": "true",
            "enable-ipv6": "false",
        },
        **{"identity-allocation-mode": "crd", "identity-gc-interval": "15m0s", "identity-heartbeat-timeout": "30m0s"},
        "cilium-endpoint-gc-interval": "5m0s",
    }
    known["configmaps"].append(_config_map("cilium-config", config))
    known["daemonsets"] = [_agents_daemon_set(len(known["nodes"]))]
    known["deployments"] = [_operator_deployment()]
    known["pods"] += [_agent(node["metadata"]["name"], number) for number, node in enumerate(known["nodes"])]
    known["pods"].append(_operator_pod())
    made = [_identity(app, f"app-{app}", f"team-{app % 200}") for app in apps]
    made.append(_identity(len(apps), "lonely", "payments"))
    made += [_identity(number, f"gone-{number}", f"team-{number % 7}") for number in range(len(apps) + 1, count)]
    known["ciliumidentities"] = made
    numbers = {f"app-{app}": 256 + app for app in apps} | {"lonely": 256 + len(apps)}
    known["ciliumendpoints"] = [
        _endpoint(pod, number, numbers[pod["metadata"]["labels"]["app"]]) for number, pod in enumerate([*pods, alone])
    ]
    known["ciliumnodes"] = [
        {
            "metadata": {
                **{"name": f"node-{one}", "uid": uid(10, one), "creationTimestamp": TIME},
                "ownerReferences": [{"kind": "Node", "name": f"node-{one}", "uid": uid(1, one)}],
            },
            "spec": {
                "addresses": [{"type": "InternalIP", "ip": node["status"]["addresses"][0]["address"]}],
                "ipam": {"podCIDRs": node["spec"]["podCIDRs"]},
            },
        }
        for one, node in enumerate(known["nodes"])
    ]


def _in_kube_system(name: str, kind: int, number: int) -> dict[str, Any]:
    return {"name": name, "namespace": "kube-system", "uid": uid(kind, number), "creationTimestamp": TIME}


def _agents_daemon_set(nodes: int) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.18.4"}]}}
    numbers = ("desiredNumberScheduled", "numberReady", "updatedNumberScheduled")
    return {
        "metadata": {**_in_kube_system("cilium", 11, 0), "labels": {"k8s-app": "cilium"}, "generation": 1},
        "spec": {"template": template},
        "status": {**dict.fromkeys(numbers, nodes), "observedGeneration": 1},
    }


def _agent(node: str, number: int) -> dict[str, Any]:
    labels = {"k8s-app": "cilium", "controller-revision-hash": "5d6f", "pod-template-generation": "1"}
    owners = [{"kind": "DaemonSet", "name": "cilium", "uid": uid(11, 0), "controller": True}]
    container = {"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.18.4", "command": ["cilium-agent"]}
    return {
        "metadata": {
            **_in_kube_system(f"cilium-{number:05x}", 12, number),
            "labels": labels,
            "ownerReferences": owners,
        },
        "spec": {"nodeName": node, "hostNetwork": True, "serviceAccountName": "cilium", "containers": [container]},
        "status": {"phase": "Running", "startTime": TIME, "podIPs": [{"ip": f"172.16.{number // 256}.{number % 256}"}]},
    }


def _operator_deployment() -> dict[str, Any]:
    template = {
        "spec": {"containers": [{"name": "cilium-operator", "image": "quay.io/cilium/operator-generic:v1.18.4"}]}
    }
    status = {**dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), 1), "observedGeneration": 1}
    labels = {"io.cilium/app": "operator", "name": "cilium-operator"}
    return {
        "metadata": {**_in_kube_system("cilium-operator", 13, 0), "labels": labels, "generation": 1},
        "spec": {"replicas": 1, "template": template},
        "status": status,
    }


def _operator_pod() -> dict[str, Any]:
    labels = {"io.cilium/app": "operator", "name": "cilium-operator", "pod-template-hash": "7c44"}
    owners = [{"kind": "ReplicaSet", "name": "cilium-operator-7c44", "uid": uid(14, 0), "controller": True}]
    container = {
        "name": "cilium-operator",
        "image": "quay.io/cilium/operator-generic:v1.18.4",
        "command": ["cilium-operator-generic"],
    }
    return {
        "metadata": {**_in_kube_system("cilium-operator-7c44-x", 15, 0), "labels": labels, "ownerReferences": owners},
        "spec": {
            "nodeName": "node-0",
            "hostNetwork": True,
            "serviceAccountName": "cilium-operator",
            "containers": [container],
        },
        "status": {"phase": "Running", "startTime": TIME, "podIPs": [{"ip": "172.16.0.0"}]},
    }
