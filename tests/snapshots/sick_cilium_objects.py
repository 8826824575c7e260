"""The objects of one small sick cluster with Cilium, whole, as an API server gives them.

What is wrong: a Node outside the cluster CIDR, a Node without podCIDR whose allocator is exhausted, a CiliumNode of a Node
that is gone, one that got no CIDR because the pool is full; an identity that is leaked, one that is marked for deletion,
one of a duplicate pair, one out of range; an endpoint that waits for its identity, one without a pod, a pod without one.
"""

from __future__ import annotations

from typing import Any

TAKEN_AT = "2026-11-01T06:00:00Z"
FRESH = "2026-11-01T06:00:04Z"
OLD = "2026-10-25T08:00:00Z"
VERSION = "v1.34.2"
MANAGED = [
    {
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}}}, "f:spec": {}},
        "manager": "helm",
        "operation": "Update",
        "time": OLD,
    }
]
WORKERS = ("worker-1", "worker-2", "worker-3")
FLAGS = [
    "kube-controller-manager",
    "--allocate-node-cidrs=true",
    "--cluster-cidr=10.244.0.0/23",
    "--node-cidr-mask-size=24",
    "--service-cluster-ip-range=10.96.0.0/16",
]


def uid(kind: int, number: int) -> str:
    """A uid."""
    return f"{kind:08d}-0000-4000-8000-{number:012d}"


def metadata(name: str, namespace: str = "", *, number: int = 0, created: str = OLD, **more: Any) -> dict[str, Any]:
    """Metadata, keys in the order of the alphabet as Kubernetes writes them."""
    found = {
        "creationTimestamp": created,
        "managedFields": MANAGED,
        "name": name,
        "uid": uid(len(name), number),
        **more,
    }
    if namespace:
        found["namespace"] = namespace
    return dict(sorted(found.items()))


def node(number: int, name: str, cidr: str) -> dict[str, Any]:
    """A Node."""
    conditions = [
        {
            "lastHeartbeatTime": "2026-11-01T05:58:10Z",
            "lastTransitionTime": OLD,
            "message": "kubelet is posting ready status" if cidr else "cni plugin not initialized",
            "reason": "KubeletReady" if cidr else "KubeletNotReady",
            "status": "True" if cidr else "False",
            "type": "Ready",
        }
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata(
            name, number=number, labels={"kubernetes.io/hostname": name}, resourceVersion=str(900 + number)
        ),
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {},
        "status": {
            "addresses": [{"address": f"192.0.2.{10 + number}", "type": "InternalIP"}],
            "allocatable": {"cpu": "4", "pods": "110"},
            "capacity": {"cpu": "4", "pods": "110"},
            "conditions": conditions,
            "images": [{"names": ["quay.io/cilium/cilium:v1.18.4"], "sizeBytes": 1}],
            "nodeInfo": {"kubeletVersion": VERSION, "osImage": "Debian GNU/Linux 12"},
        },
    }


def owner(kind: str, name: str, number: int = 0, api_version: str = "apps/v1") -> list[dict[str, Any]]:
    """ownerReferences with one controller."""
    return [
        {
            "apiVersion": api_version,
            "blockOwnerDeletion": True,
            "controller": True,
            "kind": kind,
            "name": name,
            "uid": uid(len(name), number),
        }
    ]


def pod(number: int, name: str, on: str, address: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    """A pod; `more` are owner, labels, command, image, host, waiting."""
    container: dict[str, Any] = {
        "env": [{"name": "PASSWORD", "value": "not-for-a-state"}],
        "image": more.get("image", "registry.example/shop:1"),
        "name": more.get("container", "app"),
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
    }
    if "command" in more:
        container["command"] = more["command"]
    status: dict[str, Any] = {
        "conditions": [{"lastTransitionTime": OLD, "status": "True", "type": "PodScheduled"}],
        "containerStatuses": [
            {
                "name": container["name"],
                "restartCount": more.get("restarts", 0),
                "state": {"waiting": {"reason": more["waiting"]}}
                if "waiting" in more
                else {"running": {"startedAt": OLD}},
            }
        ],
        "phase": "Pending" if "waiting" in more else "Running",
        "startTime": OLD,
    }
    if address:
        status["podIP"] = address
        status["podIPs"] = [{"ip": address}]
    spec: dict[str, Any] = {
        "containers": [dict(sorted(container.items()))],
        "nodeName": on,
        "serviceAccountName": more.get("account", "default"),
        "volumes": [{"name": "token", "projected": {"sources": []}}],
    }
    if more.get("host"):
        spec["hostNetwork"] = True
    labels = more.get("labels", {"app": name.partition("-")[0]})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name, namespace, number=number, labels=labels, ownerReferences=more["owner"]),
        "spec": dict(sorted(spec.items())),
        "status": status,
    }


