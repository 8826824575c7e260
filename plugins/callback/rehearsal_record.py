# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: rehearsal_record
type: notification
short_description: Writes down what happens in the run of a rehearsal
version_added: 0.1.0
description:
  - Appends one line of JSON for each result of a task to a file, with its host, time and length. M(podnet.upkeep.rehearsal_run)
    enables it for the run that it starts, and makes the report of it.
  - Of what a module returned only plans, refusals, and what happened to pods is kept.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
requirements:
  - To be enabled in the configuration.
options:
  path:
    description: The file. Without it nothing is written.
    type: path
    default: ""
    env:
      - name: PODNET_UPKEEP_REHEARSAL_RECORD
        version_added: 0.1.0
"""

import json
import time
import typing as t

from ansible.plugins.callback import CallbackBase

# of the result of a module
_KEPT: t.Final = (
    "msg",
    "lines",
    "refusals",
    "pods",
    "exhausted_budgets",
    "drain_warnings",
    "stdout",
    "summary_lines",
    "changed",
)
_LONGEST: t.Final = 200_000


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    """Writes one line for each result."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "podnet.upkeep.rehearsal_record"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: t.Any = None, options: t.Any = None) -> None:
        super().__init__(display=display, options=options)
        self._began: dict[tuple[str, str], float] = {}
        self._play = ""

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        """Note which play it is."""
        self._play = str(play.get_name()).strip()

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        """A task begins on a host."""
        self._began[(host.get_name(), str(task._uuid))] = time.time()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """It went well."""
        self._write("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """It failed."""
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """The host did not answer."""
        self._write("unreachable", result)

    def _write(self, outcome: str, result: t.Any) -> None:
        path = self.get_option("path")
        if not path:
            return
        # ansible-core 2.19 and later have these without the underscore as well; both have them with it
        task, host, values = result._task, result._host.get_name(), result._result
        now = time.time()
        line = {
            "play": self._play,
            "task": str(task.name or task.action),
            "action": str(task.action),
            "host": host,
            "outcome": outcome,
            "at": now,
            "seconds": round(now - self._began.pop((host, str(task._uuid)), now), 3),
            "result": {key: _short(values[key]) for key in _KEPT if key in values},
        }
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line, default=str) + "\n")


def _short(value: t.Any) -> t.Any:
    text = json.dumps(value, default=str)
    return json.loads(text) if len(text) <= _LONGEST else text[:_LONGEST]
