# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How fast a number grows: the median of the slopes between all pairs of points, and a range for it.

Source: Theil (1950) and Sen, "Estimates of the regression coefficient based on Kendall's tau" (1968). A few points that are
far off, such as a night of a test, hardly move it. The range is the one that Sen gives, for 95 of 100 cases.
"""

from __future__ import annotations

import math
import typing as t
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

GROWING, STEADY, SHRINKING = "growing", "steady", "shrinking"
TOO_SHORT, CONTRADICTORY = "too-short", "contradictory"
#: Fewer points give a range that says nothing.
LEAST_POINTS = 4
#: Quantile of the normal distribution for a range of 95 percent.
_QUANTILE = 1.959963984540054
_DAY = 86400.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Trend:
    """``per_day`` and its range ``low`` to ``high``; all None where the history is too short, ``per_day`` where it contradicts itself.

    ``reason`` says why, or what the verdict rests on. ``points`` were used, over ``days``.
    """

    verdict: str
    reason: str
    points: int
    days: float
    per_day: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def known(self) -> bool:
        """Whether there is a direction that may be carried on."""
        return self.verdict in (GROWING, STEADY, SHRINKING)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        slopes = {"per_day": self.per_day, "per_day_low": self.low, "per_day_high": self.high}
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "points": self.points,
            "days": round(self.days, 3),
            **{name: None if one is None else round(one, 6) for name, one in slopes.items()},
        }


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """At most ``most`` of the points, evenly chosen, the first and the last among them: the cost of a trend has a limit."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(number * step)] for number in range(most)]


def slopes_of(points: Sequence[Point]) -> list[float]:
    """The slope between each pair of points with different times, ascending; per second where times are seconds."""
    found = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for number, later in enumerate(points)
        for earlier in points[:number]
        if later[0] != earlier[0]
    ]
    return sorted(found)


def median(ordered: Sequence[float]) -> float:
    """The median of an ascending list that is not empty."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def range_of(ordered: Sequence[float], points: Sequence[Point]) -> tuple[float, float]:
    """The range of the slope by the variance of Kendall's tau, with the correction for equal times and values."""
    count = len(points)
    variance = count * (count - 1) * (2 * count + 5) / 18
    for place in (0, 1):
        for many in Counter(point[place] for point in points).values():
            variance -= many * (many - 1) * (2 * many + 5) / 18
    width = _QUANTILE * math.sqrt(max(variance, 0.0))
    last = len(ordered) - 1
    upper = min(round((len(ordered) + width) / 2), last)
    lower = max(round((len(ordered) - width) / 2) - 1, 0)
    return ordered[lower], ordered[upper]


def trend_of(points: Sequence[Point], *, least_days: float, most_points: int = 200) -> Trend:
    """The trend of points (POSIX time, value), of which there is one for each time, oldest first.

    ``least_days``: a history that is shorter says nothing.
    """
    used = thinned(points, most_points)
    days = (points[-1][0] - points[0][0]) / _DAY if points else 0.0
    if len(used) < LEAST_POINTS or days < least_days:
        need = f"{LEAST_POINTS} points over {_number(least_days)} days are needed"
        had = f"there {'is' if len(points) == 1 else 'are'} {len(points)} over {_number(days)} days"
        return Trend(TOO_SHORT, f"the history is too short: {had}, {need}", len(points), days)
    ordered = slopes_of(used)
    low, high = (one * _DAY for one in range_of(ordered, used))
    middle = median(ordered) * _DAY
    basis = f"median of the slopes between {len(used)} points over {_number(days)} days"
    if low < 0 < high:
        reason = (
            f"the history contradicts itself: between {_number(low)} and {_number(high)} a day, by {len(used)} points over "
            f"{_number(days)} days"
        )
        return Trend(CONTRADICTORY, reason, len(used), days, None, low, high)
    verdict = GROWING if middle > 0 else SHRINKING if middle < 0 else STEADY
    return Trend(verdict, basis, len(used), days, middle, low, high)


def _number(value: float) -> str:
    """For a sentence: few decimals, and none where they say nothing."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
