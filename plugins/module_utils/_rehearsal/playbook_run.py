# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Runs a playbook against the control plane of a rehearsal, in an environment that leads nowhere else."""

from __future__ import annotations

import json
import os
import signal
import time
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.comparison import compare
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.settings import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal import record
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.bring_up import BroughtUp, audited
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.playbooks import ALWAYS, Rehearsable, environment
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.processes import Processes, Run
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.registrations import Registrations

FORMAT: t.Final = 1
_PLAYBOOK: t.Final = "playbook"
_EXIT: t.Final = '"$@"; echo $? >"$REHEARSAL_EXIT"'
_LAST_LINES: t.Final = 40
_WORDS_OF_FAILURE: t.Final = 8


def brought_up(folder: str) -> BroughtUp:
    """The rehearsal in a folder. Raises InputError when none runs there."""
    try:
        return BroughtUp.of(folder)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"name: no rehearsal runs in {folder}; start one with podnet.upkeep.rehearsal_cluster before this."
        ) from error


def inventory(nodes: Sequence[Mapping[str, t.Any]], folder: str, python: str) -> dict[str, t.Any]:
    """An inventory with a stand-in for the host of each Node."""
    hosts = {
        str(node["name"]): {
            "rehearsal_host_machine_id": node["machine_id"],
            "rehearsal_host_boot_id": node["boot_id"],
            "rehearsal_host_reachable": node["reachable"],
            "rehearsal_host_unit": _unit(str(node["kubelet"])),
        }
        for node in nodes
    }
    all_hosts = {
        "ansible_connection": "podnet.upkeep.rehearsal_host",
        "ansible_python_interpreter": python,
        "ansible_become": False,
        "rehearsal_host_folder": os.path.join(folder, "hosts"),
        "ansible_remote_tmp": os.path.join(folder, "hosts", ".tmp"),
    }
    return {"all": {"hosts": hosts, "vars": all_hosts}}


def _unit(version: str) -> str:
    if "+k3s" in version:
        return "k3s-agent"
    return "rke2-agent" if "+rke2" in version else "kubelet"


class RehearsalRun:
    """One run of one playbook."""

    def __init__(self, made: BroughtUp, playbook: Rehearsable, run: Run) -> None:
        self._made = made
        self._playbook = playbook
        self._processes = Processes(made.folder, run)
        self._exit = os.path.join(made.folder, "playbook.exit")
        self._record = os.path.join(made.folder, "record.jsonl")

    def run(
        self, variables: Mapping[str, t.Any], python: str, collections: str, timeout: float
    ) -> tuple[int | None, float]:
        """Run it; exit code and seconds. The code is None when it was ended after ``timeout`` seconds.

        Raises ProcessError when it cannot be started.
        """
        folder = self._made.folder
        os.makedirs(os.path.join(folder, "hosts", ".tmp"), mode=0o700, exist_ok=True)
        texts = {
            "ansible.cfg": "[defaults]\n",
            "inventory.json": json.dumps(inventory(self._made.nodes, folder, python)),
            "variables.json": json.dumps(variables),
        }
        for name, text in texts.items():
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        for leftover in (self._exit, self._record, self._processes.log_of(_PLAYBOOK)):
            if os.path.exists(leftover):
                os.unlink(leftover)
        shown = environment(folder, self._made.kubeconfig, collections, os.environ)
        command = [python, "-m", "ansible", "playbook", self._playbook.fqcn]
        arguments = ["-i", os.path.join(folder, "inventory.json"), "-e", f"@{os.path.join(folder, 'variables.json')}"]
        ours = {"REHEARSAL_EXIT": self._exit, "REHEARSAL_LOG": self._processes.log_of(_PLAYBOOK)}
        clean = ["env", "-i", *(f"{key}={value}" for key, value in {**shown, **ours}.items())]
        began = time.monotonic()
        self._processes.start(_PLAYBOOK, [*clean, "/bin/sh", "-c", _EXIT, "sh", *command, *arguments])
        client = KubeClient.from_options({"kubeconfig": self._made.kubeconfig})
        follow = self._made.cilium_config.get("ipam") == "kubernetes"
        with Registrations(client, nodes_follow=follow):
            while self._processes.alive(_PLAYBOOK) and time.monotonic() - began < timeout:
                time.sleep(0.2)
        if self._processes.alive(_PLAYBOOK):
            self._processes.stop(_PLAYBOOK, number=signal.SIGTERM, seconds=15)
        return self._exit_code(), time.monotonic() - began

    def _exit_code(self) -> int | None:
        try:
            with open(self._exit, encoding="utf-8") as file:
                return int(file.read())
        except (OSError, ValueError):
            return None

    def lines(self) -> list[record.Line]:
        """What it wrote down."""
        return record.read(self._record)

    def output(self) -> list[str]:
        """The last lines that a person would have seen."""
        try:
            with open(self._processes.log_of(_PLAYBOOK), encoding="utf-8", errors="replace") as file:
                return file.read().splitlines()[-_LAST_LINES:]
        except OSError:
            return []


