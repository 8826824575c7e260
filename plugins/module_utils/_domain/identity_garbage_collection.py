# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How the cilium-operator collects identities that nobody uses, and whether it does.

Source of the rules: operator/identitygc/{cell,gc,crd_gc,heartbeat}.go of cilium/cilium. Once an interval it looks at
every CiliumIdentity that no CiliumEndpoint (and, where they are on, no CiliumEndpointSlice) names. One without a sign of
life for the timeout is marked with an annotation; the mark counts as a sign of life, so a further timeout passes before it
is deleted. Signs of life are kept in memory: a new leader waits a whole timeout before it marks or deletes anything.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import DurationError, parse_timedelta
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words

HEALTHY, OFF, BROKEN, SLOW, UNKNOWN = "healthy", "off", "broken", "slow", "unknown"
INTERVAL, TIMEOUT = "identity-gc-interval", "identity-heartbeat-timeout"
RATE_INTERVAL, RATE_LIMIT = "identity-gc-rate-interval", "identity-gc-rate-limit"
_DEFAULTS: t.Final = {INTERVAL: "15m0s", TIMEOUT: "30m0s", RATE_INTERVAL: "1m0s"}
_DEFAULT_LIMIT = 2500
# a leader renews its Lease every few seconds; more than this is no skew of clocks any more
_STALE_LEASE = datetime.timedelta(minutes=2)


@dataclass(frozen=True)
class CollectionTimes:
    """Settings of the collection. ``problems`` are those that the operator refuses to start with."""

    interval: datetime.timedelta = datetime.timedelta(minutes=15)
    timeout: datetime.timedelta = datetime.timedelta(minutes=30)
    deletions_per_second: float = _DEFAULT_LIMIT / 60
    problems: tuple[str, ...] = ()

    @property
    def is_off(self) -> bool:
        """Whether the interval turns it off."""
        return self.interval <= datetime.timedelta() and not self.problems

    @property
    def longest(self) -> datetime.timedelta:
        """The longest that an unused identity exists where the collection works: two timeouts and two intervals."""
        return 2 * (self.timeout + max(self.interval, datetime.timedelta()))

    @property
    def after_mark(self) -> datetime.timedelta:
        """The longest from the mark to the deletion: a timeout and two rounds (one may just have passed)."""
        return self.timeout + 2 * max(self.interval, datetime.timedelta())

    @property
    def usual(self) -> datetime.timedelta:
        """How long an unused identity exists on average: two timeouts and half an interval before each of two rounds."""
        return 2 * self.timeout + max(self.interval, datetime.timedelta())


def times_of_config(config: Mapping[str, str]) -> CollectionTimes:
    """The settings by cilium-config; a value that Go cannot read is a problem, and the default stands in for it."""
    found: dict[str, datetime.timedelta] = {}
    problems = []
    for key, default in _DEFAULTS.items():
        try:
            found[key] = parse_timedelta(str(config.get(key, default)))
        except DurationError as error:
            problems.append(f"{key} is '{config.get(key)}', with which the operator does not start ({error})")
            found[key] = parse_timedelta(default)
    text = str(config.get(RATE_LIMIT, _DEFAULT_LIMIT)).strip()
    limit = int(text) if text.isascii() and text.isdecimal() else _DEFAULT_LIMIT
    seconds = found[RATE_INTERVAL].total_seconds()
    return CollectionTimes(
        found[INTERVAL], found[TIMEOUT], limit / seconds if seconds > 0 else _DEFAULT_LIMIT / 60, tuple(problems)
    )


def allows(rules: Iterable[Mapping[str, t.Any]], verb: str) -> bool:
    """Whether rules of a ClusterRole allow ``verb`` on all CiliumIdentities."""
    for rule in rules:
        groups, resources, verbs = (rule.get(key) or () for key in ("apiGroups", "resources", "verbs"))
        if (
            not rule.get("resourceNames")
            and {"cilium.io", "*"} & set(groups)
            and {"ciliumidentities", "*"} & set(resources)
            and {verb, "*"} & set(verbs)
        ):
            return True
    return False


