# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""JSON documents of Kubernetes object by object: a list of 300 MB costs the memory of its largest object."""

from __future__ import annotations

import codecs
import json
import re
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent

_CHUNK = 1 << 18
# etcd takes no object above 1.5 MiB; this is for what is no object of Kubernetes
_LARGEST_VALUE = 64 << 20
# An error this close to the end of what was read may be only that the rest is not there yet.
_MARGIN = 16
_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass
class Header:
    """Of one document: what it says about itself. Complete only when the document has been read to its end."""

    number: int = 0
    api_version: str = ""
    kind: str = ""


# an object of a list or a document that is no list; None at the end of a list
Entry: t.TypeAlias = "tuple[Header, dict[str, t.Any] | None]"


def no_constant(text: str) -> t.NoReturn:
    """Refuses NaN and Infinity, which Python reads and JSON has not."""
    raise ValueError(f"{text} is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=no_constant)


class _Window:
    """The part of a text that is in memory."""

    def __init__(self, stream: t.BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._ended = False
        self.text = ""
        self.at = 0

    def _fill(self) -> bool:
        """More text; False when there is none."""
        if self._ended:
            return False
        rest = len(self.text) - self.at
        if rest > _LARGEST_VALUE:
            raise BadContent("is no JSON, or holds a value of more than 64 MiB")
        # as much again as is there: a large value is looked at a few times only
        data = self._stream.read(max(_CHUNK, rest))
        self._ended = not data
        try:
            more = self._decoder.decode(data, self._ended)
        except UnicodeDecodeError as error:
            raise BadContent("is no text in UTF-8") from error
        self.text = self.text[self.at :] + more
        self.at = 0
        return True

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            match = _SPACE.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._fill():
                return ""

    def expect(self, characters: str) -> str:
        """Take the next character, which has to be one of these."""
        found = self.peek()
        if not found:
            raise BadContent("is cut off: its JSON does not end")
        if found not in characters:
            raise BadContent(f"is no JSON: {found!r} stands where {' or '.join(characters)} is to be")
        self.at += 1
        return found

    def value(self) -> t.Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                partial = error.msg.startswith("Unterminated") or error.pos >= len(self.text) - _MARGIN
                if partial and self._fill():
                    continue
                raise BadContent(
                    "is cut off: its JSON does not end" if partial else f"is no JSON: {error.msg}"
                ) from error
            except RecursionError as error:
                raise BadContent("is nested too deep") from error
            except ValueError as error:
                raise BadContent(f"is no JSON: {error}") from error
            # a number may go on in what is not read yet
            if end == len(self.text) and self._fill():
                continue
            if _SURROGATE.search(self.text, self.at, end):
                encodable(found)
            self.at = end
            return found


def encodable(value: t.Any) -> None:
    """Raises BadContent when a text in ``value`` cannot be written again: JSON may hold half a character."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadContent("holds half a character (a lone surrogate)") from error


def entries(stream: t.BinaryIO) -> Iterator[Entry]:
    """Objects of all documents of a stream, one at a time. Raises BadContent.

    A document is an object, a list of Kubernetes (an object with ``items``), or an array of objects.
    """
    window = _Window(stream)
    number = 0
    while window.peek():
        header = Header(number)
        if window.peek() == "[":
            yield from _items(window, header)
            yield header, None
        elif window.peek() == "{":
            yield from _document(window, header)
        else:
            raise BadContent(f"is no JSON: {window.peek()!r} stands where {{ or [ is to be")
        number += 1


def _document(window: _Window, header: Header) -> Iterator[Entry]:
    window.expect("{")
    rest: dict[str, t.Any] = {}
    is_list = False
    while window.peek() != "}":
        if rest or is_list:
            window.expect(",")
        if window.peek() != '"':
            window.expect('"')
        key = window.value()
        window.expect(":")
        if key == "items" and window.peek() == "[":
            is_list = True
            yield from _items(window, header)
            continue
        rest[key] = window.value()
        if key == "kind" and isinstance(rest[key], str):
            header.kind = rest[key]
        elif key == "apiVersion" and isinstance(rest[key], str):
            header.api_version = rest[key]
    window.expect("}")
    # a nil slice of Go is written as null
    empty = header.kind.endswith("List") and "items" in rest and rest["items"] is None
    yield header, None if is_list or empty else rest


def _items(window: _Window, header: Header) -> Iterator[Entry]:
    window.expect("[")
    first = True
    while window.peek() != "]":
        if not first:
            window.expect(",")
        first = False
        value = window.value()
        if isinstance(value, dict):
            yield header, value
        elif value is not None:
            raise BadContent("has a list whose entries are no objects")
    window.expect("]")


def headers(stream: t.BinaryIO) -> list[Header]:
    """What the documents say about themselves; reads all of them."""
    found: dict[int, Header] = {}
    for header, _obj in entries(stream):
        found[header.number] = header
    return list(found.values())
