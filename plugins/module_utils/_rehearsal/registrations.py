# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Plays what kubelets and agents of Cilium write when a Node is registered anew: its CSINode and its CiliumNode."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

_NODES: t.Final = "/api/v1/nodes"
_CSI_NODES: t.Final = "/apis/storage.k8s.io/v1/csinodes"
_CILIUM_NODES: t.Final = "/apis/cilium.io/v2/ciliumnodes"
# a watch ends by itself so that the end of the run is noticed
_SECONDS: t.Final = 2
_PAUSE: t.Final = 0.3
_EXISTS: t.Final = 409
_GONE: t.Final = 404


class Registrations:
    """Watches Nodes while a playbook runs. ``nodes_follow``: agents take their ranges from Nodes (IPAM mode kubernetes)."""

    def __init__(self, client: KubeClient, *, nodes_follow: bool) -> None:
        self._client = client
        self._follow = nodes_follow
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._csi: Mapping[str, JsonObject] = {}
        self._cilium: Mapping[str, JsonObject] = {}
        self._uids: dict[str, str] = {}

    def __enter__(self) -> Registrations:
        """Note what every Node has, and begin."""
        self._csi = _by_name(self._client.list(_CSI_NODES))
        try:
            self._cilium = _by_name(self._client.list(_CILIUM_NODES))
        except ApiError as error:
            if error.status != _GONE:
                raise
        page = self._client.get(_NODES, {"limit": 1})
        self._version = str(page["metadata"]["resourceVersion"])
        self._thread.start()
        return self

    def __exit__(self, *_details: object) -> None:
        self._end.set()
        self._thread.join(_SECONDS + 10)

    def _watch(self) -> None:
        while not self._end.is_set():
            params = {
                "watch": 1,
                "resourceVersion": self._version,
                "timeoutSeconds": _SECONDS,
                "allowWatchBookmarks": True,
            }
            try:
                for event in self._client.stream(_NODES, params, timeout=_SECONDS + 10):
                    metadata = event["object"].get("metadata") or {}
                    self._version = str(metadata.get("resourceVersion") or self._version)
                    self._take(str(event["type"]), event["object"])
            except ApiError:
                # the API server is busy or ends; what is lacking then is said by the verification of the Node
                self._end.wait(_PAUSE)

    def _take(self, event: str, node: JsonObject) -> None:
        if event not in ("ADDED", "MODIFIED"):
            return
        metadata = node["metadata"]
        name, uid = str(metadata["name"]), str(metadata["uid"])
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
        if event == "ADDED":
            self._uids[name] = uid
        if self._uids.get(name) != uid or metadata.get("deletionTimestamp"):
            return
        if name in self._csi:
            self._create(_CSI_NODES, {**self._csi[name], "metadata": {"name": name, "ownerReferences": [owner]}})
        if name in self._cilium:
            self._register_at_cilium(name, owner, node)

    def _register_at_cilium(self, name: str, owner: JsonObject, node: JsonObject) -> None:
        known = self._cilium[name]
        ranges = (node.get("spec") or {}).get("podCIDRs") or []
        spec = {key: value for key, value in (known.get("spec") or {}).items() if key != "ipam"}
        if self._follow:
            spec["ipam"] = {"podCIDRs": ranges}
        labels = known["metadata"].get("labels") or {}
        made = {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumNode",
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
            "spec": spec,
        }
        if not self._create(_CILIUM_NODES, made) and self._follow and ranges:
            self._send("PATCH", f"{_CILIUM_NODES}/{name}", {"spec": {"ipam": {"podCIDRs": ranges}}})

    def _create(self, path: str, made: JsonObject) -> bool:
        """Create an object; False where there is one. That of the deleted Node goes by garbage collection."""
        owner = made["metadata"]["ownerReferences"][0]
        found = self._client.find(f"{path}/{made['metadata']['name']}")
        if found is not None:
            owners = found["metadata"].get("ownerReferences") or ()
            if any(one.get("uid") == owner["uid"] for one in owners):
                return False
            self._client.delete(f"{path}/{made['metadata']['name']}", uid=found["metadata"]["uid"])
        return self._send("POST", path, made)

    def _send(self, method: str, path: str, body: JsonObject) -> bool:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            self._client.request(method, path, body=body, content_type=kind)
        except ApiError as error:
            if error.status not in (_EXISTS, _GONE):
                raise
            return False
        return True


def _by_name(objects: list[JsonObject]) -> dict[str, JsonObject]:
    return {
        str(one["metadata"]["name"]): {
            key: one[key] for key in ("apiVersion", "kind", "metadata", "spec") if key in one
        }
        for one in objects
    }
