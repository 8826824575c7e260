# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Delete identities that nobody uses, by the protocol of Cilium's own collector: mark, wait, prove, delete.

Why the wait makes it safe: the deletion asks for the resourceVersion of the mark, and that version is older than ``grace``,
which is longer than agents take to remove marks from all that they hold. So an agent that used the identity before it was
marked, or that did not see the mark yet when it began, has removed it meanwhile; one that begins now sees the mark and removes
it first. Both make another resourceVersion, and the API server refuses the deletion (409), whatever comes first: an agent whose
removal arrives after the deletion is refused itself (404), and creates a new identity. What no agent can protect (one that
is cut off, one of a pod that starts, operator-managed mode) is protected by the rules, which are proved before each batch.
That agents re-create a deleted identity which they hold is no part of this: it takes seconds in which traffic is lost.

Marks stay when a run is given up. Each agent removes the mark of what it uses, the operator marks the same identities
itself, and it deletes a marked one only when nothing names it for a whole timeout after the mark; the next run need not wait
again. ``remove_marks`` takes them back nevertheless.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    Candidate,
    DeletionLimits,
    DeletionResult,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import DeletionJournal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import GuardedDeletion
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup_plan import CleanupPlan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup_refusals import refusals
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_marking import Marked, Marking
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_marks import mark_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_picture import IdentityPicture
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_rules import IdentityRules
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.server_clock import server_time
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock


@dataclass
class CleanupResult:
    """``deletion`` as the engine gives it; ``marked``: marks that were set; ``after``: identities that there are now."""

    deletion: DeletionResult
    marked: int = 0
    after: int = 0
    journal_path: str = ""


class IdentityCleanup:
    """Carries a plan out."""

    def __init__(
        self,
        client: KubeClient,
        limits: DeletionLimits,
        *,
        picture: IdentityPicture,
        heartbeat: Callable[[], str | None] | None = None,
        progress: Callable[[str], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``heartbeat`` and ``progress`` as GuardedDeletion takes them; ``picture`` is the one of the plan."""
        self._client = client
        self._limits = limits
        self._picture = picture
        self._heartbeat = heartbeat or (lambda: "")
        self._progress = progress or (lambda line: None)
        self._clock = clock or Clock()
        # uid -> when its mark has stood long enough, by our clock (which counts seconds, and knows no time of day)
        self._due: dict[str, float] = {}

    def remove_marks(self, plan: CleanupPlan) -> Marked:
        """Take the marks of all candidates away; one that was changed meanwhile stays as it is."""
        return self._marking().run(plan.candidates, None)

    def run(self, plan: CleanupPlan, open_journal: Callable[[], DeletionJournal]) -> CleanupResult:
        """Mark, wait, prove, delete. What goes wrong is in the result; ``open_journal`` may raise UpkeepError."""
        result = CleanupResult(DeletionResult(remaining=len(plan.candidates)), after=plan.before)
        if not plan.candidates:
            return result
        journal = open_journal()
        result.journal_path = journal.path
        begun = self._clock.now()
        self._due = {uid: begun + wait for uid, wait in plan.due_in.items()}
        unmarked = [one for one in plan.candidates if one.uid in plan.unmarked]
        marked = self._marking().run(unmarked, server_time(self._client))
        result.marked = len(marked.candidates)
        self._due.update({one.uid: marked.ended + plan.grace for one in marked.candidates})
        due = [one for one in plan.candidates if one.uid not in plan.unmarked]
        result.deletion = self._delete([] if marked.stopped else [*due, *marked.candidates], journal)
        result.deletion.spared += marked.spared
        if marked.stopped:
            result.deletion.stopped = marked.stopped
            result.deletion.remaining = len(plan.candidates) - len(marked.spared)
        self._look_again(plan, result)
        return result

    def _marking(self) -> Marking:
        return Marking(
            self._client, self._limits, heartbeat=self._heartbeat, progress=self._progress, clock=self._clock
        )

    def _delete(self, candidates: Sequence[Candidate], journal: DeletionJournal) -> DeletionResult:
        engine = GuardedDeletion(
            self._client,
            self._limits,
            prove=self._prove,
            journal=journal,
            heartbeat=self._heartbeat,
            progress=self._progress,
            clock=self._clock,
        )
        return engine.run(candidates)

    # -- proof ---------------------------------------------------------------------------------------------------

    def _prove(self, batch: Sequence[Candidate]) -> Mapping[str, str]:
        """Rules 5 and 7: the grace is over, and all rules hold over a picture of now.

        Raises RefusedError when the run is to stop, or when the cluster is not any more what it was.
        """
        self._wait(max(self._due[one.uid] for one in batch))
        self._picture.refresh()
        found = refusals(self._picture.context, beside_collection=True, judge_collection=False)
        if found:
            raise RefusedError(" ".join(found), found)
        rules = IdentityRules(self._picture.context, server_time(self._client))
        return {one.uid: reason for one in batch if (reason := self._why_spared(rules, one))}

    def _wait(self, end: float) -> None:
        while (left := end - self._clock.now()) > 0:
            reason = self._heartbeat()
            if reason:
                raise RefusedError(reason)
            self._progress(f"waiting until agents have had the time to remove marks: {words(left)} left")
            self._clock.sleep(min(left, 1.0))

    def _why_spared(self, rules: IdentityRules, candidate: Candidate) -> str:
        identity = self._picture.identity(candidate.name)
        if identity is None:
            return "it is gone already"
        metadata = identity["metadata"]
        if metadata["uid"] != candidate.uid:
            return "it was made anew"
        if mark_of(identity) is None:
            return "its mark was removed, so an agent uses it"
        if metadata["resourceVersion"] != candidate.resource_version:
            return "it was changed since it was marked, so somebody uses it"
        return rules.why_spared(identity)

    def _look_again(self, plan: CleanupPlan, result: CleanupResult) -> None:
        """Count what is there now."""
        try:
            self._picture.refresh()
        except UpkeepError as error:
            result.deletion.stopped = result.deletion.stopped or str(error)
            result.after = plan.before - len(result.deletion.deleted)
            return
        result.after = len(self._picture.view.identities)
