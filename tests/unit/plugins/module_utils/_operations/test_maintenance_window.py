"""Until when a run may begin another Node, also in nights in which clocks are changed."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_window import moment, window_end


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's clock shows the time of Berlin."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(text: str) -> datetime.datetime:
    """A moment."""
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "started", "end"),
    [
        ("", "2026-11-01T22:30:00+01:00", None),
        ("02:00", "2026-11-01T22:30:00+01:00", "2026-11-02T02:00:00+01:00"),
        (" 23:59 ", "2026-11-01T22:30:00+01:00", "2026-11-01T23:59:00+01:00"),
        ("22:30", "2026-11-01T22:30:00+01:00", "2026-11-02T22:30:00+01:00"),
        ("2026-11-02T02:00:00Z", "2026-11-01T22:30:00+01:00", "2026-11-02T02:00:00+00:00"),
        # clocks go forward at 02:00, and 02:30 does not come: the moment at which they jump over it
        ("05:00", "2026-03-28T23:00:00+01:00", "2026-03-29T05:00:00+02:00"),
        ("02:30", "2026-03-28T23:00:00+01:00", "2026-03-29T03:00:00+02:00"),
        # clocks go back at 03:00, and 02:30 comes twice: the next one
        ("05:00", "2026-10-24T23:00:00+02:00", "2026-10-25T05:00:00+01:00"),
        ("02:30", "2026-10-24T23:00:00+02:00", "2026-10-25T02:30:00+02:00"),
        ("02:30", "2026-10-25T02:40:00+02:00", "2026-10-25T02:30:00+01:00"),
        ("02:50", "2026-10-25T02:40:00+01:00", "2026-10-25T02:50:00+01:00"),
    ],
)
def test_ends(berlin: None, text: str, started: str, end: str | None) -> None:
    """The next such time."""
    assert window_end(text, at(started)) == (at(end) if end else None)


@pytest.mark.parametrize(
    "text", ["24:00", "2:00", "02:60", "tomorrow", "2026-11-01", "2026-11-01T02:00:00", "02:00:00"]
)
def test_what_is_no_time(text: str) -> None:
    """One sentence with the value and what to give."""
    with pytest.raises(InputError, match=f"window_end: '{text}' is no time; give HH:MM"):
        window_end(text, at("2026-11-01T00:00:00+00:00"))


def test_what_is_over() -> None:
    """A run that could begin nothing does not take the lock."""
    with pytest.raises(InputError, match="is over already"):
        window_end("2026-11-01T00:00:00Z", at("2026-11-01T00:00:00+00:00"))


@given(st.datetimes(timezones=st.just(datetime.UTC)), st.times())
def test_time_of_day_is_within_a_day(started: datetime.datetime, clock: datetime.time) -> None:
    """Whatever the time zone of this machine: to come, and not later than a day and a change of clocks."""
    if not 1990 < started.year < 2030:
        started = started.replace(year=2026, day=min(started.day, 28))
    end = window_end(f"{clock.hour:02}:{clock.minute:02}", started)
    assert end is not None and datetime.timedelta(0) < end - started <= datetime.timedelta(hours=25)
    assert end.second == 0 and (end.hour, end.minute) >= (clock.hour, clock.minute)


@pytest.mark.parametrize("text", ["", "x", "2026-11-01T00:00:00"])
def test_no_moment(text: str) -> None:
    """Of a journal that a person has edited."""
    assert moment(text) is None
