"""The robust slope: against the implementation of scipy, by properties, and where nothing may be said."""

from __future__ import annotations

import json
import random
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.trend import (
    CONTRADICTORY,
    GROWING,
    SHRINKING,
    STEADY,
    TOO_SHORT,
    median,
    range_of,
    slopes_of,
    thinned,
    trend_of,
)

DAY = 86400.0
CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "theil_sen.json").read_text(encoding="utf-8"))[
    "cases"
]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_slope_and_range_are_those_of_scipy(case: dict[str, Any]) -> None:
    """``theil_sen.json`` was written by scipy, ties and outliers included."""
    points = list(zip(case["x"], case["y"], strict=True))
    ordered = slopes_of(points)
    assert median(ordered) == pytest.approx(case["slope"])
    assert range_of(ordered, points) == pytest.approx((case["low"], case["high"]))


def history(values: list[float], every: float = 1.0) -> list[tuple[float, float]]:
    """Values at equal distances, in days."""
    return [(number * every * DAY, value) for number, value in enumerate(values)]


@given(
    slope=st.floats(0.01, 500),
    start=st.floats(0, 1e5),
    count=st.integers(12, 60),
    outliers=st.integers(0, 2),
    seed=st.integers(0, 1 << 30),
)
def test_a_line_is_found_in_spite_of_outliers(slope: float, start: float, count: int, outliers: int, seed: int) -> None:
    """Two points of twelve that are far off do not move it by much; a mean would be ruined."""
    chosen = random.Random(seed)
    values = [start + slope * number for number in range(count)]
    for place in chosen.sample(range(count), outliers):
        values[place] += chosen.choice((-1, 1)) * 100 * slope
    found = trend_of(history(values), least_days=1)
    assert found.points == count
    assert found.high is not None and found.low is not None
    if not outliers:
        assert found.verdict == GROWING and found.per_day == pytest.approx(slope, rel=1e-5, abs=1e-6)
        assert found.low == pytest.approx(slope, rel=1e-5, abs=1e-6)
    elif found.per_day is not None:
        assert found.per_day == pytest.approx(slope, rel=0.35)


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=40))
def test_the_middle_lies_in_its_range_and_turns_with_the_values(values: list[int]) -> None:
    """Mirrored values give the mirrored trend; the verdict agrees with the range."""
    found, mirrored = (trend_of(history([sign * one for one in values]), least_days=1) for sign in (1.0, -1.0))
    assert found.low is not None and found.high is not None and mirrored.low is not None
    assert found.low <= median(slopes_of(history([float(one) for one in values]))) * DAY + 1e-9 <= found.high + 2e-9
    assert mirrored.low == pytest.approx(-found.high)
    opposite = {GROWING: SHRINKING, SHRINKING: GROWING}
    assert mirrored.verdict == opposite.get(found.verdict, found.verdict)
    if found.verdict == CONTRADICTORY:
        assert found.per_day is None and found.low < 0 < found.high
    else:
        assert not found.low < 0 < found.high


def test_median_is_the_median() -> None:
    """As the standard library has it."""
    for count in range(1, 9):
        values = sorted(random.Random(count).random() for _ in range(count))
        assert median(values) == statistics.median(values)


@pytest.mark.parametrize(
    ("values", "every", "words"),
    [
        ([], 1.0, "there are 0 over 0 days, 4 points over 1 days are needed"),
        ([5.0], 1.0, "there is 1 over 0 days"),
        ([1.0, 2.0, 3.0], 1.0, "there are 3 over 2 days"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.1, "there are 5 over 0.4 days"),
    ],
)
def test_a_short_history_says_nothing(values: list[float], every: float, words: str) -> None:
    """Neither few points nor many within an hour are a history."""
    found = trend_of(history(values, every), least_days=1)
    assert found.verdict == TOO_SHORT and words in found.reason and not found.known
    assert (found.per_day, found.low, found.high) == (None, None, None)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([7, 7, 7, 7, 7], STEADY),
        ([9, 8, 7, 6, 5, 4], SHRINKING),
        ([1, 9, 2, 8, 3, 7, 4, 6], CONTRADICTORY),
        ([4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7], GROWING),
        ([4, 4, 4, 4, 4, 4, 4, 4, 4, 90, 4, 4], STEADY),
    ],
)
def test_verdicts(values: list[float], verdict: str) -> None:
    """Steps are growth, one bad point is none, and up and down is a contradiction."""
    assert trend_of(history(values), least_days=1).verdict == verdict


def test_the_cost_of_a_trend_has_a_limit() -> None:
    """Of many points some are used, the first and the last among them."""
    points = history([float(number) for number in range(10_000)], 0.01)
    some = thinned(points, 200)
    assert len(some) == 200 and some[0] == points[0] and some[-1] == points[-1]
    found = trend_of(points, least_days=1)
    assert found.points == 200 and found.per_day == pytest.approx(100)
