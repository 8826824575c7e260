# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The engine of all clean-up: delete only what is dead, in batches, each proved again and written down before it begins.

For each batch: ask whether the run may go on (lock, switch ``stop``, window), prove the batch against a fresh picture,
write the objects into the journal, delete each with its uid and resourceVersion, write what became of it. 409 means that
somebody uses the object: it is spared, and the run goes on. Everything that nobody expected stops the run; plans are made
anew each time, so the same command goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    DELETED,
    FINALIZING,
    GONE,
    IN_USE,
    NOT_SENT,
    Candidate,
    DeletionLimits,
    DeletionResult,
    Outcome,
    Prove,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import DeletionJournal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_pace import Pace
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.object_deletion import ObjectDeletion
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.work_batch import LISTEN, WorkBatch

__all__ = ["Candidate", "DeletionLimits", "DeletionResult", "GuardedDeletion"]

#: Fewer conflicts than this in one batch never stop a run.
_FEW_CONFLICTS = 10
_SPARED = {GONE: "gone already", IN_USE: "in use"}


class GuardedDeletion:
    """One run over the candidates of one plan."""

    def __init__(
        self,
        client: KubeClient,
        limits: DeletionLimits,
        *,
        prove: Prove,
        journal: DeletionJournal,
        heartbeat: Callable[[], str | None] | None = None,
        progress: Callable[[str], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``heartbeat`` keeps the lock and answers with a sentence when the run is to stop; it may raise UpkeepError.

        ``prove`` is called with each batch before it is deleted, from the thread that calls ``run``.
        """
        self._limits = limits
        self._prove = prove
        self._journal = journal
        self._heartbeat = heartbeat or (lambda: "")
        self._progress = progress or (lambda line: None)
        self._clock = clock or Clock()
        self._pace = Pace(limits.rate, self._clock)
        self._deletion = ObjectDeletion(client, self._pace, self._clock, limits.patience)

    def run(self, candidates: Iterable[Candidate]) -> DeletionResult:
        """Delete them in this order. Raises only for defects; whatever else happens is in the result."""
        queue = deque(candidates)
        total = len(queue)
        result = DeletionResult()
        begun = self._clock.now()
        with ThreadPoolExecutor(self._limits.concurrency, thread_name_prefix="deletion") as workers:
            try:
                self._work(queue, result, workers, total)
            except UpkeepError as error:
                result.stopped = str(error)
        result.remaining = total - len(result.deleted) - len(result.spared)
        if not result.remaining:
            result.stopped = ""  # a reason that came with the last one is none any more
        result.seconds = self._clock.now() - begun
        try:
            self._journal.close({**result.counts(), "stopped": result.stopped})
        except UpkeepError as error:
            result.stopped = result.stopped or str(error)
        return result

    # -- batches -------------------------------------------------------------------------------------------------

    def _work(self, queue: deque[Candidate], result: DeletionResult, workers: ThreadPoolExecutor, total: int) -> None:
        first = True
        while queue and not result.stopped:
            size = self._limits.size_of_batch
            if self._limits.max_deletions is not None:
                size = min(size, self._limits.max_deletions - len(result.deleted))
                if size <= 0:
                    result.limited = True
                    return
            result.stopped = self._rest(0 if first else self._limits.pause)
            if result.stopped:
                return
            first = False
            batch = [queue.popleft() for _number in range(min(size, len(queue)))]
            dead = self._proved(batch, result)
            if dead:
                self._journal.plan(dead)
                queue.extendleft(reversed(self._delete(dead, result, workers)))
            done = total - len(queue)
            self._progress(f"{done} of {total} decided: {len(result.deleted)} deleted, {len(result.spared)} spared")

    def _rest(self, seconds: float) -> str:
        """Pause, and ask whether the run may go on; why not, or an empty text."""
        end = self._clock.now() + seconds
        while True:
            reason = self._heartbeat()
            left = end - self._clock.now()
            if reason or left <= 0:
                return reason or ""
            self._clock.sleep(min(left, LISTEN))

    def _proved(self, batch: Sequence[Candidate], result: DeletionResult) -> list[Candidate]:
        reasons = self._prove(batch)
        result.spared += [(one, reasons[one.uid]) for one in batch if one.uid in reasons]
        return [one for one in batch if one.uid not in reasons]

    def _delete(
        self, batch: Sequence[Candidate], result: DeletionResult, workers: ThreadPoolExecutor
    ) -> list[Candidate]:
        """Delete a batch; those whose proof became too old before their turn."""
        work = WorkBatch(batch, self._deletion.delete, self._pace, self._clock, self._limits.proof_seconds)
        reason = ""
        try:
            reason = work.run(workers, self._limits.concurrency, self._heartbeat)
        finally:
            left = work.left
            self._count(work.outcomes, result)
            self._journal.complete([*work.outcomes, *(Outcome(one, NOT_SENT) for one in left)])
        result.stopped = reason or self._too_many_conflicts(work.outcomes)
        return left

    def _count(self, outcomes: Sequence[Outcome], result: DeletionResult) -> None:
        for one in outcomes:
            if one.outcome in (DELETED, FINALIZING):
                result.deleted.append(one.candidate)
                result.finalizing += one.outcome == FINALIZING
            elif one.outcome in _SPARED:
                result.spared.append((one.candidate, one.note or _SPARED[one.outcome]))

    def _too_many_conflicts(self, outcomes: Sequence[Outcome]) -> str:
        conflicts = sum(one.outcome == IN_USE for one in outcomes)
        if conflicts <= max(_FEW_CONFLICTS, self._limits.max_conflict_share * len(outcomes)):
            return ""
        return (
            f"{conflicts} of {len(outcomes)} objects of one batch were changed between their proof and their deletion, so "
            "something else works on them; find out what, then start again."
        )
