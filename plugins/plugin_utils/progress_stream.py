# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Show what a module says while it runs.

Ansible gives a module's answer to the callbacks when it has ended, and its workers have no terminal. So the module appends
lines to a file (option ``progress_path``), a thread of the worker reads them, and ``Display`` hands them to the process
that the user has started. They go to its standard error, so that a callback that writes JSON to standard output stays
whole.
"""

from __future__ import annotations

import os
import tempfile
import threading
import typing as t
from collections.abc import Callable

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

_OPTION = "progress_path"
_LONGEST_LINE = 500


class ProgressStream:
    """A file to append lines to, and a thread that passes each whole line on to ``show`` soon after."""

    def __init__(self, show: Callable[[str], None], *, interval: float = 0.5) -> None:
        """Nothing is made before the context is entered; ``interval`` in seconds."""
        self._show = show
        self._interval = interval
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)
        self.path = ""

    def __enter__(self) -> ProgressStream:
        """Make the file, for this user only, and begin to read."""
        # Ansible's own folder of this command, so that nothing is left where a worker is killed and the command is not
        handle, self.path = tempfile.mkstemp(prefix="podnet-upkeep-progress-", dir=constants.DEFAULT_LOCAL_TMP)
        os.close(handle)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Pass on what is left, and remove the file."""
        self._end.set()
        self._thread.join()
        os.unlink(self.path)

    def _follow(self) -> None:
        rest = ""
        with open(self.path, encoding="utf-8", errors="replace") as file:
            ended = False
            while not ended:
                ended = self._end.wait(self._interval)
                lines = (rest + file.read()).split("\n")
                rest = lines.pop()  # without its end yet
                for line in lines:
                    self._show(_printable(line))


class ModuleAction(ActionBase):  # type: ignore[misc]  # ansible has no types
    """Runs the module of the same name as Ansible itself does."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Result of the module."""
        result = super().run(tmp, task_vars)
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        if wrap_async:
            answer = self._execute_module(task_vars=task_vars, wrap_async=True)
        else:
            answer = self._here(task_vars or {})
            self._remove_tmp_path(self._connection._shell.tmpdir)
        merged: dict[str, t.Any] = merge_hash(result, answer)
        return merged

    def _here(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Answer of the module, which is waited for."""
        return self._answer(self._task.args, task_vars)

    def _answer(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Answer of the module to these arguments."""
        answer: dict[str, t.Any] = self._execute_module(module_args=arguments, task_vars=task_vars)
        return answer


class StreamingAction(ModuleAction):
    """The same, and shows its progress where it runs on this machine."""

    def _here(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        if not self._can_stream():
            return super()._here(task_vars)
        name = str(self._task.action).rpartition(".")[2]
        display = Display()
        with ProgressStream(lambda line: display.display(f"[{name}] {line}", stderr=True)) as stream:
            answer = self._answer({**self._task.args, _OPTION: stream.path}, task_vars)
        answer.get("invocation", {}).get("module_args", {}).pop(_OPTION, None)  # ours, and gone
        return answer

    def _can_stream(self) -> bool:
        """The file must be on this machine and for this user, and what is not to be logged is not shown either."""
        on_this_machine = getattr(self._connection, "transport", "") == "local" and self._connection.become is None
        return on_this_machine and not self._task.no_log and not self._task.args.get(_OPTION)


def _printable(line: str) -> str:
    """One line without control characters: parts of it come from the cluster."""
    return "".join(one if one.isprintable() else "?" for one in line)[:_LONGEST_LINE]
