# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The journal of a run, in the cluster: which Node is at which step, so that any machine can go on with it.

A ConfigMap has one key for the run, one for each Node, the switch ``stop``, and what earlier runs brought back, by which a
machine knows that a file which it still has is of the past. Before-images are in a Secret beside it,
because annotations of Nodes can be sensitive; one is deleted when its Node is back in service. Every write is a merge
patch of single keys, so that a person who sets ``stop`` meanwhile is never overwritten. What a person has damaged stops
the run before its next Node, and never in the middle of one.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.packed_image import pack, unpack

#: etcd takes 1.5 MiB, the API server 1 MiB of data; the rest is for names and managedFields.
MOST_BYTES = 900 * 1024
#: Of one Node's entry and of what the run says about itself.
MOST_BYTES_OF_ENTRY = 16 * 1024
MOST_BYTES_OF_RUN = 128 * 1024
COMPLETED = "completed"
_RUN, _STOP, _EARLIER, _NODE = "run", "stop", "earlier", "node."
#: Of Nodes that earlier runs brought back the last so many are known; an entry has at most 300 bytes, most have 60.
MOST_EARLIER = 1000
_LONGEST_KEY = 253
_LABELS = {"app.kubernetes.io/managed-by": "podnet.upkeep"}
# whatever else a person writes there is meant to stop
_GO = frozenset({"", "false", "no", "0", "off"})


class JournalError(UpkeepError):
    """The journal in the cluster cannot be used; the sentence says how to go on."""


