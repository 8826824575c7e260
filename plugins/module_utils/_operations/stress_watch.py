# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""When identities of one namespace come and go: by a watch in a thread of its own, with this machine's clock."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import (
    IDENTITIES,
    NAMESPACE_LABEL,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

_WATCH_SECONDS = 20
_SILENCE = 60.0
_PAUSE = 0.5
_MARK = "io.cilium.heartbeat"


@dataclass
class SeenIdentity:
    """One identity: what tells its pod, and when it was first seen, marked for deletion and gone."""

    value: str
    created: float
    marked: float | None = None
    deleted: float | None = None


class IdentityWatch:
    """Use it as a context. ``identities`` may be read at any time; its values only grow.

    ``problem`` is the last thing that went wrong; the watch goes on after it with a new list.
    """

    def __init__(self, client: KubeClient, namespace: str, label_key: str, *, clock: Clock | None = None) -> None:
        self._client = client
        self._namespace = namespace
        self._key = f"k8s:{label_key}"
        self._clock = clock or Clock()
        self._end = threading.Event()
        self._version = ""
        self._thread = threading.Thread(target=self._run, name="identities", daemon=True)
        self.identities: dict[str, SeenIdentity] = {}
        self.problem = ""

    def __enter__(self) -> IdentityWatch:
        """Begin, and wait for the first list. Raises ApiError when there is none."""
        self._list()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End; the thread may take until the next event, and is not waited for."""
        self._end.set()

    def present(self) -> list[SeenIdentity]:
        """Those that are there."""
        return [one for one in list(self.identities.values()) if one.deleted is None]

    # -- internals -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        version = self._version
        while not self._end.is_set():
            try:
                version = self._follow(version)
            except ApiError as error:
                self.problem = str(error)
                self._end.wait(_PAUSE)
                version = self._list_again() or version

    def _list_again(self) -> str:
        try:
            self._list()
        except ApiError as error:
            self.problem = str(error)
            return ""
        return self._version

    def _list(self) -> None:
        answer = self._client.get(IDENTITIES, self._params())
        self._version = str((answer.get("metadata") or {}).get("resourceVersion") or "")
        there = set()
        for one in answer.get("items") or ():
            there.add(one["metadata"]["uid"])
            self._take("ADDED", one)
        for uid, seen in self.identities.items():
            if uid not in there and seen.deleted is None:
                seen.deleted = self._clock.now()

    def _params(self) -> dict[str, t.Any]:
        return {"labelSelector": f"{NAMESPACE_LABEL}={self._namespace}"}

    def _follow(self, version: str) -> str:
        """Follow the events from a version; the version that was reached. Raises ApiError."""
        params = {
            **self._params(),
            "watch": True,
            "resourceVersion": version,
            "allowWatchBookmarks": True,
            "timeoutSeconds": _WATCH_SECONDS,
        }
        stream = self._client.stream(IDENTITIES, params, timeout=_SILENCE)
        try:
            for event in stream:
                obj = event.get("object") or {}
                if event.get("type") == "ERROR":
                    raise ApiError(str(obj.get("message") or "the watch of identities ended"), status=410)
                version = str((obj.get("metadata") or {}).get("resourceVersion") or version)
                if event.get("type") != "BOOKMARK":
                    self._take(str(event.get("type")), obj)
                if self._end.is_set():
                    break
        finally:
            stream.close()
        return version

    def _take(self, kind: str, obj: JsonObject) -> None:
        now, metadata = self._clock.now(), obj["metadata"]
        value = str((obj.get("security-labels") or {}).get(self._key) or "")
        seen = self.identities.setdefault(metadata["uid"], SeenIdentity(value, now))
        if (metadata.get("annotations") or {}).get(_MARK) and seen.marked is None:
            seen.marked = now
        if kind == "DELETED":
            seen.deleted = now
