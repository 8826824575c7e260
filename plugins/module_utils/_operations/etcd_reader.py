# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads keys and leases of an etcd: paged, and of one revision, so that a large store is no burden."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import number
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_keys import Key
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import (
    EtcdDoor,
    JsonObject,
    decoded,
    encoded,
)

_PAGE = 2000


class EtcdReader:
    """Linearized reads through one member."""

    def __init__(self, door: EtcdDoor) -> None:
        self._door = door

    def keys(self, prefix: str, *, names_only: bool = False, page: int = _PAGE) -> Iterator[Key]:
        """All keys that begin with ``prefix``, of one revision, page by page. Raises EtcdError."""
        start, end, revision = prefix.encode(), _after(prefix.encode()), 0
        while True:
            question: JsonObject = {"key": encoded(start), "range_end": encoded(end), "limit": str(page)}
            if names_only:
                question["keys_only"] = True
            if revision:
                question["revision"] = str(revision)
            answer = self._door.ask("/v3/kv/range", question)
            revision = revision or number((answer.get("header") or {}).get("revision"))
            found = answer.get("kvs") or []
            for one in found:
                yield _key(one)
            if not answer.get("more") or not found:
                return
            start = decoded(found[-1]["key"]) + b"\0"

    def find(self, name: str) -> Key | None:
        """One key; None when it is not there. Raises EtcdError."""
        found = self._door.ask("/v3/kv/range", {"key": encoded(name.encode())}).get("kvs") or []
        return _key(found[0]) if found else None

    def leases(self) -> list[int]:
        """IDs of all leases. Raises EtcdError."""
        return [number(one.get("ID")) for one in self._door.ask("/v3/lease/leases").get("leases") or []]

    def lease(self, identifier: int) -> tuple[int, int, list[str]]:
        """(seconds left, seconds granted, names of its keys) of a lease; -1 seconds when it is gone. Raises EtcdError."""
        answer = self._door.ask("/v3/lease/timetolive", {"ID": str(identifier), "keys": True})
        names = [decoded(one).decode(errors="replace") for one in answer.get("keys") or []]
        return number(answer.get("TTL")), number(answer.get("grantedTTL")), names


def _key(one: t.Any) -> Key:
    return Key(
        decoded(one.get("key")).decode(errors="surrogateescape"),
        decoded(one.get("value")).decode(errors="surrogateescape"),
        number(one.get("mod_revision")),
        number(one.get("lease")),
    )


def _after(prefix: bytes) -> bytes:
    """The end of the range of keys that begin with ``prefix``."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else b"\0"
