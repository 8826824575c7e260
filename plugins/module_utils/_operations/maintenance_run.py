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
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import run_health
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_window import moment, window_end
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal, JournalState
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease, name_of_holder
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import beside, in_the_way
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_process import RunProcess
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import node_path, require_same
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, wait_for

Result = dict[str, t.Any]
Value = t.TypeVar("Value")
#: How long a write into the journal waits for an API server that restarts, in seconds.
_PATIENCE = 90.0


@dataclass(frozen=True)
class RunOptions:
    """Who runs what until when; ``window_end`` as ``maintenance_window.window_end`` takes it.

    ``process`` is the ansible-playbook that asks, where that is known. ``healthy`` is what was healthy before the run.
    """

    name: str
    namespace: str
    holder: str
    lease_seconds: int = 300
    take_over: bool = False
    window_end: str = ""
    plan: Mapping[str, t.Any] = field(default_factory=dict)
    plan_digest: str = ""
    healthy: Mapping[str, t.Any] = field(default_factory=dict)
    check_mode: bool = False
    process: RunProcess | None = None


class MaintenanceRun:
    """Every act renews the Lease first, so that nothing is written by a run that has lost it."""

    def __init__(self, client: KubeClient, options: RunOptions, *, clock: Clock | None = None) -> None:
        self._client = client
        self._options = options
        self._clock = clock or Clock()
        self._lease = RunLease(
            client,
            options.name,
            options.namespace,
            options.holder,
            options.lease_seconds,
            process=options.process,
            clock=self._clock,
        )
        self._journal = Journal(client, options.name, options.namespace)
        self._where = f"{options.namespace}/{self._journal.name}"

    def start(self) -> Result:
        """Take the lock and begin a journal, or go on with the one whose Nodes are not all back in service.

        Raises RefusedError naming the holder, the other run or the switch, InputError for a window that is none, JournalError,
        ApiError.
        """
        options = self._options
        end = window_end(options.window_end, _now())
        known = self._startable()
        self._require_nobody_in_the_way()
        if options.check_mode:
            self._lease.would_acquire(take_over=options.take_over)
            return {**self._result(known, self._said(known, end)), **self._resumed(known), "changed": True}
        self._lease.acquire(take_over=options.take_over)
        try:
            self._require_nobody_in_the_way()  # again: one that started at the same moment may have taken its own meanwhile
            known = self._startable()  # again: until now another run may have written
            self._journal.begin(self._said(known, end), goes_on=_is_interrupted(known))
            begun = self._journal.load()
        except BaseException:
            self._lease.release()
            raise
        return {**self._result(begun, begun.run if begun else {}), **self._resumed(known), "changed": True}

    def checkpoint(self) -> Result:
        """Renew, and say whether another Node may be begun. Raises LeaseLostError, WaitTimeoutError, ApiError."""
        if not self._options.check_mode:
            self._lease.renew()
        known = self._patiently(self._journal.load)
        answer = {**self._result(known, known.run if known else {}), "resumed": False}
        if not self._options.check_mode and not answer["reason"]:
            answer["reason"] = self._why_not_ours(known) or self._patiently(self._beside)
            answer["may_continue"] = not answer["reason"]
        return answer

    def hold(self, node: str = "", uid: str = "") -> Result:
        """Renew, and fail where this run may act no more, which is asked before something is done on a host.

        With ``uid`` the Node must have it still. Raises LeaseLostError naming who has the Lease now, RefusedError,
        WaitTimeoutError, ApiError.
        """
        if not self._options.check_mode:
            self._lease.renew()
        known = self._patiently(self._journal.load)
        if not self._options.check_mode:
            if known is not None and known.run and not self._is_our(known.run):
                raise RefusedError(self._why_not_ours(known))
            if uid:
                require_same(self._patiently(lambda: self._client.find(node_path(node))), node, uid)
        return {**self._result(known, known.run if known else {}), "resumed": False}

    def record(self, node: str, entry: Mapping[str, t.Any]) -> Result:
        """Renew, and write where a Node is. Raises LeaseLostError, RefusedError, WaitTimeoutError, ApiError."""
        if not self._options.check_mode:
            self._lease.renew()
            stamped = {**entry, "at": _now().isoformat(timespec="seconds")}
            self._patiently(lambda: self._journal.record(node, stamped))
        known = self._patiently(self._journal.load)
        return {**self._result(known, known.run if known else {}), "resumed": False, "changed": True}

    def end(self, result: str) -> Result:
        """Write how the run ended and release the lock; a Lease that is not ours is left alone. Raises ApiError."""
        known = self._patiently(self._journal.load)
        run = dict(known.run) if known else {}
        changed = self._is_our(run) and run.get("result") != result
        if changed:
            run.update(result=result, ended=_now().isoformat(timespec="seconds"))
            run.pop("healthy", None)  # nothing goes on with this run any more
        if not self._options.check_mode:
            if changed:
                self._patiently(lambda: self._journal.note_run(run))
            changed = self._lease.release() or changed
        return {**self._result(known, run), "resumed": False, "changed": changed}

    def info(self) -> Result:
        """Who holds the lock, what the journal says, and whether a killed run has left both behind. Raises ApiError."""
        lease = self._lease.state()
        known = self._journal.load()
        answer = self._result(known, known.run if known else {})
        return {
            **answer,
            "resumed": False,
            "holder": lease.holder if lease else "",
            "expired": lease.expired if lease else None,
            "abandoned": self._is_abandoned(known, free=lease is None or not lease.holder),
        }

    # -- internals -----------------------------------------------------------------------------------------------

    def _is_abandoned(self, known: JournalState | None, *, free: bool) -> bool:
        """Whether a run that may be gone on with from here was killed when every Node was in service: it has to be ended."""
        journal = known or JournalState()
        if journal.stop or journal.damaged or journal.unfinished():
            return False
        if free:
            return self._is_our(journal.run) and _is_interrupted(known)
        return self._lease.is_left_behind(take_over=self._options.take_over)

    def _startable(self) -> JournalState | None:
        known = self._journal.load()
        self._journal.require_sound(known)
        if known is not None and known.stop:
            raise RefusedError(
                f"The switch stop is set in the ConfigMap {self._where}, so no run is begun. Whoever set it takes it back: "
                f"`kubectl -n {self._options.namespace} patch configmap {self._journal.name} --type merge -p "
                '\'{"data": {"stop": "false"}}\'`.'
            )
        return known

    def _said(self, known: JournalState | None, end: datetime.datetime | None) -> Result:
        """What this run says about itself."""
        run: Result = {
            "holder": self._lease.holder,
            "started": _now().isoformat(timespec="seconds"),
            "plan_digest": self._options.plan_digest,
            "plan": dict(self._options.plan),
            "window_end": end.isoformat(timespec="seconds") if end else "",
            "result": "",
            "healthy": self._healthy(known),
        }
        if known is not None and known.unfinished():
            run["resumes"] = {key: known.run.get(key, "") for key in ("holder", "started", "plan_digest")}
        return run

    def _healthy(self, known: JournalState | None) -> str:
        """What was healthy before this run, or before the one that it goes on with."""
        earlier = str(known.run.get("healthy") or "") if known is not None and _is_interrupted(known) else ""
        return earlier or run_health.pack(self._options.healthy)

    def _resumed(self, known: JournalState | None) -> Result:
        unfinished = known.unfinished() if known is not None else []
        return {
            "resumed": bool(unfinished),
            "unfinished_nodes": unfinished,
            "interrupted": _is_interrupted(known),
            "healthy": run_health.unpack(self._healthy(known)) or dict(self._options.healthy),
        }

    def _is_our(self, run: Mapping[str, t.Any]) -> bool:
        holder = str(run.get("holder") or "")
        return bool(holder) and self._lease.holder in (holder, name_of_holder(holder))

    def _require_nobody_in_the_way(self) -> None:
        reason = in_the_way(self._client, self._options.name, self._options.namespace)
        if reason:
            raise RefusedError(f"The run does not start, and nothing was changed: {reason}.")

    def _beside(self) -> str:
        return beside(self._client, self._options.name, self._options.namespace)

    def _why_not_ours(self, known: JournalState | None) -> str:
        """A reason to stop where the journal is not the one that this run has begun: its switch and window are lost."""
        if known is None or not known.run:
            return f"Somebody has deleted the journal of this run, the ConfigMap {self._where}."
        if not self._is_our(known.run):
            return f"The ConfigMap {self._where} is the journal of another run ({known.run.get('holder')})."
        return ""

    def _result(self, known: JournalState | None, run: Mapping[str, t.Any]) -> Result:
        journal = known or JournalState()
        reason = self._reason_to_stop(journal, run)
        return {
            "holder": self._lease.holder,
            "lease": f"{self._options.namespace}/{self._lease.name}",
            "unfinished_nodes": journal.unfinished(),
            "may_continue": not reason,
            "reason": reason,
            "journal": {
                "run": {key: run[key] for key in run if key != "healthy"},
                "nodes": dict(journal.nodes),
                "stop": journal.stop,
            },
        }

    def _reason_to_stop(self, journal: JournalState, run: Mapping[str, t.Any]) -> str:
        if journal.stop:
            return f"The switch stop is set in the ConfigMap {self._where}."
        if journal.damaged:
            return f"{self._journal.words_about_damage(journal)}."
        text = str(run.get("window_end") or "")
        if not text:
            return ""
        end = moment(text)
        if end is None:
            return f"The window_end of the run in the ConfigMap {self._where} is no time: {text!r}."
        return f"The window ended at {text}." if _now() >= end else ""

    def _patiently(self, act: t.Callable[[], Value]) -> Value:
        """Reading and merge patches may be done again, so an API server that restarts is waited for."""
        return wait_for("the journal of the run", act, timeout=_PATIENCE, clock=self._clock)


def _is_interrupted(known: JournalState | None) -> bool:
    """Whether the last run has not come to its end."""
    return known is not None and bool(known.run) and not known.run.get("result")


def _now() -> datetime.datetime:
    """Now, in this machine's time zone: a window is given by its clock."""
    return datetime.datetime.now(datetime.timezone.utc).astimezone()
