# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Objects read whole and one at a time, and when each was written last by the server's clock."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.server_clock import server_time

_PAGE_SIZE = 500


class Reading(t.Protocol):
    """Takes each object of a collection; ``restart`` forgets what it took."""

    def take(self, obj: JsonObject) -> None:
        """One whole object."""

    def restart(self) -> None:
        """The list begins again."""


def read_pages(client: KubeClient, path: str, reading: Reading, *, kind: str, api_version: str) -> bool:
    """Hand every object of a collection to ``reading``, page by page, as one consistent picture.

    Whether the collection is served at all. When the continue token expires half way (410), the list begins again once.
    Items of a list carry neither kind nor apiVersion; they get them here. Raises ApiError.
    """
    for attempt in (1, 2):
        try:
            _all_pages(client, path, lambda obj: reading.take({"apiVersion": api_version, "kind": kind, **obj}))
            return True
        except ApiError as error:
            if error.status == 404:
                return False
            if error.status != 410 or attempt == 2:
                raise
        reading.restart()
    return True


def _all_pages(client: KubeClient, path: str, take: Callable[[JsonObject], None]) -> None:
    token = ""
    while True:
        page = client.get(path, {"limit": _PAGE_SIZE, **({"continue": token} if token else {})})
        for item in page.get("items") or ():
            take(item)
        token = str((page.get("metadata") or {}).get("continue") or "")
        if not token:
            return


def last_written(obj: Mapping[str, t.Any]) -> datetime.datetime | None:
    """When the object was created or written last, whichever is later; None when nothing tells.

    The API server dates each writer's last change in managedFields.
    """
    metadata = obj.get("metadata") or {}
    texts = [metadata.get("creationTimestamp"), *(one.get("time") for one in metadata.get("managedFields") or ())]
    times = [found for text in texts if (found := moment(text)) is not None]
    return max(times) if times else None


def seconds_since(when: datetime.datetime | None, now: datetime.datetime) -> float | None:
    """Seconds from ``when`` to ``now``; None when it is not known."""
    return None if when is None else (now - when).total_seconds()


def clock_of_server(client: KubeClient) -> datetime.datetime:
    """Now, by the clock that dates objects; our own one where we may not ask for it (403). Raises ApiError."""
    try:
        return server_time(client)
    except ApiError as error:
        if error.status != 403:
            raise
    return datetime.datetime.now(datetime.timezone.utc)
