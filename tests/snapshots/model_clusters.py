"""States of clusters for each IPAM model: what its CNI leaves in the API, in the smallest form that tells it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options

TAKEN_AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)


def model_context(
    allocator: Mapping[str, Any] | None = None, unknown: Mapping[str, str] | None = None, **resources: Sequence[Any]
) -> Context:
    """A context in which every resource is known; those that are not given are empty. ``_`` stands for ``-``."""
    given = {name.replace("_", "-"): tuple(objects) for name, objects in resources.items()}
    unknown = dict(unknown or {})
    everything = {name: given.get(name, ()) for name in RESOURCES if name not in unknown}
    state = ClusterState(TAKEN_AT, "v1.36.1", everything, unknown)
    return Context(state, AuditSettings(settings_from_options(allocator) if allocator else None))


def node_of(
    name: str,
    *cidrs: str,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    provider_id: str = "",
    max_pods: int = 110,
    **metadata: Any,
) -> Any:
    """A Ready Node."""
    spec: dict[str, Any] = {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {}
    return {
        "metadata": {"name": name, "labels": dict(labels or {}), "annotations": dict(annotations or {}), **metadata},
        "spec": {**spec, **({"providerID": provider_id} if provider_id else {})},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "allocatable": {"pods": str(max_pods)},
            "nodeInfo": {"kubeletVersion": "v1.36.1"},
        },
    }


def agent_pod(daemon_set: str, on: str, phase: str = "Running", waiting: str = "") -> Any:
    """A pod of a DaemonSet of kube-system, on the host's network."""
    owner = {"kind": "DaemonSet", "name": daemon_set, "uid": "u", "controller": True}
    status = {"phase": phase, **({"waiting": waiting} if waiting else {})}
    metadata = {"name": f"{daemon_set}-{on}", "namespace": "kube-system", "ownerReferences": [owner]}
    return {"metadata": metadata, "spec": {"nodeName": on, "hostNetwork": True}, "status": status}


def network_pod(name: str, on: str, *addresses: str) -> Any:
    """A pod on the pod network."""
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": on},
        "status": {"phase": "Running", "podIPs": [{"ip": address} for address in addresses]},
    }


def daemon_set(name: str) -> Any:
    """A DaemonSet of kube-system."""
    return {"metadata": {"name": name, "namespace": "kube-system"}}


def cluster_cidr(name: str, host_bits: int = 8, *terms: Any, **ranges: str) -> Any:
    """A ClusterCIDR; without terms it has no nodeSelector."""
    spec: dict[str, Any] = {"perNodeHostBits": host_bits, **ranges}
    if terms:
        spec["nodeSelector"] = {"nodeSelectorTerms": list(terms)}
    return {"metadata": {"name": name}, "spec": spec}


def term(*expressions: tuple[str, str, Sequence[str]]) -> Any:
    """One term of a nodeSelector from (key, operator, values)."""
    return {"matchExpressions": [{"key": k, "operator": o, "values": list(v)} for k, o, v in expressions]}


def ip_pool(name: str, cidr: str, **spec: Any) -> Any:
    """An IPPool of Calico."""
    return {"metadata": {"name": name}, "spec": {"cidr": cidr, **spec}}


def block_affinity(node: str, cidr: str, **spec: Any) -> Any:
    """A block that a Node has."""
    name = f"{node}-{cidr.replace('.', '-').replace('/', '-').replace(':', '-')}"
    return {"metadata": {"name": name}, "spec": {"node": node, "cidr": cidr, "state": "confirmed", **spec}}
