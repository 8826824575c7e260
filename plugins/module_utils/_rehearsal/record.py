# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a run wrote down of itself, one line of JSON for each result of a task, as a report wants it."""

from __future__ import annotations

import json
import os
import typing as t
from collections import defaultdict
from collections.abc import Mapping, Sequence

Line = Mapping[str, t.Any]
_DRAIN: t.Final = "podnet.upkeep.node_drain"
_CONTROLLER: t.Final = "localhost"
_MOST_LINES: t.Final = 400


def read(path: str) -> list[Line]:
    """The lines of a record; none where there is no file. A line that a killed run has not finished is left out."""
    if not os.path.exists(path):
        return []
    found = []
    with open(path, encoding="utf-8") as file:
        for text in file:
            try:
                found.append(json.loads(text))
            except ValueError:
                continue
    return found


def plan_of(lines: Sequence[Line]) -> list[str]:
    """The plan as the playbook shows it: the first lines that a task gave in which nothing was changed."""
    for line in lines:
        shown = line["result"].get("lines")
        if isinstance(shown, list) and shown:
            return [str(one) for one in shown[:_MOST_LINES]]
    return []


def refusals_of(lines: Sequence[Line]) -> list[str]:
    """Every sentence by which a rule said no, once."""
    found = [str(one) for line in lines for one in _list(line["result"].get("refusals"))]
    return list(dict.fromkeys(found))


def failures_of(lines: Sequence[Line]) -> list[dict[str, str]]:
    """Tasks that failed, or hosts that did not answer, with the message of each."""
    return [
        {"host": line["host"], "task": line["task"], "message": str(line["result"].get("msg") or "no message")}
        for line in lines
        if line["outcome"] != "ok"
    ]


def blocked_of(lines: Sequence[Line]) -> list[dict[str, t.Any]]:
    """Pods that a disruption budget held back in a drain, and pods that a drain refused."""
    found = []
    for line in lines:
        if line["action"] != _DRAIN:
            continue
        for pod in _list(line["result"].get("pods")):
            if isinstance(pod, dict) and (
                pod.get("budget") or pod.get("action") == "refuse" or pod.get("result") == "failed"
            ):
                found.append(
                    {
                        "node": line["host"],
                        "namespace": str(pod.get("namespace")),
                        "pod": str(pod.get("name")),
                        "budget": str((pod.get("budget") or {}).get("name") or ""),
                        "result": str(pod.get("result")),
                        "detail": str(pod.get("detail") or pod.get("reason") or ""),
                        "seconds": pod.get("seconds"),
                    }
                )
    return found


def nodes_of(lines: Sequence[Line]) -> list[dict[str, t.Any]]:
    """Each host of the run with its time, in the order of their beginning."""
    by_host: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line["host"] != _CONTROLLER:
            by_host[line["host"]].append(line)
    return [
        {
            "node": host,
            "seconds": round(max(one["at"] for one in own) - min(one["at"] - one["seconds"] for one in own), 1),
            "outcome": "failed" if own[-1]["outcome"] != "ok" else "done",
        }
        for host, own in by_host.items()
    ]


def steps_of(lines: Sequence[Line]) -> list[dict[str, t.Any]]:
    """Tasks with how often they ran and how long they took, the longest in all first."""
    by_task: dict[str, list[float]] = defaultdict(list)
    for line in lines:
        by_task[line["task"]].append(float(line["seconds"]))
    made = [
        {"step": task, "times": len(times), "seconds": round(sum(times), 1), "longest": round(max(times), 1)}
        for task, times in by_task.items()
    ]
    return sorted(made, key=lambda one: (-t.cast("float", one["seconds"]), str(one["step"])))


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []
