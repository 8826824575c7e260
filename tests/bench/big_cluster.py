"""A large cluster as JSON text: 5,000 Nodes, 100,000 pods, 65,000 identities, 100,000 endpoints by default.

Objects have the size of real ones (managed fields, statuses, environment), because reading them is what costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_CREATED = "2026-10-01T08:00:00Z"


@dataclass(frozen=True)
class Size:
    """How many of each."""

    nodes: int = 5_000
    pods: int = 100_000
    identities: int = 65_000

    def scaled(self, factor: float) -> Size:
        """The same cluster, larger or smaller."""
        return Size(int(self.nodes * factor), int(self.pods * factor), int(self.identities * factor))


def _managed_fields() -> list[dict[str, Any]]:
    labels = {f"f:label-{number}": {} for number in range(12)}
    return [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": "v1",
            "time": _CREATED,
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": {"f:labels": {".": {}, **labels}}, "f:status": {"f:conditions": labels}},
        }
        for manager in ("kube-controller-manager", "kubelet")
    ]


def _conditions() -> list[dict[str, Any]]:
    return [
        {
            "type": kind,
            "status": "True" if kind == "Ready" else "False",
            "lastHeartbeatTime": _CREATED,
            "lastTransitionTime": _CREATED,
            "reason": f"Kubelet{kind}",
            "message": f"kubelet says something about {kind}",
        }
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    ]


def node(number: int) -> dict[str, Any]:
    """A Node with its /24 of 10.0.0.0/8."""
    cidr = f"10.{number // 256}.{number % 256}.0/24"
    return {
        "metadata": {
            "name": f"worker-{number:05}",
            "uid": f"00000000-0000-4000-8000-{number:012}",
            "resourceVersion": str(1000 + number),
            "creationTimestamp": _CREATED,
            "labels": {f"topology.example/label-{one}": f"value-{one}" for one in range(12)},
            "annotations": {"node.alpha.kubernetes.io/ttl": "0"},
            "managedFields": _managed_fields(),
        },
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {
            "capacity": {"cpu": "16", "memory": "64Gi", "pods": "110"},
            "allocatable": {"cpu": "16", "memory": "62Gi", "pods": "110"},
            "addresses": [
                {"type": "InternalIP", "address": f"172.{16 + number // 65536}.{number // 256 % 256}.{number % 256}"}
            ],
            "conditions": _conditions(),
            "nodeInfo": {"kubeletVersion": "v1.34.2", "bootID": "x", "machineID": "y"},
            "images": [{"names": [f"registry.example/image-{one}:v1"], "sizeBytes": 100} for one in range(30)],
        },
    }


def workload_labels(workload: int) -> dict[str, str]:
    """Labels of the pods of one workload."""
    return {
        "app.kubernetes.io/name": f"service-{workload % 400}",
        "app.kubernetes.io/instance": f"release-{workload}",
        "app.kubernetes.io/part-of": f"system-{workload % 40}",
        "version": f"v{workload % 7}",
        "pod-template-hash": f"{workload:09x}",
    }


def namespace_of(workload: int) -> str:
    """Namespace of a workload."""
    return f"team-{workload % 500:03}"


def pod(number: int, size: Size) -> dict[str, Any]:
    """A pod of one of a thousand workloads, or, from half on, of a Job with a label of its own."""
    workload = number % 1000
    on = number % size.nodes
    labels = workload_labels(workload)
    if number >= size.pods // 2:
        labels["batch.kubernetes.io/job-name"] = f"job-{number}"
    name = f"service-{workload}-{number:06x}"
    environment = [{"name": f"SETTING_{one}", "value": f"value of setting {one}"} for one in range(12)]
    return {
        "metadata": {
            "name": name,
            "namespace": namespace_of(workload),
            "uid": f"10000000-0000-4000-8000-{number:012}",
            "resourceVersion": str(100_000 + number),
            "creationTimestamp": _CREATED,
            "labels": labels,
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": f"service-{workload}",
                    "uid": f"2-{workload}",
                    "controller": True,
                }
            ],
            "managedFields": _managed_fields(),
        },
        "spec": {
            "nodeName": f"worker-{on:05}",
            "serviceAccountName": f"service-{workload % 400}",
            "containers": [
                {"name": "main", "image": "registry.example/image:v1", "env": environment, "resources": {"limits": {}}}
            ],
        },
        "status": {
            "phase": "Running",
            "startTime": _CREATED,
            "podIP": address(number, size),
            "podIPs": [{"ip": address(number, size)}],
            "conditions": _conditions(),
            "containerStatuses": [
                {
                    "name": "main",
                    "image": "i",
                    "imageID": "i",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": _CREATED}},
                }
            ],
        },
    }


def address(number: int, size: Size) -> str:
    """Address of a pod, inside the block of its Node."""
    on = number % size.nodes
    return f"10.{on // 256}.{on % 256}.{2 + number // size.nodes % 250}"


def identity_of(number: int, size: Size) -> int:
    """Which identity an endpoint has."""
    return 256 + number % min(size.identities, 65_280)


def identity(number: int, size: Size) -> dict[str, Any]:
    """An identity with the labels of a pod."""
    workload = number % 1000
    labels = {f"k8s:{key}": value for key, value in workload_labels(workload).items() if key != "pod-template-hash"}
    labels["k8s:batch.kubernetes.io/job-name"] = f"job-{number}"
    labels["k8s:io.kubernetes.pod.namespace"] = namespace_of(workload)
    labels["k8s:io.cilium.k8s.policy.cluster"] = "default"
    labels["k8s:io.cilium.k8s.policy.serviceaccount"] = f"service-{workload % 400}"
    labels["k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name"] = namespace_of(workload)
    return {
        "metadata": {
            "name": str(256 + number),
            "uid": f"30000000-0000-4000-8000-{number:012}",
            "resourceVersion": str(300_000 + number),
            "creationTimestamp": _CREATED,
            "labels": {"io.kubernetes.pod.namespace": namespace_of(workload)},
            "managedFields": _managed_fields()[:1],
        },
        "security-labels": labels,
    }


def endpoint(number: int, size: Size) -> dict[str, Any]:
    """The CiliumEndpoint of a pod."""
    workload = number % 1000
    name = f"service-{workload}-{number:06x}"
    on = number % size.nodes
    labels = [f"k8s:{key}={value}" for key, value in workload_labels(workload).items()]
    return {
        "metadata": {
            "name": name,
            "namespace": namespace_of(workload),
            "uid": f"40000000-0000-4000-8000-{number:012}",
            "creationTimestamp": _CREATED,
            "ownerReferences": [{"kind": "Pod", "name": name, "uid": f"10000000-0000-4000-8000-{number:012}"}],
            "managedFields": _managed_fields()[:1],
        },
        "status": {
            "id": number % 4096,
            "identity": {"id": identity_of(number, size), "labels": labels},
            "state": "ready",
            "external-identifiers": {"container-id": f"{number:064x}", "pod-name": f"team/{name}"},
            "networking": {
                "addressing": [{"ipv4": address(number, size)}],
                "node": f"172.{16 + on // 65536}.{on // 256 % 256}.{on % 256}",
            },
            "policy": {"egress": {"enforcing": False, "state": "<status disabled>"}, "ingress": {"enforcing": True}},
        },
    }


def cilium_node(number: int) -> dict[str, Any]:
    """The CiliumNode of a Node, in the mode kubernetes."""
    cidr = f"10.{number // 256}.{number % 256}.0/24"
    name = f"worker-{number:05}"
    return {
        "metadata": {
            "name": name,
            "uid": f"50000000-0000-4000-8000-{number:012}",
            "creationTimestamp": _CREATED,
            "ownerReferences": [{"kind": "Node", "name": name, "uid": f"00000000-0000-4000-8000-{number:012}"}],
        },
        "spec": {
            "addresses": [{"type": "CiliumInternalIP", "ip": cidr.replace(".0/24", ".254")}],
            "ipam": {"podCIDRs": [cidr]},
        },
        "status": {"ipam": {"operator-status": {}}},
    }


def collections(size: Size) -> dict[str, tuple[str, int, Callable[[int], dict[str, Any]]]]:
    """{path of a list: kind, number of objects, the object of a number}."""
    cilium = "/apis/cilium.io/v2"
    return {
        "/api/v1/nodes": ("Node", size.nodes, node),
        "/api/v1/pods": ("Pod", size.pods, lambda number: pod(number, size)),
        "/api/v1/namespaces": ("Namespace", 500, _namespace),
        "/apis/apps/v1/daemonsets": ("DaemonSet", 1, _daemon_set),
        f"{cilium}/ciliumidentities": ("CiliumIdentity", size.identities, lambda number: identity(number, size)),
        f"{cilium}/ciliumendpoints": ("CiliumEndpoint", size.pods, lambda number: endpoint(number, size)),
        f"{cilium}/ciliumnodes": ("CiliumNode", size.nodes, cilium_node),
    }


def _namespace(number: int) -> dict[str, Any]:
    name = f"team-{number:03}"
    return {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}


def _daemon_set(_number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": "cilium", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
        "spec": {"template": {"spec": {"containers": [{"image": "quay.io/cilium/cilium:v1.18.4"}]}}},
        "status": {"desiredNumberScheduled": 5000, "numberReady": 5000},
    }


CONFIG = {
    "ipam": "kubernetes",
    "enable-ipv4": "true",
    "enable-ipv6": "false",
    "identity-allocation-mode": "crd",
    "cluster-name": "default",
    "cluster-id": "0",
}


def page(path: str, start: int, limit: int, size: Size) -> bytes:
    """One page of a list as the API server writes it."""
    kind, count, make = collections(size)[path]
    end = min(count, start + limit)
    metadata = {"resourceVersion": "1", **({"continue": str(end)} if end < count else {})}
    document = {
        "kind": f"{kind}List",
        "apiVersion": "v1",
        "metadata": metadata,
        "items": [make(number) for number in range(start, end)],
    }
    return json.dumps(document, separators=(",", ":")).encode()
