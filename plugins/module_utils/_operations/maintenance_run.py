# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One maintenance run: its lock, its journal, and the questions that are asked before each Node."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_window import window_end
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal, JournalState
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease

Result = dict[str, t.Any]


@dataclass(frozen=True)
class RunOptions:
    """Who runs what until when; ``window_end`` as ``maintenance_window.window_end`` takes it."""

    name: str
    namespace: str
    holder: str
    lease_seconds: int = 300
    take_over: bool = False
    window_end: str = ""
    plan: Mapping[str, t.Any] = field(default_factory=dict)
    plan_digest: str = ""
    check_mode: bool = False


class MaintenanceRun:
    """Every act renews the Lease first, so that nothing is written by a run that has lost it."""

    def __init__(self, client: KubeClient, options: RunOptions) -> None:
        self._options = options
        self._lease = RunLease(client, options.name, options.namespace, options.holder, options.lease_seconds)
        self._journal = Journal(client, options.name, options.namespace)

    def start(self) -> Result:
        """Take the lock and begin a journal, or go on with the one whose Nodes are not all back in service.

        Raises RefusedError naming the holder, InputError for a window that is no time, JournalError, ApiError.
        """
        options = self._options
        end = window_end(options.window_end, _now())
        known = self._journal.load()
        if options.check_mode:
            self._lease.would_acquire(take_over=options.take_over)
        else:
            self._lease.acquire(take_over=options.take_over)
        unfinished = known.unfinished() if known is not None else []
        run: Result = {
            "holder": options.holder,
            "started": _now().isoformat(timespec="seconds"),
            "plan_digest": options.plan_digest,
            "plan": dict(options.plan),
            "window_end": end.isoformat(timespec="seconds") if end else "",
            "result": "",
        }
        if unfinished and known is not None:
            run["resumes"] = {key: known.run.get(key, "") for key in ("holder", "started", "plan_digest")}
        if not options.check_mode:
            self._journal.begin(run)
            known = self._journal.load()
        return {**self._result(known, run), "resumed": bool(unfinished), "changed": True}

    def checkpoint(self) -> Result:
        """Renew, and say whether another Node may be begun. Raises LeaseLostError, JournalError, ApiError."""
        if not self._options.check_mode:
            self._lease.renew()
        known = self._journal.load()
        return {**self._result(known, known.run if known else {}), "resumed": False}

    def record(self, node: str, entry: Mapping[str, t.Any]) -> Result:
        """Renew, and write where a Node is. Raises LeaseLostError, RefusedError, JournalError, ApiError."""
        if not self._options.check_mode:
            self._lease.renew()
            self._journal.record(node, {**entry, "at": _now().isoformat(timespec="seconds")})
        known = self._journal.load()
        return {**self._result(known, known.run if known else {}), "resumed": False, "changed": True}

    def end(self, result: str) -> Result:
        """Write how the run ended and release the lock; a Lease that is not ours is left alone. Raises ApiError."""
        known = self._journal.load()
        run = dict(known.run) if known else {}
        changed = False
        if run.get("holder") == self._options.holder and run.get("result") != result:
            run.update(result=result, ended=_now().isoformat(timespec="seconds"))
            if not self._options.check_mode:
                self._journal.note_run(run)
            changed = True
        if not self._options.check_mode:
            changed = self._lease.release() or changed
        return {**self._result(known, run), "resumed": False, "changed": changed}

    def info(self) -> Result:
        """Who holds the lock, and what the journal says. Raises JournalError, ApiError."""
        lease = self._lease.state()
        known = self._journal.load()
        answer = self._result(known, known.run if known else {})
        return {**answer, "resumed": False, "holder": lease.holder if lease else ""}

    def _result(self, known: JournalState | None, run: Mapping[str, t.Any]) -> Result:
        journal = known or JournalState()
        reason = _reason_to_stop(journal, run, f"{self._options.namespace}/{self._journal.name}")
        return {
            "holder": self._options.holder,
            "lease": f"{self._options.namespace}/{self._lease.name}",
            "unfinished_nodes": journal.unfinished(),
            "may_continue": not reason,
            "reason": reason,
            "journal": {"run": dict(run), "nodes": dict(journal.nodes), "stop": journal.stop},
        }


def _reason_to_stop(journal: JournalState, run: Mapping[str, t.Any], where: str) -> str:
    if journal.stop:
        return f"The switch stop is set in the ConfigMap {where}."
    text = str(run.get("window_end") or "")
    if text and _now() >= datetime.datetime.fromisoformat(text):
        return f"The window ended at {text}."
    return ""


def _now() -> datetime.datetime:
    """Now, in this machine's time zone: a window is given by its clock."""
    return datetime.datetime.now(datetime.timezone.utc).astimezone()
