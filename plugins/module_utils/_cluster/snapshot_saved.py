# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Saved states of this collection: one JSON document with one object a line, so that it is written and read in pieces.

Format 2 is ``{"format":2,...,"resources":{`` on the first line, then for each resource ``"nodes":[``, its objects with a
comma behind all but the last, and ``]``; at the end ``}}``. Any JSON tool reads it, and what another tool wrote of it is
read whole. Format 1 was a document on one line.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import PRUNERS, prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_json import no_constant
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent, head_of
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

_LONGEST_LINE = 64 << 20
# of a document that is not in lines; it takes about six times its size in memory
_LARGEST_WHOLE = 1 << 30
_FORMAT = re.compile(rb'"format"\s*:\s*\d')
_KIND = re.compile(rb'"(?:apiVersion|kind)"\s*:')
_BATCH = 1000
_START = b'"resources":{\n'


class _NotInLinesError(Exception):
    """The document is not written as ``pieces`` writes it; it may be good for all that."""


def is_saved_state(head: bytes) -> bool:
    """Whether a JSON text that starts like this is one of ours (and no object of Kubernetes)."""
    found, other = _FORMAT.search(head), _KIND.search(head)
    return found is not None and (other is None or found.start() < other.start())


def pieces(state: ClusterState) -> Iterator[bytes]:
    """The document of a state, line by line; equal states give equal bytes."""
    content = state.to_json()
    resources = content.pop("resources")
    # the format stands first, so that the first bytes tell what the file is
    header = {"format": content.pop("format"), **dict(sorted(content.items()))}
    yield _compact(header)[:-1] + b"," + _START
    last = len(resources) - 1
    for number, (name, objects) in enumerate(sorted(resources.items())):
        yield _compact(name) + b":[\n"
        for index, obj in enumerate(objects):
            yield _compact(obj) + (b",\n" if index < len(objects) - 1 else b"\n")
        yield b"],\n" if number < last else b"]\n"
    yield b"}}\n"


def _compact(value: t.Any) -> bytes:
    return json.dumps(
        value, sort_keys=not (isinstance(value, dict) and "format" in value), separators=(",", ":")
    ).encode()


def read(open_stream: t.Callable[[], t.BinaryIO]) -> ClusterState:
    """The state in a stream, which may be opened twice. Raises BadContent, or ValueError saying what is wrong."""
    try:
        with open_stream() as stream:
            return ClusterState.from_json(_in_lines(stream))
    except _NotInLinesError:
        pass
    with open_stream() as stream:
        data = stream.read(_LARGEST_WHOLE + 1)
    if len(data) > _LARGEST_WHOLE:
        raise BadContent("is larger than 1 GiB and not written line by line")
    try:
        content = json.loads(data, parse_constant=no_constant)
    except RecursionError as error:
        raise BadContent("is nested too deep") from error
    return ClusterState.from_json(content)


def _in_lines(stream: t.BinaryIO) -> dict[str, t.Any]:
    if _START not in head_of(stream):
        raise _NotInLinesError
    header = _line(stream)
    if not header.endswith(_START):
        raise _NotInLinesError
    content = _value(header[:-1] + b"}}")
    if not isinstance(content, dict) or content.get("resources") != {}:
        raise _NotInLinesError
    resources: dict[str, list[t.Any]] = {}
    while (line := _line(stream)) != b"}}\n":
        if not line.endswith(b":[\n"):
            raise _NotInLinesError
        name = _value(line[:-3])
        objects = resources.setdefault(name, [])
        batch: list[bytes] = []
        while (line := _line(stream)) not in (b"]\n", b"],\n"):
            batch.append(line)
            if len(batch) == _BATCH:
                objects.extend(_objects(name, batch))
                batch = []
        objects.extend(_objects(name, batch))
    content["resources"] = resources
    return content


def _objects(resource: str, lines: list[bytes]) -> Iterator[t.Any]:
    """The objects of some lines. Decoded together, they share their keys in memory; pruned again, also equal values."""
    values = _value(b"[" + b"".join(lines).removesuffix(b",\n") + b"]")
    # a line that holds two objects would be read all the same
    if resource not in PRUNERS:
        yield from values
        return
    for value in values:
        try:
            yield prune(resource, value)
        except (AttributeError, TypeError, KeyError, IndexError, ValueError):
            yield value  # the check of shapes says what is wrong with it


def _line(stream: t.BinaryIO) -> bytes:
    line = stream.readline(_LONGEST_LINE)
    if not line:
        raise BadContent("is cut off")
    if not line.endswith(b"\n"):
        raise _NotInLinesError
    return line


def _value(line: bytes) -> t.Any:
    try:
        return json.loads(line, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise _NotInLinesError from error
