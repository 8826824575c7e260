"""Options of rules and objects: what they do, and the one sentence for what cannot be used."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.manifests import ObjectOptions, manifests
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    COMPONENTS,
    MonitoredCluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.rules import RuleOptions, rules
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.scraping import (
    Existing,
    ScrapeTarget,
    covered_by,
    scrape_configs,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.thresholds import (
    THRESHOLDS,
    seconds_of,
    thresholds,
)

EVERYTHING = MonitoredCluster(frozenset(COMPONENTS), (1, 20), (1, 36))
TARGET = ScrapeTarget("cilium-operator", "kube-system", (("io.cilium/app", "operator"),), 9963)
POD = {"io.cilium/app": "operator", "name": "cilium-operator"}


def rule(name: str, **options: Any) -> dict[str, Any]:
    """One rule with these options."""
    (found,) = [one for one in rules(EVERYTHING, RuleOptions(**options)).alerts if one["alert"] == name]
    return found


def test_options_reach_the_rules() -> None:
    """Thresholds, times, labels, pages, and changes of one alert."""
    assert "> 0.5" in rule("PodnetIdentitiesInUse", thresholds={"identities_used_ratio": "0.5"})["expr"]
    aged = rule("PodnetAuditOld", thresholds={"audit_age": "1h30m"})
    assert aged["expr"].endswith("> 5400")
    assert rule("PodnetIdentityLabelValues", thresholds={"label_values": 1234567})["expr"].endswith("> 1234567")
    assert rule("PodnetIdentityLabelValues", thresholds={"label_values": "1e3"})["expr"].endswith("> 1000")
    assert rule("PodnetSandboxSlow", thresholds={"sandbox_seconds": "0.50"})["expr"].endswith("> 0.5")
    assert rule("PodnetSandboxSlow", thresholds={"sandbox_seconds": 0})["expr"].endswith("> 0")
    far = rule("PodnetIdentitiesRunOutByAudit", thresholds={"identities_exhausted_within": "30d1s"})
    assert far["expr"].endswith("< 2592001")
    assert rule("PodnetAuditOld", hold="3s")["for"] == "3s"
    changed = {"PodnetAuditOld": {"severity": "info", "for": "9m"}}
    assert rule("PodnetAuditOld", overrides=changed, hold="3s")["for"] == "9m"
    assert rule("PodnetAuditOld", overrides=changed)["labels"]["severity"] == "info"
    assert rule("PodnetAuditOld", labels={"team": "net"})["labels"]["team"] == "net"
    page = rule("PodnetNodeChurn", runbook_url="https://wiki/{page}/{anchor}")["annotations"]["runbook_url"]
    assert page == "https://wiki/monitoring/podnetnodechurn"
    off = rules(EVERYTHING, RuleOptions(overrides={"PodnetAuditOld": {"enabled": False}}))
    assert off.left_out == {"turned off by the option alerts": ["PodnetAuditOld"]}
    assert all(group["interval"] == "7s" for group in rules(EVERYTHING, RuleOptions(interval="7s")).groups)
    without = rules(EVERYTHING, RuleOptions(finding_severities=()))
    assert "podnet-upkeep-findings" not in [group["name"] for group in without.groups]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"thresholds": {"nope": 1}}, "thresholds: there is no 'nope'; known are identities_used_ratio"),
        ({"thresholds": {"identities_used_ratio": 80}}, "identities_used_ratio is '80'; it is a part of the whole"),
        ({"thresholds": {"audit_age": 120}}, "audit_age is '120'; write a time with its unit"),
        ({"thresholds": {"audit_age": "0s"}}, "audit_age is '0s'; write a time with its unit"),
        ({"thresholds": {"label_values": "many"}}, "label_values is 'many'; it must be a number"),
        ({"thresholds": {"label_values": "nan"}}, "label_values is 'nan'; it must be a number of 0 or more"),
        (
            {"thresholds": {"sandbox_seconds": 10}},
            "sandbox_seconds is '10', with which its alert never fires: the kubelet's last bucket ends at 10 seconds, so no more"
            " is ever seen; give one below 10.",
        ),
        ({"thresholds": {"sandbox_seconds": "1e3"}}, "sandbox_seconds is '1e3', with which its alert never fires"),
        (
            {"thresholds": {"pool_used_ratio": 1}},
            "pool_used_ratio is '1', with which its alert never fires: no more than all can be in use; give one below 1.",
        ),
        ({"thresholds": {"identities_used_ratio": 1.0}}, "identities_used_ratio is '1.0', with which its alert never"),
        ({"thresholds": {"node_addresses_used_ratio": 1}}, "node_addresses_used_ratio is '1', with which its alert"),
        (
            {"thresholds": {"node_addresses_left": 0}},
            "node_addresses_left is '0', with which its alert never fires: no Node has less than none left; give one above 0.",
        ),
        (
            {"thresholds": {"identity_gc_window": "5s"}},
            "identity_gc_window is '5s', with which its alert never fires: a shorter time may hold one sample only, which says"
            " nothing of a change; give one of 60 or more seconds.",
        ),
        ({"hold": "5"}, "for: '5' is no time for Prometheus"),
        ({"interval": "1.5m"}, "interval: '1.5m' is no time"),
        ({"labels": {"severity": "x"}}, "labels: 'severity' cannot be added"),
        ({"labels": {"a-b": "x"}}, "labels: 'a-b' cannot be added"),
        ({"runbook_url": "https://x"}, "has no {anchor}"),
        ({"overrides": {"Nope": {}}}, "alerts: there is no alert 'Nope'"),
        ({"overrides": {"PodnetAuditOld": {"expr": "1"}}}, "PodnetAuditOld may have enabled, severity, for"),
        (
            {"overrides": {"PodnetAuditOld": {"enabled": "no"}}},
            "enabled of PodnetAuditOld is 'no'; write true or false",
        ),
        ({"overrides": {"PodnetAuditOld": {"for": "soon"}}}, "for of PodnetAuditOld is 'soon'"),
        ({"overrides": {"PodnetAuditOld": "off"}}, "PodnetAuditOld may have"),
    ],
)
def test_what_cannot_be_used(options: dict[str, Any], sentence: str) -> None:
    """One sentence with option, value and remedy."""
    with pytest.raises(InputError, match=r".") as caught:
        rules(EVERYTHING, RuleOptions(**options))
    assert sentence in str(caught.value)


def test_every_threshold_decides_about_an_alert() -> None:
    """None is left over, and each default is taken as it is given."""
    exprs = [alert["expr"] for alert in rules(EVERYTHING).alerts]
    for name in THRESHOLDS:
        other = "17m" if THRESHOLDS[name].kind == "duration" else "0.123"
        changed = [alert["expr"] for alert in rules(EVERYTHING, RuleOptions(thresholds={name: other})).alerts]
        assert changed != exprs, name
    assert thresholds({}) == {name: one.default for name, one in THRESHOLDS.items()}
    assert seconds_of("1d2h3m4s5ms") == 93784.005


@pytest.mark.parametrize("values", [{"namespace": "No"}, {"namespace": "a", "name": "-x"}])
def test_names_that_kubernetes_does_not_take(values: dict[str, str]) -> None:
    """Said before anything is asked."""
    with pytest.raises(InputError, match="cannot be used; give 1 to 40 lower-case letters"):
        ObjectOptions(**values)


def test_objects_bear_our_labels_and_those_that_are_asked_for() -> None:
    """And no label of ours can be taken away by one that is asked for."""
    options = ObjectOptions("monitoring", rule_labels={"release": "stack"}, dashboard_labels={"grafana_dashboard": "1"})
    made = manifests(options, [{"name": "g", "rules": []}], {"identities": {"title": "x"}}, [TARGET])
    assert [one["kind"] for one in made] == ["PrometheusRule", "Service", "ServiceMonitor", "ConfigMap"]
    for one in made:
        assert options.labels.items() <= one["metadata"]["labels"].items()
    by_kind = {one["kind"]: one for one in made}
    assert by_kind["PrometheusRule"]["metadata"]["labels"]["release"] == "stack"
    assert by_kind["ServiceMonitor"]["metadata"]["labels"]["release"] == "stack"
    assert "release" not in by_kind["Service"]["metadata"]["labels"]
    selected = by_kind["ServiceMonitor"]["spec"]["selector"]["matchLabels"]
    assert selected.items() <= by_kind["Service"]["metadata"]["labels"].items()
    with pytest.raises(InputError, match="says whose the objects are"):
        ObjectOptions("monitoring", rule_labels={"app.kubernetes.io/managed-by": "me"})


def service(**changes: Any) -> dict[str, Any]:
    """The Service that the chart of Cilium makes."""
    spec = {"selector": POD, "ports": [{"name": "metrics", "port": 9963, "targetPort": "prometheus"}]}
    return {"metadata": {"name": "s", "labels": {"a": "b"}}, "spec": {**spec, **changes}}


def monitor(**changes: Any) -> dict[str, Any]:
    """Somebody else's ServiceMonitor."""
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "namespaceSelector": {"matchNames": ["kube-system"]},
        "endpoints": [{"port": "metrics"}],
    }
    return {"metadata": {"name": "m", "namespace": "monitoring"}, "spec": {**spec, **changes}}


