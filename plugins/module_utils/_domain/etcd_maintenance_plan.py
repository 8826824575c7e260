# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What maintenance of an etcd has to do, and when it must not begin.

Compaction forgets old revisions of keys, defragmentation gives their room back to the file system, and only then does a
member that was full take writes again. While a member is defragmented it answers nobody, so the others must be able to go
on without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import (
    CORRUPT,
    NOSPACE,
    Member,
    Picture,
    Status,
    alarms_in_words,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_status import (
    DEFAULT_QUOTA,
    LARGEST_DATABASE,
)

MEBIBYTE = 1024**2
# a member that crashed while it was defragmented could get other data than the rest: etcd-io/etcd#14685, mended in 3.5.6
_UNSAFE = ((3, 5, 0), (3, 5, 6))


@dataclass(frozen=True)
class Limits:
    """What the user allows and wants. Bytes; ``quota`` None means that members are asked."""

    keep_revisions: int = 1000
    min_revisions: int = 10_000
    min_gain: int = 64 * MEBIBYTE
    max_lag: int = 1000
    threshold: int = LARGEST_DATABASE
    quota: int | None = None
    full_share: float = 0.8


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order; members by ID. ``compact_to`` is 0 when no revision is to be forgotten.

    ``urgent``: a member is full or nearly, so that every gain counts. ``disarm``: the alarm NOSPACE is raised.
    """

    compact_to: int
    defragment: tuple[int, ...]
    disarm: bool
    urgent: bool
    reasons: Mapping[str, str]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to gain."""
        return not (self.compact_to or self.defragment or self.disarm)


def quota_of(status: Status, limits: Limits) -> int | None:
    """The size at which this member refuses writes: what it tells, else what the user says; None when nobody knows."""
    return status.quota or limits.quota


def limit_of(status: Status, limits: Limits) -> int:
    """The size to compare with: the quota (etcd's usual one where it is unknown), and never more than the threshold."""
    return min(quota_of(status, limits) or DEFAULT_QUOTA, limits.threshold)


def refusals(picture: Picture, limits: Limits) -> list[str]:
    """Why maintenance must not begin, or go on with another member: a sentence each; empty when it may."""
    found = []
    if not picture.quorum:
        down = ", ".join(f"{one.title} ({one.error})" for one in picture.members if one.status is None)
        found.append(
            f"The etcd has no quorum: {len(picture.answering)} of {len(picture.members)} members answer"
            + (f", without {down}." if down else ", and they do not follow one leader.")
        )
        return found
    for member in picture.members:
        found += _refusals_of(member, picture, limits)
    if picture.alarms is None:
        found.append(f"Alarms cannot be listed: {picture.alarms_error}.")
    others = [one for one in picture.alarms or () if one[1] != NOSPACE]
    if others:
        why = (
            " Its data differs from that of the others: replace the member, and never disarm this alarm."
            if any(kind == CORRUPT for _member, kind in others)
            else ""
        )
        found.append(f"An alarm is raised that maintenance does not mend: {alarms_in_words(others, picture)}.{why}")
    versions = {one.status.version for one in picture.answering if one.status}
    if len(versions) > 1:
        found.append(f"Members have different versions ({', '.join(sorted(versions))}): finish the upgrade first.")
    return found


def _refusals_of(member: Member, picture: Picture, limits: Limits) -> list[str]:
    status = member.status
    if status is None:
        return [f"Member {member.title} does not answer: {member.error}."]
    if member.learner or status.learner:
        return [f"Member {member.title} is a learner, which is still catching up: promote or remove it first."]
    if status.too_old:
        return [f"Member {member.title} is of version {status.version or 'unknown'}; 3.4 or newer is needed."]
    found = []
    lag = picture.lag(member) or 0
    if lag > limits.max_lag:
        found.append(f"Member {member.title} is {lag} entries behind (at most {limits.max_lag} are allowed).")
    if status.downgrading:
        found.append(f"Member {member.title} is in a downgrade: finish it first.")
    if _UNSAFE[0] <= status.release < _UNSAFE[1]:
        found.append(
            f"Member {member.title} is of version {status.version}, in which a crash during defragmentation can make "
            "members differ (etcd-io/etcd#14685): upgrade to 3.5.6 or newer first."
        )
    return found


def safe_revision(picture: Picture, limits: Limits) -> int:
    """The newest revision that every member has and that leaves ``keep_revisions`` before it; 0 when there is none."""
    oldest = min((one.status.revision for one in picture.members if one.status), default=0)
    return max(oldest - limits.keep_revisions, 0)


def plan(picture: Picture, compacted: int, limits: Limits) -> Plan:
    """What to do about a store that is healthy. ``compacted`` is the revision that it was compacted to last."""
    disarm = bool(picture.alarms_of(NOSPACE))
    full = [
        one.title
        for one in picture.answering
        if one.status and one.status.size >= limits.full_share * limit_of(one.status, limits)
    ]
    urgent = disarm or bool(full)
    reasons: dict[str, str] = {}
    target = safe_revision(picture, limits)
    forgotten = max(target - compacted, 0)
    # what is nearly full and stays so must not be compacted for each single write
    least = 1 if disarm else max(limits.min_revisions // (10 if full else 1), 1)
    compact = forgotten >= least
    if compact:
        reasons["compact"] = (
            f"forgets {forgotten} revisions up to {target}, and keeps the newest {limits.keep_revisions}"
        )
    chosen = order(picture, [one for one in picture.answering if compact or worth_it(one, limits, urgent)])
    for one in chosen:
        size, in_use = (one.status.size, one.status.in_use) if one.status else (0, 0)
        reasons[one.title] = f"{in_words(size - in_use)} of {in_words(size)} are free now"
    if disarm:
        named = alarms_in_words([one for one in picture.alarms or () if one[1] == NOSPACE], picture)
        reasons["disarm"] = f"{named} is raised"
    return Plan(target if compact else 0, tuple(one.identifier for one in chosen), disarm, urgent, reasons)


def worth_it(member: Member, limits: Limits, urgent: bool) -> bool:
    """Whether defragmentation of a member gives enough back: ``min_gain``, or a twentieth of it while it is urgent."""
    if member.status is None:
        return False
    gain = member.status.gain
    return gain >= limits.min_gain or (urgent and gain > 0 and gain >= member.status.size / 20)


def order(picture: Picture, members: Iterable[Member]) -> list[Member]:
    """Followers first, the fullest before the others; the leader last."""
    return sorted(members, key=lambda one: (one.leads, -(one.status.gain if one.status else 0), one.title))


def below_quota(picture: Picture, before: Picture, limits: Limits) -> list[str]:
    """Why NOSPACE must stay: a sentence for each member that is still too large; empty when it may be disarmed.

    Where the quota is unknown, a member that had raised the alarm was at it, so being a tenth smaller is below it.
    """
    found = []
    sizes = {one.identifier: one.status.size for one in before.answering if one.status}
    for member in picture.members:
        if member.status is None:
            found.append(f"member {member.title} does not answer: {member.error}")
            continue
        size, quota = member.status.size, quota_of(member.status, limits)
        if quota is not None and size >= 0.95 * quota:
            found.append(f"member {member.title} has {in_words(size)} of its quota of {in_words(quota)}")
        elif quota is None and member.identifier in before.alarms_of(NOSPACE) and size > 0.9 * sizes[member.identifier]:
            found.append(
                f"member {member.title} has {in_words(size)}, hardly less than the {in_words(sizes[member.identifier])} at "
                "which it was full, and its quota is unknown (give quota_bytes)"
            )
    return found


def in_words(size: float) -> str:
    """Bytes for people: ``1.5 GiB``, ``16 MiB``, ``20 KiB``."""
    for unit, name in ((1024**3, "GiB"), (MEBIBYTE, "MiB"), (1024, "KiB")):
        if abs(size) >= unit:
            return f"{size / unit:.2f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{size:.0f} bytes"
