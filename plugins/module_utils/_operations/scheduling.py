# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Cordon and uncordon: ``spec.unschedulable`` of exactly the Node that was looked at."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError

_ATTEMPTS = 5


def node_path(name: str) -> str:
    """API path of a Node."""
    return f"/api/v1/nodes/{name}"


def get_node(client: KubeClient, name: str) -> JsonObject:
    """The Node; InputError in one sentence when there is none of this name."""
    node = client.find(node_path(name))
    if node is None:
        raise InputError(f"name: there is no Node '{name}' in the cluster at {client.host}; see `kubectl get nodes`.")
    return node


def uid_of(obj: Mapping[str, t.Any]) -> str:
    """``metadata.uid``."""
    return str((obj.get("metadata") or {}).get("uid") or "")


def is_unschedulable(node: Mapping[str, t.Any]) -> bool:
    """Whether the Node is cordoned."""
    return bool((node.get("spec") or {}).get("unschedulable"))


def require_uid(node: Mapping[str, t.Any], uid: str | None) -> None:
    """RefusedError when the Node is not the one with this uid (None accepts any)."""
    if uid and uid_of(node) != uid:
        name = (node.get("metadata") or {}).get("name")
        raise RefusedError(
            f"Node {name} now has uid {uid_of(node)}, not {uid}: somebody deleted and registered it meanwhile, "
            "so nothing was changed; start again from a new plan."
        )


def require_same(node: Mapping[str, t.Any] | None, name: str, uid: str) -> None:
    """RefusedError when the Node of this name is gone (None) or another one."""
    if node is None or uid_of(node) != uid:
        became = "is gone" if node is None else f"has uid {uid_of(node)} now"
        raise RefusedError(
            f"Node {name} (uid {uid}) {became}: somebody has deleted it meanwhile. What is done on its host now is for them to say."
        )


def set_unschedulable(client: KubeClient, node: JsonObject, wanted: bool) -> tuple[JsonObject, bool]:
    """Cordon (True) or uncordon (False); the Node as it then is, and whether it was changed.

    The patch carries uid and resourceVersion of the Node that was read; when the kubelet wrote in between (409), the
    Node is read again and its uid compared. Raises RefusedError when it is another Node by now, ApiError otherwise.
    """
    name, uid = str(node["metadata"]["name"]), uid_of(node)
    for _attempt in range(_ATTEMPTS):
        require_uid(node, uid)
        if is_unschedulable(node) == wanted:
            return node, False
        body = {
            "metadata": {"uid": uid, "resourceVersion": node["metadata"]["resourceVersion"]},
            "spec": {"unschedulable": True if wanted else None},
        }
        try:
            return client.patch(node_path(name), body), True
        except ApiError as error:
            if error.status != 409:
                raise
        node = get_node(client, name)
    raise RefusedError(
        f"Node {name} was changed by others {_ATTEMPTS} times while it was to be "
        f"{'cordoned' if wanted else 'uncordoned'}; find out who writes to it and try again."
    )
