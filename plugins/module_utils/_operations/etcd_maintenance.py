# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Maintenance of an etcd, step by step: snapshot, compaction, one member after the other, and the alarm at the end.

Nothing is kept about where a run stopped: what is left to do is seen in the etcd itself, so the same command goes on.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import typing as t
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import (
    Limits,
    Plan,
    below_quota,
    in_words,
    order,
    plan,
    refusals,
    worth_it,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import (
    NOSPACE,
    Member,
    Picture,
    member_name,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_access import EtcdAccess
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

Step = dict[str, t.Any]
_GOES_ON = "What is done is done; the same command goes on with the rest."
_COMMITS = 2
DONE, NOT_WORTH_IT, LEADS = "done", "not worth it", "leads"


@dataclass(frozen=True)
class Settings:
    """How to go about it; seconds. An empty ``snapshot_dir`` means that none is taken.

    ``snapshot_member`` is the ID of the member it is taken of; 0: of a follower that has everything.
    """

    snapshot_dir: str = ""
    snapshot_member: int = 0
    compact_timeout: float = 600
    defragment_timeout: float = 600
    member_timeout: float = 300
    move_leader: bool = True
    interval: float = 0.5


class MaintenanceStoppedError(UpkeepError):
    """The run stopped in the middle; ``steps`` are done."""

    def __init__(self, message: str, steps: list[Step], cause: UpkeepError | None = None) -> None:
        super().__init__(message)
        self.steps = steps
        self.cause = cause

    def details(self) -> dict[str, t.Any]:
        return {"steps": self.steps, "changed": bool(self.steps), **(self.cause.details() if self.cause else {})}


@dataclass
class Guards:
    """What the run is asked and tells: ``checkpoint`` gives the reason why no further step may be begun, or nothing."""

    checkpoint: Callable[[], str] = field(default=lambda: "")
    heartbeat: Callable[[], None] = field(default=lambda: None)
    progress: Callable[[str], None] = field(default=lambda _line: None)
    clock: Clock = field(default_factory=Clock)


class EtcdMaintenance:
    """One run against one etcd."""

    def __init__(self, cluster: EtcdAccess, limits: Limits, settings: Settings, guards: Guards | None = None) -> None:
        self._cluster = cluster
        self._limits = limits
        self._settings = settings
        self._guards = guards or Guards()
        self._steps: list[Step] = []

    def look(self) -> tuple[Picture, Plan]:
        """Members now, and what is to be done. Raises RefusedError when it must not begin, EtcdError."""
        picture = self._cluster.picture()
        reasons = refusals(picture, self._limits)
        if reasons:
            raise RefusedError(f"Maintenance does not begin, and nothing was changed: {' '.join(reasons)}", reasons)
        leader = picture.leader
        if leader is None or leader.status is None:
            raise RefusedError("Maintenance does not begin, and nothing was changed: no member leads.")
        compacted = self._cluster.compacted_to(leader, leader.status.revision)
        return picture, plan(picture, compacted, self._limits)

    def run(self, before: Picture, chosen: Plan) -> tuple[list[Step], Picture]:
        """Do what ``look`` has chosen; the steps and the members afterwards.

        Raises MaintenanceStoppedError, which names what is done, for everything that goes wrong.
        """
        self.begin(before, chosen.compact_to)
        with self._stopping():
            self._defragment_all(chosen)
        if chosen.disarm:
            self.end(before)
        with self._stopping():
            return self._steps, self._cluster.picture()

    # -- the same in parts, for who visits one member after the other ----------------------------------------------

    def begin(self, before: Picture, compact_to: int) -> list[Step]:
        """Snapshot and compaction; all steps until now. Raises MaintenanceStoppedError."""
        with self._stopping():
            if self._settings.snapshot_dir:
                self._snapshot(before)
            if compact_to:
                self._compact(compact_to)
        return self._steps

    def visit(self, identifier: int, left: Collection[int], done: list[int], *, urgent: bool) -> str:
        """Defragment one member: ``done``, ``not worth it``, or ``leads``, which is not begun while others are ``left``.

        Raises MaintenanceStoppedError.
        """
        with self._stopping():
            picture = self._healthy("the next member")
            member = next((one for one in picture.members if one.identifier == identifier), None)
            if member is None:
                raise RefusedError(f"Member {member_name(identifier)} is in this etcd no more.")
            if not worth_it(member, self._limits, urgent):
                return NOT_WORTH_IT
            others = [one for one in picture.members if one.identifier in left and one.identifier != identifier]
            if member.leads and any(worth_it(one, self._limits, urgent) for one in others):
                return LEADS
            self._visit(picture, member, done)
        return DONE

    def end(self, before: Picture) -> list[Step]:
        """Disarm NOSPACE where there is room again; all steps until now. Raises MaintenanceStoppedError."""
        with self._stopping():
            self._disarm(before)
        return self._steps

    @property
    def steps(self) -> list[Step]:
        """What is done until now."""
        return self._steps

    @contextlib.contextmanager
    def _stopping(self) -> Iterator[None]:
        try:
            yield
        except MaintenanceStoppedError:
            raise
        except UpkeepError as error:
            raise MaintenanceStoppedError(f"The maintenance stopped: {error} {_GOES_ON}", self._steps, error) from error

    # -- steps ---------------------------------------------------------------------------------------------------

    def _snapshot(self, picture: Picture) -> None:
        self._may_go_on("the snapshot")
        newest = max(one.status.revision for one in picture.answering if one.status)
        # the leader has enough to do; a follower that has everything will do
        candidates = [one for one in picture.answering if one.status and one.status.revision == newest]
        wanted = self._settings.snapshot_member
        candidates = [one for one in picture.answering if one.identifier == wanted] or candidates
        member = min(candidates, key=lambda one: (one.leads, one.title))
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        name = f"etcd-{member_name(self._cluster.cluster)}-{newest}-{stamp}.db"
        self._guards.progress(f"snapshot of member {member.title}")
        taken = self._cluster.take_snapshot(member, self._settings.snapshot_dir, name, self._guards.heartbeat)
        self._steps.append(
            {
                "step": "snapshot",
                "member": taken.member,
                "path": taken.path,
                "bytes": taken.size,
                "sha256": taken.sha256,
            }
        )

    def _compact(self, revision: int) -> None:
        self._may_go_on("the compaction")
        picture = self._healthy("the compaction")
        # the leader first: the others answer that it is done already, as soon as they have done it as well
        done = False
        for member in sorted(picture.members, key=lambda one: not one.leads):
            self._guards.progress(f"compaction of member {member.title} to revision {revision}")
            done = self._waiting(functools.partial(self._compacted, member, revision)) or done
        # Pages that were freed count as free only from a later commit on, when the reads that had begun before it have ended, and
        # in a store without space nobody writes. Each further request is a commit on the member that is asked.
        for _commit in range(_COMMITS):
            for member in picture.members:
                self._waiting(functools.partial(self._compacted, member, revision))
        if done:
            self._steps.append({"step": "compact", "revision": revision})

    def _compacted(self, member: Member, revision: int) -> bool:
        return self._cluster.compact(member, revision, self._settings.compact_timeout)

    def _defragment_all(self, chosen: Plan) -> None:
        left = set(chosen.defragment)
        done: list[int] = []
        while left:
            picture = self._healthy("the next member")
            due = [one for one in picture.members if one.identifier in left]
            member = order(picture, due)[0]
            left.discard(member.identifier)
            if not worth_it(member, self._limits, chosen.urgent):
                continue
            self._visit(picture, member, done)
            done.append(member.identifier)

    def _visit(self, picture: Picture, member: Member, done: list[int]) -> None:
        self._may_go_on(f"member {member.title}")
        if member.leads and self._settings.move_leader and len(picture.voters) > 1:
            self._move_leader(picture, member, done)
        self._defragment(member)

    def _defragment(self, member: Member) -> None:
        before = member.status.size if member.status else 0
        self._guards.progress(f"defragmentation of member {member.title}")
        started, answered = self._guards.clock.now(), True
        try:
            self._waiting(lambda: self._cluster.defragment(member, self._settings.defragment_timeout))
        except EtcdError as error:
            if not error.lost:
                raise
            answered = False  # whether it happens, or happened, is seen below
        seconds = self._guards.clock.now() - started
        picture = self._healthy(f"member {member.title}, which was being defragmented")
        after = next(one.status.size for one in picture.answering if one.status and one.identifier == member.identifier)
        if not answered and after >= before:
            raise RefusedError(
                f"Member {member.title} gave no answer to its defragmentation and still has {in_words(after)}: see its log."
            )
        self._steps.append(
            {
                "step": "defragment",
                "member": member.title,
                "bytes_before": before,
                "bytes_after": after,
                "seconds": round(seconds, 3),
            }
        )

    def _move_leader(self, picture: Picture, leader: Member, done: list[int]) -> None:
        """Lead from a member that is done already, so that writes go on meanwhile; where it does not work, they wait."""
        others = [one for one in picture.voters if one.identifier != leader.identifier]
        target = min(others, key=lambda one: (one.identifier not in done, picture.lag(one) or 0, one.title))
        try:
            self._cluster.move_leader(leader, target)
        except EtcdError as error:
            self._steps.append({"step": "move-leader", "member": target.title, "error": str(error)})
            return
        self._healthy(f"the new leader {target.title}")
        self._steps.append({"step": "move-leader", "member": target.title})

    def _disarm(self, before: Picture) -> None:
        self._may_go_on("the alarm")
        picture = self._healthy("the alarm")
        reasons = below_quota(picture, before, self._limits)
        if reasons:
            raise RefusedError(
                f"The alarm NOSPACE stays, because {'; '.join(reasons)}. Its data needs more room: remove keys that nobody "
                "needs, keep fewer revisions (keep_revisions), or raise --quota-backend-bytes of every member."
            )
        raised = picture.alarms_of(NOSPACE)
        for identifier in raised:
            self._cluster.disarm(identifier)
        self._cluster.try_to_write()
        again = self._cluster.picture()
        if again.alarms is None or again.alarms_of(NOSPACE):
            raise RefusedError("The alarm NOSPACE was disarmed and is raised again: something fills the store quickly.")
        if raised:
            self._steps.append({"step": "disarm", "members": [picture.named(one) for one in raised]})

    # -- guards --------------------------------------------------------------------------------------------------

    def _may_go_on(self, what: str) -> None:
        reason = self._guards.checkpoint()
        if reason:
            raise MaintenanceStoppedError(f"The maintenance stopped before {what}: {reason} {_GOES_ON}", self._steps)

    def _healthy(self, what: str) -> Picture:
        """Wait until nothing forbids the next step. Raises WaitTimeoutError naming what does."""

        def probe() -> Picture | Pending:
            try:
                picture = self._cluster.picture()
            except EtcdError as error:
                return Pending(str(error).rstrip("."))
            reasons = refusals(picture, self._limits)
            return Pending(" ".join(reasons).rstrip(".")) if reasons else picture

        return wait_for(
            f"a healthy etcd for {what}",
            probe,
            timeout=self._settings.member_timeout,
            interval=self._settings.interval,
            clock=self._guards.clock,
            heartbeat=self._guards.heartbeat,
        )

    def _waiting(self, act: Callable[[], t.Any]) -> t.Any:
        """Do something long, and keep the lock of the run meanwhile."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            future = pool.submit(act)
            while not wait([future], timeout=1.0).done:
                self._guards.heartbeat()
            return future.result()
