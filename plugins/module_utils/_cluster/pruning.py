# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keeps of each object only what checks need: a saved state is small and holds no secrets."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

Object = dict[str, t.Any]
_CONTROLLER_MANAGER = "kube-controller-manager"


def _pick(source: Mapping[str, t.Any] | None, *keys: str) -> Object:
    return {key: source[key] for key in keys if key in source} if source else {}


def _metadata(obj: Mapping[str, t.Any], *more: str) -> Object:
    return _pick(obj.get("metadata"), "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", *more)


def _node(obj: Mapping[str, t.Any]) -> Object:
    status = _pick(obj.get("status"), "addresses", "conditions", "nodeInfo")
    capacity = (obj.get("status") or {}).get("capacity") or {}
    status["capacity"] = _pick(capacity, "pods")
    return {
        "metadata": _metadata(obj, "resourceVersion", "labels", "annotations", "finalizers"),
        "spec": _pick(obj.get("spec"), "podCIDR", "podCIDRs", "unschedulable", "taints", "providerID"),
        "status": status,
    }


def is_controller_manager(pod: Mapping[str, t.Any]) -> bool:
    """Whether this is a pod of kube-controller-manager: kubeadm and RKE2 label it by component, kOps by k8s-app."""
    metadata = pod.get("metadata") or {}
    if metadata.get("namespace") != "kube-system":
        return False
    labels = metadata.get("labels") or {}
    return _CONTROLLER_MANAGER in (labels.get("component"), labels.get("k8s-app"))


def _pod(obj: Mapping[str, t.Any]) -> Object:
    """Pods are many: names, node, addresses. Only the controller-manager's keep labels and command line."""
    kept: Object = {
        "metadata": _metadata(obj),
        "spec": _pick(obj.get("spec"), "nodeName", "hostNetwork"),
        "status": _pick(obj.get("status"), "phase", "podIPs"),
    }
    if is_controller_manager(obj):
        kept["metadata"]["labels"] = _pick(obj["metadata"].get("labels"), "component", "k8s-app")
        containers = (obj.get("spec") or {}).get("containers") or ()
        kept["spec"]["containers"] = [_pick(container, "name", "command", "args") for container in containers]
    return kept


def _config_map(obj: Mapping[str, t.Any]) -> Object:
    return {"metadata": _metadata(obj), "data": dict(obj.get("data") or {})}


def _lease(obj: Mapping[str, t.Any]) -> Object:
    keys = ("holderIdentity", "leaseTransitions", "renewTime", "leaseDurationSeconds")
    return {"metadata": _metadata(obj), "spec": _pick(obj.get("spec"), *keys)}


def _name_only(obj: Mapping[str, t.Any]) -> Object:
    return {"metadata": _metadata(obj)}


PRUNERS: Mapping[str, Callable[[Mapping[str, t.Any]], Object]] = {
    "nodes": _node,
    "pods": _pod,
    "configmaps": _config_map,
    "leases": _lease,
    "daemonsets": _name_only,
}


def prune(resource: str, obj: Mapping[str, t.Any]) -> Object:
    """The part of ``obj`` that is kept in a ClusterState."""
    return PRUNERS[resource](obj)
