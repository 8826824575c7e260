"""Charts of identities."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots.report_documents import PARTS_OF_ALL

from ansible_collections.podnet.upkeep.plugins.module_utils._report.charts import history_chart, use_bar

IDENTITIES: dict[str, Any] = PARTS_OF_ALL["identities"]
NOW = "2026-11-01T06:00:00+00:00"


def widths(text: str) -> list[float]:
    """Widths of the segments of a bar."""
    return [float(found) for found in re.findall(r'<rect class="\w+" x="[\d.]+" width="([\d.]+)"', text)]


def test_the_bar_has_numbers_beside_colours() -> None:
    """In use, waiting, leaked, free; the key says the numbers."""
    text = use_bar(IDENTITIES)
    for words in (
        "in use: 21,000",
        "collection: 952",
        "leaked: 42,148",
        "free: 1,179",
        "64,100 of 65,279 identities used",
    ):
        assert words in text
    assert sum(widths(text)) == pytest.approx(1000, abs=0.5)


@given(
    used=st.integers(0, 70000),
    classes=st.dictionaries(st.sampled_from(["in-use", "pending", "leaked", "marked"]), st.integers(0, 70000)),
)
def test_the_bar_is_never_longer_than_the_range(used: int, classes: dict[str, int]) -> None:
    """Classes may overlap or be more than what is used."""
    text = use_bar({"range": {"capacity": 65279}, "used": used, "classes": classes})
    assert sum(widths(text)) == pytest.approx(1000, abs=0.5)


@pytest.mark.parametrize(
    "identities", [{}, {"used": 3}, {"range": {"capacity": None}, "used": 3}, {"range": {"capacity": 0}, "used": 0}]
)
def test_no_bar_without_numbers(identities: dict[str, Any]) -> None:
    """Unknown is not zero."""
    assert use_bar(identities) == ""


def test_history_and_forecast() -> None:
    """A line, the capacity, and a dashed line that ends where the forecast says."""
    text = history_chart(IDENTITIES, NOW)
    assert text.count("<polyline") == 2 and "capacity 65,279" in text
    assert "2026-10-01 06:00" in text and "2026-11-01 19:20" in text
    numbers = [float(one) for points in re.findall('points="([^"]+)"', text) for one in re.split("[ ,]", points)]
    assert min(numbers) >= 0 and max(numbers) <= 1000


def test_a_small_cluster_is_not_a_flat_line() -> None:
    """The capacity is far above: it is said, not drawn."""
    small = {**IDENTITIES, "history": [["2026-10-01T00:00:00Z", 10], ["2026-10-02T00:00:00Z", 90]], "forecast": None}
    text = history_chart(small, NOW)
    assert "is far above" in text and "capacity 65,279<" not in text and text.count("<polyline") == 1


@pytest.mark.parametrize(
    "history",
    [
        None,
        [],
        [["2026-10-01T00:00:00Z", 1]],
        [["x", 1], ["y", 2]],
        [["2026-10-01T00:00:00Z", None]] * 3,
        "abc",
        [3, 4],
    ],
)
def test_no_chart_without_history(history: Any) -> None:
    """Nothing to draw is nothing drawn."""
    assert history_chart({**IDENTITIES, "history": history}, NOW) == ""


@pytest.mark.parametrize(
    "forecast",
    [
        *(None, {}, {"per_hour": None}, {"per_hour": 0}),
        {"per_hour": 5, "exhausted_at": "2020-01-01T00:00:00Z"},
        {"per_hour": 1e-9, "exhausted_at": "9999-01-01T00:00:00Z"},
    ],
)
def test_any_forecast(forecast: Any) -> None:
    """None, standing still, long ago, or in eight thousand years."""
    assert "<svg" in history_chart({**IDENTITIES, "forecast": forecast}, NOW)
