# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Lines about a long wait: none about a short one, and then not more than are worth reading."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock


class Progress:
    """Call it with every state of the wait; it passes on a new one every ``every`` seconds, an old one every ``again``.

    Nothing is passed on in the first ``every`` seconds.
    """

    def __init__(
        self, write: Callable[[str], None], *, clock: Clock | None = None, every: float = 10.0, again: float = 60.0
    ) -> None:
        self._write = write
        self._clock = clock or Clock()
        self._every = every
        self._again = again
        self._start = self._last = self._clock.now()
        self._line = ""

    def __call__(self, line: str) -> None:
        """Pass ``line`` on with the time since the beginning, if it is time."""
        now = self._clock.now()
        if now - self._last >= (self._again if line == self._line else self._every):
            self._last, self._line = now, line
            self._write(f"{line} (after {now - self._start:.0f} s)")


class ProgressFile:
    """Appends lines to a file that others read meanwhile. What goes wrong later is kept in ``error``: no wait ends for it."""

    def __init__(self, path: str) -> None:
        """Open the file, which may be there. Raises InputError when it cannot be written to."""
        self.error = ""
        self._path = path
        try:
            self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 (open as long as the module runs)
        except OSError as error:
            raise InputError(
                f"progress_path: {path} cannot be written to: {error.strerror or error}; give another path."
            ) from error

    def __call__(self, line: str) -> None:
        """Append one line."""
        if self.error:
            return
        try:
            self._file.write(f"{line}\n")
        except OSError as error:
            self.error = f"Progress is not written to {self._path} any more: {error.strerror or error}."
