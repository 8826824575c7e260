"""Dashboards: what Grafana needs of them, and that no panel asks for what a cluster does not have."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import absent_metrics, names_in
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.dashboard import dashboards
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import METRICS
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    AUDIT,
    COMPONENTS,
    MonitoredCluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.panels import DASHBOARDS, PANELS
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.rules import RuleOptions, rules

EVERYTHING = MonitoredCluster(frozenset(COMPONENTS), (1, 20), (1, 36))
RELEASES = st.none() | st.tuples(st.just(1), st.integers(14, 20))
KUBERNETES = st.none() | st.tuples(st.just(1), st.integers(27, 36))
CLUSTERS = st.builds(MonitoredCluster, st.frozensets(st.sampled_from(sorted(COMPONENTS))), RELEASES, KUBERNETES)


def test_every_panel_is_shown_somewhere() -> None:
    """In a cluster that has everything."""
    boards = dashboards(EVERYTHING)
    assert set(boards) == set(DASHBOARDS)
    shown = [panel["title"] for board in boards.values() for panel in board["panels"] if panel["type"] != "row"]
    assert sorted(shown) == sorted(panel.title for panel in PANELS)


@settings(max_examples=25)
@given(CLUSTERS)
def test_what_grafana_needs(cluster: MonitoredCluster) -> None:
    """Unique ids, a data source that can be chosen, panels beside each other, a row above its panels, valid JSON."""
    for board in dashboards(cluster).values():
        assert json.loads(json.dumps(board)) == board
        assert [one["name"] for one in board["templating"]["list"]] == ["datasource"]
        panels = board["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        taken: set[tuple[int, int]] = set()
        for panel in panels:
            place = panel["gridPos"]
            assert place["x"] >= 0 and place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells
            if panel["type"] == "row":
                continue
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0


@settings(max_examples=25)
@given(CLUSTERS)
def test_nothing_is_asked_for_that_is_not_there(cluster: MonitoredCluster) -> None:
    """Neither by an alert nor by a panel: every metric exists in the release, and its component is there."""
    exprs = [rule["expr"] for rule in rules(cluster, RuleOptions()).alerts]
    exprs += [
        target["expr"]
        for board in dashboards(cluster).values()
        for panel in board["panels"]
        for target in panel.get("targets") or ()
    ]
    for expr in exprs:
        assert not absent_metrics(expr, cluster), expr
        for name in names_in(expr):
            assert METRICS[name].component in cluster.components, expr


@settings(max_examples=25)
@given(CLUSTERS)
def test_every_alert_is_there_or_left_out(cluster: MonitoredCluster) -> None:
    """Each once, and what is left out has a reason."""
    made = rules(cluster, RuleOptions())
    names = [rule["alert"] for rule in made.alerts]
    left_out = [name for one in made.left_out.values() for name in one]
    everything = [rule["alert"] for rule in rules(EVERYTHING, RuleOptions()).alerts]
    assert sorted(names + left_out) == sorted(everything)
    assert all(len(reason) > 10 for reason in made.left_out)


def test_a_cluster_without_cilium() -> None:
    """No dashboard of identities, and no alert of a finding that only Cilium has."""
    cluster = MonitoredCluster(frozenset({AUDIT, "kubelet", "kube-apiserver"}), None, (1, 34))
    assert set(dashboards(cluster)) == {"pod-networks"}
    text = json.dumps(rules(cluster).groups)
    assert "cilium_" not in text and "identity-range-exhausted" not in text and "node-cidr-missing" in text


@pytest.mark.parametrize(
    ("release", "there"), [((1, 33), "apiserver_storage_objects"), ((1, 34), "apiserver_resource_objects")]
)
def test_the_api_server_counts_by_another_name_since_1_34(release: tuple[int, int], there: str) -> None:
    """Both in alerts and in panels."""
    cluster = MonitoredCluster(frozenset(COMPONENTS), (1, 18), release)
    text = json.dumps([rules(cluster).groups, dashboards(cluster)])
    other = {"apiserver_storage_objects", "apiserver_resource_objects"} - {there}
    assert there in text and other.pop() not in text


def changed(board: dict[str, Any]) -> str:
    """The text of all expressions."""
    return json.dumps([target["expr"] for panel in board["panels"] for target in panel.get("targets") or ()])


def test_the_capacity_is_that_of_the_cluster() -> None:
    """A mesh of 511 clusters leaves each half as many numbers."""
    cluster = MonitoredCluster(frozenset(COMPONENTS), (1, 18), (1, 34), identity_capacity=32768)
    assert "32768" in changed(dashboards(cluster)["identities"])
    assert ">= 32768" in json.dumps(rules(cluster).groups)
