# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A lock on this machine, for what has no other place for one: a full etcd takes no key and no lease."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError


@contextlib.contextmanager
def exclusive(folder: str, name: str, what: str) -> Iterator[None]:
    """Hold the lock ``folder``/``name``; the kernel frees it when this process ends, however it does.

    Raises RefusedError when another process holds it, InputError for a folder that cannot be written to.
    """
    folder = os.path.abspath(os.path.expanduser(folder))
    path = os.path.join(folder, f"{name}.lock")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError(
            f"state_dir: {folder} cannot be written to: {error.strerror or error}; name a folder on this machine."
        ) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefusedError(f"Another process on this machine is at {what} (lock {path}); wait for it.") from error
        yield
    finally:
        os.close(handle)
