# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How many new identities an hour a cluster stands, and what happens when there are more.

An identity that is used for a moment only exists for as long as the cilium-operator needs to collect it: two timeouts, and half
an interval before each of two rounds. So many hours of creation have to fit into what is left of the range, and the operator
must delete as fast. With the defaults a range of 65,280 stands about 14 a second.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import CollectionTimes

_HOUR = 3600.0
_SHORTEST_LIFE = 1 / 60


@dataclass(frozen=True)
class Churn:
    """``per_hour`` new identities, each used for a moment. ``hours_earliest`` to ``hours_latest``: when the range is full.

    Both None where it never is. ``steady``: how many identities there are then in the long run, None where it fills.
    """

    per_hour: float
    sustainable_per_hour: float
    life_hours: float
    steady: float | None
    hours_earliest: float | None
    hours_latest: float | None
    limit: str

    @property
    def sustainable(self) -> bool:
        """Whether it can go on."""
        return self.steady is not None

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "per_hour": self.per_hour,
            "sustainable": self.sustainable,
            "sustainable_per_hour": round(self.sustainable_per_hour, 1),
            "life_hours": round(self.life_hours, 3),
            "steady": None if self.steady is None else round(self.steady),
            "full_after_hours_earliest": None if self.hours_earliest is None else round(self.hours_earliest, 2),
            "full_after_hours_latest": None if self.hours_latest is None else round(self.hours_latest, 2),
            "limit": self.limit,
        }


def churn(capacity: int, in_use: int, used: int, per_hour: float, times: CollectionTimes) -> Churn:
    """``in_use`` of the ``used`` identities stay; ``per_hour`` more are created, each of which is used for a moment."""
    room, free = max(0, capacity - in_use), max(0, capacity - used)
    life = max(times.usual.total_seconds() / _HOUR, _SHORTEST_LIFE)
    collected = times.deletions_per_second * _HOUR
    if times.is_off:
        full = free / per_hour if per_hour > 0 else None
        steady = None if per_hour > 0 else float(used)
        return Churn(per_hour, 0.0, life, steady, full, full, "nothing is collected: identity-gc-interval is 0")
    sustainable = min(room / life, collected)
    if per_hour <= sustainable:
        return Churn(per_hour, sustainable, life, in_use + per_hour * life, None, None, "")
    # whatever is deleted of what is unused now, the operator is never faster than it may be
    by_rate = free / (per_hour - collected) if per_hour > collected else None
    if per_hour * life > room:
        limit = f"{per_hour * life:,.0f} unused identities would exist at a time, and there is room for {room:,}"
        latest = room / per_hour if by_rate is None else min(room / per_hour, by_rate)
        return Churn(per_hour, sustainable, life, None, free / per_hour, latest, limit)
    limit = f"the operator deletes at most {collected:,.0f} an hour"
    return Churn(per_hour, sustainable, life, None, free / per_hour, by_rate, limit)