@pytest.mark.parametrize(
    ("services", "monitors", "by"),
    [
        ([service()], [monitor()], "ServiceMonitor monitoring/m"),
        ([service()], [monitor(namespaceSelector={"any": True})], "ServiceMonitor monitoring/m"),
        ([service()], [monitor(namespaceSelector={})], ""),
        ([service()], [monitor(selector={"matchLabels": {"a": "c"}})], ""),
        (
            [service()],
            [monitor(selector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]})],
            "ServiceMonitor monitoring/m",
        ),
        ([service()], [monitor(selector={"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]})], ""),
        ([service()], [monitor(endpoints=[{"port": "envoy-metrics"}])], ""),
        ([service(ports=[{"name": "metrics", "port": 80, "targetPort": 9964}])], [monitor()], ""),
        (
            [service(ports=[{"name": "metrics", "port": 80, "targetPort": 9963}])],
            [monitor()],
            "ServiceMonitor monitoring/m",
        ),
        ([service(selector={"other": "x"})], [monitor()], ""),
        ([service(selector={})], [monitor()], ""),
        ([], [monitor()], ""),
    ],
)
def test_who_scrapes_already(services: list[dict[str, Any]], monitors: list[dict[str, Any]], by: str) -> None:
    """Only a monitor that leads to the port with our metrics counts."""
    assert covered_by(TARGET, POD, Existing(tuple(services), tuple(monitors))) == by


def test_pod_monitors_count_too() -> None:
    """By the name of the port that the charts use, or its number."""
    spec = {"selector": {"matchLabels": {"name": "cilium-operator"}}, "namespaceSelector": {"any": True}}
    for end in ({"port": "prometheus"}, {"portNumber": 9963}, {"targetPort": 9963}, {"port": "other"}):
        one = {"metadata": {"name": "p", "namespace": "x"}, "spec": {**spec, "podMetricsEndpoints": [end]}}
        by = "" if end == {"port": "other"} else "PodMonitor x/p"
        assert covered_by(TARGET, POD, Existing(pod_monitors=(one,))) == by


def test_plain_scrape_configuration() -> None:
    """Jobs have the names that alerts and tests know; addresses of both families are written so that they can be used."""
    jobs = {job["job_name"]: job for job in scrape_configs([TARGET], "30s")}
    assert set(jobs) == {"cilium-operator", "kube-apiserver", "kubelet"}
    assert all(job["scrape_interval"] == "30s" for job in jobs.values())
    replacements = [one.get("replacement") for one in jobs["cilium-operator"]["relabel_configs"]]
    assert replacements[:2] == ["$1:9963", "[$1]:9963"]
