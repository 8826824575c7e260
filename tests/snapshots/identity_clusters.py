"""Small states of clusters with Cilium, built from what matters to a test of identities."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

TAKEN_AT = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
PREFIX = "k8s:io.cilium.k8s."


def ago(minutes: float) -> str:
    """A time so many minutes before the state was read."""
    return (TAKEN_AT - datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def security_labels(namespace: str = "default", account: str = "default", **labels: str) -> dict[str, str]:
    """The labels that make the identity of a pod of this namespace."""
    return {
        **{f"k8s:{key.replace('_', '-')}": value for key, value in labels.items()},
        PREFIX + "namespace.labels.kubernetes.io/metadata.name": namespace,
        PREFIX + "policy.cluster": "default",
        PREFIX + "policy.serviceaccount": account,
        "k8s:io.kubernetes.pod.namespace": namespace,
    }


def identity(
    number: int | str, age: float = 600, mark: float | None = None, labels: Mapping[str, str] | None = None, **pod: str
) -> Any:
    """A CiliumIdentity of this age, marked for so long (minutes); its labels are given, or those of a pod."""
    metadata: dict[str, Any] = {"name": str(number), "uid": f"uid-{number}", "creationTimestamp": ago(age)}
    if mark is not None:
        metadata["annotations"] = {"io.cilium.heartbeat": ago(mark)}
    made = security_labels(**{"app": f"app-{number}", **pod}) if labels is None else dict(labels)
    return {"metadata": metadata, "security-labels": made}


def endpoint(name: str, number: int | None, namespace: str = "default", age: float = 600) -> Any:
    """The CiliumEndpoint of a pod."""
    status: dict[str, Any] = {"id": 7, "state": "ready", "networking": {"node": "10.9.0.1", "addressing": []}}
    if number is not None:
        status["identity"] = {"id": number}
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": ago(age)},
        "status": status,
    }


def endpoint_slice(*numbers: int, namespace: str = "default") -> Any:
    """A CiliumEndpointSlice with endpoints of these identities."""
    endpoints = [{"name": f"of-slice-{number}", "id": number, "networking": {}} for number in numbers]
    return {"metadata": {"name": "ces-1"}, "namespace": namespace, "endpoints": endpoints}


def labelled_pod(name: str, namespace: str = "default", phase: str = "Pending", **more: Any) -> Any:
    """A pod with labels; `more` is labels, but for spec, owner and age."""
    spec = {"serviceAccountName": "default", **more.pop("spec", {})}
    owner = more.pop("owner", None)
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": ago(more.pop("age", 5)), "labels": more}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "name": "x", "uid": "u", "controller": True}]
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase}}


def cilium(version: str = "1.18.4", ready: int = 1, renewed: float = 0, acquired: float = 6000, **config: str) -> Any:
    """Resources of an installation whose collection works; `config` are keys of cilium-config with underscores."""
    data = {key.replace("_", "-"): value for key, value in {"ipam": "cluster-pool", **config}.items()}
    return {
        "daemonsets": [
            {
                "metadata": {"name": "cilium", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
                "spec": {"images": [f"quay.io/cilium/cilium:v{version}"]},
            }
        ],
        "configmaps": [{"metadata": {"name": "cilium-config", "namespace": "kube-system"}, "data": data}],
        "deployments": [
            {
                "metadata": {"name": "cilium-operator", "namespace": "kube-system"},
                "spec": {"replicas": 1, "images": [f"quay.io/cilium/operator-generic:v{version}"]},
                "status": {"readyReplicas": ready},
            }
        ],
        "leases": [
            {
                "metadata": {"name": "cilium-operator-resource-lock", "namespace": "kube-system"},
                "spec": {"holderIdentity": "op", "renewTime": ago(renewed), "acquireTime": ago(acquired)},
            }
        ],
        "clusterroles": [
            {
                "metadata": {"name": "cilium-operator"},
                "rules": [
                    {
                        "apiGroups": ["cilium.io"],
                        "resources": ["ciliumidentities"],
                        "verbs": ["update", "delete", "create"],
                    }
                ],
            }
        ],
        "namespaces": [
            {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}
            for name in ("default", "shop")
        ],
    }
