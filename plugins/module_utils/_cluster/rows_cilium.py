# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Rows (see ``rows``) of CiliumIdentities and CiliumEndpoints, and the mappings that are made of them."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_cilium import (
    HEARTBEAT,
    IdentityKeys,
    IdentityMetadataKeys,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import Object, one_text

_NONE: t.Final[Mapping[str, t.Any]] = {}


def identity_row(obj: Mapping[str, t.Any]) -> tuple[t.Any, ...] | None:
    """The row of a CiliumIdentity, raw or pruned before; None when it is not like most."""
    metadata, labels = obj["metadata"], obj["security-labels"]
    if "deletionTimestamp" in metadata or "namespace" in metadata:
        return None
    mark = (metadata.get("annotations") or _NONE).get(HEARTBEAT)
    row = metadata["name"], metadata["creationTimestamp"], mark, labels
    "".join((row[0], row[1], "" if mark is None else mark, *labels.values()))  # all are texts
    return row


def identity_of_row(row: tuple[t.Any, ...]) -> Object:
    """What ``prune_identity`` makes of the identity."""
    name, created, mark, labels = row
    kept = IdentityKeys().__dict__
    kept["metadata"] = metadata = IdentityMetadataKeys().__dict__
    metadata["name"] = name
    metadata["creationTimestamp"] = one_text(created, created)
    if mark is not None:
        metadata["annotations"] = {HEARTBEAT: mark}
    kept["security-labels"] = {one_text(key, key): one_text(value, value) for key, value in labels.items()}
    return kept


def endpoint_row(obj: Mapping[str, t.Any]) -> tuple[t.Any, ...] | None:
    """The row of a CiliumEndpoint, raw or pruned before; None when it is not like most."""
    metadata, status = obj["metadata"], obj["status"]
    networking, name, number, identity = status["networking"], metadata["name"], status["id"], status["identity"]["id"]
    (owner,) = metadata["ownerReferences"]
    (address,) = networking["addressing"]
    if owner["kind"] != "Pod" or owner["name"] != name or "controller" in owner or "deletionTimestamp" in metadata:
        return None
    if "ipv6" in address or {type(number), type(identity)} != {int} or not identity:
        return None
    row = (
        name,
        metadata["namespace"],
        metadata["creationTimestamp"],
        owner["uid"],
        status["state"],
        networking["node"],
        address["ipv4"],
    )
    "".join(row)  # all are texts
    return *row, number, identity


def kept_endpoint_row(row: tuple[t.Any, ...]) -> tuple[t.Any, ...]:
    """The row with texts and numbers that others have, too."""
    name, namespace, created, owner, state, node, address, number, identity = row
    return (
        name,
        one_text(namespace, namespace),
        one_text(created, created),
        owner,
        one_text(state, state),
        one_text(node, node),
        address,
        number,
        identity,
    )


def endpoint_of_row(row: tuple[t.Any, ...]) -> Object:
    """What ``prune_endpoint`` makes of the endpoint."""
    name, namespace, created, owner, state, node, address, number, identity = row
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": created,
            "ownerReferences": [{"kind": "Pod", "name": name, "uid": owner}],
        },
        "status": {
            "id": number,
            "identity": {"id": identity},
            "state": state,
            "networking": {"addressing": [{"ipv4": address}], "node": node},
        },
    }
