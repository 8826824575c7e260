"""One cluster for each finding about the configuration of Cilium: arguments of `small_clusters.audited`, by finding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .small_clusters import node

OLD, CHANGED, NEW = "2026-10-01T00:00:00Z", "2026-10-15T12:00:00Z", "2026-10-20T00:00:00Z"
IMAGE = "quay.io/cilium/cilium:v{}@sha256:0123456789abcdef"
# a version without any known bug under the default configuration
CLEAN = "1.20.0"


def config_map(data: Mapping[str, str] | None = None, changed: str = "", by: str = "helm") -> Any:
    """The ConfigMap cilium-config; `changed` is when its manager `by` changed it last."""
    metadata: dict[str, Any] = {"name": "cilium-config", "namespace": "kube-system", "creationTimestamp": OLD}
    if changed:
        metadata["managedFields"] = [
            {"manager": "helm", "operation": "Update", "time": OLD},
            {"manager": by, "operation": "Update", "time": changed},
        ]
    return {"metadata": metadata, "data": {"ipam": "kubernetes", "enable-ipv4": "true", **(data or {})}}


def agents(version: str = CLEAN) -> Any:
    """The DaemonSet of the agents."""
    return {
        "metadata": {"name": "cilium", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
        "spec": {"images": [IMAGE.format(version)]},
        "status": {},
    }


def agent(on: str, version: str = CLEAN, created: str = NEW) -> Any:
    """The pod of an agent."""
    container = {"name": "cilium-agent", "image": IMAGE.format(version)}
    return {
        "metadata": {
            "name": f"cilium-{on}",
            "namespace": "kube-system",
            "creationTimestamp": created,
            "labels": {"k8s-app": "cilium"},
        },
        "spec": {"nodeName": on, "hostNetwork": True, "containers": [container]},
        "status": {"phase": "Running"},
    }


def operator(version: str = CLEAN, created: str = NEW, restarts: int = 0, **labels: str) -> Any:
    """A pod of the operator."""
    container = {"name": "cilium-operator", "image": f"quay.io/cilium/operator-generic:v{version}"}
    return {
        "metadata": {
            "name": "cilium-operator-1",
            "namespace": "kube-system",
            "creationTimestamp": created,
            "labels": labels or {"io.cilium/app": "operator", "name": "cilium-operator"},
        },
        "spec": {"nodeName": "a", "hostNetwork": True, "containers": [container]},
        "status": {"phase": "Running", "restarts": restarts},
    }


def node_config(name: str, defaults: Mapping[str, str], selector: Mapping[str, Any] | None = None, **more: str) -> Any:
    """A CiliumNodeConfig; without `selector` it selects every Node."""
    return {
        "metadata": {"name": name, "namespace": "kube-system", **more},
        "spec": {"nodeSelector": dict(selector or {}), "defaults": dict(defaults)},
    }


def cluster(data: Mapping[str, str] | None = None, version: str = CLEAN, **more: Any) -> dict[str, Any]:
    """A cluster with Cilium; `data` are keys of cilium-config."""
    return {
        "allocator": None,
        "nodes": [node(name, f"10.0.{at}.0/24", labels={"zone": name}) for at, name in enumerate("ab")],
        "configmaps": [config_map(data)],
        "daemonsets": [agents(version)],
        **more,
    }


PROVOKED: dict[str, dict[str, Any]] = {
    "cilium-config-value-invalid": cluster({"identity-gc-interval": "600"}),
    "cilium-config-duration-without-unit": cluster({"nodes-gc-interval": "300"}, "1.18.11"),
    "cilium-config-value-harmful": cluster({"identity-gc-interval": "0s"}),
    "cilium-config-key-invented": cluster({"enable-identity-cache": "true"}),
    "cilium-config-key-unknown": cluster({"identity-gc-intervall": "15m"}),
    "cilium-label-filter-invalid": cluster({"labels": "k8s:(?=a)"}),
    "cilium-label-filter-negation-misplaced": cluster({"labels": "!k8s:job-name"}),
    "cilium-label-filter-separator": cluster({"labels": "k8s:!job-name,k8s:!helm"}),
    "cilium-label-filter-source": cluster({"labels": "any:app"}),
    "cilium-label-filter-allow-list": cluster({"labels": "k8s:app$"}),
    "cilium-label-filter-without-effect": cluster({"labels": r"k8s:!io\.cilium\.k8s\.policy\.serv"}),
    "policy-selects-ignored-label": cluster(
        networkpolicies=[
            {
                "metadata": {"name": "only-first", "namespace": "shop"},
                "spec": {"podSelector": {"matchLabels": {"statefulset.kubernetes.io/pod-name": "db-0"}}},
            }
        ]
    ),
    "cilium-label-filter-loose": cluster({"labels": "k8s:!helm.sh"}),
    "cilium-label-filter-file": cluster({"label-prefix-file": "/etc/labels.json"}),
    "cilium-node-config-override": cluster(ciliumnodeconfigs=[node_config("one", {"labels": "k8s:!x"})]),
    "cilium-node-config-conflict": cluster(
        ciliumnodeconfigs=[
            node_config("one", {"debug": "true"}),
            node_config("two", {"debug": "false"}, {"matchLabels": {"zone": "b"}}),
        ]
    ),
    "cilium-config-newer-than-agents": cluster(
        configmaps=[config_map(changed=CHANGED)], pods=[agent("a", created=OLD), agent("b")]
    ),
    "cilium-config-newer-than-operator": cluster(
        configmaps=[config_map(changed=CHANGED)], pods=[operator(created=OLD)]
    ),
    "cilium-agent-versions-mixed": cluster(pods=[agent("a"), agent("b", "1.19.6")]),
    "cilium-operator-version-differs": cluster(pods=[agent("a"), agent("b"), operator("1.19.6")]),
    "cilium-known-bug": cluster({"ipam": "multi-pool"}, "1.18.11"),
    "cilium-possible-bugs": cluster(),
}
