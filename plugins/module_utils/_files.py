# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Files that a user names: written whole or not at all."""

from __future__ import annotations

import os
import tempfile

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError


def write_atomically(path: str, data: bytes, option: str, mode: int = 0o640) -> str:
    """Write ``data`` to ``path`` by a temporary file beside it and a rename; returns the full path.

    A file that has this content already is left alone. Raises InputError naming ``option`` when it cannot be written.
    """
    name = os.path.abspath(os.path.expanduser(path))
    folder = os.path.dirname(name)
    try:
        if os.path.isfile(name):
            with open(name, "rb") as file:
                if file.read() == data:
                    return name
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".upkeep-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, mode)
            os.replace(temporary, name)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(
            f"{option}: {name} cannot be written: {error.strerror or error}; name a file in a writable folder."
        ) from error
    return name
