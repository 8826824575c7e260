"""Histories out of results, metrics and answers of Prometheus; what contradicts itself is said to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots.report_documents import full

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.capacity_forecast import (
    Limits,
    Rules,
    forecast,
    limits_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import identity_range
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.usage_history import (
    History,
    Usage,
    taken_at,
    usages_of_document,
    usages_of_query,
    usages_of_text,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._report.prometheus import prometheus

DAY = 86400.0


def used(found: dict[str, Usage]) -> dict[str, float]:
    """Without units."""
    return {key: one.used for key, one in found.items()}


def test_our_own_metrics_say_the_same_as_the_result() -> None:
    """Of the document that has everything; the metrics have the time of the audit."""
    document = full()
    ((time, found),) = usages_of_text(prometheus(document)).items()
    assert time == taken_at(document)
    expected = used(usages_of_document(document))
    assert expected and used(found) == expected
    assert {"identities", "node-blocks/IPv4"} <= set(expected)


def test_metrics_with_times() -> None:
    """Milliseconds as Prometheus writes them, seconds as OpenMetrics does; labels may hold brackets."""
    text = (
        "# TYPE podnet_upkeep_identities_used gauge\n"
        "podnet_upkeep_identities_used 10 1762000000000\n"
        'podnet_upkeep_identities_used{job="a}b"} 11 1762086400\n'
        'podnet_upkeep_cilium_pool_used_blocks{pool="p",family="IPv4",cidr="10.0.0.0/24"} 2 1762000000000\n'
        'podnet_upkeep_cilium_pool_used_blocks{pool="p",family="IPv4",cidr="10.0.1.0/24"} 3 1762000000000\n'
        'podnet_upkeep_node_addresses_free{node="w1"} 9 1762000000000\n'
        "other_metric 5 1762000000000\n"
    )
    found = {time: used(one) for time, one in usages_of_text(text).items()}
    assert found == {
        1762000000.0: {"identities": 10, "cilium-pool/p/IPv4": 5, "node-addresses/w1": -9},
        1762086400.0: {"identities": 11},
    }
    with pytest.raises(ValueError, match="its samples have no times"):
        usages_of_text("podnet_upkeep_identities_used 10\n")
    with pytest.raises(ValueError, match="not the text of Prometheus metrics"):
        usages_of_text("hello you\n")


def query(*series: tuple[dict[str, str], list[Any]]) -> dict[str, Any]:
    """An answer to query_range."""
    return {
        "status": "success",
        "data": {"resultType": "matrix", "result": [{"metric": labels, "values": values} for labels, values in series]},
    }


def test_answers_of_prometheus() -> None:
    """Series by their names; one that two sources have would be added up, and is refused."""
    name = {"__name__": "podnet_upkeep_identities_used", "instance": "a:9100"}
    answer = query((name, [[100.0, "5"], [200.0, "6"], [300.0, "NaN"]]), ({"__name__": "up"}, [[100.0, "1"]]))
    assert {time: used(one) for time, one in usages_of_query(answer).items()} == {
        100.0: {"identities": 5},
        200.0: {"identities": 6},
    }
    with pytest.raises(ValueError, match="comes from several sources"):
        usages_of_query(query((name, [[1, "1"]]), ({**name, "instance": "b:9100"}, [[1, "1"]])))
    with pytest.raises(ValueError, match="no successful answer"):
        usages_of_query({"status": "error", "data": {}})
    with pytest.raises(ValueError, match="no pair of a time and a number"):
        usages_of_query(query((name, [["x", "1"]])))


@pytest.mark.parametrize("form", ["query", "text"])
def test_metrics_tell_when_the_mask_was_changed(form: str) -> None:
    """By the number of all blocks: 40 of /24 that become 80 of /25 are no growth, of Nodes and of a pool of Cilium."""
    range_ = {"family": "IPv4", "cluster_cidr": "10.0.0.0/16"}
    pool = {"pool": "p", "family": "IPv4", "cidr": "10.8.0.0/17"}
    values: dict[tuple[str, str], tuple[int, int]] = {
        ("podnet_upkeep_pool_used_blocks", json.dumps(range_)): (40, 80),
        ("podnet_upkeep_pool_capacity_blocks", json.dumps(range_)): (256, 512),
        ("podnet_upkeep_cilium_pool_used_blocks", json.dumps(pool)): (20, 40),
        ("podnet_upkeep_cilium_pool_capacity_blocks", json.dumps(pool)): (128, 256),
    }
    start, kept = 1762000000, History()
    series, lines = [], []
    for (name, labels), (before, after) in values.items():
        points = [[start + DAY * day, str(before if day < 5 else after)] for day in range(10)]
        series.append(({"__name__": name, **json.loads(labels)}, points))
        inside = ",".join(f'{key}="{value}"' for key, value in json.loads(labels).items())
        lines += [f"{name}{{{inside}}} {value} {int(time)}000" for time, value in points]
    found = usages_of_query(query(*series)) if form == "query" else usages_of_text("\n".join(lines) + "\n")
    for time, one in found.items():
        kept.add(time, one, "metrics")
    for key in ("node-blocks/IPv4", "cilium-pool/p/IPv4"):
        said = forecast(Limits(key, "blocks", 512, 432), kept, Rules(start + 10 * DAY))
        assert said.verdict == "contradictory" and "blocks of /24 and blocks of /25, which cannot" in said.sentence
        assert {one.unit for one in kept.usages[key].values()} == {"blocks of /24", "blocks of /25"}


def test_a_steady_number_has_no_end_in_sight() -> None:
    """Noise around a number that is far below the limit is no contradiction; near the limit the earliest day is given."""
    noise = [1200 + (-1) ** number * (number % 5) for number in range(60)]
    far = forecast(Limits("identities", "", 65280, 64080), history([float(one) for one in noise]), Rules(60 * DAY))
    assert (far.verdict, far.known, far.days, far.earliest) == ("steady", True, None, None)
    assert far.sentence.startswith("no end in sight: not within 1825 days at ") and "at the fastest" in far.sentence
    near = forecast(Limits("identities", "", 1220, 20), history([float(one) for one in noise]), Rules(60 * DAY))
    assert (near.verdict, near.known, near.days) == ("contradictory", False, None)
    assert near.trend is not None and near.trend.high and near.earliest == pytest.approx(20 / near.trend.high)
    assert near.to_dict()["days_earliest"] and "days at the earliest" in near.sentence


def history(values: list[float], unit: str = "") -> History:
    """A value a day."""
    found = History()
    for number, value in enumerate(values):
        found.add(number * DAY, {"identities": Usage(value, unit)}, f"file {number}")
    return found


def test_contradictions_make_it_unknown() -> None:
    """Two values for one moment, or blocks of two sizes."""
    limits, rules = Limits("identities", "identities", 100, 50), Rules(4 * DAY)
    sound = history([10, 20, 30, 40, 50])
    assert forecast(limits, sound, rules).days == pytest.approx(5)
    sound.add(DAY, {"identities": Usage(21)}, "other.json")
    twice = forecast(limits, sound, rules)
    assert (twice.verdict, twice.days) == ("contradictory", None)
    assert "other.json says 21 for a moment for which another file says 20" in twice.sentence
    mixed = history([10, 20, 30, 40, 50], "blocks of /24")
    mixed.add(5 * DAY, {"identities": Usage(99, "blocks of /25")}, "later")
    assert "which cannot be compared" in forecast(limits, mixed, rules).sentence


@pytest.mark.parametrize(
    ("limits", "values", "verdict", "days"),
    [
        (Limits("identities", "", 100, 0), [1, 2, 3, 4], "exhausted", 0),
        (Limits("identities", "", 100, 2, waiting=3), [1, 2, 3, 4], "exhausted", 0),
        (Limits("identities", "", 100, None), [1, 2, 3, 4], "unknown", None),
        (Limits("identities", "", 100, 50), [1, 2], "too-short", None),
        (Limits("identities", "", 100, 50), [4, 3, 2, 1], "shrinking", None),
        (Limits("identities", "", 100, 50), [4, 4, 4, 4], "steady", None),
        (Limits("identities", "", 100, 50, waiting=10), [1, 2, 3, 4], "growing", 40),
        (Limits("identities", "", 1 << 20, 1 << 19), [1, 2, 3, 4], "growing", None),
    ],
)
def test_verdicts(limits: Limits, values: list[float], verdict: str, days: float | None) -> None:
    """Never a number out of nothing, nor one that is decades away."""
    found = forecast(limits, history(values), Rules(10 * DAY))
    assert found.verdict == verdict and found.days == (None if days is None else pytest.approx(days))
    assert found.known is (verdict not in ("unknown", "too-short", "contradictory"))
    json.dumps(found.to_dict())


@given(
    clusters=st.sampled_from((255, 511)),
    cluster=st.integers(0, 511),
    per_day=st.integers(1, 5000),
    share=st.floats(0, 0.99),
)
def test_the_range_of_every_cluster_id(clusters: int, cluster: int, per_day: int, share: float) -> None:
    """The days are the numbers that are left in exactly this range, divided by the growth."""
    allowed = identity_range(cluster % (clusters + 1), clusters)
    now = int(allowed.capacity * share)
    document = {
        "identities": {"range": {"capacity": allowed.capacity, "minimum": allowed.minimum}, "used": now},
        "pools": [],
    }
    (limits,) = limits_of(document)
    assert limits.free == len(range(allowed.minimum + now, allowed.maximum + 1))
    values = [now - per_day * back for back in range(9, -1, -1)]
    found = forecast(limits, history([float(one) for one in values]), Rules(9 * DAY, 1.0, 1e9))
    left, number = 0, now
    while number + per_day <= allowed.capacity and left < 200_000:
        number += per_day
        left += 1
    assert (found.days is not None and int(found.days + 1e-9) == left) or limits.free == 0
