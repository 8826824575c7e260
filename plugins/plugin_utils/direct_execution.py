# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Run a module in the worker that Ansible has forked for its task, where Ansible would start the same Python anew.

A step of a run talks to the API server for a few milliseconds. Packing its code, unpacking it, and starting a Python for it
took ten times as long. The action plugin imports its module in ansible-playbook itself, once; each worker is a fork of that
and has it already. ``ansible.netcommon`` does the same (its option ``import_modules``).

Only where it makes no difference: on this machine, as this user, by this Python, with this environment. Otherwise the module
is executed as Ansible does it.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import json
import os
import sys
import types
import typing as t
from collections.abc import Callable, Generator

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils import basic

from ansible_collections.podnet.upkeep.plugins.plugin_utils.progress_stream import ModuleAction, StreamingAction

with contextlib.suppress(ImportError):
    importlib.import_module("urllib3")  # workers are forked from here; modules say so where it is missing

# ansible-core promises none of these: where one is missing, modules are executed as Ansible does it
_NEEDED = ("_ANSIBLE_ARGS", "_ANSIBLE_PROFILE")
try:
    from ansible.module_utils.common.json import Direction, get_module_encoder

    POSSIBLE = all(hasattr(basic, name) for name in _NEEDED)
except ImportError:
    POSSIBLE = False

Result = dict[str, t.Any]
_PROFILE = "legacy"  # how modules without a word about it get their arguments and give their answer


class DirectAction(ModuleAction):
    """An action whose module runs in this process; ``module`` is that module, imported."""

    module: types.ModuleType

    def _answer(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        if not self._is_direct(task_vars):
            return super()._answer(arguments, task_vars)
        passed = dict(arguments)
        self._update_module_args(self._task.action, passed, task_vars)
        return run_here(self.module.main, passed, self._loader.get_basedir())

    def _is_direct(self, task_vars: dict[str, t.Any]) -> bool:
        """Whether the module would run on this machine, for this user, by this Python and with this environment."""
        here = POSSIBLE and getattr(self._connection, "transport", "") == "local" and self._connection.become is None
        if not here or any(self._task.environment or ()) or constants.DEFAULT_KEEP_REMOTE_FILES:
            return False
        of_host = task_vars
        if self._task.delegate_to:
            of_host = (task_vars.get("ansible_delegated_vars") or {}).get(self._task.delegate_to) or {}
        interpreter = of_host.get("ansible_python_interpreter")
        return bool(interpreter) and _is_this_python(str(self._templar.template(interpreter)))


class DirectStreamingAction(DirectAction, StreamingAction):
    """The same, and its progress is shown."""


def _is_this_python(path: str) -> bool:
    """Whether it is the Python of this process: of one folder, because a virtual environment is found by that."""
    if os.path.dirname(path) != os.path.dirname(sys.executable):
        return False
    return os.path.realpath(path) == os.path.realpath(sys.executable)


def run_here(main: Callable[[], None], arguments: dict[str, t.Any], folder: str) -> Result:
    """Answer of a module to its arguments (``_ansible_*`` included), with ``folder`` as its current one.

    What it has said with ``warn`` is in the answer, and what it has left to the end of its process is done. A defect of it
    is raised as it is; AnsibleActionFail when it has not answered.
    """
    encoder = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
    data = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder).encode()
    output = io.StringIO()
    warnings: list[str] = []
    before = os.getcwd()
    with _stands_in(data, warnings), _end_of_process(), contextlib.redirect_stdout(output):
        try:
            os.chdir(folder or before)
            main()
        except SystemExit:
            pass  # with this a module ends, whatever its answer is
        finally:
            os.chdir(before)
    lines = [line for line in output.getvalue().splitlines() if line.startswith("{")]
    if not lines:
        raise AnsibleActionFail("The module has ended without an answer.")
    answer: Result = json.loads(lines[-1])
    if warnings:
        answer["warnings"] = warnings
    return answer


@contextlib.contextmanager
def _stands_in(data: bytes, warnings: list[str]) -> Generator[None, None, None]:
    """AnsibleModule finds its arguments; in this process its ``warn`` would show them and not answer with them."""
    kept = basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE, basic.AnsibleModule.warn
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = data, _PROFILE
    basic.AnsibleModule.warn = lambda self, warning, **more: warnings.append(str(warning))
    try:
        yield
    finally:
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE, basic.AnsibleModule.warn = kept


@contextlib.contextmanager
def _end_of_process() -> Generator[None, None, None]:
    """A worker ends without what was registered for its end, such as removing the file of a client's key."""
    todo: list[Callable[[], object]] = []
    place: t.Any = atexit
    kept = place.register

    def register(function: Callable[..., t.Any], *arguments: t.Any, **more: t.Any) -> Callable[..., t.Any]:
        todo.append(lambda: function(*arguments, **more))
        return function

    place.register = register
    try:
        yield
    finally:
        place.register = kept
        for act in reversed(todo):
            act()
