"""Whether unused identities are collected, and when."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import (
    CollectionTimes,
    CollectorEvidence,
    allows,
    judge,
    times_of_config,
)

HOUR = 3600.0
FINE: dict[str, Any] = {"times": CollectionTimes(), "replicas": (2, 2), "lease": (3.0, 9 * HOUR), "forbidden": ()}


def minutes(number: float) -> datetime.timedelta:
    """So many minutes."""
    return datetime.timedelta(minutes=number)


def test_times() -> None:
    """Defaults of the operator, and what follows from them."""
    times = times_of_config({})
    assert (times.interval, times.timeout, times.problems) == (minutes(15), minutes(30), ())
    assert (times.longest, times.after_mark, times.usual) == (minutes(90), minutes(60), minutes(75))
    assert round(times.deletions_per_second * 60) == 2500
    times = times_of_config(
        {
            "identity-gc-interval": "0",
            "identity-heartbeat-timeout": "1h",
            "identity-gc-rate-limit": "10",
            "identity-gc-rate-interval": "10s",
        }
    )
    assert times.is_off and times.longest == minutes(120) and times.deletions_per_second == 1.0


def test_a_number_without_unit_is_a_problem() -> None:
    """The runbook's value; the default stands in, and off is something else."""
    times = times_of_config({"identity-gc-interval": "600"})
    (problem,) = times.problems
    assert problem.startswith("identity-gc-interval is '600', with which the operator does not start")
    assert "missing unit in duration" in problem
    assert times.interval == minutes(15) and not times.is_off


@pytest.mark.parametrize(
    ("changed", "verdict", "reason"),
    [
        ({}, "healthy", ""),
        ({"times": CollectionTimes(interval=minutes(0))}, "off", "identity-gc-interval is 0"),
        ({"times": CollectionTimes(problems=("x is no duration",))}, "broken", "x is no duration"),
        ({"replicas": (0, 2)}, "broken", "0 of 2 replicas of the operator are ready"),
        ({"replicas": (1, 2)}, "healthy", ""),
        ({"lease": False}, "broken", "no replica of the operator holds its Lease"),
        ({"lease": (HOUR, 9 * HOUR)}, "broken", "was renewed 60 min ago"),
        ({"forbidden": ("delete",)}, "broken", "does not allow it to delete ciliumidentities"),
        ({"rounds": (0.0, 4.0)}, "broken", "all 4 rounds"),
        ({"rounds": (3.0, 4.0)}, "healthy", ""),
        ({"overdue": 5, "oldest_mark": 2 * HOUR}, "slow", "should be gone after 60 min"),
        # a leader that is new explains marks of its predecessor, up to a point
        ({"overdue": 5, "oldest_mark": 1.5 * HOUR, "lease": (3.0, 600.0)}, "healthy", "the leader is new"),
        ({"overdue": 5, "oldest_mark": 9 * HOUR, "lease": (3.0, 600.0)}, "slow", "each new leader waits 30 min"),
        ({"lease": None}, "healthy", "not seen: the Lease of the operator"),
        ({"forbidden": None}, "healthy", "not seen: whether its ClusterRole"),
        ({"replicas": None}, "healthy", "not seen: the Deployment"),
        ({"replicas": None, "lease": None}, "unknown", "neither the Deployment"),
        ({"times": None}, "unknown", "cilium-config cannot be read"),
        # what is bad is bad, whatever else is unknown
        ({"times": None, "replicas": (0, 1)}, "broken", "0 of 1 replicas"),
    ],
)
def test_verdict(changed: dict[str, Any], verdict: str, reason: str) -> None:
    """One thing is different from an operator that works."""
    found = judge(CollectorEvidence(**{**FINE, **changed}))
    assert found.name == verdict
    assert reason in "; ".join(found.reasons) and bool(found.reasons) == bool(reason)
    assert found.collects is {"healthy": True, "slow": True, "off": False, "broken": False}.get(verdict)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"apiGroups": ["cilium.io"], "resources": ["ciliumidentities"], "verbs": ["delete"]}, True),
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, True),
        ({"apiGroups": ["cilium.io"], "resources": ["ciliumendpoints"], "verbs": ["delete"]}, False),
        ({"apiGroups": ["cilium.io"], "resources": ["ciliumidentities"], "verbs": ["list"]}, False),
        ({"apiGroups": [""], "resources": ["ciliumidentities"], "verbs": ["delete"]}, False),
        ({"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": ["delete"], "resourceNames": ["1"]}, False),
        ({"nonResourceURLs": ["*"], "verbs": ["*"]}, False),
    ],
)
def test_rules_of_a_cluster_role(rule: dict[str, list[str]], expected: bool) -> None:
    """Wildcards allow; a rule for single objects does not."""
    assert allows([rule], "delete") is expected
