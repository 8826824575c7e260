"""Callback plugin for tests: says each task's start and end to a socket and waits for leave to go on.

With it a test can stop ansible-playbook exactly between two tasks, kill it there, or break something in the cluster
first. It decides nothing itself; see harness.stepped_run for the other end.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: step_gate
type: notification
short_description: Waits for leave at every task
description:
  - Used by tests of podnet.upkeep only.
options:
  socket:
    description: Path of the Unix socket to ask.
    required: true
    env:
      - name: STEP_GATE_SOCKET
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Asks at the start of each task and after each result."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "step_gate"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._pid = os.getpid()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(os.environ["STEP_GATE_SOCKET"])
        self._answers = self._socket.makefile("r")

    def _ask(self, kind: str, task: Any, host: str = "", outcome: str = "") -> None:
        if os.getpid() != self._pid:  # a worker: only the main process speaks
            return
        path, _separator, _line = str(task.get_path() or "").rpartition(":")
        event = {
            "kind": kind,
            "file": Path(path).name,
            "task": str(task.name or task.get_name()),  # as it is written: names may have templates
            "action": str(task.action),
            "host": host,
            "outcome": outcome,
        }
        self._socket.sendall(json.dumps(event).encode() + b"\n")
        self._answers.readline()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Before anything of the task is done."""
        self._ask("start", task)

    def v2_runner_on_ok(self, result: Any) -> None:
        """After a host's success."""
        self._end(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """After a host's failure."""
        self._end(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """After a host could not be reached."""
        self._end(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        """After a condition said no."""
        self._end(result, "skipped")

    def _end(self, result: Any, outcome: str) -> None:
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        self._ask("end", task, str(host.get_name()), outcome)