def identity(number: int, app: str, created: str = OLD, **annotations: str) -> dict[str, Any]:
    """A CiliumIdentity of the namespace shop."""
    labels = {
        "k8s:app": app,
        "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name": "shop",
        "k8s:io.cilium.k8s.policy.cluster": "default",
        "k8s:io.cilium.k8s.policy.serviceaccount": "default",
        "k8s:io.kubernetes.pod.namespace": "shop",
    }
    more = {"annotations": {"io.cilium.heartbeat": annotations["heartbeat"]}} if annotations else {}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumIdentity",
        "metadata": metadata(
            str(number),
            number=number,
            created=created,
            labels={"app": app, "io.kubernetes.pod.namespace": "shop"},
            resourceVersion=str(number),
            **more,
        ),
        "security-labels": labels,
    }


def endpoint(number: int, name: str, on: str, address: str, identity_id: int | None, state: str) -> dict[str, Any]:
    """A CiliumEndpoint of the namespace shop."""
    status: dict[str, Any] = {
        "external-identifiers": {"container-id": "0" * 12, "pod-name": f"shop/{name}"},
        "id": number,
        "networking": {"addressing": [{"ipv4": address}], "node": on},
        "state": state,
    }
    if identity_id is not None:
        status["identity"] = {"id": identity_id, "labels": ["k8s:app=cart", "k8s:io.kubernetes.pod.namespace=shop"]}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEndpoint",
        "metadata": metadata(name, "shop", number=number, ownerReferences=owner("Pod", name, number, "v1")),
        "status": dict(sorted(status.items())),
    }


def cilium_node(number: int, name: str, cidr: str, error: str = "") -> dict[str, Any]:
    """A CiliumNode in the mode cluster-pool."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": metadata(name, number=number, ownerReferences=owner("Node", name, number, "v1")[:1]),
        "spec": {
            "addresses": [{"ip": f"192.0.2.{10 + number}", "type": "InternalIP"}],
            "bootid": uid(9, number),
            "health": {"ipv4": cidr.replace("0/24", "2")} if cidr else {},
            "ipam": {"podCIDRs": [cidr]} if cidr else {},
        },
        "status": {"ipam": {"operator-status": {"error": error} if error else {}}},
    }


def lease(name: str, namespace: str, holder: str, renewed: str = FRESH) -> dict[str, Any]:
    """A Lease."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata(name, namespace),
        "spec": {
            "acquireTime": "2026-10-25T08:00:00.000000Z",
            "holderIdentity": holder,
            "leaseDurationSeconds": 40,
            "leaseTransitions": 2,
            "renewTime": renewed.replace("Z", ".123456Z"),
        },
    }


def event(number: int, kind: str, name: str, reason: str, message: str, **more: Any) -> dict[str, Any]:
    """An Event of the core API."""
    namespace = more.get("namespace", "default")
    return {
        "apiVersion": "v1",
        "count": 3,
        "eventTime": None,
        "firstTimestamp": "2026-11-01T05:10:00Z",
        "involvedObject": {"kind": kind, "name": name, "namespace": namespace, "uid": uid(len(name), number)},
        "kind": "Event",
        "lastTimestamp": "2026-11-01T05:59:00Z",
        "message": message,
        "metadata": metadata(f"{name}.{number:016x}", namespace, number=number),
        "reason": reason,
        "reportingComponent": "",
        "reportingInstance": "",
        "source": more["source"],
        "type": "Warning",
    }
