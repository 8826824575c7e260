"""History, forecast, turnover, and what creates identities."""

from __future__ import annotations

import datetime
from typing import Any

from snapshots.identity_clusters import TAKEN_AT, ago, cilium, endpoint, identity, labelled_pod
from snapshots.small_clusters import context

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import identities
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context


def of_range(capacity: int) -> Any:
    """An agent's answer with a small range."""
    limits = {"min-identity": 256, "max-identity": 255 + capacity}
    return [{"node": "n", "pod": "p", "status": {"identity-range": limits}}]


def built(ages: list[float], used: int = 0, capacity: int = 1000, config: dict[str, str] | None = None) -> Context:
    """Identities of these ages (minutes), the first ones in use."""
    return context(
        **cilium(**(config or {})),
        agents=of_range(capacity),
        ciliumidentities=[identity(256 + number, age=age, version=f"v{number}") for number, age in enumerate(ages)],
        ciliumendpoints=[endpoint(f"p{number}", 256 + number) for number in range(used)],
    )


def part(cluster: Context) -> dict[str, Any]:
    """The section of the document."""
    made = identities.section(cluster)
    assert made is not None
    return made


def test_history() -> None:
    """At most 100 points, ascending in both, up to the present."""
    assert part(built([]))["history"] == []
    points = part(built([120.0, 60.0, 60.0]))["history"]
    zone = "+00:00"
    assert points == [
        [ago(120).replace("Z", zone), 1],
        [ago(60).replace("Z", zone), 3],
        [TAKEN_AT.isoformat(), 3],
    ]
    points = part(built([float(number) for number in range(999)]))["history"]
    counts = [count for _time, count in points]
    assert 95 < len(points) <= 100 and points == sorted(points) and counts == sorted(counts)
    assert points[-1] == [TAKEN_AT.isoformat(), 999] and points[0][1] < 20


def test_forecast_of_a_working_collection() -> None:
    """What is unused now goes: only those in use count."""
    ages = [5000.0] * 10 + [60.0] * 24 + [30.0] * 50
    made = part(built(ages, used=34))["forecast"]
    assert made["per_hour"] == 1.0
    assert made["exhausted_at"] == (TAKEN_AT + datetime.timedelta(hours=1000 - 84)).isoformat()
    assert made["basis"].startswith("24 identities created, and still in use, in the last 24 h")


def test_forecast_without_collection() -> None:
    """Nothing goes: all count. A range that is full is full now."""
    made = part(built([5000.0] * 10 + [60.0] * 48, config={"identity_gc_interval": "0"}))["forecast"]
    assert made["per_hour"] == 2.0 and "are not collected" in made["basis"]
    made = part(built([60.0] * 48, capacity=48, config={"identity_gc_interval": "0"}))["forecast"]
    assert made["exhausted_at"] == TAKEN_AT.isoformat()


def test_forecast_of_what_stands_still_or_is_young() -> None:
    """No growth has no end; a young cluster is measured over a day as well: what it has begun with is no pace."""
    assert part(built([5000.0], used=1))["forecast"]["exhausted_at"] is None
    assert part(built([10.0] * 48, used=48))["forecast"]["per_hour"] == 2.0


def test_forecast_after_one_step() -> None:
    """A change of labels makes all identities anew, within minutes: nothing says that it goes on like this."""
    made = part(built([120.0 + one / 60 for one in range(600)], used=600, capacity=6528))["forecast"]
    assert made["per_hour"] == 25.0
    assert datetime.datetime.fromisoformat(made["exhausted_at"]) > TAKEN_AT + datetime.timedelta(hours=200)


def test_forecast_of_nothing() -> None:
    """No identity, no pace."""
    assert part(built([]))["forecast"] == {"per_hour": 0.0, "exhausted_at": None, "basis": "there are no identities"}


def test_turnover() -> None:
    """An hour of creation (two timeouts) against what fits into 75 minutes of life."""
    made = part(built([30.0] * 600 + [5000.0] * 200, used=0, capacity=1000))["turnover"]
    assert made == {"per_hour": 600.0, "sustainable_per_hour": 800.0, "sustainable": True}
    cluster = built([30.0] * 900, capacity=1000)
    assert part(cluster)["turnover"]["sustainable"] is False
    (only,) = [one for one in identities.check(cluster) if one.id == "identity-churn-unsustainable"]
    assert "900 identities an hour were created in the last 1.0 h, more than the 800 an hour that the range holds" in (
        only.summary
    )
    # what stays in use leaves less room; a collection that is off is told about elsewhere
    assert part(built([5000.0] * 500 + [30.0] * 450, used=500, capacity=1000))["turnover"]["sustainable"] is False
    off = built([30.0] * 900, capacity=1000, config={"identity_gc_interval": "0"})
    assert not [one for one in identities.check(off) if one.id == "identity-churn-unsustainable"]


def test_turnover_beyond_what_may_be_deleted() -> None:
    """identity-gc-rate-limit is a limit too."""
    config = {"identity_gc_rate_limit": "1", "identity_gc_rate_interval": "1m"}
    cluster = built([30.0] * 100, config=config)
    (only,) = [one for one in identities.check(cluster) if one.id == "identity-churn-unsustainable"]
    assert "the 60 an hour that the operator may delete" in only.summary


def test_creators() -> None:
    """Namespaces and owners of the last hour: by the pod that uses it, else by labels that only some owners' pods have."""
    made = [
        identity(300, age=10, namespace="shop"),
        identity(301, age=10, namespace="shop", **{"batch.kubernetes.io/job_name": "j"}),
        identity(302, age=10),
        identity(303, age=10),
        identity(304, age=100),
    ]
    cluster = context(
        **cilium(),
        ciliumidentities=made,
        ciliumendpoints=[endpoint("web", 300, "shop"), endpoint("old", 304), endpoint("alone", 303)],
        pods=[labelled_pod("web", "shop", owner="ReplicaSet"), labelled_pod("alone")],
    )
    assert part(cluster)["created"] == {
        "hours": 1.0,
        "identities": 4,
        "top": [
            {"namespace": "default", "owner_kind": "Pod", "identities": 1},
            {"namespace": "default", "owner_kind": "unknown", "identities": 1},
            {"namespace": "shop", "owner_kind": "Job", "identities": 1},
            {"namespace": "shop", "owner_kind": "ReplicaSet", "identities": 1},
        ],
    }
    assert part(cluster)["by_namespace"] == [
        {"namespace": "default", "identities": 3},
        {"namespace": "shop", "identities": 2},
    ]
