# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Clusters that were saved: by the audit itself, by ``cilium sysdump``, or by ``kubectl get -o json|yaml``."""

from __future__ import annotations

import datetime
import gzip
import os
import re
import stat
import typing as t
from collections.abc import Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot_saved, snapshot_sysdump
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import forget_texts
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_collected import Collected
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_files import SnapshotFile, opened
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_objects import is_kubernetes
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import (
    BadContent,
    as_utf8,
    guarded,
    head_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_sysdump_names import found_in
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_time import spread
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_REMEDY = (
    "give a state that podnet.upkeep.audit_info saved (option save_state), a cilium sysdump (zip or folder), or a folder "
    "or archive of kubectl get -o json|yaml"
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SECRET = re.compile(r"secret", re.IGNORECASE)
_NEVER_OBJECTS = (".html", ".log", ".md", ".png", ".gz.tmp")


def load(path: str) -> ClusterState:
    """The state in ``path``, whatever kind of snapshot it is. Raises InputError in one sentence that names the file.

    ``path`` is a file or folder: a saved state (``.json``, ``.json.gz``), a sysdump of Cilium (zip, tar, or unpacked,
    also renamed), or output of kubectl in files of any names. Files are recognised by what is in them.
    """
    name = os.path.abspath(os.path.expanduser(path))
    try:
        kind = _kind(name)
        if kind == "state":
            return snapshot_saved.read(lambda: _open_text(name))
        with opened(name, kind) as files:
            return _of_files(name, files)
    except OSError as error:
        raise InputError(f"snapshot: {name} cannot be read: {error.strerror or error}; {_REMEDY}.") from error
    except (ValueError, OverflowError, RecursionError, EOFError) as error:
        words = " ".join(str(error).split())
        text = (
            words if isinstance(error, BadContent) else f"is not a state that podnet.upkeep.audit_info saved: {words}"
        )
        raise InputError(f"snapshot: {name} {text}; {_REMEDY}.") from error
    finally:
        forget_texts()


def save(state: ClusterState, path: str) -> str:
    """Write the state (gzip when the name ends in ``.gz``) and return the path. Raises InputError when it cannot."""
    return snapshot_saved.write(state, path, "save_state")


def _open_text(name: str) -> t.BinaryIO:
    raw = open(name, "rb")  # noqa: SIM115 (closed by its reader)
    packed = os.fstat(raw.fileno()).st_size
    stream = guarded(raw)
    if head_of(stream, 2) == b"\x1f\x8b":
        stream = guarded(t.cast("t.BinaryIO", gzip.GzipFile(fileobj=stream)), packed)
    return as_utf8(stream)


def _kind(name: str) -> str:
    """folder, zip, tar, state or file (of objects)."""
    mode = os.stat(name).st_mode
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        raise BadContent("is neither a file nor a folder")
    with open(name, "rb") as raw:
        if raw.read(4) in _ZIP:
            return "zip"
    with _open_text(name) as stream:
        head = head_of(stream)
    if head[257:262] == b"ustar":
        return "tar"
    if snapshot_saved.is_saved_state(head):
        return "state"
    if not is_kubernetes(head):
        raise BadContent("is no snapshot" if head else "is no snapshot: it is empty")
    return "file"


def _of_files(name: str, files: Sequence[SnapshotFile]) -> ClusterState:
    dumps = found_in(files)
    if len(dumps) > 1:
        listed = ", ".join(f"{dump.folder or '.'} of {dump.time}" for dump in dumps[:5])
        raise BadContent(f"holds {len(dumps)} sysdumps ({listed}); name the folder of one")
    if dumps:
        return snapshot_sysdump.read(dumps[0], _read_file)
    return _of_kubectl(name, files)


def _read_file(collected: Collected, file: SnapshotFile, kind: str) -> bool:
    """Take the objects of a file, if it can have any; whether it had. Raises BadContent that names the file."""
    if _SECRET.search(file.base) or file.base.endswith(_NEVER_OBJECTS):
        return False
    try:
        if not kind:
            with file.open() as stream:
                if not is_kubernetes(head_of(stream)):
                    return False
        return collected.read(file, kind, _resource_named(file.base))
    except BadContent as error:
        raise BadContent(f"cannot be used: its file {file.name} {error}") from error


def _resource_named(base: str) -> str:
    """The resource that a file is called after; tells of what an empty list of ``kubectl get`` is empty."""
    stem = base.partition(".")[0].lower()
    for one in RESOURCES.values():
        if stem in (one.name, one.plural, one.kind.lower()) and one.name not in ("leases", "nodeleases"):
            return one.name
    return ""


def _of_kubectl(name: str, files: Sequence[SnapshotFile]) -> ClusterState:
    collected = Collected()
    told = [_read_file(collected, file, "") for file in sorted(files, key=lambda one: (one.order, one.name))]
    if not any(told):
        archives = [file.base for file in files if file.base.endswith((".zip", ".tar", ".tar.gz", ".tgz"))]
        hint = f"; it holds the archive {archives[0]}, which may be one" if archives else ""
        raise BadContent(f"is no snapshot: none of its {len(files)} files holds objects that the audit reads{hint}")
    written = [file.modified for file in collected.files_read if file.modified is not None]
    taken_at = collected.newest or max(written, default=None)
    if taken_at is None:
        taken_at = datetime.datetime.fromtimestamp(int(os.stat(name).st_mtime), datetime.timezone.utc)
    reasons = {one.name: f"no file of the snapshot holds objects of kind {one.kind}" for one in RESOURCES.values()}
    return collected.state(taken_at, f"files of kubectl of {taken_at.isoformat()}", spread(written), reasons)
