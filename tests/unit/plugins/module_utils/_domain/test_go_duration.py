"""Durations against what Go 1.26 itself answered (go_durations.json), and against an exact model."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import (
    LARGEST,
    NANOSECONDS,
    SMALLEST,
    DurationError,
    format_duration,
    from_seconds,
    parse,
    parse_timedelta,
    to_timedelta,
)

# [text, nanoseconds, what Duration.String prints, error of time.ParseDuration]: recorded from a Go program
RECORDED = json.loads(Path(__file__).with_name("go_durations.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "nanoseconds", "printed", "error"), RECORDED)
def test_equals_go(text: str, nanoseconds: int, printed: str, error: str) -> None:
    """The same number, the same text, and the same words of refusal."""
    if error:
        with pytest.raises(DurationError) as raised:
            parse(text)
        assert str(raised.value) == error
    else:
        assert parse(text) == nanoseconds
        assert format_duration(nanoseconds) == printed


def test_the_recording_is_worth_something() -> None:
    """It has both outcomes, and every kind of error."""
    errors = [error for *_rest, error in RECORDED if error]
    assert len(RECORDED) > 200 and 30 < len(errors) < len(RECORDED) - 100
    for words in ("missing unit", "unknown unit", "invalid duration"):
        assert any(words in error for error in errors)


@given(st.integers(SMALLEST, LARGEST))
def test_what_is_printed_is_read_again(nanoseconds: int) -> None:
    """String and ParseDuration are inverse, down to the smallest and up to the largest."""
    assert parse(format_duration(nanoseconds)) == nanoseconds


UNITS = st.sampled_from(sorted(NANOSECONDS))
TERMS = st.lists(
    st.tuples(st.integers(0, 10**4), st.one_of(st.none(), st.integers(0, 999)), UNITS), min_size=1, max_size=4
)


@given(st.sampled_from(["", "+", "-"]), TERMS)
def test_equals_an_exact_model(sign: str, terms: list[tuple[int, int | None, str]]) -> None:
    """The sum of all terms, each cut off to nanoseconds, with at most one less for what floating point loses."""
    text, total = sign, 0
    for whole, fraction, unit in terms:
        digits = "" if fraction is None else f"{fraction:03}"
        text += str(whole) + (f".{digits}" if digits else "") + unit
        total += int(Fraction(f"{whole}.{digits or 0}") * NANOSECONDS[unit])
    difference = (-total if sign == "-" else total) - parse(text)
    assert abs(difference) <= len(terms)


@given(st.text(alphabet="0123456789.+-nsuµmh x", max_size=12))
def test_never_anything_but_our_error(text: str) -> None:
    """Whatever is read is a Go duration, whatever is not says so."""
    try:
        nanoseconds = parse(text)
    except DurationError as error:
        assert str(error).startswith("time: ")
        return
    assert SMALLEST <= nanoseconds <= LARGEST
    assert re.fullmatch(r"[+-]?(0|(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+", text)


@given(st.text(max_size=20))
def test_any_text_at_all(text: str) -> None:
    """No other exception, whatever characters there are."""
    with contextlib.suppress(DurationError):
        parse(text)


def test_as_python_has_it() -> None:
    """Below a microsecond is cut off towards zero."""
    assert parse_timedelta("1h0m0.5s") == datetime.timedelta(hours=1, milliseconds=500)
    assert to_timedelta(-1999) == datetime.timedelta(microseconds=-1)
    assert from_seconds(0.1) == 100_000_000
    assert format_duration(from_seconds(900)) == "15m0s"
    for seconds in (1e10, float("inf"), float("nan")):
        with pytest.raises(DurationError):
            from_seconds(seconds)
    with pytest.raises(DurationError):
        format_duration(LARGEST + 1)
