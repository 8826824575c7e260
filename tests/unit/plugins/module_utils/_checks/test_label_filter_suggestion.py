"""The suggested addition to a label filter is the smallest: against trying all sets of labels."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import label_filter_suggestion
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_suggestion import suggest, without

KEYS = [f"k8s:k{number}" for number in range(5)]
SETS = st.lists(
    st.fixed_dictionaries({}, optional={key: st.sampled_from("abcd") for key in KEYS}),
    min_size=2,
    max_size=15,
    unique_by=lambda one: tuple(sorted(one.items())),
)


@given(SETS, st.integers(1, 14))
def test_no_fewer_labels_reach_the_target(sets: list[dict[str, str]], target: int) -> None:
    """Whatever the labels are: as few as the best of all sets of labels, and said to be."""
    made = suggest(sets, "", target, set(), lambda item, key: True)
    best = next(
        (
            size
            for size in range(len(KEYS) + 1)
            if any(len(without(sets, some)) <= target for some in itertools.combinations(KEYS, size))
        ),
        None,
    )
    assert made.reached is (best is not None)
    if made.reached:
        assert (len(made.items), made.smallest) == (best, True)
        assert made.identities == len(without(sets, made.keys)) <= target


def test_what_takes_too_long_is_not_said_to_be_the_smallest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is still one of which nothing can be left out; a label that policies use is never in it."""
    sets = [{"k8s:k0": str(number), "k8s:k1": str(number % 3), "k8s:k2": str(number % 5)} for number in range(15)]
    assert suggest(sets, "", 1, set(), lambda item, key: True).smallest
    monkeypatch.setattr(label_filter_suggestion, "_MOST_COMPARED", 10)
    made = suggest(sets, "", 1, set(), lambda item, key: True)
    assert made.reached and not made.smallest and len(made.items) == 3
    assert "k8s:k1" not in suggest(sets, "", 3, {"k1"}, lambda item, key: True).keys
