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

import gzip
import json
import os
import re
import tempfile
import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import (
    Gathered,
    PackedEndpoints,
    collecting,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import PRUNERS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows import reduced
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_json import encodable, no_constant
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent, head_of
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_LONGEST_LINE = 64 << 20
# of a document that is not in lines; it takes about six times its size in memory
_LARGEST_WHOLE = 1 << 30
_FORMAT = re.compile(rb'"format"\s*:\s*\d')
_KIND = re.compile(rb'"(?:apiVersion|kind)"\s*:')
_BATCH = 1000
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_START = b'"resources":{\n'


class _NotInLinesError(Exception):
    """The document is not written as ``pieces`` writes it; it may be good for all that."""


def is_saved_state(head: bytes) -> bool:
    """Whether a JSON text that starts like this is one of ours (and no object of Kubernetes)."""
    found, other = _FORMAT.search(head), _KIND.search(head)
    return found is not None and (other is None or found.start() < other.start())


def pieces(state: ClusterState) -> Iterator[bytes]:
    """The document of a state, line by line; equal states give equal bytes."""
    content = state.envelope()
    # the format stands first, so that the first bytes tell what the file is
    header = {"format": content.pop("format"), **dict(sorted(content.items()))}
    yield _compact(header)[:-1] + b"," + _START
    last = len(state.resources) - 1
    for number, (name, objects) in enumerate(sorted(state.resources.items())):
        yield _compact(name) + b":[\n"
        for index, obj in enumerate(objects):
            yield _compact(obj) + (b",\n" if index < len(objects) - 1 else b"\n")
        yield b"],\n" if number < last else b"]\n"
    yield b"}}\n"


def _compact(value: t.Any) -> bytes:
    return json.dumps(
        value, sort_keys=not (isinstance(value, dict) and "format" in value), separators=(",", ":")
    ).encode()


def write(state: ClusterState, path: str, option: str) -> str:
    """Write the state, gzip when the name ends in ``.gz``; whole or not at all, mode 0640. Returns the full path.

    Like ``_files.write_atomically``, but without the document in memory. Raises InputError naming ``option``.
    """
    name = os.path.abspath(os.path.expanduser(path))
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(name), prefix=".upkeep-")
        try:
            with os.fdopen(handle, "wb") as file:
                _write_to(file, state, name.endswith(".gz"))
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o640)
            os.replace(temporary, name)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(
            f"{option}: {name} cannot be written: {error.strerror or error}; name a file in a writable folder."
        ) from error
    return name


def _write_to(file: t.BinaryIO, state: ClusterState, packed: bool) -> None:
    if not packed:
        file.writelines(pieces(state))
        return
    # neither a name nor a time, so that equal states give equal bytes
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as stream:
        stream.writelines(pieces(state))


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
        content = _decoded(data)
    except RecursionError as error:
        raise BadContent("is nested too deep") from error
    if isinstance(content, dict) and isinstance(content.get("resources"), dict):
        found = content["resources"].items()
        content["resources"] = {
            name: _gathered(name, objects) if isinstance(objects, list) else objects for name, objects in found
        }
    return ClusterState.from_json(content)


def _gathered(name: str, objects: list[t.Any]) -> Gathered | PackedEndpoints:
    made = collecting(name)
    made.take(_pruned(name, objects))
    return made


def _in_lines(stream: t.BinaryIO) -> dict[str, t.Any]:
    if _START not in head_of(stream):
        raise _NotInLinesError
    header = _line(stream)
    if not header.endswith(_START):
        raise _NotInLinesError
    content = _value(header[:-1] + b"}}")
    if not isinstance(content, dict) or content.get("resources") != {}:
        raise _NotInLinesError
    resources: dict[str, Gathered | PackedEndpoints] = {}
    while (line := _line(stream)) != b"}}\n":
        if not line.endswith(b":[\n"):
            raise _NotInLinesError
        name = _value(line[:-3])
        objects = resources.setdefault(name, collecting(name))
        batch: list[bytes] = []
        while (line := _line(stream)) not in (b"]\n", b"],\n"):
            batch.append(line)
            if len(batch) == _BATCH:
                _take(objects, name, batch)
                batch = []
        _take(objects, name, batch)
    content["resources"] = resources
    return content


def _take(objects: Gathered | PackedEndpoints, resource: str, lines: list[bytes]) -> None:
    # decoded together, for then they share their keys in memory
    objects.take(_pruned(resource, _value(b"[" + b"".join(lines).removesuffix(b",\n") + b"]")))


def _pruned(resource: str, objects: t.Any) -> Iterator[t.Any]:
    """What was pruned stays as it is and shares values in memory; of edited or earlier states the rest goes."""
    if resource not in PRUNERS:
        yield from objects
        return
    for obj in objects:
        try:
            yield reduced(resource, obj)
        except (AttributeError, TypeError, KeyError, IndexError, ValueError):
            yield obj  # the check of shapes says what is wrong with it


def _line(stream: t.BinaryIO) -> bytes:
    line = stream.readline(_LONGEST_LINE)
    if not line:
        raise BadContent("is cut off")
    if not line.endswith(b"\n"):
        raise _NotInLinesError
    return line


def _decoded(data: bytes) -> t.Any:
    content = json.loads(data, parse_constant=no_constant)
    if _SURROGATE.search(data):
        encodable(content)
    return content


def _value(line: bytes) -> t.Any:
    try:
        return _decoded(line)
    except (ValueError, RecursionError) as error:
        raise _NotInLinesError from error
