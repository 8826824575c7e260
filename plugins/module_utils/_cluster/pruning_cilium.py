# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What is kept of the objects of Cilium. Identities and endpoints are many."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import (
    KeyTable,
    Object,
    compact,
    metadata_of,
    metadata_with_owners,
    owners_of,
    pick,
    shared,
)

HEARTBEAT = "io.cilium.heartbeat"


class IdentityKeys(KeyTable, keys=("metadata", "security-labels")):
    """Of a CiliumIdentity."""


class IdentityMetadataKeys(KeyTable, keys=("name", "creationTimestamp")):
    """Of its metadata."""


class _Endpoint(KeyTable, keys=("metadata", "status")):
    pass


class _EndpointMetadata(KeyTable, keys=("name", "namespace", "creationTimestamp", "ownerReferences")):
    pass


class _EndpointStatus(KeyTable, keys=("id", "identity", "state", "networking")):
    pass


class _IdentityOfEndpoint(KeyTable, keys=("id",)):
    pass


class _Networking(KeyTable, keys=("addressing", "node")):
    pass


class _Addressing(KeyTable, keys=("ipv4",)):
    pass


class _EndpointOfSlice(KeyTable, keys=("name", "id", "pod-uid", "networking")):
    pass


def prune_identity(obj: Mapping[str, t.Any]) -> Object:
    """Name, times, the heartbeat by which it is marked, and the security labels."""
    metadata = metadata_of(obj, kind=IdentityMetadataKeys)
    heartbeat = ((obj.get("metadata") or {}).get("annotations") or {}).get(HEARTBEAT)
    if heartbeat is not None:
        metadata["annotations"] = {HEARTBEAT: heartbeat}
    labels = obj.get("security-labels") or {}
    # every identity has other labels, but keys and most values are those of many
    kept = {shared(key): shared(value) for key, value in labels.items()} if isinstance(labels, dict) else labels
    return compact(IdentityKeys, {"metadata": metadata, "security-labels": kept})


def _networking(source: Mapping[str, t.Any] | None) -> Object:
    kept = _Networking().__dict__
    if source:
        if source.get("addressing") is not None:
            kept["addressing"] = [compact(_Addressing, pick(one, "ipv4", "ipv6")) for one in source["addressing"]]
        if source.get("node") is not None:
            kept["node"] = shared(source["node"])
    return kept


@functools.lru_cache(maxsize=4096)
def _shared_identity(number: int) -> Object:
    return compact(_IdentityOfEndpoint, {"id": number})


def prune_endpoint(obj: Mapping[str, t.Any]) -> Object:
    """Name, owner, identity, state, addresses and Node; not its labels, which its identity has."""
    source, status = obj.get("metadata") or {}, obj.get("status") or {}
    metadata = metadata_of(obj, kind=_EndpointMetadata)
    owners = source.get("ownerReferences")
    if owners:
        metadata["ownerReferences"] = kept_owners = owners_of(source)
        if len(kept_owners) == 1 and kept_owners[0].get("name") == metadata.get("name"):
            kept_owners[0]["name"] = metadata["name"]  # an endpoint is named as its pod: one text for both
    kept = _EndpointStatus().__dict__
    if status.get("id") is not None:
        kept["id"] = status["id"]
    identity = status.get("identity")
    if identity:
        number = identity.get("id")
        kept["identity"] = (
            _shared_identity(number)
            if isinstance(number, int) and not isinstance(number, bool)
            else pick(identity, "id")
        )
    if status.get("state") is not None:
        kept["state"] = shared(status["state"])
    if status.get("networking"):
        kept["networking"] = _networking(status["networking"])
    whole = _Endpoint().__dict__
    whole["metadata"] = metadata
    whole["status"] = kept
    return whole


def prune_endpoint_slice(obj: Mapping[str, t.Any]) -> Object:
    """Its namespace, and of each endpoint name, identity and addresses."""
    endpoints = [
        compact(
            _EndpointOfSlice,
            {**pick(one, "name", "id", "pod-uid"), "networking": _networking(one.get("networking"))},
        )
        for one in obj.get("endpoints") or ()
    ]
    return {"metadata": metadata_of(obj), "namespace": shared(obj.get("namespace")), "endpoints": endpoints}


def prune_cilium_node(obj: Mapping[str, t.Any]) -> Object:
    """Owner, labels, addresses and everything that IPAM keeps in it."""
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
