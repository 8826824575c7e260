# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What is kept of a pod. Pods are many: only those of the control plane and of Cilium keep their command line."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import (
    Object,
    labels_of,
    owners_of,
    pick,
    shared,
    shared_owner,
)

_CONTROLLER_MANAGER = "kube-controller-manager"


def is_controller_manager(pod: Mapping[str, t.Any]) -> bool:
    """Whether this is a pod of kube-controller-manager: kubeadm and RKE2 label it by component, kOps by k8s-app."""
    metadata = pod.get("metadata") or {}
    if metadata.get("namespace") != "kube-system":
        return False
    labels = metadata.get("labels") or {}
    return _CONTROLLER_MANAGER in (labels.get("component"), labels.get("k8s-app"))


def _is_of_cilium(metadata: Mapping[str, t.Any]) -> bool:
    labels = metadata.get("labels") or {}
    return labels.get("k8s-app") == "cilium" or labels.get("io.cilium/app") == "operator"


def prune_pod(obj: Mapping[str, t.Any]) -> Object:
    """Pods are many. Only the controller-manager's and Cilium's keep their command line and restarts."""
    metadata, spec, status = obj.get("metadata") or {}, obj.get("spec") or {}, obj.get("status") or {}
    kept: Object = {
        "metadata": _pod_metadata(metadata),
        "spec": _pod_spec(spec),
        "status": _pod_status(status),
    }
    if is_controller_manager(obj) or _is_of_cilium(metadata):
        containers = spec.get("containers") or ()
        kept["spec"]["containers"] = [pick(one, "name", "command", "args", "image") for one in containers]
        kept["status"]["restarts"] = sum(
            int(one.get("restartCount") or 0) for one in status.get("containerStatuses") or ()
        )
    return kept


def _pod_metadata(metadata: Mapping[str, t.Any]) -> Object:
    kept: Object = {"name": metadata.get("name"), "namespace": shared(metadata.get("namespace"))}
    for key in ("uid", "creationTimestamp", "deletionTimestamp"):
        if metadata.get(key) is not None:
            kept[key] = metadata[key]
    if metadata.get("labels"):
        kept["labels"] = labels_of(metadata)
    owners = metadata.get("ownerReferences")
    if owners:
        controller = next((one for one in owners if one.get("controller")), None)
        if controller is not None and len(owners) == 1:
            kept["ownerReferences"] = shared_owner(
                str(controller.get("kind")), str(controller.get("name")), str(controller.get("uid"))
            )
        else:
            kept["ownerReferences"] = owners_of(metadata)
    return kept


def _pod_spec(spec: Mapping[str, t.Any]) -> Object:
    kept: Object = {}
    for key in ("nodeName", "serviceAccountName"):
        if spec.get(key) is not None:
            kept[key] = shared(spec[key])
    if spec.get("hostNetwork"):
        kept["hostNetwork"] = spec["hostNetwork"]
    if "namedPorts" in spec:  # pruned before
        named = spec["namedPorts"]
    else:
        ports = (port for one in spec.get("containers") or () for port in one.get("ports") or ())
        named = [
            [port["name"], port.get("protocol") or "TCP", port.get("containerPort")]
            for port in ports
            if port.get("name")
        ]
    if named:
        kept["namedPorts"] = named
    return kept


def _pod_status(status: Mapping[str, t.Any]) -> Object:
    kept: Object = {}
    for key in ("phase", "reason"):
        if status.get(key) is not None:
            kept[key] = shared(status[key])
    addresses = status.get("podIPs") or ([{"ip": status["podIP"]}] if status.get("podIP") else None)
    if addresses is not None:
        kept["podIPs"] = addresses
    if status.get("startTime") is not None:
        kept["startTime"] = status["startTime"]
    waiting = status.get("waiting") or _waiting(status)
    if waiting:
        kept["waiting"] = shared(waiting)
    if "restarts" in status:
        kept["restarts"] = status["restarts"]
    return kept


def _waiting(status: Mapping[str, t.Any]) -> str:
    for one in status.get("containerStatuses") or ():
        reason = ((one.get("state") or {}).get("waiting") or {}).get("reason")
        if reason:
            return str(reason)
    return ""
