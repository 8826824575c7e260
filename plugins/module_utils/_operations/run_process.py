# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which ansible-playbook a run belongs to, and whether that one still lives.

Two playbooks that one person starts on one machine have the same holder. Only this tells a run that was killed, which the
same command goes on with at once, from one that is under way in another window, which must be left alone.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import typing as t
from dataclasses import dataclass

_ANSIBLE = re.compile(r"^ansible(-playbook|-console|-pull)?$")
_FIRST_WORDS = 5
_MOST_ANCESTORS = 64


@dataclass(frozen=True)
class RunProcess:
    """One process, told apart from every other one there ever was: machine, its boot, pid namespace, pid, start time."""

    machine: str
    boot: str
    namespace: str
    pid: int
    started: str

    def to_text(self) -> str:
        """Form in which it is kept."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> RunProcess | None:
        """The process that a text tells of; None when it is none."""
        try:
            process = cls(**json.loads(text))
        except (TypeError, ValueError):
            return None
        return process if isinstance(process.pid, int) and process.pid > 0 else None

    def has_ended(self) -> bool | None:
        """Whether it is certain that this process has ended (True) or lives (False); None when it cannot be seen from here."""
        here = _place()
        if here["machine"] != self.machine or bool(here["boot"]) != bool(self.boot):
            return None
        if here["boot"] != self.boot:
            return True
        if here["namespace"] != self.namespace:
            return None
        found = _look(self.pid)
        if found is not None:
            return found.ended or found.started != self.started
        return _is_free(self.pid)


@dataclass(frozen=True)
class _Seen:
    parent: int
    started: str
    command: tuple[str, ...]
    ended: bool


def playbook_process() -> RunProcess | None:
    """The ansible-playbook that this module was started by; None where there is none, or where it cannot be seen.

    Ansible forks a worker with its own command line for each task, so the eldest of equal ones is meant.
    """
    pid = os.getpid()
    for _generation in range(_MOST_ANCESTORS):
        found = _look(pid)
        if found is None:
            return None
        if any(_ANSIBLE.match(os.path.basename(word)) for word in found.command[:_FIRST_WORDS]):
            return _eldest(pid, found)
        pid = found.parent
    return None


def _eldest(pid: int, found: _Seen) -> RunProcess:
    while True:
        parent = _look(found.parent)
        if parent is None or parent.command != found.command:
            return RunProcess(pid=pid, started=found.started, **_place())
        pid, found = found.parent, parent


def _place() -> dict[str, t.Any]:
    """Machine, boot and pid namespace. The machine's id is kept as a digest, because it is not for everybody."""
    identity = f"{os.uname().nodename} {_text('/etc/machine-id')}"
    return {
        "machine": hashlib.sha256(identity.encode()).hexdigest()[:16],
        "boot": _text("/proc/sys/kernel/random/boot_id"),
        "namespace": os.readlink("/proc/self/ns/pid") if os.path.islink("/proc/self/ns/pid") else "",
    }


def _text(path: str) -> str:
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def _look(pid: int) -> _Seen | None:
    """A process as the kernel shows it; None when there is none, it is not for us, or there is no /proc (macOS)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()  # the name of the program before it may hold anything
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            command = file.read()
    except OSError:
        return None
    words = tuple(word for word in command.split("\0") if word)
    return _Seen(int(fields[1]), fields[19], words, fields[0] in ("Z", "X"))


def _is_free(pid: int) -> bool | None:
    """Whether nobody has this pid; None when it is somebody's whom we may not see."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return None
    return None
