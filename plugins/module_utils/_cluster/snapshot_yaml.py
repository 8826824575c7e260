# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""YAML documents of Kubernetes object by object: a list of 300 MB costs the memory of its largest object.

A list is cut into its items at the lines that start one, as cilium and kubectl write them (indented by 0 or 2), and each
item is parsed by itself.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Collection, Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_json import Entry, Header
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_yaml_value import parse

_LONGEST_LINE = 16 << 20
_LARGEST_DOCUMENT = 64 << 20
_SEPARATOR = re.compile(rb"(?:---|\.\.\.)(?:\s|$)")
_ITEMS = re.compile(rb"items:[ \t]*(?:#.*)?\r?\n?$")
_ITEM = re.compile(rb"( *)-(?:[ \t]|\r?\n|$)")
_TOP_KEY = re.compile(rb"(kind|apiVersion):[ \t]+[\"']?([A-Za-z0-9./-]+)")
# {kind: (key, key below it)} of objects that no check needs: passed over before parsing
Unneeded = Mapping[str, Collection[tuple[bytes, bytes]]]


def entries(stream: t.BinaryIO, unneeded: Unneeded | None = None, kind: str = "") -> Iterator[Entry]:
    """Objects of all documents of a stream, one at a time. Raises BadContent.

    ``kind`` is that of items which do not say theirs; without it nothing of them is unneeded.
    """
    lines = _Lines(stream)
    number = 0
    while lines.line:
        if _SEPARATOR.match(lines.line):
            number += 1
            # what follows the three dashes on their line belongs to the document
            rest = lines.line[3:].strip()
            lines.line = b"" if lines.line.startswith(b"...") or rest.startswith(b"#") else rest
            if not lines.line:
                lines.next()
                continue
        yield from _document(lines, Header(number), lambda indent: _Skipping(indent, unneeded or {}, kind))


class _Lines:
    """The current line of a stream; empty at its end."""

    def __init__(self, stream: t.BinaryIO) -> None:
        self._stream = stream
        self.next()

    def next(self) -> bytes:
        """Go on to the next line, and give it."""
        self.line = line = self._stream.readline(_LONGEST_LINE)
        if len(line) == _LONGEST_LINE:
            raise BadContent("has a line of more than 16 MiB")
        return line


def _document(lines: _Lines, header: Header, skipping: Callable[[int], _Skipping]) -> Iterator[Entry]:
    rest: list[bytes] = []
    size = 0
    is_list = False
    while lines.line and not _SEPARATOR.match(lines.line):
        if not is_list and _ITEMS.match(lines.line):
            first = lines.line
            lines.next()
            while lines.line and not lines.line.strip():
                lines.next()
            indent = _ITEM.match(lines.line)
            if indent:
                is_list = True
                yield from _items(lines, header, len(indent[1]), skipping(len(indent[1])))
            else:
                rest.append(first)
            continue
        size += len(lines.line)
        if size > _LARGEST_DOCUMENT:
            raise BadContent("has a document of more than 64 MiB that is no list as kubectl writes it")
        rest.append(lines.line)
        lines.next()
    content = parse(b"".join(rest))
    if content is None and not is_list:
        return
    if isinstance(content, dict):
        header.kind = _text(content.get("kind"))
        header.api_version = _text(content.get("apiVersion"))
        # a nil slice of Go is written as null
        empty = header.kind.endswith("List") and "items" in content and content["items"] is None
        if not is_list and (empty or isinstance(content.get("items"), list)):
            is_list = True
            for item in content["items"] or ():
                if isinstance(item, dict):
                    yield header, item
        yield header, None if is_list else content
    elif is_list and content is None:
        yield header, None
    else:
        raise BadContent("is no YAML of Kubernetes: a document is no mapping")


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else ""


def _items(lines: _Lines, header: Header, indent: int, skipping: _Skipping) -> Iterator[Entry]:
    starts = re.compile(rb" {%d}-(?:[ \t]|\r?\n|$)" % indent)
    inside = b" " * (indent + 1)
    item: list[bytes] = []
    size = 0
    line = lines.line
    while line:
        # most lines are inside an item
        if not line.startswith(inside):
            if starts.match(line):
                if item:
                    yield header, _item(item)
                item, size = [], 0
                skipping.start()
                # the dash is one space more of the item's indentation
                line = line.replace(b"-", b" ", 1)
            elif line.strip() and not line.lstrip().startswith(b"#"):
                break
        if not skipping.skips(line):
            size += len(line)
            if size > _LARGEST_DOCUMENT:
                raise BadContent("has an object of more than 64 MiB")
            item.append(line)
        line = lines.next()
    if item:
        yield header, _item(item)


def _item(lines: list[bytes]) -> dict[str, t.Any]:
    value = parse(b"".join(lines))
    if not isinstance(value, dict):
        raise BadContent("has a list whose entries are no objects")
    return value


class _Skipping:
    """Passes over the block below ``metadata: managedFields:`` and its like, line by line.

    Certain only where both keys stand alone on their lines, so that no text of several lines is around them.
    """

    def __init__(self, indent: int, unneeded: Unneeded, kind: str) -> None:
        self._unneeded = unneeded
        self._kind = kind
        self._key, self._child = indent + 2, indent + 4
        self._key_indent, self._child_indent = b" " * self._key, b" " * self._child
        self._below = (b" " * (self._child + 1), self._child_indent + b"-")
        self.start()

    def start(self) -> None:
        """A new object."""
        self._top = b""
        self._skipping = False
        self._keys = self._unneeded.get(self._kind, ())

    def skips(self, line: bytes) -> bool:
        """Whether this line is not needed."""
        if self._skipping:
            if line.startswith(self._below) or not line.strip() or line.lstrip().startswith(b"#"):
                return True
            self._skipping = False
        if not line.startswith(self._key_indent):
            return False
        if line[self._key : self._key + 1] not in (b" ", b"-"):
            text = line.strip()
            self._top = text[:-1] if text.endswith(b":") else b""
            if text.startswith(b"kind: "):
                # kubectl sorts keys: an object's kind stands before its metadata
                self._keys = self._unneeded.get(text[6:].decode(errors="replace"), ())
        elif (
            self._top
            and self._keys
            and line.startswith(self._child_indent)
            and line[self._child : self._child + 1] != b" "
        ):
            text = line.strip()
            self._skipping = text.endswith(b":") and (self._top, text[:-1]) in self._keys
        return self._skipping


def headers(stream: t.BinaryIO) -> list[Header]:
    """What the documents say about themselves in lines of their own; nothing is parsed."""
    found = {0: Header()}
    number = 0
    lines = _Lines(stream)
    while lines.line:
        if _SEPARATOR.match(lines.line):
            number += 1
            found[number] = Header(number)
        match = _TOP_KEY.match(lines.line)
        if match and match[1] == b"kind":
            found[number].kind = match[2].decode()
        elif match:
            found[number].api_version = match[2].decode()
        lines.next()
    return list(found.values())
