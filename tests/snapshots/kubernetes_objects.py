"""Events, Leases, log lines and hosts as an audit reads them; times are seconds before `small_clusters` was taken."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

TAKEN_AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)


def ago(seconds: float) -> str:
    """The time so many seconds before the audit, as the API writes it."""
    return (TAKEN_AT - datetime.timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def node_event(reason: str, name: str, seconds_ago: float = 60) -> Any:
    """An event of the allocator about a Node."""
    return {
        "metadata": {"name": f"{name}.{reason}", "namespace": "default"},
        "reason": reason,
        "type": "Normal",
        "message": f"Node {name} status is now: {reason}",
        "lastTimestamp": ago(seconds_ago),
        "count": 1,
        "involvedObject": {"kind": "Node", "name": name, "uid": name},
        "source": {"component": "cidrAllocator"},
    }


def sandbox_event(
    pod: str, node: str, message: str, seconds_ago: float = 60, reason: str = "FailedCreatePodSandBox", uid: str = ""
) -> Any:
    """An event of a kubelet about a pod of the namespace default."""
    return {
        "metadata": {"name": f"{pod}.{reason}", "namespace": "default"},
        "reason": reason,
        "type": "Warning",
        "message": message,
        "lastTimestamp": ago(seconds_ago),
        "count": 7,
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": pod, "uid": uid},
        "source": {"component": "kubelet", "host": node},
    }


def waiting_pod(name: str, node: str, uid: str = "") -> Any:
    """A pod without a sandbox."""
    metadata = {"name": name, "namespace": "default", "creationTimestamp": ago(300), **({"uid": uid} if uid else {})}
    return {
        "metadata": metadata,
        "spec": {"nodeName": node},
        "status": {"phase": "Pending", "waiting": "ContainerCreating"},
    }


def leader_lease(
    name: str = "kube-controller-manager",
    renewed: float = 1,
    acquired: float = 86400,
    created: float = 864000,
    transitions: int = 2,
) -> Any:
    """The Lease of a leader."""
    return {
        "metadata": {"name": name, "namespace": "kube-system", "creationTimestamp": ago(created)},
        "spec": {
            "holderIdentity": "cp1_1",
            "leaseTransitions": transitions,
            "acquireTime": ago(acquired),
            "renewTime": ago(renewed),
            "leaseDurationSeconds": 15,
        },
    }


def owned(name: str, uid: str = "", created: float = 86400, **spec: Any) -> Any:
    """A Lease of a Node or a CSINode whose owner has this uid."""
    metadata: dict[str, Any] = {"name": name, "creationTimestamp": ago(created)}
    if uid:
        metadata["ownerReferences"] = [{"kind": "Node", "name": name, "uid": uid}]
    return {"metadata": metadata, "spec": spec} if spec else {"metadata": metadata}


def log_line(text: str, node: str = "", seconds_ago: float | None = 60, pod: str = "p") -> Any:
    """A line of a log; without a time where `seconds_ago` is None."""
    return {
        "namespace": "kube-system",
        "pod": pod,
        "container": "c",
        "node": node,
        "time": "" if seconds_ago is None else ago(seconds_ago),
        "text": text,
    }


def api_service(name: str, available: str = "False", service: str = "metrics-server") -> Any:
    """An APIService; with no service, the API server itself answers."""
    spec = {"service": {"namespace": "kube-system", "name": service}} if service else {}
    conditions = [{"type": "Available", "status": available, "reason": "MissingEndpoints", "message": "none"}]
    return {"metadata": {"name": name}, "spec": spec, "status": {"conditions": conditions}}


def host(node: str, *subnets: str, bridge: Sequence[str] = (), file: str = "10-net.conflist", error: str = "") -> Any:
    """CNI state of a host with one configuration."""
    config = {"file": file, "plugins": ["bridge"], "subnets": list(subnets), "bridge": "cni0"}
    return {"node": node, "conflists": [config], "bridge_addresses": list(bridge), "error": error}
