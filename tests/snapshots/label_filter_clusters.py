"""Small clusters for simulated label filters."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import POLICIES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

from .small_cilium import NOW, cilium_config

IMAGE = "quay.io/cilium/cilium:v{}@sha256:0123456789abcdef"
#: Labels of two namespaces.
SPACES = {
    "shop": {"kubernetes.io/metadata.name": "shop", "team": "x"},
    "tools": {"kubernetes.io/metadata.name": "tools", "team": "y"},
}


def labelled(name: str, labels: Mapping[str, str], namespace: str = "shop", owner: Any = None, **spec: Any) -> Any:
    """A pod; `owner` is (kind, name) of its controller."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace, "labels": dict(labels)}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "uid": owner[1], "controller": True}]
    return {"metadata": metadata, "spec": {"serviceAccountName": "default", **spec}, "status": {"phase": "Running"}}


def universe(keys: Sequence[str] = ("a", "b"), values: Sequence[str] = ("x", "y")) -> list[Any]:
    """A pod for each choice of labels in each of the namespaces."""
    made: list[Any] = []
    for space in SPACES:
        for chosen in itertools.product(("", *values), repeat=len(keys)):
            labels = {key: value for key, value in zip(keys, chosen, strict=True) if value}
            made.append(labelled(f"p-{len(made)}", labels, space))
    return made


def network_policy(name: str, selector: Mapping[str, Any], namespace: str = "shop", **spec: Any) -> Any:
    """A NetworkPolicy."""
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"podSelector": dict(selector), **spec}}


def cilium_policy(name: str, namespace: str = "shop", **parts: Any) -> Any:
    """A policy of Cilium; for the whole cluster without a namespace."""
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}, **parts}


def cluster(
    pods: Sequence[Any],
    labels: str = "",
    version: str = "1.18.4",
    unknown: Mapping[str, str] | None = None,
    config: Mapping[str, str] | None = None,
    **resources: Sequence[Any],
) -> Context:
    """A cluster with Cilium, these pods and both namespaces; other resources are empty, those in `unknown` were not read."""
    daemon_set = {
        "metadata": {"name": "cilium", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
        "spec": {"images": [IMAGE.format(version)]},
    }
    held: dict[str, Sequence[Any]] = {
        **dict.fromkeys(("ciliumnodeconfigs", "ciliumidentities", "ciliumendpoints", "deployments", *POLICIES), ()),
        "daemonsets": (daemon_set,),
        "configmaps": (cilium_config(**{"labels": labels, **(config or {})}),),
        "namespaces": [{"metadata": {"name": name, "labels": found}} for name, found in SPACES.items()],
        "pods": pods,
        **resources,
    }
    known = {kind: tuple(objects) for kind, objects in held.items() if kind not in (unknown or {})}
    return Context(ClusterState(taken_at=NOW, resources=known, unknown=dict(unknown or {})))
