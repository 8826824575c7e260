"""Selectors of PodDisruptionBudgets, and which pods they cover."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.disruption_budgets import (
    ambiguous_pods,
    describe_budget,
    exhausted_budgets,
    selector_matches,
)


def expression(operator: str, *values: str) -> dict[str, Any]:
    """A selector on the label app."""
    return {"matchExpressions": [{"key": "app", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        (None, {"app": "web"}, False),
        ({}, {}, True),
        ({"matchLabels": {"app": "web"}}, {"app": "web", "x": "y"}, True),
        ({"matchLabels": {"app": "web"}}, {"app": "db"}, False),
        (expression("In", "web", "db"), {"app": "db"}, True),
        (expression("In", "web"), {}, False),
        (expression("NotIn", "web"), {}, True),
        (expression("NotIn", "web"), {"app": "web"}, False),
        (expression("Exists"), {"app": ""}, True),
        (expression("Exists"), {}, False),
        (expression("DoesNotExist"), {}, True),
        (expression("DoesNotExist"), {"app": "web"}, False),
        (expression("Unknown"), {"app": "web"}, False),
    ],
)
def test_selectors(selector: dict[str, Any] | None, labels: dict[str, str], matches: bool) -> None:
    """As policy/v1 has them."""
    assert selector_matches(selector, labels) is matches


def pod(phase: str = "Running", namespace: str = "default", **metadata: Any) -> dict[str, Any]:
    """A pod with label app=web."""
    return {
        "metadata": {"namespace": namespace, "name": "web-0", "labels": {"app": "web"}, **metadata},
        "status": {"phase": phase},
    }


def budget(name: str, allowed: int = 0, expected: int = 3) -> dict[str, Any]:
    """A budget of app=web."""
    return {
        "metadata": {"namespace": "default", "name": name, "uid": name},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": allowed, "expectedPods": expected, "currentHealthy": 3, "desiredHealthy": 3},
    }


def test_two_budgets_are_ambiguous_only_where_the_api_asks_them() -> None:
    """Pending, finished and terminating pods are evicted without asking, other namespaces do not count."""
    both = [budget("one"), budget("two")]
    assert len(ambiguous_pods([pod()], both)) == 1
    assert ambiguous_pods([pod("Pending"), pod("Failed"), pod(deletionTimestamp="x"), pod(namespace="b")], both) == []
    assert ambiguous_pods([pod()], both[:1]) == []


def test_exhausted_budgets() -> None:
    """Those that allow nothing now and have pods at all."""
    found = exhausted_budgets([pod(), pod()], [budget("one"), budget("roomy", 1), budget("empty", 0, 0)])
    assert [describe_budget(one) for one in found] == [
        "default/one (allows 0 disruptions now: 3 healthy pods, 3 needed)"
    ]
