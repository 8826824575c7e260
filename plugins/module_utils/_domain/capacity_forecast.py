# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""When something runs out if it goes on growing as its history says."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.trend import (
    CONTRADICTORY,
    GROWING,
    SHRINKING,
    STEADY,
    TOO_SHORT,
    Trend,
    trend_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.usage_history import (
    CILIUM_POOL,
    IDENTITIES,
    NODE_ADDRESSES,
    NODE_BLOCKS,
    History,
)

EXHAUSTED, NO_LIMIT = "exhausted", "unknown"
_DAY = 86400.0
#: Points of one Node's history that are used: there may be thousands of Nodes.
_NODE_POINTS = 24


@dataclass(frozen=True)
class Limits:
    """One resource as it is now; ``free`` is None where it is not known. ``waiting`` is already owed."""

    key: str
    title: str
    capacity: int | None
    free: int | None
    waiting: int = 0


@dataclass(frozen=True)
class Rules:
    """``least_days`` of history are needed; nothing is foretold that is further away than ``horizon_days``."""

    now: float
    least_days: float = 1.0
    horizon_days: float = 1825.0


@dataclass(frozen=True)
class Forecast:
    """``days`` until nothing is left, by the median; ``earliest`` and ``latest`` by the range of the growth.

    None: not within the horizon, or nothing can be said; ``verdict`` and ``sentence`` say which.
    """

    limits: Limits
    verdict: str
    sentence: str
    trend: Trend | None = None
    days: float | None = None
    earliest: float | None = None
    latest: float | None = None
    at: str | None = None

    @property
    def known(self) -> bool:
        """Whether something was foretold, if only that no end is in sight."""
        return self.verdict not in (NO_LIMIT, TOO_SHORT, CONTRADICTORY)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        limits = self.limits
        used = None if limits.capacity is None or limits.free is None else limits.capacity - limits.free
        return {
            "resource": limits.key,
            "title": limits.title,
            "capacity": limits.capacity,
            "used": used,
            "free": limits.free,
            "waiting": limits.waiting,
            "verdict": self.verdict,
            "days": _rounded(self.days),
            "days_earliest": _rounded(self.earliest),
            "days_latest": _rounded(self.latest),
            "exhausted_at": self.at,
            "growth": None if self.trend is None else self.trend.to_dict(),
            "sentence": self.sentence,
        }


def _rounded(days: float | None) -> float | None:
    return None if days is None else round(days, 2)


def limits_of(document: Mapping[str, t.Any]) -> list[Limits]:
    """Every resource of a state that can run out, from the keys of an audit's result."""
    found = []
    identities = document.get("identities") or {}
    capacity, used = (identities.get("range") or {}).get("capacity"), identities.get("used")
    if capacity is not None or used is not None:
        free = None if capacity is None or used is None else max(0, capacity - used)
        found.append(Limits(IDENTITIES, "identities of this cluster", capacity, free))
    for pool in document.get("pools") or ():
        title = f"{pool['family']} blocks of {pool['cluster_cidr']} (/{pool['node_mask_size']}) for Nodes"
        waiting = pool.get("waiting_nodes") or 0
        found.append(Limits(f"{NODE_BLOCKS}{pool['family']}", title, pool["capacity"], pool["free"], waiting))
    pools: dict[str, list[Mapping[str, t.Any]]] = {}
    for row in document.get("cilium_pools") or ():
        pools.setdefault(f"{CILIUM_POOL}{row['pool']}/{row['family']}", []).append(row)
    for key, rows in pools.items():
        cidrs = ", ".join(str(row["cidr"]) for row in rows[:3]) + (
            f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        )
        title = f"{rows[0]['family']} blocks of {cidrs} (/{rows[0]['mask_size']}) of Cilium's pool {rows[0]['pool']}"
        found.append(Limits(key, title, sum(row["capacity"] for row in rows), sum(row["free"] for row in rows)))
    return found


