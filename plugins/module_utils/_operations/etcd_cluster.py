# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""An etcd of several members: who is in it, what each says, and the few acts of maintenance."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import (
    NOSPACE,
    Member,
    Picture,
    Status,
    member_name,
    number,
    parse_alarms,
    parse_members,
    parse_status,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import etcd_snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_access import (
    last_compaction,
    unless_compacted,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import (
    EtcdCredentials,
    EtcdDoor,
    encoded,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError

_QUOTA_METRIC = "etcd_server_quota_backend_bytes"


class EtcdCluster:
    """One etcd, reached by the endpoints that the user gave and by those that its members advertise."""

    def __init__(
        self,
        endpoints: Sequence[str],
        credentials: EtcdCredentials,
        timeout: float = 10.0,
        make_door: Callable[[str], EtcdDoor] | None = None,
    ) -> None:
        """Nothing is sent yet. Raises InputError without endpoints, and for files that are not there."""
        if not endpoints:
            raise InputError("endpoints: none is known; give them as https://ADDRESS:PORT.")
        credentials.check()
        self._make = make_door or (lambda endpoint: EtcdDoor(endpoint, credentials, timeout))
        self._doors: dict[str, EtcdDoor] = {}
        self.endpoints = [self.door(one).endpoint for one in dict.fromkeys(endpoints)]
        self._member_doors: dict[int, EtcdDoor] = {}  # also of those that are gone since
        self._answering: list[EtcdDoor] = []
        self.cluster = 0

    def door(self, endpoint: str) -> EtcdDoor:
        """The door to one endpoint, always the same one."""
        if endpoint not in self._doors:
            self._doors[endpoint] = self._make(endpoint)
        return self._doors[endpoint]

    # -- looking -------------------------------------------------------------------------------------------------

    def picture(self) -> Picture:
        """All members now. Raises EtcdError when no endpoint answers, InputError when they are of several etcds.

        Endpoints of members that answered before are asked as well: the one that the user gave may be gone meanwhile.
        """
        known = dict.fromkeys([*self.endpoints, *(door.endpoint for door in self._member_doors.values())])
        asked = self._each(known, lambda one: self._status(self.door(one)))
        by_member: dict[int, str] = {}
        clusters: dict[int, str] = {}
        for endpoint, (status, _error) in asked.items():
            if status is not None:
                by_member.setdefault(status.member, endpoint)
                clusters.setdefault(status.cluster, endpoint)
        if not by_member:
            raise next(error for _status, error in asked.values() if error is not None)
        if len(clusters) > 1:
            raise InputError(f"endpoints: they are of different etcds: {' and '.join(sorted(clusters.values()))}.")
        self.cluster = min(clusters)
        listed = parse_members(self.door(next(iter(by_member.values()))).ask("/v3/cluster/member/list", {}))
        members = self._each(listed, lambda one: self._member(one, by_member))
        seen = tuple(found if found is not None else member for member, (found, _error) in members.items())
        # who follows a leader comes first, because it can answer for all
        answering = sorted((one for one in seen if one.status), key=lambda one: not (one.status and one.status.leader))
        self._answering = [self.door_of(one) for one in answering]
        alarms, why = self._alarms(seen)
        return Picture(seen, alarms, why)

    def door_of(self, member: Member) -> EtcdDoor:
        """The way to exactly this member, as the last picture found it."""
        found = self._member_doors.get(member.identifier)
        return found if found is not None else self.door(member.endpoint or (member.urls or self.endpoints)[0])

    def any_door(self) -> EtcdDoor:
        """The way to some member that answered when the picture was taken."""
        return self._answering[0] if self._answering else self.door(self.endpoints[0])

    def compacted_to(self, member: Member, newest: int) -> int:
        """The revision that a member was compacted to last."""
        return last_compaction(lambda revision: self._can_read(member, revision), newest)

    def take_snapshot(
        self, member: Member, folder: str, name: str, heartbeat: Callable[[], None]
    ) -> etcd_snapshot.Snapshot:
        """Stream the database of a member to this machine. Raises EtcdError, InputError, RefusedError."""
        return etcd_snapshot.take(self, member, folder, name, heartbeat)

    # -- acting --------------------------------------------------------------------------------------------------

    def compact(self, member: Member, revision: int, timeout: float) -> bool:
        """Forget all before ``revision``, and wait until this member has; whether it was still to be forgotten.

        The answer that it is compacted already comes after the member's own work is done, too. Raises EtcdError.
        """
        question = {"revision": str(revision), "physical": True}
        return unless_compacted(lambda: self.door_of(member).ask("/v3/kv/compaction", question, timeout=timeout))

    def defragment(self, member: Member, timeout: float) -> None:
        """Give free room of one member back to its file system; it answers nothing else meanwhile. Raises EtcdError."""
        self._checked(self.door_of(member), member.identifier)
        self.door_of(member).ask("/v3/maintenance/defragment", timeout=timeout)

    def move_leader(self, leader: Member, target: Member) -> None:
        """Let another member lead. Raises EtcdError."""
        self.door_of(leader).ask("/v3/maintenance/transfer-leadership", {"targetID": str(target.identifier)})

    def disarm(self, member: int) -> None:
        """Take back the alarm NOSPACE of one member. Raises EtcdError."""
        question = {"action": "DEACTIVATE", "memberID": str(member), "alarm": NOSPACE}
        self.any_door().ask("/v3/maintenance/alarm", question)

    def try_to_write(self) -> None:
        """Grant a lease and revoke it: a write that leaves no key. Raises EtcdError when etcd does not take it."""
        door = self.any_door()
        lease = number(door.ask("/v3/lease/grant", {"TTL": "30"}).get("ID"))
        door.ask("/v3/lease/revoke", {"ID": str(lease)})

    # -- internals -----------------------------------------------------------------------------------------------

    def _each(
        self, of: t.Iterable[t.Any], ask: Callable[[t.Any], t.Any]
    ) -> dict[t.Any, tuple[t.Any, EtcdError | None]]:
        """Answers of all at the same time: one that is silent does not make the others wait in a row."""

        def safe(one: t.Any) -> tuple[t.Any, EtcdError | None]:
            try:
                return ask(one), None
            except EtcdError as error:
                return None, error

        several = list(of)
        with ThreadPoolExecutor(max_workers=max(1, min(len(several), 8))) as pool:
            return dict(zip(several, pool.map(safe, several), strict=True))

    def _status(self, door: EtcdDoor) -> Status:
        found = parse_status(door.ask("/v3/maintenance/status"))
        return found if found.quota else parse_status(door.ask("/v3/maintenance/status"), self._told_quota(door))

    def _checked(self, door: EtcdDoor, identifier: int) -> Status:
        found = parse_status(door.ask("/v3/maintenance/status"))
        if found.member != identifier:
            raise EtcdError(
                f"{door.endpoint} leads to member {member_name(found.member)} and not to {member_name(identifier)}: give the "
                "endpoint of each member, not that of a load balancer."
            )
        return found

    def _told_quota(self, door: EtcdDoor) -> int | None:
        """The quota by the metrics, which members before 3.6 tell only there."""
        try:
            for line in door.text("/metrics").splitlines():
                if line.startswith(f"{_QUOTA_METRIC} "):
                    return int(float(line.split()[1])) or None
        except (EtcdError, ValueError, IndexError):
            return None  # an older member, or metrics on a port of their own
        return None

    def _member(self, member: Member, by_member: dict[int, str]) -> Member:
        answered = by_member.get(member.identifier, "")
        found = self._member_doors.get(member.identifier)
        # what a member advertises leads to it alone; what the user gave may be a load balancer, and may be the only way
        urls = [found.endpoint] if found else []
        urls += [answered, *member.urls] if answered in member.urls else [*member.urls, answered]
        failures: list[str] = []
        for url in [one for one in dict.fromkeys(urls) if one] or [""]:
            try:
                if not url:
                    raise EtcdError("it advertises no URL for clients, so it may not have started yet.")
                door = self.door(url)
                self._checked(door, member.identifier)
                status = self._status(door)
            except (EtcdError, InputError) as error:
                failures.append(str(error).rstrip("."))
                continue
            self._member_doors[member.identifier] = door
            return Member(member.identifier, member.name, member.urls, member.learner, door.endpoint, status)
        return Member(
            member.identifier, member.name, member.urls, member.learner, (member.urls or ("",))[0], None, failures[0]
        )

    def _alarms(self, members: Sequence[Member]) -> tuple[tuple[tuple[int, str], ...] | None, str]:
        """Alarms are read with a quorum; without one etcd would let us wait for nothing."""
        if not Picture(tuple(members)).quorum:
            return None, "without a quorum nobody can say"
        try:
            return parse_alarms(self.any_door().ask("/v3/maintenance/alarm", {"action": "GET"})), ""
        except EtcdError as error:
            return None, str(error).rstrip(".")

    def _can_read(self, member: Member, revision: int) -> bool:
        question = {
            "key": encoded(b"\0"),
            "revision": str(revision),
            "serializable": True,
            "limit": "1",
            "count_only": True,
        }
        return unless_compacted(lambda: self.door_of(member).ask("/v3/kv/range", question))
