# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The objects of a re-registration: which Node is created, what is put back on it, and what belongs to it. Without I/O."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.node_metadata import (
    REGISTERING_TAINT,
    MetadataDifference,
    difference,
    format_taint,
    restorable,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage, pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import is_unschedulable, uid_of

#: Objects that belong to a Node by owner reference: {short name: path with the Node's name}.
DEPENDENTS: Mapping[str, str] = {
    "lease": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}",
    "csinode": "/apis/storage.k8s.io/v1/csinodes/{name}",
    "ciliumnode": "/apis/cilium.io/v2/ciliumnodes/{name}",
}
_REGISTERING = {"key": REGISTERING_TAINT, "effect": "NoSchedule"}


def new_node(image: BeforeImage, pod_cidrs: Sequence[str] = ()) -> JsonObject:
    """The Node to create: name, labels, annotations, taints and providerID of the old one, and cordoned.

    On an existing Node a kubelet applies neither --node-labels nor --register-with-taints nor --provider-id, so the
    object carries all of them. An allocator with several pools chooses by the labels, which are there from the start.
    """
    kept = restorable(image.node)
    spec: JsonObject = {"unschedulable": True}
    if kept.taints:
        spec["taints"] = kept.taints
    provider = (image.node.get("spec") or {}).get("providerID")
    if provider:
        spec["providerID"] = provider
    if pod_cidrs:
        spec.update(_pod_cidr_fields(pod_cidrs))
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": image.name, "labels": kept.labels, "annotations": kept.annotations},
        "spec": spec,
    }


def restoring_patch(node: Mapping[str, t.Any], found: MetadataDifference) -> JsonObject:
    """A merge patch that adds what is missing, and takes our own taint off; taints are a list, so they are repeated."""
    patch = _guarded(node)
    if found.missing_labels:
        patch["metadata"]["labels"] = found.missing_labels
    if found.missing_annotations:
        patch["metadata"]["annotations"] = found.missing_annotations
    if found.missing_taints or is_registering(node):
        present = [taint for taint in _taints(node) if taint.get("key") != REGISTERING_TAINT]
        patch["spec"] = {"taints": present + found.missing_taints}
    return patch


def adopting_patch(image: BeforeImage, node: Mapping[str, t.Any], pod_cidrs: Sequence[str] = ()) -> JsonObject:
    """A merge patch for a Node that its kubelet has created: cordoned, tainted, and with what the old one had.

    One write does it all, so that nothing is scheduled on it from then on. Chosen podCIDRs are only set on a Node that
    has none, because the API refuses to change them.
    """
    found = difference(image.node, node)
    patch = _guarded(node)
    patch["metadata"].update(labels=found.missing_labels, annotations=found.missing_annotations)
    taints = [taint for taint in _taints(node) if taint.get("key") != REGISTERING_TAINT]
    patch["spec"] = {"unschedulable": True, "taints": [*taints, *found.missing_taints, _REGISTERING]}
    if pod_cidrs and not pod_cidrs_of(node):
        patch["spec"].update(_pod_cidr_fields(pod_cidrs))
    return patch


def is_registering(node: Mapping[str, t.Any]) -> bool:
    """Whether the Node has the taint that it gets while its kubelet registers it."""
    return any(taint.get("key") == REGISTERING_TAINT for taint in _taints(node))


def summary(node: Mapping[str, t.Any]) -> JsonObject:
    """What a diff of a Node shows."""
    kept = restorable(node)
    return {
        "labels": kept.labels,
        "annotations": kept.annotations,
        "taints": [format_taint(taint) for taint in kept.taints],
        "podCIDRs": pod_cidrs_of(node) or "from the allocator",
        "unschedulable": is_unschedulable(node),
    }


def reference(pod: Mapping[str, t.Any]) -> str:
    """``namespace/name`` of a pod."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def owners(obj: Mapping[str, t.Any]) -> set[str]:
    """Uids of an object's owners."""
    return {str(owner.get("uid")) for owner in (obj.get("metadata") or {}).get("ownerReferences") or []}


def belongs_to(obj: Mapping[str, t.Any], image: BeforeImage) -> bool:
    """Whether an object belonged to the Node as it was."""
    return image.uid in owners(obj) or uid_of(obj) in image.dependents.values()


def condition(node: Mapping[str, t.Any], kind: str) -> Mapping[str, t.Any]:
    """A condition of the Node; empty when it has none of this kind."""
    for one in (node.get("status") or {}).get("conditions") or []:
        if one.get("type") == kind:
            return t.cast(Mapping[str, t.Any], one)
    return {}


def machine_of(node: Mapping[str, t.Any]) -> str:
    """The machine-id that a kubelet has reported; empty when none has yet."""
    return str(((node.get("status") or {}).get("nodeInfo") or {}).get("machineID") or "")


def parse_time(text: object) -> datetime.datetime:
    """A time of the API; the beginning of time for none."""
    if not text:
        return datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
    return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))


def _guarded(node: Mapping[str, t.Any]) -> JsonObject:
    metadata = node["metadata"]
    return {"metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}}


def _taints(node: Mapping[str, t.Any]) -> list[JsonObject]:
    return list((node.get("spec") or {}).get("taints") or [])


def _pod_cidr_fields(pod_cidrs: Sequence[str]) -> JsonObject:
    return {"podCIDR": pod_cidrs[0], "podCIDRs": list(pod_cidrs)}
