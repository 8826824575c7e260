# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Create again what a run of clean-up deleted, as far as its plan lets it."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import JournalContent
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_pace import Pace
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_undo_plan import (
    Restoration,
    judge,
    same_content,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.work_batch import WorkBatch

RESTORED = "restored"
TAKEN = "taken"
PRESENT = "present"
FAILED = "failed"
_BATCH = 100
#: Seconds after which the cluster is looked at again before the next batch.
_LOOK_AGAIN = 30.0
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_PATIENCE = 90.0
_Outcome = tuple[Restoration, str, str]


@dataclass
class UndoResult:
    """``kept``: what turned out to be impossible meanwhile. ``stopped``: why the rest was not tried; empty when it was."""

    restored: list[Restoration] = field(default_factory=list)
    kept: list[tuple[Restoration, str]] = field(default_factory=list)
    stopped: str = ""
    remaining: int = 0


def require_same_cluster(content: JournalContent, cluster: str) -> None:
    """Raise RefusedError when the journal is of another cluster than ``cluster`` (uid of kube-system, empty: unknown)."""
    if content.cluster and content.cluster != cluster:
        here = f"this is {cluster}" if cluster else "which cluster this is cannot be read (get namespace kube-system)"
        raise RefusedError(
            f"The journal {content.path} is of another cluster: the uid of its namespace kube-system is {content.cluster}, "
            f"and {here}. Nothing was created."
        )


class DeletionUndo:
    """One run over the objects that a plan lets through."""

    def __init__(
        self,
        client: KubeClient,
        *,
        rate: float = 0,
        concurrency: int = 8,
        heartbeat: Callable[[], str | None] | None = None,
        progress: Callable[[str], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``rate``: objects per second, 0 for no limit."""
        self._client = client
        self._concurrency = concurrency
        self._heartbeat = heartbeat or (lambda: "")
        self._progress = progress or (lambda line: None)
        self._clock = clock or Clock()
        self._pace = Pace(rate, self._clock)

    def run(self, plan: Sequence[Restoration]) -> UndoResult:
        """Create them. Raises only for defects; whatever else happens is in the result."""
        result, waiting = UndoResult(), list(plan)
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="undo") as workers:
            try:
                self._work(waiting, result, workers)
            except UpkeepError as error:
                result.stopped = str(error)
        result.remaining = len(plan) - len(result.restored) - len(result.kept)
        return result

    def _work(self, waiting: list[Restoration], result: UndoResult, workers: ThreadPoolExecutor) -> None:
        seen, total = self._clock.now(), len(waiting)
        while waiting:
            result.stopped = self._heartbeat() or ""
            if result.stopped:
                return
            if self._clock.now() - seen > _LOOK_AGAIN:
                waiting = self._look_again(waiting, result)
                seen = self._clock.now()
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            work = WorkBatch(batch, self._create, self._pace, self._clock, float("inf"))
            try:
                result.stopped = work.run(workers, self._concurrency, self._heartbeat)
            finally:
                self._count(work.outcomes, result)
            if result.stopped:
                return
            self._progress(f"{total - len(waiting)} of {total} looked at: {len(result.restored)} created")

    def _look_again(self, waiting: list[Restoration], result: UndoResult) -> list[Restoration]:
        plan = judge(self._client, [one.entry for one in waiting])
        by_uid = {one.entry.uid: one for one in waiting}
        result.kept += [(by_uid[entry.uid], reason) for entry, reason in plan.kept]
        result.kept += [(by_uid[entry.uid], "It was created by somebody else meanwhile.") for entry in plan.present]
        return plan.restore

    def _count(self, outcomes: Sequence[_Outcome], result: UndoResult) -> None:
        for one, outcome, note in outcomes:
            if outcome == RESTORED:
                result.restored.append(one)
            elif outcome in (TAKEN, PRESENT):
                result.kept.append((one, note))

    def _create(self, one: Restoration) -> tuple[_Outcome, str]:
        begun, pause, ambiguous = self._clock.now(), _FIRST_PAUSE, False
        while True:
            try:
                self._client.request("POST", one.collection, body=one.body, repeat=False)
                return (one, RESTORED, ""), ""
            except ApiError as error:
                if error.status == 409:
                    return self._taken(one, ambiguous=ambiguous)
                if not (error.status == 429 or error.status >= 500 or error.status == 0):
                    return (one, FAILED, ""), f"{one.words} could not be created: {error}"
                wait = error.retry_after or pause
                if self._clock.now() - begun + wait > _PATIENCE:
                    return (one, FAILED, ""), f"{one.words} could not be created: {error}"
                if error.status == 429:
                    self._pace.hold(wait)
                    self._pace.wait()
                else:
                    ambiguous = True  # a second POST of the same name creates no second object
                    self._clock.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)

    def _taken(self, one: Restoration, *, ambiguous: bool) -> tuple[_Outcome, str]:
        try:
            found: t.Mapping[str, t.Any] | None = self._client.find(one.path)
        except ApiError as error:
            return (one, FAILED, ""), f"Whether {one.words} was created is not known: {error}"
        if found is not None and same_content(found, one.body):
            if ambiguous:
                return (one, RESTORED, ""), ""
            return (one, PRESENT, "It was created by somebody else meanwhile."), ""
        return (one, TAKEN, "Its name was taken by somebody else meanwhile."), ""
