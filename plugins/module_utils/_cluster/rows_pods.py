# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The row of a pod (see ``rows``): what ``prune_pod`` keeps, as one tuple, and the mapping that is made of it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import (
    Object,
    one_text,
    shared_owner,
    shared_texts,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import (
    PodIpKeys,
    PodKeys,
    PodMetadataKeys,
    PodSpecKeys,
    PodStatusKeys,
    keeps_command_line,
)

_NONE: t.Final[Mapping[str, t.Any]] = {}
_OPTIONAL_TEXT: t.Final = {str, type(None)}
# a pod with one of these labels may be one whose command line is kept
_TELLING = frozenset(("k8s-app", "component", "io.cilium/app"))


def pod_row(obj: Mapping[str, t.Any]) -> tuple[t.Any, ...] | None:
    """The row of a pod, raw or pruned before; None when it is not like most. May raise what a broken object causes."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or _NONE, obj.get("status") or _NONE
    labels, owners = metadata.get("labels") or None, metadata.get("ownerReferences")
    if "deletionTimestamp" in metadata or "restarts" in status:
        return None
    if labels is not None:
        "".join(labels.values())  # all are texts
        if not _TELLING.isdisjoint(labels) and keeps_command_line(obj):
            return None
    owner = None
    if owners:
        if len(owners) != 1 or owners[0].get("controller") is not True:
            return None
        owner = str(owners[0].get("kind")), str(owners[0].get("name")), str(owners[0].get("uid"))
    host = spec.get("hostNetwork") or None
    if host is not None and host is not True:
        return None
    ports = spec.get("namedPorts")
    if ports is None:
        ports = _named_ports(spec.get("containers") or ())
    elif not isinstance(ports, list) or not all(isinstance(one, list) for one in ports):
        return None
    addresses = status.get("podIPs") or ([{"ip": status["podIP"]}] if status.get("podIP") else None)
    if addresses is not None:
        if sum(map(len, addresses)) != len(addresses):
            return None
        addresses = [one["ip"] for one in addresses]
        "".join(addresses)  # all are texts
    needed = metadata["name"], metadata["namespace"], metadata["uid"], metadata["creationTimestamp"]
    "".join(needed)
    texts = (
        spec.get("nodeName"),
        spec.get("serviceAccountName"),
        status.get("phase"),
        status.get("reason"),
        status.get("startTime"),
        _waiting(status),
    )
    if not _OPTIONAL_TEXT.issuperset(map(type, texts)):
        return None
    return *needed, labels, owner, host, ports or None, addresses, *texts


def _named_ports(containers: Sequence[Mapping[str, t.Any]]) -> list[list[t.Any]]:
    return [
        [port["name"], port.get("protocol") or "TCP", port.get("containerPort")]
        for one in containers
        for port in one.get("ports") or ()
        if port.get("name")
    ]


def _waiting(status: Mapping[str, t.Any]) -> t.Any:
    for one in status.get("containerStatuses") or ():
        waiting = (one.get("state") or _NONE).get("waiting")
        if waiting and waiting.get("reason"):
            return waiting["reason"]
    return status.get("waiting")


def pod_of_row(row: tuple[t.Any, ...]) -> Object:
    """What ``prune_pod`` makes of the pod."""
    name, namespace, uid, created, labels, owner, host, ports, addresses, *texts = row
    node, account, phase, reason, start, waiting = texts
    kept = PodKeys().__dict__
    kept["metadata"] = metadata = PodMetadataKeys().__dict__
    metadata["name"] = name
    metadata["namespace"] = one_text(namespace, namespace)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = one_text(created, created)
    if labels is not None:
        metadata["labels"] = shared_texts(tuple(labels.items()))
    if owner is not None:
        metadata["ownerReferences"] = shared_owner(*owner)
    kept["spec"] = spec = PodSpecKeys().__dict__
    if node is not None:
        spec["nodeName"] = one_text(node, node)
    if account is not None:
        spec["serviceAccountName"] = one_text(account, account)
    if host is not None:
        spec["hostNetwork"] = host
    if ports is not None:
        spec["namedPorts"] = ports
    kept["status"] = status = PodStatusKeys().__dict__
    if phase is not None:
        status["phase"] = one_text(phase, phase)
    if start is not None:
        status["startTime"] = one_text(start, start)
    if reason is not None:
        status["reason"] = one_text(reason, reason)
    if waiting is not None:
        status["waiting"] = one_text(waiting, waiting)
    if addresses is not None:
        status["podIPs"] = made = []
        for address in addresses:
            one = PodIpKeys().__dict__
            one["ip"] = address
            made.append(one)
    return kept
