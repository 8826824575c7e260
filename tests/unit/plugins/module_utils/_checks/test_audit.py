"""The audit of the bundled sick cluster, and what holds for every audit."""

from __future__ import annotations

import json

import pytest
from snapshots.make_sick_small import EXPECTED, state
from snapshots.small_clusters import audited, found, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import SEVERITIES
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState


def test_bundled_sick_cluster() -> None:
    """Everything that is wrong with it is found, and nothing about its healthy Nodes."""
    result = document(Context(ClusterState.from_json(state())))
    assert found(result) >= EXPECTED
    assert {entry[1] for entry in found(result)} & {"worker-1", "control-1", "control-2"} == set()


def test_saved_state_gives_identical_findings() -> None:
    """Through JSON and back."""
    first = ClusterState.from_json(state())
    second = ClusterState.from_json(json.loads(json.dumps(first.to_json())))
    assert document(Context(first)) == document(Context(second))


def test_order_does_not_depend_on_the_order_of_objects() -> None:
    """So that two reports differ only where clusters do."""
    content = state()
    forwards = document(Context(ClusterState.from_json(content)))
    for objects in content["resources"].values():
        objects.reverse()
    backwards = document(Context(ClusterState.from_json(content)))
    assert forwards == backwards
    severities = [SEVERITIES.index(one["severity"]) for one in forwards["findings"]]
    assert severities == sorted(severities)


def test_counts() -> None:
    """The summary counts what is in the lists."""
    result = document(Context(ClusterState.from_json(state())))
    assert result["summary"]["findings"] == len(result["findings"])
    assert sum(result["summary"][severity] for severity in SEVERITIES) == len(result["findings"])
    assert result["summary"]["nodes"] == len(result["nodes"]) == 12


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_healthy_cluster_has_no_findings(count: int) -> None:
    """None at all, not even information."""
    result = audited(nodes=[node(f"n{number}", f"10.0.{number}.0/24") for number in range(count)])
    assert result["findings"] == [] and all(one["severity"] == "ok" for one in result["nodes"])
