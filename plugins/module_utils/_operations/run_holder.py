# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Who this machine is to other runs: a name that stays the same from one command to the next."""

from __future__ import annotations

import getpass
import os
import re
import socket
import uuid

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically

_NAME = re.compile(r"^[ -~]{1,200}$")


def holder_of(state_dir: str, *, write: bool = True) -> str:
    """``user@host <6 hex digits>``, kept in ``holder`` of ``state_dir``; made there at first (unless not ``write``).

    Raises InputError when the folder cannot be used, or the file holds something else.
    """
    folder = os.path.abspath(os.path.expanduser(state_dir))
    path = os.path.join(folder, "holder")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read().strip()
    except FileNotFoundError:
        return _made(folder, path, write=write)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"state_dir: {path} cannot be read ({error}); give another folder, or the option holder."
        ) from error
    if not _NAME.match(text):
        raise InputError(f"state_dir: {path} does not hold the name of a holder; delete it, or give the option holder.")
    return text


def _made(folder: str, path: str, *, write: bool) -> str:
    name = f"{_user()}@{socket.gethostname()} {uuid.uuid4().hex[:6]}"
    if not write:
        return name
    beside = f"{path}-{uuid.uuid4().hex[:6]}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise InputError(f"state_dir: {folder} cannot be created: {error.strerror or error}.") from error
    write_atomically(beside, f"{name}\n".encode(), "state_dir", 0o600)
    try:
        os.link(beside, path)  # whole or not at all, and never over the name of a run that started at the same moment
    except FileExistsError:
        return holder_of(folder)
    finally:
        os.unlink(beside)
    return name


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry in passwd
        return f"uid-{os.getuid()}"
