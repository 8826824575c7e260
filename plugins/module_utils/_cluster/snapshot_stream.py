# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What stands between a snapshot and its reader: one error for all that can be wrong with bytes, and limits."""

from __future__ import annotations

import io
import lzma
import struct
import tarfile
import typing as t
import zipfile
import zlib

# Real sysdumps are packed up to about 60 : 1 (thousands of like objects); a bomb has about 1,000 : 1.
LARGEST_RATIO = 400
# below this size no ratio is looked at
HARMLESS = 64 << 20
LARGEST_FILE = 8 << 30
# of all files of a snapshot together, and how many files it may have
LARGEST_TOTAL = 64 << 30
MOST_FILES = 1_000_000
_BLOCK = 1 << 18
_BROKEN = (
    *(OSError, EOFError, ValueError, OverflowError, RuntimeError, NotImplementedError),
    *(zlib.error, lzma.LZMAError, struct.error, zipfile.BadZipFile, tarfile.TarError),
)


class BadContent(ValueError):
    """What is wrong with a file, as the end of a sentence that starts with its name ("is cut off")."""


class Budget:
    """Bytes that the files of one snapshot may still give."""

    def __init__(self, total: int | None = None) -> None:
        self._left = LARGEST_TOTAL if total is None else total

    def take(self, count: int) -> None:
        """Count bytes. Raises BadContent when there are more than a snapshot may have."""
        self._left -= count
        if self._left < 0:
            raise BadContent("unpacks to more than 64 GiB")


class GuardedStream(io.RawIOBase):
    """A stream whose every failure is BadContent, and which ends when it unpacks to too much.

    ``packed`` is the size of the file in its archive (0: not packed).
    """

    def __init__(self, inner: t.BinaryIO, packed: int = 0, budget: Budget | None = None) -> None:
        super().__init__()
        self._inner = inner
        self._packed = packed
        self._budget = budget or Budget()
        self._count = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: t.Any) -> int:
        """Read some bytes; see the class for what is raised."""
        try:
            data = self._inner.read(len(buffer))
        except BadContent:
            raise
        except _BROKEN as error:
            raise BadContent(f"cannot be read: {_words(error)}") from error
        self._count += len(data)
        self._budget.take(len(data))
        if self._count > LARGEST_FILE:
            raise BadContent("unpacks to more than 8 GiB")
        if self._packed and self._count > max(HARMLESS, self._packed * LARGEST_RATIO):
            raise BadContent(f"unpacks to more than {LARGEST_RATIO} times its size")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the stream within, too."""
        if not self.closed:
            self._inner.close()
        super().close()


def guarded(inner: t.BinaryIO, packed: int = 0, budget: Budget | None = None) -> t.BinaryIO:
    """``inner`` behind a GuardedStream with a buffer."""
    return t.cast("t.BinaryIO", io.BufferedReader(GuardedStream(inner, packed, budget), _BLOCK))


class _Recoded(io.RawIOBase):
    """UTF-16 (what PowerShell redirects into a file) read as UTF-8."""

    def __init__(self, inner: t.BinaryIO) -> None:
        super().__init__()
        self._inner = inner
        self._text = io.TextIOWrapper(inner, "utf-16")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        if not self._rest:
            try:
                # a character has at most four bytes
                self._rest = self._text.read(_BLOCK).encode()
            except UnicodeError as error:
                raise BadContent("is no text: its UTF-16 is broken") from error
        data, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()


def as_utf8(stream: t.BinaryIO) -> t.BinaryIO:
    """The stream of a text without its byte order mark, UTF-16 turned to UTF-8."""
    head = _peek(stream, 3)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return t.cast("t.BinaryIO", io.BufferedReader(_Recoded(stream), _BLOCK))
    if head == b"\xef\xbb\xbf":
        stream.read(3)
    return stream


def _peek(stream: t.BinaryIO, count: int) -> bytes:
    return t.cast("io.BufferedReader", stream).peek(count)[:count]


def head_of(stream: t.BinaryIO, count: int = 1 << 16) -> bytes:
    """The first bytes of a buffered stream, which stay in it; may be fewer than asked for."""
    return _peek(stream, count)


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
