"""Small states of clusters with Cilium, built from what matters to a test."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
OLD = "2026-10-31T00:00:00Z"
YOUNG = "2026-10-31T23:59:50Z"
POOL = {"cluster-pool-ipv4-cidr": "10.0.0.0/22", "cluster-pool-ipv4-mask-size": "24"}
_KINDS = ("nodes", "pods", "daemonsets", "deployments", "configmaps", "ciliumnodes", "ciliumendpoints")
_MORE_KINDS = ("ciliumendpointslices", "ciliumpodippools", "leases", "agents")


def cilium_config(**keys: str) -> Any:
    """The ConfigMap cilium-config; `_` in a key stands for `-`."""
    data = {"ipam": "cluster-pool", "enable-ipv4": "true", "enable-ipv6": "false", **POOL}
    data.update({key.replace("_", "-"): value for key, value in keys.items()})
    return {"metadata": {"name": "cilium-config", "namespace": "kube-system"}, "data": data}


def cilium_node(name: str, *cidrs: str, error: str = "", owner: str | None = None, **more: Any) -> Any:
    """A CiliumNode with these podCIDRs; `owner` is the uid of its Node, `more` is spec but for metadata."""
    metadata = {"name": name, "creationTimestamp": OLD, **more.pop("metadata", {})}
    if owner is not None:
        metadata["ownerReferences"] = [{"kind": "Node", "name": name, "uid": owner}]
    ipam = more.pop("ipam", {"podCIDRs": list(cidrs)} if cidrs else {})
    status = {"ipam": {"operator-status": {"error": error} if error else {}, **more.pop("status", {})}}
    return {"metadata": metadata, "spec": {"ipam": ipam, **more}, "status": status}


def machine(name: str, address: str = "", *, uid: str | None = None, pods: str | None = None, cidrs: Any = ()) -> Any:
    """A Node."""
    spec = {"podCIDR": cidrs[0], "podCIDRs": list(cidrs)} if cidrs else {}
    return {
        "metadata": {"name": name, "creationTimestamp": OLD, **({"uid": uid} if uid else {})},
        "spec": spec,
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}] if address else [],
            "allocatable": {"pods": pods} if pods else {},
        },
    }


def running(name: str, on: str, *addresses: str, created: str = OLD, phase: str = "Running", **more: Any) -> Any:
    """A pod of the namespace shop; `more` is metadata."""
    return {
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": created, **more},
        "spec": {"nodeName": on},
        "status": {"phase": phase, "startTime": created, "podIPs": [{"ip": one} for one in addresses]},
    }


def agent(on: str, phase: str = "Running", created: str = OLD) -> Any:
    """The pod of an agent."""
    return {
        "metadata": {
            "name": f"cilium-{on}",
            "namespace": "kube-system",
            "creationTimestamp": created,
            "labels": {"k8s-app": "cilium"},
        },
        "spec": {"nodeName": on, "hostNetwork": True},
        "status": {"phase": phase, "startTime": created},
    }


def endpoint(name: str, node: str = "", *addresses: str, state: str = "ready", **more: Any) -> Any:
    """A CiliumEndpoint of the namespace shop; `node` is the address of its Node.

    `identity`, `owner` (uid of its pod), `created`; what else there is, is metadata.
    """
    status: dict[str, Any] = {"state": state, "identity": {"id": more.pop("identity", 1000)}}
    pairs = [{"ipv6" if ":" in one else "ipv4": one} for one in addresses]
    status["networking"] = {"addressing": pairs, **({"node": node} if node else {})}
    owner = more.pop("owner", None)
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": more.pop("created", OLD), **more}
    if owner is not None:
        metadata["ownerReferences"] = [{"kind": "Pod", "name": name, "uid": owner}]
    return {"metadata": metadata, "status": status}


def cilium_context(
    config: Mapping[str, str] | None = None,
    unknown: Mapping[str, str] | None = None,
    headroom_factor: float = 0.0,
    **resources: Sequence[Any],
) -> Context:
    """A cluster with Cilium, `config` being keys of cilium-config; resources that are not named are empty."""
    held: dict[str, tuple[Any, ...]] = dict.fromkeys((*_KINDS, *_MORE_KINDS), ())
    held["configmaps"] = (cilium_config(**(config or {})),)
    held["daemonsets"] = (
        {"metadata": {"name": "cilium", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}}},
    )
    held.update({kind: tuple(objects) for kind, objects in resources.items()})
    for kind in unknown or {}:
        held.pop(kind, None)
    state = ClusterState(taken_at=NOW, resources=held, unknown=dict(unknown or {}))
    return Context(state, AuditSettings(headroom_factor=headroom_factor))