def node_limits(document: Mapping[str, t.Any]) -> list[Limits]:
    """Addresses of each Node; Nodes of which nothing is known are left out."""
    return [
        Limits(
            f"{NODE_ADDRESSES}{node['name']}",
            f"pod addresses of Node {node['name']}",
            node["addresses"].get("capacity"),
            node["addresses"].get("free"),
        )
        for node in document.get("nodes") or ()
        if node.get("addresses")
    ]


def forecast(limits: Limits, history: History, rules: Rules) -> Forecast:
    """The forecast of one resource. Never a number without a history that has a direction."""
    if limits.free is None:
        return Forecast(limits, NO_LIMIT, "it is not known how many are free")
    owed = limits.free - limits.waiting
    if owed <= 0:
        text = (
            "none is left"
            if not limits.free
            else f"the {limits.free} that are left are owed to {limits.waiting} Nodes that wait"
        )
        return Forecast(limits, EXHAUSTED, text, days=0.0, earliest=0.0, latest=0.0, at=_iso(rules.now))
    if why := history.contradiction(limits.key):
        return Forecast(limits, CONTRADICTORY, f"unknown: {why}")
    most = _NODE_POINTS if limits.key.startswith(NODE_ADDRESSES) else 200
    trend = trend_of(history.points(limits.key, rules.now), least_days=rules.least_days, most_points=most)
    if trend.verdict == CONTRADICTORY:
        return _at_the_fastest(limits, trend, owed, rules)
    if not trend.known:
        return Forecast(limits, trend.verdict, f"unknown: {trend.reason}", trend)
    return _carried_on(limits, trend, owed, rules)


def _at_the_fastest(limits: Limits, trend: Trend, owed: int, rules: Rules) -> Forecast:
    """Of growth that may be none: the earliest day, or that none is in sight even with the fastest growth of the range."""
    earliest = _days(owed, trend.high, rules.horizon_days)
    fastest = f"{_few(trend.high)} a day at the fastest"
    if earliest is None:
        text = f"no end in sight: not within {rules.horizon_days:.0f} days at {fastest} ({trend.reason})"
        return Forecast(limits, STEADY, text, trend)
    text = f"unknown: {trend.reason}; {_few(earliest)} days at the earliest, at {fastest}"
    return Forecast(limits, CONTRADICTORY, text, trend, earliest=earliest)


def _carried_on(limits: Limits, trend: Trend, owed: int, rules: Rules) -> Forecast:
    days, earliest, latest = (
        _days(owed, slope, rules.horizon_days) for slope in (trend.per_day, trend.high, trend.low)
    )
    if trend.verdict != GROWING:
        word = "it gets less" if trend.verdict == SHRINKING else "it does not grow"
        text = f"no end in sight: {word} ({trend.reason})"
        return Forecast(limits, trend.verdict, text, trend, None, earliest, None)
    growth = f"{_few(trend.per_day)} a day (between {_few(trend.low)} and {_few(trend.high)}; {trend.reason})"
    if days is None:
        text = f"not within {rules.horizon_days:.0f} days at {growth}"
        return Forecast(limits, GROWING, text, trend, None, earliest, latest)
    reach = days / trend.days if trend.days else 0.0
    far = f"; that is {reach:.0f} times as far as the history reaches back" if reach >= 3 else ""
    span = (
        f"{_few(earliest)} to {_few(latest)} days" if latest is not None else f"{_few(earliest)} days at the earliest"
    )
    text = f"{_few(days)} days ({span}) at {growth}{far}"
    return Forecast(limits, GROWING, text, trend, days, earliest, latest, _iso(rules.now + days * _DAY))


def _days(owed: int, slope: float | None, horizon: float) -> float | None:
    if slope is None or slope <= 0:
        return None
    days = owed / slope
    return days if days <= horizon else None


def _few(value: float | None) -> str:
    """A number for a sentence, with two digits that count."""
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def _iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).replace(microsecond=0).isoformat()


def order(found: Sequence[Forecast]) -> list[Forecast]:
    """What ends first comes first; then what is not known, then what has no end in sight."""

    def rank(one: Forecast) -> tuple[int, float, str]:
        if one.days is not None:
            return 0, one.days, one.limits.key
        return (1 if not one.known else 2), 0.0, one.limits.key

    return sorted(found, key=rank)
