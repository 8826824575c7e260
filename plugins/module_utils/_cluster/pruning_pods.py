# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What is kept of a pod. Pods are many: only those of the control plane and of Cilium keep their command line."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import (
    KeyTable,
    Object,
    compact,
    labels_of,
    metadata_of,
    owners_of,
    pick,
    shared,
    shared_owner,
)

_CONTROLLER_MANAGER = "kube-controller-manager"


_METADATA = ("name", "namespace", "uid", "creationTimestamp", "labels", "ownerReferences")


class PodKeys(KeyTable, keys=("metadata", "spec", "status")):
    """Of a pod."""


class PodMetadataKeys(KeyTable, keys=_METADATA):
    """Of its metadata."""


class PodSpecKeys(KeyTable, keys=("nodeName", "serviceAccountName")):
    """Of its spec."""


class PodStatusKeys(KeyTable, keys=("phase", "startTime", "podIPs")):
    """Of its status."""


class PodIpKeys(KeyTable, keys=("ip",)):
    """Of one of its addresses."""


def is_controller_manager(pod: Mapping[str, t.Any]) -> bool:
    """Whether this is a pod of kube-controller-manager: kubeadm and RKE2 label it by component, kOps by k8s-app."""
    metadata = pod.get("metadata") or {}
    if metadata.get("namespace") != "kube-system":
        return False
    labels = metadata.get("labels") or {}
    return _CONTROLLER_MANAGER in (labels.get("component"), labels.get("k8s-app"))


def is_agent(pod: Mapping[str, t.Any]) -> bool:
    """Whether this is a pod of Cilium's agent."""
    return ((pod.get("metadata") or {}).get("labels") or {}).get("k8s-app") == "cilium"


def _is_operator(metadata: Mapping[str, t.Any]) -> bool:
    return (metadata.get("labels") or {}).get("io.cilium/app") == "operator"


def keeps_command_line(pod: Mapping[str, t.Any]) -> bool:
    """Whether of this pod containers are kept: one of the control plane or of Cilium."""
    return is_controller_manager(pod) or is_agent(pod) or _is_operator(pod.get("metadata") or {})


def prune_pod(obj: Mapping[str, t.Any]) -> Object:
    """Names, owner, labels, Node, addresses and phase; named ports and the reason for which a container waits."""
    metadata, spec, status = obj.get("metadata") or {}, obj.get("spec") or {}, obj.get("status") or {}
    containers: Sequence[Mapping[str, t.Any]] = spec.get("containers") or ()
    kept_spec, kept_status = _spec(spec, containers), _status(status)
    if keeps_command_line(obj):
        kept_spec["containers"] = [pick(one, "name", "command", "args", "image") for one in containers]
        if "containerStatuses" in status:
            counts = [int(one.get("restartCount") or 0) for one in status["containerStatuses"] or ()]
            kept_status["restarts"] = sum(counts)
    kept = PodKeys().__dict__
    kept["metadata"] = _metadata(obj, metadata)
    kept["spec"] = kept_spec
    kept["status"] = kept_status
    return kept


def _metadata(obj: Mapping[str, t.Any], metadata: Mapping[str, t.Any]) -> Object:
    kept = metadata_of(obj, kind=PodMetadataKeys)
    if metadata.get("labels"):
        kept["labels"] = labels_of(metadata)
    owners = metadata.get("ownerReferences")
    if owners:
        one = owners[0]
        if len(owners) == 1 and one.get("controller") is True:
            kept["ownerReferences"] = shared_owner(str(one.get("kind")), str(one.get("name")), str(one.get("uid")))
        else:
            kept["ownerReferences"] = owners_of(metadata)
    return kept


def _spec(spec: Mapping[str, t.Any], containers: Sequence[Mapping[str, t.Any]]) -> Object:
    kept = PodSpecKeys().__dict__
    for key in ("nodeName", "serviceAccountName"):
        value = spec.get(key)
        if value is not None:
            kept[key] = shared(value)
    if spec.get("hostNetwork"):
        kept["hostNetwork"] = spec["hostNetwork"]
    named = spec.get("namedPorts")  # of a pod that was pruned before
    if named is None:
        named = [
            [port["name"], port.get("protocol") or "TCP", port.get("containerPort")]
            for one in containers
            for port in one.get("ports") or ()
            if port.get("name")
        ]
    if named:
        kept["namedPorts"] = named
    return kept


def _status(status: Mapping[str, t.Any]) -> Object:
    kept = PodStatusKeys().__dict__
    for key in ("phase", "reason", "startTime", "waiting"):
        value = status.get(key)
        if value is not None:
            kept[key] = shared(value)
    addresses = status.get("podIPs") or ([{"ip": status["podIP"]}] if status.get("podIP") else None)
    if addresses is not None:
        kept["podIPs"] = [compact(PodIpKeys, one) for one in addresses]
    for one in status.get("containerStatuses") or ():
        reason = ((one.get("state") or {}).get("waiting") or {}).get("reason")
        if reason:
            kept["waiting"] = shared(reason)
            break
    if "restarts" in status:
        kept["restarts"] = status["restarts"]
    return kept
