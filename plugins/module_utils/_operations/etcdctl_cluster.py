# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""An etcd as one of its members' hosts sees it, by etcdctl: for members whose gateway is off, or reached only from there.

The member of the host is asked and worked on through its own endpoint, and must be that member. The others are asked at the
URLs that they advertise, as the members of a control plane are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import (
    NOSPACE,
    Member,
    Picture,
    Status,
    alarms_in_words,
    member_name,
    number,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcdctl_output import (
    OutputError,
    alarms_of,
    failures_of,
    members_of,
    printed_json,
    statuses_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import etcdctl_snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_access import (
    last_compaction,
    unless_compacted,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_snapshot import Snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_program import EtcdctlProgram, Ran


@dataclass(frozen=True)
class Expected:
    """Which member of which etcd the host has, as it was planned, and its name for sentences; 0: whichever it is."""

    cluster: int = 0
    member: int = 0
    name: str = ""


class EtcdctlCluster:
    """One etcd, seen from the host of one of its members."""

    def __init__(
        self,
        program: EtcdctlProgram,
        expected: Expected | None = None,
        keeping: etcdctl_snapshot.Keeping | None = None,
    ) -> None:
        """Nothing is run yet."""
        self._program = program
        self._expected = expected or Expected()
        self._keeping = keeping or etcdctl_snapshot.Keeping()
        self._listed: list[Member] = []
        self._endpoints: dict[int, str] = {}
        self.cluster = self._expected.cluster
        self.own = self._expected.member

    # -- looking -------------------------------------------------------------------------------------------------

    def picture(self) -> Picture:
        """All members now. Raises EtcdError when the member of this host does not answer, or is another one."""
        endpoint = self._program.where.endpoint
        try:
            statuses, failures = self._statuses([endpoint, *self._others()])
            own = statuses.get(endpoint)
            if own is None:
                raise self._silent(endpoint, failures)
        except EtcdError as error:
            raise self._named(error) from error
        self._identify(own)
        self._listed = self._members(own)
        missing = [url for url in self._others() if url not in statuses and url not in failures]
        if missing:
            more, why = self._statuses(missing)
            statuses, failures = {**statuses, **more}, {**failures, **why}
        members = tuple(self._member(one, statuses, failures) for one in self._listed)
        alarms, why_not = self._alarms(members)
        return Picture(members, alarms, why_not)

    def compacted_to(self, member: Member, newest: int) -> int:
        """The revision that a member was compacted to last. Raises EtcdError."""
        return last_compaction(lambda revision: self._can_read(member, revision), newest)

    def take_snapshot(self, member: Member, folder: str, name: str, heartbeat: Callable[[], None]) -> Snapshot:
        """The database of the member of this host, on this machine or on the host. Raises EtcdError, InputError, RefusedError."""
        self._own_only(member)
        return etcdctl_snapshot.take(self._program, member, replace(self._keeping, folder=folder), name, heartbeat)

    # -- acting --------------------------------------------------------------------------------------------------

    def compact(self, member: Member, revision: int, timeout: float) -> bool:
        """Forget all before ``revision``, and wait until this member has; whether it was still to be forgotten.

        Raises EtcdError.
        """
        words, endpoints = ("compaction", str(revision), "--physical"), [self._endpoint(member)]
        return unless_compacted(lambda: self._program.run(*words, endpoints=endpoints, timeout=timeout))

    def defragment(self, member: Member, timeout: float) -> None:
        """Give free room of the member of this host back to its file system. Raises EtcdError."""
        self._own_only(member)
        self._asked_own()
        self._program.run("defrag", timeout=timeout)

    def move_leader(self, leader: Member, target: Member) -> None:
        """Let another member lead. Raises EtcdError."""
        self._program.run("move-leader", member_name(target.identifier), endpoints=[self._endpoint(leader)])

    def disarm(self, member: int) -> None:
        """Take back NOSPACE. etcdctl takes back whatever is raised, so nothing else may be. Raises EtcdError, RefusedError."""
        raised = self._program.ask(alarms_of, "alarm", "list")
        self._nothing_else(raised, "is raised, and etcdctl cannot disarm NOSPACE alone: nothing was disarmed")
        if (member, NOSPACE) not in raised:
            return  # with that of another member
        taken = self._program.ask(alarms_of, "alarm", "disarm")
        self._nothing_else(
            taken, "was raised in that moment and was disarmed with NOSPACE: its data differs, so replace that member"
        )

    def try_to_write(self) -> None:
        """Grant a lease and revoke it: a write that leaves no key. Raises EtcdError when etcd does not take it."""
        lease = self._program.ask(_lease_of, "lease", "grant", "30")
        self._program.run("lease", "revoke", member_name(lease))

    # -- internals -----------------------------------------------------------------------------------------------

    @property
    def _host(self) -> str:
        return self._program.commands.host

    def _others(self) -> list[str]:
        urls = [url for one in self._listed if one.identifier != self.own for url in one.urls]
        return list(dict.fromkeys(urls))

    def _statuses(self, endpoints: list[str]) -> tuple[dict[str, Status], dict[str, str]]:
        """Those that answer, and why the others do not; etcdctl fails when one does not."""
        words = ("endpoint", "status")
        ran = self._program.run(*words, endpoints=endpoints, failing=True)
        failures = failures_of(ran.errors)
        if ran.code and not failures:
            raise self._program.error(ran, words, endpoints)
        return self._program.parsed(statuses_of, ran, *words), failures

    def _silent(self, endpoint: str, failures: dict[str, str]) -> EtcdError:
        why = failures.get(endpoint, "it gave no status")
        return self._program.error(Ran(1, "", f"Error: {why}"), ("endpoint", "status"), [endpoint])

    def _named(self, error: EtcdError) -> EtcdError:
        """The same with the member of the host, where that is known: who reads it looks for a member."""
        if not self.own:
            return error
        listed = [one.title for one in self._listed if one.identifier == self.own]
        name = (listed or [self._expected.name or member_name(self.own)])[0]
        text = f"Member {name} does not answer: {error}"
        return EtcdError(text, status=error.status, words=error.words, path=error.path, code=error.code)

    def _identify(self, own: Status) -> None:
        """The endpoint of the host must lead to its member, and stay with it."""
        endpoint = self._program.where.endpoint
        if self.own and own.member != self.own:
            raise EtcdError(
                f"{endpoint} on host {self._host} leads to member {member_name(own.member)} and not to "
                f"{member_name(self.own)}: etcdctl_endpoint must lead to the member of the host itself."
            )
        if self.cluster and own.cluster != self.cluster:
            raise EtcdError(
                f"{endpoint} on host {self._host} is of the etcd {member_name(own.cluster)} and not of "
                f"{member_name(self.cluster)}."
            )
        self.own, self.cluster = own.member, own.cluster

    def _members(self, own: Status) -> list[Member]:
        try:
            return self._program.ask(members_of, "member", "list")
        except EtcdError as error:
            if self._listed:
                return self._listed
            try:  # from 3.6 on a member tells its own list, also without a quorum
                return self._program.ask(members_of, "member", "list", "--consistency=s")
            except EtcdError:
                if own.leader:
                    raise error from None
                raise EtcdError(
                    f"The etcd has no quorum: the member on host {self._host} knows of no leader. Bring its members back first."
                ) from error

    def _member(self, member: Member, statuses: dict[str, Status], failures: dict[str, str]) -> Member:
        urls = [self._program.where.endpoint] if member.identifier == self.own else list(member.urls)
        why = [] if urls else ["it advertises no URL for clients, so it may not have started yet"]
        for url in urls:
            status = statuses.get(url)
            if status is not None and status.member == member.identifier:
                self._endpoints[member.identifier] = url
                return replace(member, endpoint=url, status=status)
            why.append(
                f"{url} leads to member {member_name(status.member)}"
                if status is not None
                else f"{url}, asked from host {self._host}: {failures.get(url, 'it gave no status').rstrip('.')}"
            )
        return replace(member, endpoint=(urls or [""])[0], error=why[0])

    def _alarms(self, members: Iterable[Member]) -> tuple[tuple[tuple[int, str], ...] | None, str]:
        """Alarms are read with a quorum; without one etcd would let us wait for nothing."""
        if not Picture(tuple(members)).quorum:
            return None, "without a quorum nobody can say"
        try:
            return self._program.ask(alarms_of, "alarm", "list"), ""
        except EtcdError as error:
            return None, str(error).rstrip(".")

    def _endpoint(self, member: Member) -> str:
        own = self._program.where.endpoint
        return own if member.identifier == self.own else self._endpoints.get(member.identifier, member.endpoint or own)

    def _can_read(self, member: Member, revision: int) -> bool:
        words = ("get", "", "--from-key", "--limit=1", "--keys-only", "--consistency=s", f"--rev={revision}")
        return unless_compacted(lambda: self._program.run(*words, endpoints=[self._endpoint(member)]))

    def _own_only(self, member: Member) -> None:
        if member.identifier != self.own:
            raise RefusedError(f"Member {member.title} is not on host {self._host}, and is not worked on from there.")

    def _asked_own(self) -> None:
        statuses, failures = self._statuses([self._program.where.endpoint])
        for status in statuses.values():
            self._identify(status)
        if not statuses:
            raise self._silent(self._program.where.endpoint, failures)

    def _nothing_else(self, alarms: Iterable[tuple[int, str]], what: str) -> None:
        others = [one for one in alarms if one[1] != NOSPACE]
        if others:
            raise RefusedError(f"The alarm {alarms_in_words(others, Picture(tuple(self._listed)))} {what}.")


def _lease_of(printed: str) -> int:
    found = printed_json(printed)
    lease = number(found.get("ID")) if isinstance(found, dict) else 0
    if not lease:
        raise OutputError("there is no lease in it")
    return lease
