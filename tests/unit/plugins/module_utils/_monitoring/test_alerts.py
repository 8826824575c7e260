"""Alerts as data: what each has, and that no metric in an expression is invented. promtool is asked in tests/integration."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import yaml
from unit.plugins.module_utils._monitoring.alert_cases import CASES

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import NEED_ANSWERS
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alert import names_in
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import METRICS
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    COMPONENTS,
    MonitoredCluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.rules import ALERTS, RuleOptions, Rules, rules

EVERYTHING = MonitoredCluster(frozenset(COMPONENTS), (1, 20), (1, 36))
ALL = RuleOptions(finding_severities=SEVERITIES)
ROLES = Path(__file__).parents[5] / "roles"
# what an alert says when a label or value it names is not there
BROKEN = re.compile(r"<no value>|<error|%!|\{\{|\}\}|<[a-z_]+>")


@functools.cache
def everything() -> Rules:
    """The rules of a cluster that has every component, of the newest releases."""
    made = rules(EVERYTHING, ALL)
    assert not made.left_out
    return made


def test_every_alert_has_a_case() -> None:
    """And every case an alert."""
    assert set(CASES) == {alert.name for alert in ALERTS}
    assert len(everything().alerts) > 190


def test_what_every_alert_has() -> None:
    """Severity, time, texts, a page; a playbook where the catalogue names one that may start; metrics that are known to exist."""
    for rule in everything().alerts:
        labels, annotations = rule["labels"], rule["annotations"]
        assert labels["severity"] in (*SEVERITIES, "{{ $labels.severity }}")
        assert (
            re.fullmatch(r"\d+[smh]", rule["for"]) and len(annotations["summary"]) > 10 and annotations["description"]
        )
        finding = labels.get("finding")
        anchor = f"findings.rst#{finding}" if finding else f"monitoring.rst#{rule['alert'].lower()}"
        assert annotations["runbook_url"].endswith(f"/docs/docsite/rst/{anchor}")
        assert finding is None or finding in CATALOGUE
        playbook = CATALOGUE[finding].playbook if finding else None
        assert annotations.get("playbook") == (None if playbook in NEED_ANSWERS else playbook)
        assert names_in(rule["expr"]), rule["alert"]
        assert not BROKEN.search(rule["expr"]), rule["expr"]


def test_every_playbook_that_an_alert_starts_needs_no_answers() -> None:
    """The rulebook starts its workflow with nothing but the alert: AWX has one for it, and its plan does not end with a question."""
    started = {rule["annotations"].get("playbook") for rule in everything().alerts} - {None}
    assert len(started) > 4
    repairs = yaml.safe_load((ROLES / "configure_awx/vars/main.yml").read_text("utf-8").replace("!unsafe", ""))
    for name in (one.rpartition(".")[2] for one in started):
        assert repairs["configure_awx__playbooks"][name]["repairs"], name
        options = yaml.safe_load((ROLES / name / "meta/argument_specs.yml").read_text("utf-8"))["argument_specs"][
            "main"
        ]
        assert not [key for key, one in options["options"].items() if one.get("required")], name
        tasks = " ".join(path.read_text("utf-8") for path in (ROLES / name / "tasks").glob("*.yml"))
        assert "Nothing says what" not in tasks, name
    for name in NEED_ANSWERS:
        assert name not in started


def test_no_metric_in_an_expression_is_invented() -> None:
    """Whatever looks like a metric is in the table, and labels in selectors are labels of that metric."""
    words = re.compile(
        r"\b(?:cilium|podnet_upkeep|node_ipam|kubelet|apiserver|workqueue|leader_election|process)_[a-z_]+"
    )
    selectors = re.compile(r"([a-z_]+)\{([^}]*)\}")
    for rule in everything().alerts:
        for word in words.findall(re.sub(r'"[^"]*"', '""', rule["expr"])):
            assert word in METRICS, (rule["alert"], word)
        for name, inner in selectors.findall(rule["expr"]):
            used = set(re.findall(r'([a-z_]+)(?:=|!=|=~|!~)"', inner))
            assert used <= set(METRICS[name].labels), (name, used)
