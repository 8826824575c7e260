# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which host has which member of an etcd, and in which order the hosts are visited.

Each host says which member it has, so that nothing needs to be written down that could be wrong; and every member must have
exactly one host.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Plan
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import (
    NOSPACE,
    Member,
    Picture,
    Status,
    member_name,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError

Document = dict[str, t.Any]
_NOT_BEGUN = "Maintenance does not begin, and nothing was changed:"


@dataclass(frozen=True)
class Work:
    """What a run over several hosts is to do, as it is handed from host to host; members by ID, in order.

    ``sizes`` and ``full`` are as before the run: bytes of each member, and those that had raised NOSPACE. ``names`` are for
    sentences.
    """

    cluster: int
    compact_to: int = 0
    defragment: tuple[int, ...] = ()
    urgent: bool = False
    disarm: bool = False
    sizes: Mapping[int, int] = field(default_factory=dict)
    full: tuple[int, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, picture: Picture, chosen: Plan, cluster: int) -> Work:
        """What is planned for members as they are now."""
        return cls(
            cluster,
            chosen.compact_to,
            chosen.defragment,
            chosen.urgent,
            chosen.disarm,
            {one.identifier: one.status.size for one in picture.answering if one.status},
            tuple(picture.alarms_of(NOSPACE)),
            {one.identifier: one.title for one in picture.members},
        )

    def to_document(self) -> Document:
        """JSON values, with IDs as etcdctl writes them."""
        return {
            "cluster": member_name(self.cluster),
            "compact_to": self.compact_to,
            "defragment": [member_name(one) for one in self.defragment],
            "urgent": self.urgent,
            "disarm": self.disarm,
            "sizes": {member_name(one): size for one, size in self.sizes.items()},
            "full": [member_name(one) for one in self.full],
            "names": {member_name(one): name for one, name in self.names.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, t.Any]) -> Work:
        """What ``to_document`` wrote. Raises InputError for anything else."""
        try:
            return cls(
                identifier(document["cluster"]),
                int(document["compact_to"]),
                tuple(identifier(one) for one in document["defragment"]),
                bool(document["urgent"]),
                bool(document["disarm"]),
                {identifier(one): int(size) for one, size in document["sizes"].items()},
                tuple(identifier(one) for one in document["full"]),
                {identifier(one): str(name) for one, name in document["names"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"work: it is not what kvstore_hosts returns as work ({error}); give that.") from error

    def before(self) -> Picture:
        """As much of the members before the run as the end of it asks for."""
        members = tuple(
            Member(one, member_name(one), status=Status(one, self.cluster, "", size, size, None, 0, 0, 0, 0, 0))
            for one, size in self.sizes.items()
        )
        return Picture(members, tuple((one, NOSPACE) for one in self.full))


@dataclass(frozen=True)
class Assignment:
    """``order``: hosts whose member is to be defragmented. ``first``: the host from which the rest is done."""

    hosts: Mapping[str, str]  # ID of a member to its host
    order: tuple[str, ...]
    first: str
    answer: Mapping[str, t.Any]  # of the host whose plan is taken


def identifier(written: t.Any) -> int:
    """The ID of a member or an etcd that was written as etcdctl writes it. Raises ValueError."""
    return int(str(written), 16)


def assign(answers: Mapping[str, Mapping[str, t.Any]]) -> Assignment:
    """Who visits whom, by what each host answered (``kvstore_member`` with ``state=inspected``).

    Raises RefusedError where a host has a problem, or hosts and members do not fit.
    """
    if not answers:
        raise InputError("answers: there is no host; name the hosts of all members.")
    reasons = list(dict.fromkeys(str(one["problem"]) for one in answers.values() if one.get("problem")))
    if reasons:
        raise RefusedError(f"{_NOT_BEGUN} {' '.join(reasons)}", reasons)
    reasons = _misfits(answers)
    if reasons:
        raise RefusedError(f"{_NOT_BEGUN} {' '.join(reasons)}", reasons)
    hosts = {str(one["member"]["id"]): host for host, one in answers.items()}
    taken = next(iter(answers.values()))
    order = tuple(hosts[one] for one in taken["work"]["defragment"])
    # one whose member follows: it takes the snapshot, and the leader has enough to do
    following = [host for host, one in answers.items() if not one["member"]["leader"]]
    first = next((host for host in (*order, *following) if host in following), next(iter(answers)))
    return Assignment(hosts, order, first, taken)


def _misfits(answers: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    by_cluster: dict[str, list[str]] = {}
    by_member: dict[str, list[str]] = {}
    for host, one in answers.items():
        by_cluster.setdefault(str(one["work"]["cluster"]), []).append(host)
        by_member.setdefault(str(one["member"]["id"]), []).append(host)
    if len(by_cluster) > 1:
        return [
            f"The hosts have members of different etcds: {' and '.join(', '.join(one) for one in by_cluster.values())}. Name those of "
            "one."
        ]
    found = []
    for hosts in by_member.values():
        if len(hosts) > 1:
            name = answers[hosts[0]]["member"]["name"]
            found.append(
                f"The hosts {' and '.join(hosts)} have the same member {name}: the etcdctl_endpoint of each host must lead to the "
                "member on it, and each host may be named once."
            )
    for member in next(iter(answers.values()))["members"]:
        if member["id"] not in by_member:
            found.append(
                f"Member {member['name']} ({member['endpoint']}) is on none of the hosts: name its host as well, because every "
                "member is defragmented on its own."
            )
    return found
