# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Collections of objects that are listed once and then kept up to date, for looks that must be fresh and are many.

``refresh`` promises that everything which the API server had accepted before the call is seen. A consistent read of one
object (``limit=1`` without resourceVersion, which etcd's majority answers) tells the version of now; a watch from the last
known version then brings what is missing, and ends as soon as an event or a bookmark says that it has come so far. The API
server sends a bookmark two seconds before a watch runs out, so short watches are asked for. A watch that is lost, refused
as too old (410) or that does not get so far in time is no picture: then the collection is listed again as a whole, and so
is a collection that was listed in less time than such a watch takes.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

_PAGE_SIZE = 500
#: Seconds that the API server is asked to watch for; its bookmark comes two seconds before the end.
_WATCH_SECONDS = 3
#: Seconds without a line after which a watch is given up.
_SILENCE = 10.0
#: Seconds within which watches must have come to the version of now.
_PATIENCE = 15.0
#: A collection that was listed in less than this many seconds is listed again: a bookmark takes as long to come.
_RELIST_SECONDS = 1.0

Key = tuple[str, str]


class _BehindError(Exception):
    """The watch does not tell what is now; the collection has to be listed."""


@dataclass(frozen=True)
class Collected:
    """What is collected: a path for each API version that may serve it, the first that is served counts.

    ``keep`` makes of each whole object what is kept.
    """

    paths: tuple[str, ...]
    keep: Callable[[JsonObject], JsonObject]


class WatchedList:
    """One collection; not to be used by several threads at once."""

    def __init__(
        self,
        client: KubeClient,
        collected: Collected,
        *,
        clock: Clock | None = None,
        relist_seconds: float = _RELIST_SECONDS,
    ) -> None:
        """Nothing is asked for before the first ``refresh``."""
        self._client = client
        self._collected = collected
        self._clock = clock or Clock()
        self._relist_seconds = relist_seconds
        self._objects: dict[Key, JsonObject] = {}
        self._path = ""
        self._version = 0
        self._cost = 0.0
        #: Whether the cluster serves it; None before the first look.
        self.served: bool | None = None
        #: How often it was listed, followed, and listed because it could not be followed.
        self.listed = self.followed = self.lost = 0

    @property
    def objects(self) -> Collection[JsonObject]:
        """What was kept of the objects that are there, in no order."""
        return self._objects.values()

    def get(self, name: str, namespace: str = "") -> JsonObject | None:
        """One of them; None when there is none."""
        return self._objects.get((namespace, name))

    def refresh(self) -> None:
        """See everything that the API server had accepted before this call. Raises ApiError; the picture is void then."""
        if not self._version or self._cost < self._relist_seconds:
            self._list()
            return
        try:
            self._follow()
            self.followed += 1
        except (ApiError, _BehindError):
            # Whatever went wrong, a whole list is the answer, and where that fails too its error is the one to tell.
            self.lost += 1
            self._list()

    # -- list ----------------------------------------------------------------------------------------------------

    def _list(self) -> None:
        self._version = 0
        begun = self._clock.now()
        for path in [self._path] if self._path else self._collected.paths:
            try:
                objects, version = self._whole(path)
            except ApiError as error:
                if error.status == 404:
                    continue
                raise
            self._path, self._objects, self._version, self.served = path, objects, version, True
            self._cost = self._clock.now() - begun
            self.listed += 1
            return
        self._path, self._objects, self.served, self._cost = "", {}, False, 0.0
        self.listed += 1

    def _whole(self, path: str) -> tuple[dict[Key, JsonObject], int]:
        try:
            return self._pages(path)
        except ApiError as error:
            if error.status != 410:
                raise
        return self._pages(path)  # the continue token expired half way: once more, as one consistent picture

    def _pages(self, path: str) -> tuple[dict[Key, JsonObject], int]:
        objects: dict[Key, JsonObject] = {}
        token, version = "", 0
        while True:
            page = self._client.get(path, {"limit": _PAGE_SIZE, **({"continue": token} if token else {})})
            metadata = page.get("metadata") or {}
            # every page is of the version of the first one
            version = version or _number(metadata.get("resourceVersion"))
            for item in page.get("items") or ():
                objects[_key(item)] = self._collected.keep(item)
            token = str(metadata.get("continue") or "")
            if not token:
                return objects, version

    # -- watch ---------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        wanted = _number((self._client.get(self._path, {"limit": 1}).get("metadata") or {}).get("resourceVersion"))
        if not wanted:
            raise _BehindError
        end = self._clock.now() + _PATIENCE
        while self._version < wanted:
            if self._clock.now() > end:
                raise _BehindError
            before = self._version
            for event in self._events():
                self._take(event)
                if self._version >= wanted:
                    return
            if self._version == before:
                raise _BehindError  # a whole watch without a word

    def _events(self) -> Iterator[JsonObject]:
        params = {
            "watch": True,
            "allowWatchBookmarks": True,
            "resourceVersion": self._version,
            "timeoutSeconds": _WATCH_SECONDS,
        }
        stream = self._client.stream(self._path, params, timeout=_SILENCE)
        try:
            yield from stream
        finally:
            stream.close()

    def _take(self, event: Mapping[str, t.Any]) -> None:
        kind, obj = event.get("type"), event.get("object")
        version = _number(((obj or {}).get("metadata") or {}).get("resourceVersion"))
        if not isinstance(obj, dict) or kind not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK") or not version:
            raise _BehindError  # an error of the server, such as 410: the version is too old
        if kind == "DELETED":
            self._objects.pop(_key(obj), None)
        elif kind != "BOOKMARK":
            self._objects[_key(obj)] = self._collected.keep(obj)
        self._version = max(self._version, version)


class WatchedLists:
    """Several collections that are refreshed together."""

    def __init__(
        self,
        client: KubeClient,
        collections: Mapping[str, Collected],
        *,
        clock: Clock | None = None,
        relist_seconds: float = _RELIST_SECONDS,
    ) -> None:
        """``collections`` by a name of the caller's."""
        self.lists = {
            name: WatchedList(client, one, clock=clock, relist_seconds=relist_seconds)
            for name, one in collections.items()
        }

    def refresh(self) -> None:
        """``WatchedList.refresh`` of each, all at once. Raises the first ApiError."""
        with ThreadPoolExecutor(len(self.lists), thread_name_prefix="watch") as pool:
            for _done in pool.map(WatchedList.refresh, self.lists.values()):
                pass

    def __getitem__(self, name: str) -> WatchedList:
        return self.lists[name]


def _key(obj: Mapping[str, t.Any]) -> Key:
    metadata = obj["metadata"]
    return str(metadata.get("namespace") or ""), str(metadata["name"])


def _number(version: object) -> int:
    """A resourceVersion as a number (they are, KEP-5504); 0 when it is none, and then nothing is compared."""
    text = str(version or "")
    return int(text) if text.isascii() and text.isdecimal() else 0
