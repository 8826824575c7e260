"""Amounts as the API writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.quantity import QuantityError, thousandths


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("2", 2000),
        ("250m", 250),
        ("1500m", 1500),
        ("0.1", 100),
        (".5", 500),
        ("1.", 1000),
        ("1u", 1),  # rounded up
        ("1n", 1),
        ("1k", 1_000_000),
        ("2e3", 2_000_000),
        ("2E3", 2_000_000),
        ("1E", 10**21),
        ("1Ki", 1_024_000),
        ("1.5Gi", 1610612736 * 1000),
        ("128974848", 128974848000),
        ("+1", 1000),
        ("-1", -1000),
        (4, 4000),
    ],
)
def test_amounts(text: object, value: int) -> None:
    """In thousandths."""
    assert thousandths(text) == value


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1kb", "1e", "0x10", "1e99", "9" * 100, "nan", None])
def test_what_is_no_amount(text: object) -> None:
    """One sentence."""
    with pytest.raises(QuantityError, match=r"is not an amount such as 250m, 2 or 1\.5Gi"):
        thousandths(text)


@given(st.integers(min_value=0, max_value=10**12), st.sampled_from(["", "k", "M", "Ki", "Mi", "Gi"]))
def test_units_are_factors(number: int, unit: str) -> None:
    """Adding a unit multiplies, and nothing is lost."""
    assert thousandths(f"{number}{unit}") == number * thousandths(f"1{unit}")


@given(st.text(max_size=80))
def test_any_text_is_an_amount_or_refused(text: str) -> None:
    """Never another error."""
    try:
        assert isinstance(thousandths(text), int)
    except QuantityError as error:
        assert "is not an amount" in str(error)
