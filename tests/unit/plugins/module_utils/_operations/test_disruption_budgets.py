"""Selectors of PodDisruptionBudgets, and which pods they cover."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.disruption_budgets import (
    ambiguous_pods,
    describe_budget,
    eviction_answer,
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


READY = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}


def answer(given: dict[str, Any] | None = None, **status: Any) -> tuple[str, str]:
    """What an eviction of a ready pod (with `given` changed) is answered under one budget with this status."""
    one = budget("one")
    one["metadata"]["generation"] = 1
    one["spec"].update(status.pop("spec", {}))
    one["status"] = {**one["status"], "observedGeneration": 1, **status}
    found = eviction_answer({**pod(), **READY, **(given or {})}, [one])
    return found.verdict, found.words


def test_answers_of_the_eviction_api() -> None:
    """Verdict and words of eviction.go for each state of the budget (proven on the real one by test_drain_parity)."""
    needs = "The disruption budget one needs 3 healthy pods and has 3 currently"
    assert answer() == ("waits", needs)
    assert answer(disruptionsAllowed=1) == ("accepted", "")
    assert answer(observedGeneration=0, disruptionsAllowed=9) == (
        "waits",
        "The disruption budget one is still being processed by the server.",
    )
    assert answer(disruptionsAllowed=-1)[0] == "fails"
    assert answer(disruptionsAllowed=1, disruptedPods={str(number): "" for number in range(2001)})[0] == "fails"
    failed = {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "no controller"}
    assert answer(conditions=[failed]) == (
        "waits",
        "The disruption budget one does not allow evicting pods currently because it failed sync: no controller",
    )
    other = {**failed, "reason": "InsufficientPods", "message": "wait"}
    assert answer(conditions=[other]) == ("waits", needs)
    assert answer(conditions=[other], currentHealthy=4) == (
        "waits",
        "The disruption budget one does not allow evicting pods currently (InsufficientPods): wait",
    )
    assert answer(currentHealthy=4) == ("waits", "The disruption budget one does not allow evicting pods currently")


def test_pods_that_are_not_ready() -> None:
    """They go when the budget's application is not disrupted, or the budget says that they always may."""
    unready = {"status": {"phase": "Running"}}
    assert answer(unready)[0] == "accepted"
    assert answer(unready, currentHealthy=2)[0] == "waits"
    assert answer(unready, currentHealthy=2, spec={"unhealthyPodEvictionPolicy": "AlwaysAllow"})[0] == "accepted"
    assert answer(unready, currentHealthy=0, desiredHealthy=0)[0] == "waits"


def test_two_budgets_fail_and_none_accepts() -> None:
    """The verdict of the plan for pods that no single budget covers."""
    assert eviction_answer({**pod(), **READY}, []).verdict == "accepted"
    assert eviction_answer({**pod(), **READY}, [budget("one", 5), budget("two", 5)]).verdict == "fails"
    assert eviction_answer(pod("Pending"), [budget("one")]).verdict == "accepted"


def test_exhausted_budgets() -> None:
    """Each budget that forbids an eviction now, once; one that has not counted its pods yet forbids as well."""
    ready = {**pod(), **READY}
    assert exhausted_budgets([ready], [budget("roomy", 1)]) == []
    assert len(exhausted_budgets([ready], [budget("uncounted", 0, 0)])) == 1
    found = exhausted_budgets([ready, ready], [budget("one")])
    assert [describe_budget(one) for one in found] == [
        "default/one (allows 0 disruptions now: 3 healthy pods, 3 needed)"
    ]
