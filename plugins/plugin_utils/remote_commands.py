# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Commands on the host of a task, over its connection and with its privilege escalation, without Python on that host."""

from __future__ import annotations

import contextlib
import shlex
import threading
import typing as t
from collections.abc import Callable, Sequence

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_program import Ran

Value = t.TypeVar("Value")
_FETCH_SECONDS = 3600.0
_PASSWORD = " Give the right one (ansible_become_password), or let the user who logs in become root without it."


class RemoteCommands:
    """Runs what an action of this host asks for; one command at a time."""

    def __init__(self, action: ActionBase, host: str) -> None:
        self._action = action
        self.host = host
        # only ssh has one: a terminal would mix answers with what is logged
        with contextlib.suppress(KeyError, AnsibleError):
            action._connection.set_option("use_tty", False)

    def run(self, argv: Sequence[str], timeout: float, beat: Callable[[], None] | None = None) -> Ran:
        """What a command left behind; every word is quoted. Raises EtcdError without a status where the host is silent."""
        command = shlex.join(argv)
        found = self._within(lambda: self._action._low_level_execute_command(command), timeout, beat)
        return Ran(int(found["rc"]), str(found["stdout"]), str(found["stderr"]))

    def login_id(self) -> str:
        """The number of the user who logs in. Raises EtcdError."""
        found = self._within(lambda: self._action._low_level_execute_command("id -u", sudoable=False), 60, None)
        number = str(found["stdout"]).strip()
        if not number.isdecimal():
            raise EtcdError(f"Host {self.host} does not tell the number of its user.", status=1)
        return number

    def fetch(self, path: str, target: str, beat: Callable[[], None]) -> None:
        """Copy a file of the host to this machine. Raises EtcdError."""
        self._within(lambda: self._action._connection.fetch_file(path, target), _FETCH_SECONDS, beat)

    def _within(self, act: Callable[[], Value], timeout: float, beat: Callable[[], None] | None) -> Value:
        """Answer of ``act``, which is left alone when it takes too long: a host that is gone may hold it for long."""
        answer: list[Value] = []
        errors: list[BaseException] = []

        def held() -> None:
            try:
                answer.append(act())
            except BaseException as error:  # noqa: BLE001 (it is raised where the answer is awaited)
                errors.append(error)

        thread = threading.Thread(target=held, name="remote-command", daemon=True)
        thread.start()
        waited = 0.0
        while thread.is_alive() and waited < timeout:
            thread.join(min(1.0, timeout - waited))
            waited += 1.0
            if beat is not None:
                beat()
        if answer:
            return answer[0]
        if not errors:
            raise EtcdError(f"Host {self.host} gave no answer in {timeout:g} seconds.")
        if isinstance(errors[0], AnsibleConnectionFailure):
            raise EtcdError(f"Host {self.host} cannot be reached: {_folded(errors[0])}.") from errors[0]
        if isinstance(errors[0], AnsibleError):
            said = _folded(errors[0])
            remedy = _PASSWORD if "password" in said.lower() else ""
            raise EtcdError(f"On host {self.host}: {said}.{remedy}", status=1) from errors[0]
        raise errors[0]


def _folded(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:500]