# Pods that a run lets controllers make run at once, and no agent is there to write their CiliumEndpoints: on a machine that is
# slow enough the last audit finds that they have been running for more than a minute without.
# {id of a finding: why it is left out where it is new}
_OF_MISSING_AGENTS: t.Final[Mapping[str, str]] = {
    "pod-without-endpoint": (
        "Agents of Cilium write the CiliumEndpoint of a new pod, and none runs in a rehearsal. A pod that had one in the snapshot "
        "has lost it in the run."
    )
}


def report(
    made: BroughtUp,
    playbook: Rehearsable,
    lines: Sequence[record.Line],
    after: Mapping[str, t.Any] | None,
    *,
    exit_code: int | None,
    seconds: float,
    output: Sequence[str] = (),
) -> dict[str, t.Any]:
    """The whole rehearsal as one document. ``after`` is the last audit, None when it could not be made.

    ``output``: the last lines of ansible-playbook, which say why where no task ran.
    """
    before = made.audit
    compared = compare(before, after) if after is not None else None
    left_out = [one for one in compared["new"] if one["id"] in _OF_MISSING_AGENTS] if compared is not None else []
    failures = record.failures_of(lines)
    if exit_code and not failures:
        words = " ".join(" ".join(output[-_WORDS_OF_FAILURE:]).split())
        failures = [{"host": "localhost", "task": "ansible-playbook", "message": words or "no output"}]
    outcome = "ended by its time limit" if exit_code is None else ("completed" if exit_code == 0 else "failed")
    return {
        "format": FORMAT,
        "playbook": playbook.fqcn,
        "outcome": outcome,
        "exit_code": exit_code,
        "seconds": round(seconds, 1),
        "time": made.time,
        "counts": made.counts,
        "said": made.said,
        "not_proven": [*playbook.not_proven, *ALWAYS],
        "plan": record.plan_of(lines),
        "refusals": record.refusals_of(lines),
        "failures": failures,
        "blocked_budgets": made.blocked_budgets,
        "blocked_pods": record.blocked_of(lines),
        "nodes": record.nodes_of(lines),
        "steps": record.steps_of(lines),
        "timings": made.timings,
        "findings_lost": [_brief(one) for one in made.lost],
        "findings_made_up": [_brief(one) for one in made.made_up],
        "before": before["summary"],
        "after": _without(after["summary"], left_out) if after is not None else None,
        "comparison": None
        if compared is None
        else {
            "new": [_brief(one) for one in compared["new"] if one["id"] not in _OF_MISSING_AGENTS],
            "gone": [_brief(one) for one in compared["gone"]],
            "still": compared["still"],
            "left_out": [{**_brief(one), "reason": _OF_MISSING_AGENTS[one["id"]]} for one in left_out],
        },
    }


def _without(summary: Mapping[str, t.Any], findings: Sequence[Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """The counts of an audit without these findings."""
    counts = dict(summary)
    for one in findings:
        for key in (one["severity"], "findings"):
            counts[key] = counts.get(key, 1) - 1
    return counts


def _brief(finding: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {key: finding[key] for key in ("id", "severity", "subject", "summary")}


def last_audit(made: BroughtUp, settings: AuditSettings) -> tuple[dict[str, t.Any] | None, str]:
    """(the audit of the cluster after the run, why there is none)."""
    client = KubeClient.from_options({"kubeconfig": made.kubeconfig, "request_timeout": 300})
    try:
        return audited(client, settings), ""
    except ApiError as error:
        return None, f"The cluster could not be audited after the run: {error}"
