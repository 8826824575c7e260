# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What is told about an etcd: members, room, alarms, and what Cilium keeps in it."""

from __future__ import annotations

import datetime
import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import (
    Limits,
    in_words,
    limit_of,
    quota_of,
    refusals,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import (
    NOSPACE,
    UNLIMITED,
    Member,
    Picture,
    Status,
    alarms_in_words,
    member_name,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import IdentityRange
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_keys import (
    HEARTBEAT,
    LOCK_SECONDS,
    LOCKS,
    MASTERS,
    USERS,
    Key,
    Lock,
    Orphan,
    heartbeat_age,
    holders,
    nodes_of,
    orphans,
    still_held,
    still_unused,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_status import (
    DEFAULT_QUOTA,
    HEARTBEAT_SECONDS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_reader import EtcdReader

Section = dict[str, t.Any]
_SHOWN = 1000


@dataclass(frozen=True)
class Looks:
    """How to look at contents: ``apart`` seconds between two looks, and the range of numbers of this cluster."""

    apart: float
    allowed: IdentityRange | None
    why_no_range: str = ""
    sleep: Callable[[float], None] = time.sleep


def members_section(picture: Picture, limits: Limits) -> Section:
    """Members, quorum, room and alarms; numbers are None where they are unknown."""
    known = [one for one in picture.answering if one.status]
    return {
        "quorum": picture.quorum,
        "leader": picture.leader.title if picture.leader else None,
        "revision": max((one.status.revision for one in known if one.status), default=None),
        "members": [_member(one, picture, limits) for one in picture.members],
        "database": _database(known, limits),
        "alarms": None
        if picture.alarms is None
        else [{"member": picture.named(one), "alarm": kind} for one, kind in picture.alarms],
    }


def _member(member: Member, picture: Picture, limits: Limits) -> Section:
    status = member.status
    return {
        "name": member.title,
        "id": member_name(member.identifier),
        "endpoint": member.endpoint or None,
        "error": member.error or None,
        "leader": member.leads,
        "learner": member.learner,
        "version": status.version if status else None,
        "raft_term": status.term if status else None,
        "raft_index": status.committed if status else None,
        "raft_applied_index": status.applied if status else None,
        "behind": picture.lag(member),
        "revision": status.revision if status else None,
        "bytes": status.size if status else None,
        "bytes_in_use": status.in_use if status else None,
        "quota_bytes": _told(quota_of(status, limits)) if status else None,
        "errors": list(status.errors) if status else [],
    }


def _told(quota: int | None) -> int | None:
    return None if quota == UNLIMITED else quota


def _database(members: list[Member], limits: Limits) -> Section | None:
    """The fullest member, because it is the one that stops writes of all."""
    statuses = [one.status for one in members if one.status]
    if not statuses:
        return None

    def share_of(status: Status) -> float:
        return status.size / limit_of(status, limits)

    fullest = max(statuses, key=share_of)
    quota = quota_of(fullest, limits)
    return {
        "bytes": fullest.size,
        "bytes_in_use": fullest.in_use,
        "quota_bytes": _told(quota),
        "limit_bytes": limit_of(fullest, limits),
        "share": round(share_of(fullest), 4),
        "free_by_defragmentation": sum(one.gain for one in statuses),
    }


def problems(picture: Picture, limits: Limits, contents: Section | None = None) -> list[str]:
    """What is wrong, a sentence each; empty when nothing that was looked at is."""
    found = refusals(picture, limits)
    if picture.alarms_of(NOSPACE):
        raised = [one for one in picture.alarms or () if one[1] == NOSPACE]
        found.append(f"Nothing can be written: {alarms_in_words(raised, picture)} is raised.")
    for member in picture.answering:
        status = member.status
        if status and status.size >= limits.full_share * limit_of(status, limits):
            quota = quota_of(status, limits)
            known = (
                "its limit" if quota else f"the limit (its quota is unknown; etcd's own is {in_words(DEFAULT_QUOTA)})"
            )
            found.append(
                f"The database of {member.title} has {in_words(status.size)} ({in_words(status.in_use)} in use), {known} is "
                f"{in_words(limit_of(status, limits))}."
            )
    if contents:
        beat = contents["heartbeat"]
        if beat is None and contents["identities"]["masters"]:
            found.append(
                "There is no heartbeat of the operator: it has not run for a quarter of an hour, or for a minute only."
            )
        elif beat is not None and (beat["age_seconds"] is None or beat["age_seconds"] > 2 * HEARTBEAT_SECONDS):
            found.append(
                f"The last heartbeat of the operator is {beat['time'] or 'no time'}; it writes one each minute."
            )
        for lock in contents["locks"]["stale"]:
            found.append(f"The lock {lock['path']} is held by lease {lock['lease']} without a break: {lock['meaning']}")
    return found


def contents_section(reader: EtcdReader, looks: Looks) -> Section:
    """Leases, locks, identities and the heartbeat of Cilium's store, after two looks. Raises EtcdError."""
    locks = holders(reader.keys(LOCKS))
    first, masters, _users = _unused(reader, looks.allowed)
    confirmed: list[Orphan] | None = None
    if looks.apart > 0:
        looks.sleep(looks.apart)
        second, masters, users = _unused(reader, looks.allowed)
        stale = still_held(locks, reader.keys(LOCKS))
        confirmed = None if first is None or second is None else still_unused(first, second)
    else:
        users, stale = _users, []
    beat = reader.find(HEARTBEAT)
    return {
        "leases": len(reader.leases()),
        "locks": {
            "held": len(locks),
            "waiting": sum(one.waiting for one in locks),
            "stale": [_lock(reader, one, users) for one in stale[:_SHOWN]],
        },
        "identities": {
            "masters": masters,
            "unused": None if first is None else len(first),
            "unused_in_both_looks": None
            if confirmed is None
            else [
                {"id": one.number, "labels": one.key.value, "mod_revision": one.key.written}
                for one in confirmed[:_SHOWN]
            ],
            "unused_in_both_looks_count": None if confirmed is None else len(confirmed),
            "range": None if looks.allowed is None else [looks.allowed.minimum, looks.allowed.maximum],
            "unknown": looks.why_no_range,
        },
        "heartbeat": None if beat is None else _heartbeat(beat),
        "seconds_between_looks": looks.apart,
    }


def _unused(reader: EtcdReader, allowed: IdentityRange | None) -> tuple[list[Orphan] | None, int, list[str]]:
    """(identities that no Node uses, number of all, names of the keys of Nodes); without a range, the first is None.

    Masters are read before the keys of Nodes: what is taken into use in between is then seen as used.
    """
    masters = list(reader.keys(MASTERS))
    users = [one.name for one in reader.keys(USERS, names_only=True)]
    return (None if allowed is None else orphans(masters, users, allowed)), len(masters), users


def _lock(reader: EtcdReader, lock: Lock, users: list[str]) -> Section:
    """Evidence of a holder. A lock's lease has no other keys than locks, so a Node is known only by what it locks."""
    subject = lock.subject
    left, granted, names = reader.lease(lock.key.lease) if lock.key.lease else (0, 0, [])
    if subject.startswith("id/"):
        who = "a collection of identities by the operator"
    else:
        nodes = nodes_of(users).get(subject) or []
        who = f"an agent; Nodes that use these labels: {', '.join(nodes[:10]) or 'none'}"
    return {
        "path": lock.path,
        "subject": subject,
        "lease": member_name(lock.key.lease) if lock.key.lease else None,
        "seconds_left": left if lock.key.lease else None,
        "seconds_granted": granted if lock.key.lease else None,
        "locks_of_this_lease": len(names),
        "mod_revision": lock.key.written,
        "waiting": lock.waiting,
        "holder": who,
        "meaning": _meaning(lock, left),
    }


def _meaning(lock: Lock, left: int) -> str:
    if not lock.key.lease:
        return "it has no lease, so only the operator removes it, within about a minute."
    if left <= 0:
        return "its lease is over, and the key goes with it."
    return (
        f"its lease has {left} s left. If its holder died, the key goes then; if the holder lives and renews it, the operator "
        f"removes the key when it sees it in two rounds {LOCK_SECONDS} s apart. Nothing is to be deleted by hand."
    )


def _heartbeat(key: Key) -> Section:
    age = heartbeat_age(key.value, datetime.datetime.now(datetime.timezone.utc))
    return {"time": key.value.strip(), "age_seconds": None if age is None else round(age, 1)}


def contents_or_why(reader: EtcdReader, looks: Looks) -> tuple[Section | None, str]:
    """The contents, or why they could not be read."""
    try:
        return contents_section(reader, looks), ""
    except EtcdError as error:
        return None, str(error)
