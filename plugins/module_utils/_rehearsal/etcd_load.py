# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Writes objects into an etcd of our own by its JSON gateway, many in one transaction: minutes become seconds."""

from __future__ import annotations

import base64
import http.client
import json
import queue
import threading
import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError

# etcd is started with room for both (--max-txn-ops, --max-request-bytes)
_MOST_OBJECTS: t.Final = 500
_MOST_BYTES: t.Final = 4 << 20
MOST_OPERATIONS: t.Final = 1000
LARGEST_REQUEST: t.Final = 32 << 20
_WRITERS: t.Final = 2
_SECONDS: t.Final = 60.0


class LoadError(UpkeepError):
    """The etcd of the rehearsal did not take the objects."""


def load(port: int, objects: Iterable[tuple[str, Mapping[str, t.Any]]]) -> int:
    """Write all ``objects`` to the etcd at this port of loopback; how many they were. Raises LoadError."""
    batches: queue.Queue[bytes | None] = queue.Queue(maxsize=4)
    errors: list[BaseException] = []
    writers = [threading.Thread(target=_write, args=(port, batches, errors), daemon=True) for _one in range(_WRITERS)]
    for writer in writers:
        writer.start()
    count = 0
    try:
        for batch in _batches(objects):
            count += len(batch)
            if errors:
                break
            body = b'{"success":[' + b",".join(batch) + b"]}"
            batches.put(body)
    finally:
        for _writer in writers:
            batches.put(None)
        for writer in writers:
            writer.join()
    if errors:
        raise LoadError(f"The etcd of the rehearsal did not take the snapshot: {errors[0]}.") from errors[0]
    return count


def remove(port: int, keys: Iterable[str]) -> None:
    """Take these keys out of the etcd. Raises LoadError."""
    requests = [b'{"requestDeleteRange":{"key":"%b"}}' % base64.b64encode(key.encode()) for key in keys]
    batches: queue.Queue[bytes | None] = queue.Queue()
    for first in range(0, len(requests), _MOST_OBJECTS):
        batches.put(b'{"success":[' + b",".join(requests[first : first + _MOST_OBJECTS]) + b"]}")
    batches.put(None)
    errors: list[BaseException] = []
    _write(port, batches, errors)
    if errors:
        raise LoadError(f"The etcd of the rehearsal did not give objects up: {errors[0]}.") from errors[0]


def _batches(objects: Iterable[tuple[str, Mapping[str, t.Any]]]) -> Iterable[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for key, obj in objects:
        value = json.dumps(obj, separators=(",", ":")).encode()
        one = b'{"requestPut":{"key":"%b","value":"%b"}}' % (base64.b64encode(key.encode()), base64.b64encode(value))
        batch.append(one)
        size += len(one)
        if len(batch) >= _MOST_OBJECTS or size >= _MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write(port: int, batches: queue.Queue[bytes | None], errors: list[BaseException]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    while (body := batches.get()) is not None:
        if errors:
            continue  # nobody waits for a place in the queue for ever
        try:
            connection.request("POST", "/v3/kv/txn", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200:
                raise LoadError(f"HTTP {answer.status}, {said[:300].decode(errors='replace')}")
        except (OSError, http.client.HTTPException, LoadError) as error:
            errors.append(error)
    connection.close()
