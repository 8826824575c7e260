# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A lock on this machine, for what has no other place for one: a full etcd takes no key and no lease.

It is held by one process for as long as it works, or claimed by an ansible-playbook for several of its tasks, until it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_process import (
    RunProcess,
    playbook_process,
)


@contextlib.contextmanager
def exclusive(folder: str, name: str, what: str) -> Iterator[None]:
    """Hold the lock ``folder``/``name``; the kernel frees it when this process ends, however it does.

    Raises RefusedError when another process holds it or another ansible-playbook has claimed it, InputError for a folder
    that cannot be written to.
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
        _require_unclaimed(_claim_path(folder, name), what)
        yield
    finally:
        os.close(handle)


def claim(folder: str, name: str, what: str) -> None:
    """Keep others from the lock until ``give_back``, or until the ansible-playbook that this task is of has ended.

    Raises what ``exclusive`` raises.
    """
    own = playbook_process()
    with exclusive(folder, name, what):
        if own is not None:
            handle = os.open(_claim_path(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(own.to_text())


def give_back(folder: str, name: str) -> bool:
    """End a claim of this ansible-playbook; whether there was one. One of another is left alone."""
    path = _claim_path(folder, name)
    if not os.path.exists(path) or _claimed_by(path) != playbook_process():
        return False
    os.unlink(path)
    return True


def _claim_path(folder: str, name: str) -> str:
    return os.path.join(os.path.abspath(os.path.expanduser(folder)), f"{name}.claim")


def _claimed_by(path: str) -> RunProcess | None:
    with open(path, encoding="utf-8", errors="replace") as file:
        return RunProcess.from_text(file.read())


def _require_unclaimed(path: str, what: str) -> None:
    if not os.path.exists(path):
        return
    holder = _claimed_by(path)
    if holder is None or holder == playbook_process():
        return  # one that was cut short tells of nobody
    ended = holder.has_ended()
    if not ended:
        remedy = "wait for it" if ended is False else f"when it has ended, remove {path}"
        raise RefusedError(f"Another ansible-playbook on this machine (process {holder.pid}) is at {what}; {remedy}.")
