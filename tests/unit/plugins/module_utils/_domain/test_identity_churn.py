"""What churn the range of identities stands, against a model that steps through time."""

from __future__ import annotations

import datetime
from collections import deque

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_churn import churn
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import (
    CollectionTimes,
    times_of_config,
)


def test_the_defaults_stand_about_fourteen_a_second() -> None:
    """The number of the reference: 65,280 identities in 75 minutes."""
    found = churn(65280, 0, 0, 14 * 3600, times_of_config({"identity-gc-rate-limit": "100000"}))
    assert found.sustainable and 14 * 3600 < found.sustainable_per_hour < 15 * 3600
    assert not churn(65280, 0, 0, 15 * 3600, times_of_config({"identity-gc-rate-limit": "100000"})).sustainable


def simulated(
    capacity: int, in_use: int, rate: float, times: CollectionTimes, hours: float
) -> tuple[float | None, int]:
    """(hour in which the range is full, identities at the end): a minute at a time, each collected after its usual life."""
    life = times.usual.total_seconds() / 60
    waiting: deque[float] = deque()
    owed = 0.0
    for minute in range(int(hours * 60)):
        owed += rate / 60
        while owed >= 1:
            owed -= 1
            if in_use + len(waiting) >= capacity:
                return minute / 60, capacity
            waiting.append(minute)
        room = times.deletions_per_second * 60
        while waiting and room >= 1 and minute - waiting[0] >= life:
            waiting.popleft()
            room -= 1
    return None, in_use + len(waiting)


@settings(max_examples=60, deadline=None)
@given(
    capacity=st.integers(200, 2000),
    share=st.floats(0, 0.9),
    rate=st.floats(1, 6000),
    interval=st.integers(1, 30),
    timeout=st.integers(1, 40),
    limit=st.integers(1, 60),
)
def test_against_a_model_that_steps_through_time(
    capacity: int, share: float, rate: float, interval: int, timeout: int, limit: int
) -> None:
    """What is called sustainable never fills the range; what is not fills it within the foretold hours."""
    times = CollectionTimes(
        datetime.timedelta(minutes=interval), datetime.timedelta(minutes=timeout), float(limit) / 60
    )
    in_use = int(capacity * share)
    found = churn(capacity, in_use, in_use, rate, times)
    # right at the limit the steps of the model decide
    assume(abs(rate - found.sustainable_per_hour) > 0.1 * found.sustainable_per_hour)
    if found.sustainable:
        full, there = simulated(capacity, in_use, rate, times, 4 * found.life_hours + 1)
        assert full is None
        assert found.steady is not None and there <= found.steady + 2 * rate / 60 + 2
        return
    assert found.hours_earliest is not None and found.limit
    latest = found.hours_latest if found.hours_latest is not None else 50.0
    full, _there = simulated(capacity, in_use, rate, times, min(latest + 1, 200) + 1)
    if latest < 200:
        assert full is not None
        assert found.hours_earliest - 0.05 <= full <= latest * 1.1 + 0.1


def test_without_collection_nothing_is_sustainable() -> None:
    """It fills in a straight line; nothing new is no problem."""
    off = times_of_config({"identity-gc-interval": "0s"})
    found = churn(65280, 100, 280, 6500, off)
    assert not found.sustainable and found.hours_earliest == found.hours_latest == 10.0
    assert churn(65280, 100, 280, 0, off).sustainable
