# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A snapshot of an etcd as a file that ``etcdutl snapshot restore`` takes: the database, and its SHA-256 after it.

The file appears under its name only when it is complete and its digest is that of its contents.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import tempfile
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import in_words
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Member
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import EtcdDoor, decoded

_DIGEST = hashlib.sha256().digest_size
# bbolt writes this into its first page, 16 bytes after the header of the page
_MAGIC, _MAGIC_AT = 0xED0CDAED, 16
_PARTIAL = ".partial"
_SPARE = 64 * 1024**2


@dataclass(frozen=True)
class Snapshot:
    """A file on this machine; ``size`` in bytes with the digest at its end."""

    path: str
    size: int
    sha256: str
    member: str


class Doors(t.Protocol):
    """An etcd whose members are reached through their gateways."""

    def door_of(self, member: Member) -> EtcdDoor:
        """The way to exactly this member."""
        raise NotImplementedError


def take(
    cluster: Doors,
    member: Member,
    folder: str,
    name: str,
    heartbeat: Callable[[], None] | None = None,
) -> Snapshot:
    """Stream the database of a member into ``folder``/``name``, mode 0600.

    ``heartbeat`` is called now and then. Raises InputError for a folder that cannot be written to, RefusedError when the file
    is not complete or not sound, EtcdError.
    """
    folder = os.path.abspath(os.path.expanduser(folder))
    handle, temporary = begin(folder, name, member.status.size if member.status else 0)
    try:
        with os.fdopen(handle, "wb") as file:
            size, digest = _receive(cluster, member, file.write, heartbeat)
            file.flush()
            os.fsync(file.fileno())
        check(temporary, size, digest, member)
        path = os.path.join(folder, name)
        os.replace(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise InputError(
            f"snapshot_dir: {folder} cannot be written to: {error.strerror or error}; name a folder with room on this machine."
        ) from error
    except BaseException:
        _remove(temporary)
        raise
    return Snapshot(path, size, digest.hex(), member.title)


def begin(folder: str, name: str, needed: int) -> tuple[int, str]:
    """(handle, path) of a new file in ``folder``, mode 0600, for ``needed`` bytes. Raises InputError."""
    # of this etcd: etcd-CLUSTER
    prefix = f".{'-'.join(name.split('-')[:2])}-"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        for left in os.listdir(folder):
            if left.startswith(prefix) and left.endswith(_PARTIAL):  # of a run that was killed; we hold the lock
                os.unlink(os.path.join(folder, left))
        free = shutil.disk_usage(folder).free
        if free < needed + _SPARE:
            raise InputError(
                f"snapshot_dir: {folder} has {in_words(free)} left and the database {in_words(needed)}; name a folder with more "
                "room on this machine."
            )
        return tempfile.mkstemp(dir=folder, prefix=prefix, suffix=_PARTIAL)  # mode 0600
    except OSError as error:
        raise InputError(
            f"snapshot_dir: {folder} cannot be written to: {error.strerror or error}; name a folder on this machine."
        ) from error


def _receive(
    cluster: Doors, member: Member, write: Callable[[bytes], int], heartbeat: Callable[[], None] | None
) -> tuple[int, bytes]:
    """Write the stream down; (bytes, SHA-256 of all but the last 32 of them)."""
    digest, size, held = hashlib.sha256(), 0, b""
    for message in cluster.door_of(member).stream("/v3/maintenance/snapshot"):
        blob = decoded(message.get("blob"))
        if heartbeat is not None:
            heartbeat()
        write(blob)
        size += len(blob)
        held += blob
        digest.update(held[:-_DIGEST])
        held = held[-_DIGEST:]
    return size, digest.digest() if digest.digest() == held else b""


def check(path: str, size: int, digest: bytes, member: Member) -> None:
    """Require a whole database: ``size`` bytes came, and ``digest`` is empty where the SHA-256 at their end is another one.

    Raises RefusedError.
    """
    with open(path, "rb") as file:
        start = file.read(_MAGIC_AT + 4)
    if size <= _DIGEST or os.path.getsize(path) != size:
        raise RefusedError(f"The snapshot of member {member.title} is not complete: {size} bytes came.")
    if not digest:
        raise RefusedError(
            f"The snapshot of member {member.title} is not sound: the SHA-256 that etcd sent is not that of the {size} bytes that "
            "came. Nothing was changed; try again."
        )
    if len(start) < _MAGIC_AT + 4 or struct.unpack_from("<I", start, _MAGIC_AT)[0] != _MAGIC:
        raise RefusedError(f"The snapshot of member {member.title} is not a database of etcd; nothing was changed.")


def digest_of(path: str) -> bytes:
    """The SHA-256 of a file without its last 32 bytes, which are to be just that."""
    digest, left = hashlib.sha256(), max(os.path.getsize(path) - _DIGEST, 0)
    with open(path, "rb") as file:
        while left:
            piece = file.read(min(left, 1024**2))
            if not piece:
                break
            digest.update(piece)
            left -= len(piece)
    return digest.digest()


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
