"""The pace of requests: even, as chosen, and held back when the server says so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_pace import Pace

from .conftest import FastClock


def test_twenty_thousand_take_the_time_that_the_rate_says() -> None:
    fast = FastClock()
    pace = Pace(400, fast.clock())
    for _number in range(20_000):
        pace.wait()
    assert 49.99 <= fast.seconds <= 50


def test_time_that_goes_elsewhere_is_made_up_for_within_a_second() -> None:
    fast = FastClock()
    pace = Pace(400, fast.clock())
    for _batch in range(200):
        fast.seconds += 0.1  # a proof
        for _number in range(100):
            pace.wait()
    assert 49.9 <= fast.seconds <= 50.2


def test_without_a_rate_nobody_waits() -> None:
    fast = FastClock()
    pace = Pace(0, fast.clock())
    for _number in range(1000):
        pace.wait()
    assert fast.seconds == 0


def test_a_hold_is_for_all_and_ends() -> None:
    fast = FastClock()
    pace = Pace(0, fast.clock())
    pace.hold(5)
    pace.hold(2)
    pace.wait()
    assert fast.seconds == 5
    pace.wait()
    assert fast.seconds == 5


@given(
    rate=st.floats(min_value=0.5, max_value=1000),
    gaps=st.lists(st.floats(min_value=0, max_value=20), min_size=1, max_size=200),
)
def test_no_stretch_of_time_has_more_than_its_share(rate: float, gaps: list[float]) -> None:
    fast = FastClock()
    pace = Pace(rate, fast.clock())
    times = []
    for gap in gaps:
        fast.seconds += gap
        pace.wait()
        times.append(fast.seconds)
    for first in range(0, len(times), 7):
        for last in range(first, len(times), 5):
            stretch = times[last] - times[first]
            assert last - first <= rate * (stretch + 1) + 1e-6
