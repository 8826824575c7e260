"""The class of an identity that no endpoint names."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import (
    CLASSES,
    ClassRules,
    UnusedIdentity,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import (
    CollectionTimes,
    Verdict,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import identity_range

NOW = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.timezone.utc)
VERDICTS = ("healthy", "off", "broken", "slow", "unknown")


def classified(verdict: str, age: float | None, mark: float | None = None, **more: Any) -> str:
    """Class of an identity of this age and with a mark of this age, in minutes."""
    rules = ClassRules(NOW.timestamp(), CollectionTimes(), Verdict(verdict), identity_range())
    marked = None if mark is None else NOW - datetime.timedelta(minutes=mark)
    found, why = rules.classify(
        UnusedIdentity(
            **{
                "number": 300,
                "created": None if age is None else NOW.timestamp() - 60 * age,
                "mark": None if marked is None else marked.isoformat(),
                "marked": marked,
                **more,
            }
        )
    )
    assert why and "None" not in why
    return found


@pytest.mark.parametrize(
    ("verdict", "age", "mark", "expected"),
    [
        ("healthy", 10, None, "aging"),
        # its last endpoint may have gone a moment ago
        ("healthy", 9999, None, "aging"),
        ("healthy", 9999, 5, "marked"),
        ("off", 89, None, "aging"),
        ("off", 91, None, "leaked"),
        ("broken", 91, None, "leaked"),
        ("off", 91, 5, "leaked"),
        ("off", 20, 5, "leaked"),
        ("slow", 9999, 59, "marked"),
        ("slow", 9999, 61, "leaked"),
        ("slow", 9999, None, "aging"),
        ("unknown", 9999, None, "aging"),
        ("unknown", 9999, 61, "marked"),
        ("off", None, None, "aging"),
    ],
)
def test_by_age_mark_and_verdict(verdict: str, age: float | None, mark: float | None, expected: str) -> None:
    """Leaked is only what nothing will collect."""
    assert classified(verdict, age, mark) == expected


def test_what_comes_first() -> None:
    """Out of range, then awaited, then the mark."""
    assert classified("off", 9999, 5, awaited=True) == "pending"
    assert classified("off", 9999, 5, awaited=True, number=70000) == "out-of-range"
    assert classified("off", 9999, number=None) == "out-of-range"
    rules = ClassRules(NOW.timestamp(), CollectionTimes(), Verdict("healthy"), None)
    assert rules.classify(UnusedIdentity(number=70000, mark="not a time"))[0] == "marked"


@given(
    st.sampled_from(VERDICTS),
    st.none() | st.floats(0, 1e6),
    st.none() | st.floats(0, 1e6),
    st.booleans(),
    st.sampled_from([None, 5, 300, 65535, 65536]),
)
def test_nothing_is_leaked_that_may_be_wanted(
    verdict: str, age: float | None, mark: float | None, awaited: bool, number: int | None
) -> None:
    """Whatever is known: leaked is never awaited, out of range, or with a collection that may work."""
    found = classified(verdict, age, mark, awaited=awaited, number=number)
    assert found in CLASSES and found != "in-use"
    if found == "leaked":
        assert not awaited and number in (300, 65535)
        assert verdict in ("off", "broken") or (verdict == "slow" and mark is not None and mark > 60)
