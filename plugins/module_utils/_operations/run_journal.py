# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The journal of a run, in the cluster: which Node is at which step, so that any machine can go on with it.

A ConfigMap has one key for the run, one for each Node, and the switch ``stop``. Before-images are in a Secret beside it,
because annotations of Nodes can be sensitive; one is deleted when its Node is back in service. Every write is a merge
patch of single keys, so that a person who sets ``stop`` meanwhile is never overwritten.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import json
import typing as t
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage

# etcd takes 1.5 MiB, the API server 1 MiB of data; the rest is for names and managedFields
MOST_BYTES = 900 * 1024
_RUN, _STOP, _NODE = "run", "stop", "node."
_LONGEST_KEY = 253
_YES = frozenset({"true", "yes", "1", "on"})
COMPLETED = "completed"


class JournalError(UpkeepError):
    """The journal in the cluster cannot be read; the sentence says how to go on."""


@dataclass(frozen=True)
class JournalState:
    """The journal as it was read. ``run`` is what the run said about itself, ``nodes`` {Node: its entry}."""

    run: Mapping[str, t.Any] = field(default_factory=dict)
    nodes: Mapping[str, Mapping[str, t.Any]] = field(default_factory=dict)
    stop: bool = False

    def unfinished(self) -> list[str]:
        """Nodes that were begun and are not back in service."""
        return sorted(name for name, entry in self.nodes.items() if entry.get("step") != COMPLETED)


class Journal:
    """ConfigMap ``podnet-upkeep-<name>`` and Secret ``podnet-upkeep-<name>-images`` of a namespace."""

    def __init__(self, client: KubeClient, name: str, namespace: str) -> None:
        self._client = client
        self.name = f"podnet-upkeep-{name}"
        self.namespace = namespace
        self._config_maps = f"/api/v1/namespaces/{namespace}/configmaps"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._config_map = f"{self._config_maps}/{self.name}"
        self._secret = f"{self._secrets}/{self.name}-images"

    def load(self) -> JournalState | None:
        """The journal now; None when there is none. Raises JournalError, ApiError."""
        found = self._client.find(self._config_map)
        if found is None:
            return None
        data = found.get("data") or {}
        nodes = {}
        for key, text in data.items():
            if key.startswith(_NODE):
                entry = self._decoded(key, text)
                nodes[str(entry.get("node") or key.removeprefix(_NODE))] = entry
        run = self._decoded(_RUN, data[_RUN]) if _RUN in data else {}
        return JournalState(run, nodes, str(data.get(_STOP, "")).strip().lower() in _YES)

    def begin(self, run: Mapping[str, t.Any]) -> None:
        """Write what a new run says about itself; entries of Nodes that are back in service go, the switch is taken back.

        Raises JournalError, ApiError.
        """
        known = self.load()
        if known is None:
            self._create({_RUN: json.dumps(run, sort_keys=True), _STOP: "false"})
            return
        done = {key_of(node): None for node, entry in known.nodes.items() if entry.get("step") == COMPLETED}
        self._write({_RUN: json.dumps(run, sort_keys=True), _STOP: "false", **done})

    def note_run(self, run: Mapping[str, t.Any]) -> None:
        """Replace what the run says about itself. Raises ApiError."""
        self._write({_RUN: json.dumps(run, sort_keys=True)})

    def record(self, node: str, entry: Mapping[str, t.Any]) -> None:
        """Write where a Node is (its step, uids, times). Raises RefusedError when the journal is full, ApiError."""
        text = json.dumps({"node": node, **entry}, sort_keys=True, separators=(",", ":"))
        self._require_room(key_of(node), text)
        self._write({key_of(node): text})

    def save_image(self, image: BeforeImage) -> None:
        """Keep a before-image. Raises RefusedError when the Secret is full, ApiError."""
        packed = gzip.compress(json.dumps(image.to_dict(), sort_keys=True).encode(), mtime=0)
        value = base64.b64encode(packed).decode()
        body = {"data": {key_of(image.name): value}}
        try:
            self._client.patch(self._secret, body)
        except ApiError as error:
            if error.status == 404:
                self._create_secret(body["data"])
                return
            if error.status in (413, 422):
                raise RefusedError(
                    f"The Secret {self.namespace}/{self.name}-images has no room for the before-image of Node {image.name}: "
                    f"{error.server_message or error}. Finish the Nodes that it holds first."
                ) from error
            raise

    def load_image(self, node: str) -> BeforeImage | None:
        """The before-image of a Node, or None. Raises JournalError when it is damaged, ApiError."""
        found = self._client.find(self._secret)
        value = ((found or {}).get("data") or {}).get(key_of(node))
        if value is None:
            return None
        try:
            content = json.loads(gzip.decompress(base64.b64decode(value, validate=True)))
            return BeforeImage.from_dict(content, node)
        except (
            binascii.Error,
            OSError,
            EOFError,
            zlib.error,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            raise JournalError(
                f"The before-image of Node {node} in the Secret {self.namespace}/{self.name}-images cannot be read; use the "
                "file of the machine that began the run (state_dir), or delete that key when you know what it was."
            ) from error

    def drop_image(self, node: str) -> None:
        """Delete the before-image of a Node that is back in service; none is fine. Raises ApiError."""
        try:
            self._client.patch(self._secret, {"data": {key_of(node): None}})
        except ApiError as error:
            if error.status != 404:
                raise

    # -- internals -----------------------------------------------------------------------------------------------

    def _decoded(self, key: str, text: str) -> dict[str, t.Any]:
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise JournalError(
                f"Key {key} of the ConfigMap {self.namespace}/{self.name} is not what a run writes; correct it, or delete "
                "the ConfigMap when no Node is out of service."
            )
        return value

    def _require_room(self, key: str, text: str) -> None:
        found = self._client.find(self._config_map)
        data = {**((found or {}).get("data") or {}), key: text}
        size = sum(len(one.encode()) + len(value.encode()) for one, value in data.items())
        if size > MOST_BYTES:
            raise RefusedError(
                f"The journal {self.namespace}/{self.name} has no room for another Node ({size} of {MOST_BYTES} bytes): "
                "finish this run, and begin another one for the rest."
            )

    def _create(self, data: Mapping[str, str]) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self._metadata(self.name), "data": dict(data)}
        self._client.create(self._config_maps, body)

    def _create_secret(self, data: Mapping[str, str]) -> None:
        metadata = self._metadata(f"{self.name}-images")
        body = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": dict(data)}
        self._client.create(self._secrets, body)

    def _write(self, data: Mapping[str, str | None]) -> None:
        try:
            self._client.patch(self._config_map, {"data": dict(data)})
        except ApiError as error:
            if error.status != 404:
                raise
            # deleted by a person while we run: the Nodes that are done need no entry any more
            self._create({key: value for key, value in data.items() if value is not None})

    @staticmethod
    def _metadata(name: str) -> JsonObject:
        return {"name": name, "labels": {"app.kubernetes.io/managed-by": "podnet.upkeep"}}


def key_of(node: str) -> str:
    """Key of a Node's entry; the longest names are shortened and told apart by a digest."""
    if len(_NODE + node) <= _LONGEST_KEY:
        return _NODE + node
    digest = hashlib.sha256(node.encode()).hexdigest()[:16]
    return f"{_NODE}{node[: _LONGEST_KEY - len(_NODE) - 17]}-{digest}"
