# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One agent of Cilium as checks see it: the entry of the resource ``agents``, read without trust in its shape."""

from __future__ import annotations

import datetime
import functools
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import (
    count,
    mapping,
    moment,
    objects,
    text,
    whole,
)

OK = "Ok"
# agent states of an endpoint that pass by themselves, or are the end
_SETTLED = frozenset({"ready", "disconnected", "disconnecting", ""})
_IPAM = re.compile(r"(IPv[46]): (\d+)/(\d+) allocated(?: from ([0-9a-fA-F.:]+/\d+))?")
_NUMBERED = re.compile(r"(?:-\d+| \(\d+\))$")


@dataclass(frozen=True)
class RangeUse:
    """Addresses of one family on one Node, as its agent counts them (without network and broadcast address)."""

    family: str
    used: int
    capacity: int
    cidr: str


def range_uses(status: str) -> list[RangeUse]:
    """What ``ipam.status`` says: ``IPv4: 6/254 allocated from 10.0.5.0/24, ``.

    Empty for multi-pool (``IPv4: 2 IPAM pool(s) available, ``) and for anything else; without CIDR in the modes eni,
    azure, alibabacloud and crd.
    """
    return [RangeUse(one[1], int(one[2]), int(one[3]), one[4] or "") for one in _IPAM.finditer(status)]


@dataclass(frozen=True)
class Controller:
    """A controller of an agent that fails: ``failures`` times in a row, the last time at ``failed_at``."""

    name: str
    failures: int
    message: str
    failed_at: datetime.datetime | None
    succeeded_at: datetime.datetime | None

    @property
    def family(self) -> str:
        """Its name without the number of an endpoint or identity: ``resolve-identity-1734`` is ``resolve-identity``."""
        return _NUMBERED.sub("", self.name)


@dataclass(frozen=True)
class AgentEndpoint:
    """An endpoint as its agent knows it; ``named`` is how many identities its policy names in both directions."""

    id: int
    state: str
    identity: int
    pod: str
    named: int
    since: datetime.datetime | None
    message: str

    @property
    def settled(self) -> bool:
        """Whether it is ready or gone."""
        return self.state in _SETTLED


@dataclass(frozen=True)
class RemoteCluster:
    """Another cluster of the mesh, as one agent sees it."""

    name: str
    ready: bool
    failures: int
    status: str


class Agent:
    """What one agent answered. ``None`` and empty texts mean that it did not say."""

    def __init__(self, entry: Mapping[str, t.Any]) -> None:
        self._entry = entry
        self.node = text(entry.get("node"))
        self.pod = text(entry.get("pod"))
        self.version = text(entry.get("version"))
        self.error = text(entry.get("error"))
        self.answered = isinstance(entry.get("status"), dict)
        self._status = mapping(entry.get("status"))

    def state(self, part: str) -> tuple[str, str]:
        """State and message of ``cilium``, ``kubernetes`` or ``kvstore``."""
        one = mapping(self._status.get(part))
        return text(one.get("state")), text(one.get("msg"))

    @functools.cached_property
    def stale(self) -> dict[str, str]:
        """{probe of the status that hangs: since when}."""
        return {key: text(value) for key, value in mapping(self._status.get("stale")).items()}

    @functools.cached_property
    def failing(self) -> list[Controller]:
        """Its controllers that failed the last time."""
        return [
            Controller(
                text(one.get("name")),
                count(one.get("consecutive-failure-count")),
                text(one.get("last-failure-msg")),
                moment(one.get("last-failure-timestamp")),
                moment(one.get("last-success-timestamp")),
            )
            for one in objects(self._status.get("controllers"))
            if count(one.get("consecutive-failure-count"))
        ]

    @property
    def identity_range(self) -> tuple[int, int] | None:
        """Smallest and largest identity that it allocates."""
        found = mapping(self._status.get("identity-range"))
        smallest, largest = whole(found.get("min-identity")), whole(found.get("max-identity"))
        return None if smallest is None or largest is None else (smallest, largest)

    @functools.cached_property
    def ranges(self) -> list[RangeUse]:
        """Use of its address ranges."""
        return range_uses(text(mapping(self._status.get("ipam")).get("status")))

    @functools.cached_property
    def allocations(self) -> dict[str, str]:
        """{address: its owner}: ``router``, ``health``, ``ingress`` or ``NAMESPACE/POD``."""
        held = mapping(mapping(self._status.get("ipam")).get("allocations"))
        return {address: text(owner) for address, owner in held.items()}

    @functools.cached_property
    def endpoints(self) -> list[AgentEndpoint] | None:
        """Its endpoints; None when it did not say."""
        listed = self._entry.get("endpoints")
        if not isinstance(listed, list):
            return None
        return [
            AgentEndpoint(
                whole(one.get("id")) or 0,
                text(one.get("state")),
                whole(one.get("identity")) or 0,
                text(one.get("pod")),
                count(one.get("ingress")) + count(one.get("egress")),
                moment(one.get("since")),
                text(one.get("message")),
            )
            for one in objects(listed)
        ]

    @property
    def configuration(self) -> Mapping[str, t.Any] | None:
        """Fields of option.Config that it runs with; None when it did not say."""
        found = self._entry.get("config")
        return found if isinstance(found, dict) and found else None

    @functools.cached_property
    def remote_clusters(self) -> list[RemoteCluster]:
        """The other clusters of the mesh."""
        return [
            RemoteCluster(
                text(one.get("name")), one.get("ready") is True, count(one.get("num-failures")), text(one.get("status"))
            )
            for one in objects(mapping(self._status.get("cluster-mesh")).get("clusters"))
        ]

    def messages(self) -> list[str]:
        """Every complaint in its answers: of failing controllers and of endpoints that are not ready."""
        said = [one.message for one in self.failing]
        said += [one.message for one in self.endpoints or () if not one.settled]
        return [message for message in said if message]
