"""Small states of clusters, built from what matters to a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import FORMAT, ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options

ALLOCATOR = {"cluster_cidrs": ["10.0.0.0/16"], "service_ranges": ["10.96.0.0/16"]}


def node(name: str, *cidrs: str, created: str = "2026-03-02T08:00:00Z", address: str = "", **metadata: Any) -> Any:
    """A Ready Node with these podCIDRs."""
    return {
        "metadata": {"name": name, "creationTimestamp": created, **metadata},
        "spec": {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": address}] if address else [],
        },
    }


def pod(name: str, on: str, *addresses: str, phase: str = "Running", **more: Any) -> Any:
    """A pod of the namespace default with these addresses; `more` is spec, but for metadata and created."""
    metadata = {"name": name, "namespace": "default", **more.pop("metadata", {})}
    if "created" in more:
        metadata["creationTimestamp"] = more.pop("created")
    return {
        "metadata": metadata,
        "spec": {"nodeName": on, **more},
        "status": {"phase": phase, "podIPs": [{"ip": address} for address in addresses]},
    }


def controller_manager(on: str, *flags: str, phase: str = "Running", **labels: str) -> Any:
    """A static pod of kube-controller-manager."""
    name = f"kube-controller-manager-{on}"
    return {
        "metadata": {
            "name": name,
            "namespace": "kube-system",
            "labels": labels or {"component": "kube-controller-manager"},
        },
        "spec": {
            "nodeName": on,
            "hostNetwork": True,
            "containers": [{"name": "kube-controller-manager", "command": ["kube-controller-manager", *flags]}],
        },
        "status": {"phase": phase},
    }


def config_map(name: str, **data: str) -> Any:
    """A ConfigMap of kube-system."""
    return {"metadata": {"name": name, "namespace": "kube-system"}, "data": data}


def lease(holder: str) -> Any:
    """The Lease of kube-controller-manager."""
    return {
        "metadata": {"name": "kube-controller-manager", "namespace": "kube-system"},
        "spec": {"holderIdentity": holder, "leaseTransitions": 1},
    }


def daemon_set(name: str) -> Any:
    """A DaemonSet."""
    return {"metadata": {"name": name, "namespace": "kube-system"}}


def content(unknown: Mapping[str, str] | None = None, **resources: Sequence[Any]) -> dict[str, Any]:
    """The JSON form of a state; resources that are not named are empty, those in `unknown` are absent."""
    unknown = dict(unknown or {})
    return {
        "format": FORMAT,
        "taken_at": "2026-11-01T00:00:00+00:00",
        "server_version": "v1.36.1",
        "resources": {
            name: list(resources.get(name, ())) for name in {**RESOURCES, **resources} if name not in unknown
        },
        "unknown": unknown,
    }


def state(unknown: Mapping[str, str] | None = None, **resources: Sequence[Any]) -> ClusterState:
    """The state of these resources."""
    return ClusterState.from_json(content(unknown, **resources))


def context(allocator: Mapping[str, Any] | None = ALLOCATOR, headroom_factor: float = 2.0, **more: Any) -> Context:
    """A context for checks; `allocator` is what the user states."""
    stated = settings_from_options(allocator) if allocator else None
    return Context(state(**more), AuditSettings(stated, headroom_factor))


def audited(**more: Any) -> dict[str, Any]:
    """The whole audit of a context."""
    return document(context(**more))


def found(result: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(id, subject) of all findings that are no information only."""
    return {(one["id"], one["subject"]["name"]) for one in result["findings"] if one["severity"] != "info"}


def finding(result: Mapping[str, Any], identifier: str) -> Any:
    """The only finding with this id."""
    (only,) = [one for one in result["findings"] if one["id"] == identifier]
    return only