@dataclass(frozen=True)
class JournalState:
    """The journal as it was read. ``run`` is what the run said about itself, ``nodes`` {Node: its entry}.

    ``earlier`` is what runs before it have brought back, {Node: uid of the Node before that}. ``damaged`` are keys that
    hold something else than a run writes.
    """

    run: Mapping[str, t.Any] = field(default_factory=dict)
    nodes: Mapping[str, Mapping[str, t.Any]] = field(default_factory=dict)
    stop: bool = False
    earlier: Mapping[str, str] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()

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
        """The journal now; None when there is none. Raises ApiError."""
        data = self._data(self._config_map)
        if data is None:
            return None
        decoded = {
            key: _decoded(text) for key, text in data.items() if key in (_RUN, _EARLIER) or key.startswith(_NODE)
        }
        nodes = {
            str(entry.get("node") or key.removeprefix(_NODE)): entry
            for key, entry in decoded.items()
            if key.startswith(_NODE) and entry
        }
        earlier = {node: str(uid) for node, uid in (decoded.get(_EARLIER) or {}).items()}
        stop = str(data.get(_STOP, "")).strip().lower() not in _GO
        damaged = tuple(sorted(key for key, entry in decoded.items() if entry is None))
        return JournalState(decoded.get(_RUN) or {}, nodes, stop, earlier, damaged)

    def require_sound(self, known: JournalState | None) -> None:
        """Raise JournalError where a person has damaged it: a Node that is out of service may be hidden by that."""
        if known is not None and known.damaged:
            raise JournalError(f"{self.words_about_damage(known)}.")

    def words_about_damage(self, known: JournalState) -> str:
        """Which keys are damaged, and what to do about it."""
        return (
            f"Key {', '.join(known.damaged)} of the ConfigMap {self.namespace}/{self.name} is not what a run writes; "
            "correct it, or delete it when its Node is in service"
        )

    def begin(self, run: Mapping[str, t.Any], *, goes_on: bool = False) -> None:
        """Write what a new run says about itself; of Nodes that are back in service only the uid stays.

        A run that ``goes_on`` with an interrupted one keeps their entries: its report tells of both. Raises JournalError,
        ApiError.
        """
        known = self.load()
        self.require_sound(known)
        if known is None:
            self._create({_RUN: _run_text(run), _STOP: "false"})
            return
        done = {
            node: str(entry.get("old_uid") or "")
            for node, entry in known.nodes.items()
            if entry.get("step") == COMPLETED
        }
        gone = {key_of(node): None for node in done}
        # where one has to leave the journal for want of room, its uid is known nevertheless
        earlier = {**{node: uid for node, uid in known.earlier.items() if node not in done}, **done}
        newest = dict(list(earlier.items())[-MOST_EARLIER:])
        self._write({_RUN: _run_text(run), _EARLIER: json.dumps(newest), **({} if goes_on else gone)})
        self._drop_images(gone)

    def note_run(self, run: Mapping[str, t.Any]) -> None:
        """Replace what the run says about itself. Raises ApiError."""
        self._write({_RUN: _run_text(run)})

    def record(self, node: str, entry: Mapping[str, t.Any]) -> None:
        """Write where a Node is (its step, uids, times). Where there is no room, Nodes that are back in service leave it.

        Raises RefusedError when it is full of Nodes that are out of service or the entry is too long, ApiError.
        """
        text = json.dumps({"node": node, **entry}, sort_keys=True, separators=(",", ":"))
        if len(text.encode()) > MOST_BYTES_OF_ENTRY:
            raise RefusedError(
                f"The entry of Node {node} has {len(text.encode())} bytes, more than the {MOST_BYTES_OF_ENTRY} that one may "
                f"have in the journal {self.namespace}/{self.name}."
            )
        key = key_of(node)
        self._write({key: text, **self._leaving(key, text)})

    def save_image(self, image: BeforeImage) -> None:
        """Keep a before-image. Raises RefusedError when there is no room for another one, ApiError."""
        key, value = key_of(image.name), pack(image)
        found = self._data(self._secret)
        if found is None:
            self._create_secret({key: value})
            return
        # one that is there already is replaced whatever happens: its Node may be out of service
        if key not in found and _size({**found, key: value}) > MOST_BYTES:
            raise RefusedError(self._no_room_for(image))
        try:
            self._client.patch(self._secret, {"data": {key: value}})
        except ApiError as error:
            if error.status == 404:
                self._create_secret({key: value})
            elif error.status in (413, 422):
                raise RefusedError(self._no_room_for(image)) from error
            else:
                raise

    def load_image(self, node: str) -> BeforeImage | None:
        """The before-image of a Node, or None. Raises JournalError when it is damaged, ApiError."""
        value = (self._data(self._secret) or {}).get(key_of(node))
        if value is None:
            return None
        try:
            return unpack(value, node)
        except ValueError as error:
            raise JournalError(
                f"The before-image of Node {node} in the Secret {self.namespace}/{self.name}-images cannot be read; use the "
                "file of the machine that began the run (state_dir), or delete that key when you know what it was."
            ) from error

    def nodes_with_image(self) -> list[str]:
        """Nodes whose before-image is kept; without those whose name is too long for a key. Raises ApiError."""
        keys = self._data(self._secret) or {}
        return sorted(key.removeprefix(_NODE) for key in keys if key.startswith(_NODE) and len(key) < _LONGEST_KEY)

    def drop_image(self, node: str) -> None:
        """Delete the before-image of a Node that is back in service; none is fine. Raises ApiError."""
        self._drop_images([key_of(node)])

    # -- internals -----------------------------------------------------------------------------------------------

    def _data(self, path: str) -> dict[str, str] | None:
        found = self._client.find(path)
        return None if found is None else dict(found.get("data") or {})

    def _drop_images(self, keys: t.Iterable[str]) -> None:
        gone = dict.fromkeys(keys)
        if not gone:
            return
        try:
            self._client.patch(self._secret, {"data": gone})
        except ApiError as error:
            if error.status != 404:
                raise

    def _leaving(self, key: str, text: str) -> dict[str, None]:
        """Keys that have to go before this one has room: those of Nodes that are back in service, oldest first."""
        data = {**(self._data(self._config_map) or {}), key: text}
        size = _size(data)
        entries = {one: _decoded(value) or {} for one, value in data.items() if one.startswith(_NODE) and one != key}
        done = [one for one, entry in entries.items() if entry.get("step") == COMPLETED]
        leaving: dict[str, None] = {}
        for one in sorted(done, key=lambda one: str(entries[one].get("at"))):
            if size <= MOST_BYTES:
                break
            size -= _size({one: data[one]})
            leaving[one] = None
        if size > MOST_BYTES:
            raise RefusedError(
                f"The journal {self.namespace}/{self.name} has no room for another Node ({size} of {MOST_BYTES} bytes): "
                "bring those back that are out of service first."
            )
        return leaving

    def _no_room_for(self, image: BeforeImage) -> str:
        return (
            f"The Secret {self.namespace}/{self.name}-images has no room for the before-image of Node {image.name}: bring "
            "the Nodes back first that it holds, or delete the keys of those that are back already."
        )

    def _create(self, data: Mapping[str, str]) -> None:
        metadata = {"name": self.name, "labels": _LABELS}
        self._client.create(
            self._config_maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}
        )

    def _create_secret(self, data: Mapping[str, str]) -> None:
        metadata = {"name": f"{self.name}-images", "labels": _LABELS}
        body: JsonObject = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata}
        self._client.create(self._secrets, {**body, "data": dict(data)})

    def _write(self, data: Mapping[str, str | None]) -> None:
        try:
            self._client.patch(self._config_map, {"data": dict(data)})
        except ApiError as error:
            if error.status != 404:
                raise
            # deleted by a person while we run: what is known of this Node must not be lost
            self._create({key: value for key, value in data.items() if value is not None})


def key_of(node: str) -> str:
    """Key of a Node's entry; the longest names are shortened and told apart by a digest."""
    if len(_NODE + node) <= _LONGEST_KEY:
        return _NODE + node
    digest = hashlib.sha256(node.encode()).hexdigest()[:16]
    return f"{_NODE}{node[: _LONGEST_KEY - len(_NODE) - 17]}-{digest}"


def _decoded(text: str) -> dict[str, t.Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _run_text(run: Mapping[str, t.Any]) -> str:
    text = json.dumps(run, sort_keys=True)
    length = len(text.encode()) - len(str(run.get("healthy") or ""))  # that has a limit of its own
    if length > MOST_BYTES_OF_RUN and "plan" in run:
        return json.dumps({**run, "plan": {"left_out": "it is too long for the journal"}}, sort_keys=True)
    return text


def _size(data: Mapping[str, str]) -> int:
    return sum(len(key.encode()) + len(value.encode()) for key, value in data.items())
