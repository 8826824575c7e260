"""CiliumNodeConfig: which Nodes an object selects, and which of two wins."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_overrides import (
    NodeOverride,
    conflicts,
    selected_nodes,
    selects,
)


def expression(operator: str, *values: str, key: str = "zone") -> dict[str, Any]:
    """A selector with one expression."""
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        (None, {"zone": "a"}, False),
        ({}, {}, True),
        ({"matchLabels": {"zone": "a"}}, {"zone": "a", "b": "c"}, True),
        ({"matchLabels": {"zone": "a"}}, {"zone": "b"}, False),
        ({"matchLabels": {"zone": "a"}}, {}, False),
        (expression("In", "a", "b"), {"zone": "b"}, True),
        (expression("In", "a"), {}, False),
        (expression("NotIn", "a"), {"zone": "a"}, False),
        (expression("NotIn", "a"), {}, True),  # as Kubernetes has it
        (expression("Exists"), {"zone": ""}, True),
        (expression("DoesNotExist"), {"zone": ""}, False),
        (expression("DoesNotExist"), {}, True),
        (expression("Sometimes"), {"zone": "a"}, False),
        ({"matchLabels": {"a": "b"}, **expression("Exists")}, {"zone": "x"}, False),
    ],
)
def test_selectors(selector: dict[str, Any] | None, labels: dict[str, str], expected: bool) -> None:
    """Label selectors of Kubernetes; an object without one selects nothing."""
    assert selects(selector, labels) is expected


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["matchLabels", "matchExpressions", "key", "operator", "values", "In"]), inner),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["matchLabels", "matchExpressions"]), JSON))
def test_what_is_no_selector(selector: dict[str, Any]) -> None:
    """A file may hold anything: never an exception."""
    assert selects(selector, {"zone": "a"}) in (True, False)


NAMES = st.sampled_from(["a", "b", "c", "d"])
OVERRIDES = st.builds(
    NodeOverride,
    NAMES,
    st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["1", "2"]), max_size=2),
    st.one_of(st.none(), st.just({}), st.builds(lambda zone: {"matchLabels": {"zone": zone}}, st.sampled_from("pq"))),
)


@given(st.lists(OVERRIDES, unique_by=lambda one: one.name, max_size=4), st.dictionaries(NAMES, st.sampled_from("pq")))
def test_conflicts_equal_a_slow_model(overrides: list[NodeOverride], zones: dict[str, str]) -> None:
    """A conflict is a key of a Node with two values; what wins is what a merge in the order of names leaves."""
    nodes = {name: {"zone": zone} for name, zone in zones.items()}
    expected = set()
    for node, labels in nodes.items():
        here = [
            one for one in sorted(overrides, key=lambda one: one.name) if one.defaults and selects(one.selector, labels)
        ]
        for at, loser in enumerate(here):
            for winner in here[at + 1 :]:
                for key in loser.defaults.keys() & winner.defaults.keys():
                    if loser.defaults[key] != winner.defaults[key]:
                        expected.add((node, key, winner.name, loser.name))
    found = conflicts(selected_nodes(overrides, nodes))
    assert {(node, one.key, one.winner, one.loser) for one in found for node in one.nodes} == expected
    assert all(one.winner > one.loser and one.winning_value != one.losing_value for one in found)
