# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One way into zip files, tar files and folders: their regular files by name, each a stream, nothing on disk.

Names are names: an absolute one or one with ``..`` leads nowhere. Links are not followed out of a folder, and not at all
in archives.
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import os
import stat
import struct
import tarfile
import typing as t
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import (
    HARMLESS,
    LARGEST_RATIO,
    MOST_FILES,
    BadContent,
    Budget,
    as_utf8,
    guarded,
    head_of,
)

_GZIP = b"\x1f\x8b"
# the extra field in which zip programs of Unix and Go keep times without a time zone's guess (APPNOTE 4.6: 0x5455)
_UNIX_TIMES = 0x5455


@dataclass(frozen=True)
class SnapshotFile:
    """One file. ``order``: its place in an archive, in which reading is cheapest. ``modified`` is None when unknown.

    ``size``: of the bytes in the folder or archive, before any unpacking.
    """

    name: str
    modified: datetime.datetime | None
    source: Callable[[], t.BinaryIO] = field(repr=False, compare=False)
    order: int = 0
    size: int = 0

    @property
    def base(self) -> str:
        """The name without folders."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def folder(self) -> str:
        """The folder without the name; empty at the top."""
        return self.name.rpartition("/")[0]

    def open(self) -> t.BinaryIO:
        """A stream of its bytes; a text in UTF-8 without byte order mark, unpacked when it is a gzip file."""
        stream = self.source()
        if head_of(stream, 2) == _GZIP:
            stream = guarded(t.cast("t.BinaryIO", gzip.GzipFile(fileobj=stream)), max(1, self.size))
        return as_utf8(stream)


def _instant(seconds: float) -> datetime.datetime | None:
    try:
        return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


@contextlib.contextmanager
def opened(path: str, kind: str) -> Iterator[list[SnapshotFile]]:
    """The files in ``path``; ``kind`` is folder, zip, tar or file. Raises BadContent or OSError."""
    budget = Budget()
    if kind == "folder":
        yield list(_in_folder(path, budget))
    elif kind == "file":
        yield [_on_disk(path, os.path.basename(path), os.stat(path), budget)]
    elif kind == "zip":
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error) as error:
            raise BadContent(f"is no whole zip file: {error}") from error
        with archive:
            yield list(_in_zip(archive, budget))
    else:
        with open(path, "rb") as raw:
            packed = os.fstat(raw.fileno()).st_size if raw.peek(2)[:2] == _GZIP else 0
            inner = gzip.GzipFile(fileobj=raw) if packed else raw
            yield from _tar_files(t.cast("t.BinaryIO", inner), packed, budget)


def _tar_files(stream: t.BinaryIO, packed: int, budget: Budget) -> Iterator[list[SnapshotFile]]:
    try:
        archive = tarfile.TarFile(fileobj=t.cast("t.Any", _SeekableGuard(stream, packed)), mode="r", errorlevel=0)
        files = list(_in_tar(archive, budget))
    except BadContent:
        raise
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, struct.error) as error:
        raise BadContent(f"is no whole tar file: {' '.join(str(error).split())}") from error
    with archive:
        yield files


class _SeekableGuard:
    """What tarfile needs of a file; ends a bomb while its index is read."""

    def __init__(self, inner: t.BinaryIO, packed: int) -> None:
        self._inner = inner
        self._limit = max(HARMLESS, packed * LARGEST_RATIO) if packed else None

    def read(self, size: int = -1) -> bytes:
        """Bytes at the current place."""
        data = self._inner.read(size)
        self._check()
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place; in a gzip file all before it is unpacked."""
        place = self._inner.seek(offset, whence)
        self._check()
        return place

    def tell(self) -> int:
        """The current place."""
        return self._inner.tell()

    def _check(self) -> None:
        if self._limit is not None and self._inner.tell() > self._limit:
            raise BadContent(f"unpacks to more than {LARGEST_RATIO} times its size")


def _in_tar(archive: tarfile.TarFile, budget: Budget) -> Iterator[SnapshotFile]:
    for number, member in enumerate(archive):
        if number >= MOST_FILES:
            raise BadContent(f"has more than {MOST_FILES} files")
        if member.isreg():
            yield SnapshotFile(
                _plain(member.name),
                _instant(member.mtime),
                lambda member=member: guarded(t.cast("t.BinaryIO", archive.extractfile(member)), 0, budget),  # type: ignore[misc]
                member.offset,
                member.size,
            )


def _in_zip(archive: zipfile.ZipFile, budget: Budget) -> Iterator[SnapshotFile]:
    if len(archive.infolist()) > MOST_FILES:
        raise BadContent(f"has more than {MOST_FILES} files")
    for info in archive.infolist():
        mode = info.external_attr >> 16
        if info.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
            continue
        yield SnapshotFile(
            _plain(info.filename),
            _zip_time(info),
            lambda info=info: _open_member(archive, info, budget),  # type: ignore[misc]
            info.header_offset,
            info.file_size,
        )


def _open_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> t.BinaryIO:
    if info.flag_bits & 1:
        raise BadContent("is encrypted")
    try:
        member = archive.open(info)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
        EOFError,
        struct.error,
    ) as error:
        raise BadContent(f"cannot be read: {' '.join(str(error).split())}") from error
    return guarded(t.cast("t.BinaryIO", member), max(1, info.compress_size), budget)


def _zip_time(info: zipfile.ZipInfo) -> datetime.datetime | None:
    """The time of the extra field; the one that zip always has is of an unknown time zone."""
    extra = info.extra
    while len(extra) >= 4:
        identifier, size = struct.unpack("<HH", extra[:4])
        if identifier == _UNIX_TIMES and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return _instant(struct.unpack("<i", extra[5:9])[0])
        extra = extra[4 + size :]
    return None


def _in_folder(path: str, budget: Budget) -> Iterator[SnapshotFile]:
    root = os.path.realpath(path)
    number = 0
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            number += 1
            if number > MOST_FILES:
                raise BadContent(f"has more than {MOST_FILES} files")
            full = os.path.join(folder, name)
            try:
                facts = os.stat(full)
            except OSError:  # a link to nothing, or a file that is gone
                continue
            inside = not os.path.islink(full) or os.path.realpath(full).startswith(root + os.sep)
            if stat.S_ISREG(facts.st_mode) and inside:
                yield _on_disk(full, _plain(os.path.relpath(full, path)), facts, budget)


def _on_disk(path: str, name: str, facts: os.stat_result, budget: Budget) -> SnapshotFile:
    def source() -> t.BinaryIO:
        try:
            return guarded(open(path, "rb"), 0, budget)
        except OSError as error:
            raise BadContent(f"cannot be read: {error.strerror or error}") from error

    return SnapshotFile(name, _instant(facts.st_mtime), source, 0, facts.st_size)


def _plain(name: str) -> str:
    """Windows writes backslashes into the names of a sysdump."""
    return name.replace("\\", "/").removeprefix("./")