@dataclass(frozen=True)
class CollectorEvidence:
    """What is known of the operator; None is unknown throughout.

    ``times``: settings, None where cilium-config cannot be read. ``replicas``: (ready, wanted) of its Deployment.
    ``lease``: None where it cannot be read, else (seconds since it was renewed, seconds since this leader took it), or
    False where there is none. ``forbidden``: verbs of update and delete that its ClusterRole lacks.
    ``overdue``: identities that were marked longer ago than ``after_mark`` and that still nobody uses, and the age of the
    oldest mark in seconds. ``rounds``: (successful, failed) rounds by its metrics.
    """

    times: CollectionTimes | None = None
    replicas: tuple[int, int] | None = None
    lease: tuple[float, float | None] | t.Literal[False] | None = None
    forbidden: tuple[str, ...] | None = None
    overdue: int = 0
    oldest_mark: float = 0.0
    rounds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether unused identities are collected: healthy, off, broken, slow or unknown, with the reasons in words."""

    name: str
    reasons: tuple[str, ...] = ()

    @property
    def collects(self) -> bool | None:
        """Whether unused identities are deleted in the end; None is unknown."""
        return {HEALTHY: True, SLOW: True, OFF: False, BROKEN: False}.get(self.name)


def judge(evidence: CollectorEvidence) -> Verdict:
    """The verdict. What is bad decides; without the settings, or any sign of the operator, nothing is said."""
    broken = list(_faults(evidence))
    times = evidence.times
    if times is not None and times.is_off:
        return Verdict(OFF, (f"{INTERVAL} is 0, which turns the collection off", *broken))
    if broken:
        return Verdict(BROKEN, tuple(broken))
    if times is None:
        return Verdict(UNKNOWN, ("cilium-config cannot be read",))
    if evidence.replicas is None and evidence.lease is None:
        return Verdict(UNKNOWN, ("neither the Deployment of the operator nor its Lease could be read",))
    slow = _slowness(evidence, times)
    if slow:
        return Verdict(SLOW, (slow,))
    return Verdict(HEALTHY, tuple(_unseen(evidence, times)))


def _faults(evidence: CollectorEvidence) -> t.Iterator[str]:
    if evidence.times is not None:
        yield from evidence.times.problems
    if evidence.replicas is not None and evidence.replicas[0] == 0:
        yield f"0 of {evidence.replicas[1]} replicas of the operator are ready"
    if evidence.lease is False:
        yield "no replica of the operator holds its Lease"
    elif evidence.lease is not None and evidence.lease[0] > _STALE_LEASE.total_seconds():
        yield f"the Lease of the operator was renewed {words(evidence.lease[0])} ago, so nobody leads"
    for verb in evidence.forbidden or ():
        yield f"the ClusterRole of the operator does not allow it to {verb} ciliumidentities"
    if evidence.rounds is not None and evidence.rounds[1] > 0 and evidence.rounds[0] == 0:
        yield f"all {evidence.rounds[1]:.0f} rounds of the collection failed"


def _slowness(evidence: CollectorEvidence, times: CollectionTimes) -> str:
    if not evidence.overdue:
        return ""
    leading = evidence.lease[1] if evidence.lease else None
    text = f"{evidence.overdue} unused identities were marked for deletion up to {words(evidence.oldest_mark)} ago"
    if leading is not None and leading < times.after_mark.total_seconds():
        if evidence.oldest_mark < times.longest.total_seconds() + leading:
            return ""
        return f"{text}; the leader is new ({words(leading)}), and each new leader waits {words(times.timeout.total_seconds())}"
    return f"{text}, and should be gone after {words(times.after_mark.total_seconds())}"


def _unseen(evidence: CollectorEvidence, times: CollectionTimes) -> t.Iterator[str]:
    """What was not looked at, or passes by itself."""
    if evidence.replicas is None:
        yield "not seen: the Deployment of the operator"
    if evidence.lease is None:
        yield "not seen: the Lease of the operator"
    if evidence.forbidden is None:
        yield "not seen: whether its ClusterRole allows it to update and delete ciliumidentities"
    leading = evidence.lease[1] if evidence.lease else None
    if leading is not None and leading < times.timeout.total_seconds():
        yield f"the leader is new ({words(leading)}): it marks and deletes nothing before {words(times.timeout.total_seconds())}"
