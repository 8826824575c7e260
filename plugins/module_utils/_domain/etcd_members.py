# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Members of an etcd and what they say about themselves, as the JSON gateway and etcdctl write it.

Source: StatusResponse, MemberListResponse and AlarmResponse of api/etcdserverpb/rpc.proto of etcd 3.4 to 3.6. The gateway
writes 64-bit numbers as texts and leaves zeros out; etcdctl writes numbers, and alarms as numbers too.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import mapping, objects, sequence, text

NOSPACE, CORRUPT = "NOSPACE", "CORRUPT"
_ALARMS = {"1": NOSPACE, "2": CORRUPT}
_OLDEST = (3, 4)
# what a negative --quota-backend-bytes means
UNLIMITED = 1 << 62


def number(value: t.Any) -> int:
    """A whole number of either writing; 0 for what is left out or none."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    written = text(value)
    return int(written) if written.lstrip("-").isdecimal() and written.isascii() else 0


def member_name(identifier: int) -> str:
    """The ID of a member or lease as etcdctl prints it: 16 hexadecimal digits without leading zeros."""
    return f"{identifier:x}"


@dataclass(frozen=True)
class Status:
    """What one member says now. Sizes are in bytes; ``quota`` is None where the member does not tell (before 3.6).

    ``size`` is the file, ``in_use`` what of it holds data; ``leader`` is 0 when it knows of none. ``committed`` and
    ``applied`` count entries of the log, ``revision`` writes of keys.
    """

    member: int
    cluster: int
    version: str
    size: int
    in_use: int
    quota: int | None
    leader: int
    term: int
    committed: int
    applied: int
    revision: int
    learner: bool = False
    downgrading: bool = False
    errors: tuple[str, ...] = ()

    @property
    def gain(self) -> int:
        """Bytes that defragmentation gives back to the file system."""
        return max(self.size - self.in_use, 0)

    @property
    def release(self) -> tuple[int, ...]:
        """``3.5.12-rc.1`` -> (3, 5, 12); empty when it is no version."""
        parts = self.version.split("-")[0].split("+")[0].split(".")
        return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()

    @property
    def too_old(self) -> bool:
        """Before 3.4 a member tells neither how much of its file is in use nor what it has applied."""
        return not self.release or self.release < _OLDEST


@dataclass(frozen=True)
class Member:
    """One member of the list; ``status`` is None when it does not answer, and ``error`` says why."""

    identifier: int
    name: str
    urls: tuple[str, ...] = ()
    learner: bool = False
    endpoint: str = ""
    status: Status | None = None
    error: str = ""

    @property
    def title(self) -> str:
        """Its name, or its ID before it has started for the first time."""
        return self.name or member_name(self.identifier)

    @property
    def leads(self) -> bool:
        """Whether it takes itself for the leader."""
        return self.status is not None and self.status.leader == self.identifier


@dataclass(frozen=True)
class Picture:
    """All members at one time; ``alarms`` is None where nobody could be asked, which is the case without a quorum."""

    members: tuple[Member, ...]
    alarms: tuple[tuple[int, str], ...] | None = None
    alarms_error: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def answering(self) -> list[Member]:
        """Members that answer."""
        return [one for one in self.members if one.status is not None]

    @property
    def voters(self) -> list[Member]:
        """Members that count for the quorum."""
        return [one for one in self.members if not one.learner]

    @property
    def leader(self) -> Member | None:
        """The member that leads, in the highest term; None when none of those that answer does."""
        leading = [one for one in self.answering if one.leads]
        return max(leading, key=lambda one: one.status.term if one.status else 0, default=None)

    @property
    def quorum(self) -> bool:
        """Whether a majority of the voters answers and follows one leader of one term."""
        needed = len(self.voters) // 2 + 1
        followed: dict[tuple[int, int], int] = {}
        for one in self.voters:
            if one.status is not None and one.status.leader:
                key = (one.status.leader, one.status.term)
                followed[key] = followed.get(key, 0) + 1
        return max(followed.values(), default=0) >= needed

    @property
    def newest_entry(self) -> int:
        """The last entry of the log that any member has committed."""
        return max((one.status.committed for one in self.answering if one.status), default=0)

    def lag(self, member: Member) -> int | None:
        """Entries that a member has still to apply; None when it does not answer."""
        return None if member.status is None else max(self.newest_entry - member.status.applied, 0)

    def alarms_of(self, kind: str) -> list[int]:
        """IDs of the members that have raised one kind of alarm."""
        return [identifier for identifier, alarm in self.alarms or () if alarm == kind]

    def named(self, identifier: int) -> str:
        """The name of a member by its ID."""
        found = [one.title for one in self.members if one.identifier == identifier]
        return found[0] if found else member_name(identifier)


def parse_status(answer: t.Any, quota: int | None = None) -> Status:
    """One answer of status; ``quota`` is what was learnt elsewhere, for members that do not tell it."""
    body = mapping(answer)
    header = mapping(body.get("header"))
    told = number(body.get("dbSizeQuota"))
    return Status(
        member=number(header.get("member_id")),
        cluster=number(header.get("cluster_id")),
        version=text(body.get("version")),
        size=number(body.get("dbSize")),
        in_use=number(body.get("dbSizeInUse")),
        quota=UNLIMITED if told < 0 else (told or quota),
        leader=number(body.get("leader")),
        term=number(body.get("raftTerm")),
        committed=number(body.get("raftIndex")),
        applied=number(body.get("raftAppliedIndex")),
        revision=number(header.get("revision")),
        learner=body.get("isLearner") is True,
        downgrading=mapping(body.get("downgradeInfo")).get("enabled") is True,
        errors=tuple(text(one).strip() for one in sequence(body.get("errors"))),
    )


def parse_members(answer: t.Any) -> list[Member]:
    """The list of members, by name."""
    found = [
        Member(
            identifier=number(one.get("ID")),
            name=text(one.get("name")),
            urls=tuple(text(url) for url in sequence(one.get("clientURLs"))),
            learner=one.get("isLearner") is True,
        )
        for one in objects(mapping(answer).get("members"))
    ]
    return sorted(found, key=lambda one: (one.name, one.identifier))


def parse_alarms(answer: t.Any) -> tuple[tuple[int, str], ...]:
    """(ID of the member, NOSPACE or CORRUPT) of each alarm that is raised."""
    found = []
    for one in objects(mapping(answer).get("alarms")):
        kind = str(one.get("alarm", ""))
        found.append((number(one.get("memberID")), _ALARMS.get(kind, kind)))
    return tuple(sorted(found))


def alarms_in_words(alarms: Iterable[tuple[int, str]], picture: Picture) -> str:
    """``NOSPACE of etcd-0 and etcd-2``."""
    by_kind: dict[str, list[str]] = {}
    for identifier, kind in alarms:
        by_kind.setdefault(kind, []).append(picture.named(identifier))
    return "; ".join(f"{kind} of {', '.join(names)}" for kind, names in by_kind.items())


def of_etcdctl(status: t.Any, members: t.Any, alarms: t.Any) -> Picture:
    """The picture by what three commands of etcdctl print as JSON: ``endpoint status --cluster``, ``member list``,
    ``alarm list``. A member of which there is no status did not answer it."""
    known: dict[int, tuple[str, Status]] = {}
    for one in objects(status):
        found = parse_status(one.get("Status"))
        known[found.member] = (text(one.get("Endpoint")), found)
    listed = []
    for member in parse_members(members):
        endpoint, found_status = known.get(member.identifier, ("", None))
        listed.append(
            Member(
                member.identifier,
                member.name,
                member.urls,
                member.learner,
                endpoint,
                found_status,
                "" if found_status else "etcdctl got no status of it",
            )
        )
    raised = parse_alarms(alarms) if isinstance(alarms, Mapping) else None
    return Picture(tuple(listed), raised, "" if raised is not None else "etcdctl could not list alarms")
