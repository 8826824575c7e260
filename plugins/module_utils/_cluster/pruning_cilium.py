# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What is kept of the objects of Cilium. Identities and endpoints are many."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import (
    Object,
    metadata_of,
    metadata_with_owners,
    pick,
    shared,
)


def prune_identity(obj: Mapping[str, t.Any]) -> Object:
    source = obj.get("metadata") or {}
    metadata = pick(source, "name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
    heartbeat = (source.get("annotations") or {}).get("io.cilium.heartbeat")
    if heartbeat is not None:
        metadata["annotations"] = {"io.cilium.heartbeat": heartbeat}
    labels = obj.get("security-labels") or {}
    # every identity has other labels, but keys and most values are those of many
    shared = {shared(key): shared(value) for key, value in labels.items()} if isinstance(labels, dict) else labels
    return {"metadata": metadata, "security-labels": shared}


def _networking(source: Mapping[str, t.Any] | None) -> Object:
    kept = pick(source, "addressing")
    if source and source.get("node") is not None:
        kept["node"] = shared(source["node"])
    return kept


def prune_endpoint(obj: Mapping[str, t.Any]) -> Object:
    source, status = obj.get("metadata") or {}, obj.get("status") or {}
    metadata = pick(source, "name", "uid", "creationTimestamp", "deletionTimestamp")
    metadata["namespace"] = shared(source.get("namespace"))
    owners = source.get("ownerReferences")
    if owners:
        metadata["ownerReferences"] = [pick(one, "kind", "name", "uid") for one in owners]
    kept: Object = {}
    if status.get("id") is not None:
        kept["id"] = status["id"]
    if status.get("identity"):
        kept["identity"] = pick(status["identity"], "id")
    if status.get("state") is not None:
        kept["state"] = shared(status["state"])
    if status.get("networking"):
        kept["networking"] = _networking(status["networking"])
    return {"metadata": metadata, "status": kept}


def prune_endpoint_slice(obj: Mapping[str, t.Any]) -> Object:
    endpoints = [
        {**pick(one, "name", "id", "pod-uid"), "networking": _networking(one.get("networking"))}
        for one in obj.get("endpoints") or ()
    ]
    return {"metadata": metadata_of(obj), "namespace": shared(obj.get("namespace")), "endpoints": endpoints}


def prune_cilium_node(obj: Mapping[str, t.Any]) -> Object:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    kept = pick(spec, "addresses", "ipam", "health", "instance-id", "bootid")
    for key in ("eni", "azure", "alibaba-cloud"):
        if spec.get(key):
            kept[key] = {
                name: value for name, value in spec[key].items() if isinstance(value, (str, int)) and value != ""
            }
    return {
        "metadata": metadata_with_owners(obj, "labels", "annotations"),
        "spec": kept,
        "status": pick(status, "ipam"),
    }
