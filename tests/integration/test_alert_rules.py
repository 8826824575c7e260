"""Every alert by the real promtool: its rule is taken, it fires on its fault, it does not fire without, and its texts are whole."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from snapshots.report_documents import full
from unit.plugins.module_utils._monitoring.alert_cases import CASES, Series

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.alerts_audit import alerts_of_findings
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.monitored_cluster import (
    AUDIT,
    CILIUM,
    COMPONENTS,
    MonitoredCluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.rules import RuleOptions, Rules, rules
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.scraping import ScrapeTarget, scrape_configs
from ansible_collections.podnet.upkeep.plugins.module_utils._report.prometheus import prometheus
from harness import panel_data

pytestmark = [
    pytest.mark.testbed,
    pytest.mark.skipif(
        shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)"
    ),
]

EVERYTHING = MonitoredCluster(frozenset(COMPONENTS), (1, 20), (1, 36))
ALL = RuleOptions(finding_severities=SEVERITIES)
# what an alert says when a label or value it names is not there
BROKEN = re.compile(r"<no value>|<error|%!|\{\{|\}\}|<[a-z_]+>")


@functools.cache
def everything() -> Rules:
    """The rules of a cluster that has every component, of the newest releases."""
    made = rules(EVERYTHING, ALL)
    assert not made.left_out
    return made


def finding_series(identifier: str) -> str:
    """The series of a finding that the audit reports."""
    return f'podnet_upkeep_findings{{id="{identifier}",severity="{CATALOGUE[identifier].severity}",instance="host"}}'


def check(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run promtool."""
    return subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def write(path: Path, groups: list[dict[str, Any]]) -> str:
    """The rules as a file; its name."""
    path.write_text(yaml.safe_dump({"groups": groups}, sort_keys=False), encoding="utf-8")
    return path.name


def write_tests(folder: Path, alert: str, tests: list[dict[str, Any]]) -> str:
    """A file of tests that loads the rule of one alert only: promtool evaluates all that it loads; its name."""
    (rule,) = [one for one in everything().alerts if one["alert"] == alert]
    rule_file = write(folder / f"{alert}.yml", [{"name": alert, "rules": [rule]}])
    content = {"rule_files": [rule_file], "evaluation_interval": "1m", "tests": tests}
    (folder / f"{alert}.test.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return f"{alert}.test.yml"


def one_test(name: str, series: Series, **asked: Any) -> dict[str, Any]:
    """One test of promtool."""
    given = [{"series": key, "values": values.strip()} for key, values in series.items()]
    return {"name": name, "interval": "1m", "input_series": given, **asked}


def write_findings(folder: Path, tests: list[dict[str, Any]]) -> str:
    """A file of tests that loads the alerts of all findings; its name."""
    write(
        folder / "findings.yml", [group for group in everything().groups if group["name"] == "podnet-upkeep-findings"]
    )
    content = {"rule_files": ["findings.yml"], "evaluation_interval": "1m", "tests": tests}
    (folder / "findings.test.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return "findings.test.yml"


def test_promtool_takes_the_rules(tmp_path: Path) -> None:
    """Also with other options, and those of the oldest releases."""
    made = everything()
    other = RuleOptions(hold="1s", interval="10s", labels={"team": "network"}, finding_severities=SEVERITIES)
    for groups in (
        made.groups,
        rules(EVERYTHING, other).groups,
        rules(MonitoredCluster(frozenset(COMPONENTS)), ALL).groups,
    ):
        done = check(tmp_path, "check", "rules", write(tmp_path / "rules.yml", groups))
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{sum(len(group['rules']) for group in groups)} rules found" in done.stdout


def test_promtool_takes_the_rest(tmp_path: Path) -> None:
    """Jobs to scrape as configuration of Prometheus, and our metrics as it reads them."""
    target = ScrapeTarget("cilium-operator", "kube-system", (("io.cilium/app", "operator"),), 9963)
    secured = ScrapeTarget("kube-controller-manager", "kube-system", (("component", "x"),), 10257, https=True)
    # Debian builds Prometheus without the discovery of Kubernetes: all but these blocks can be checked
    jobs = scrape_configs([target, secured], "30s")
    config = {"scrape_configs": [{key: job[key] for key in job if key != "kubernetes_sd_configs"} for job in jobs]}
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = check(tmp_path, "check", "config", "--syntax-only", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = prometheus(full()).encode()
    read = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, check=False, timeout=60)
    assert read.returncode == 0, read.stdout + read.stderr


def test_every_written_alert_fires_and_does_not_fire(tmp_path: Path) -> None:
    """Asked of the series ALERTS, which Prometheus itself writes."""
    by_name = {rule["alert"]: rule for rule in everything().alerts}
    files = []
    for name, case in CASES.items():
        labels = by_name[name]["labels"]
        finding = f',finding="{labels["finding"]}"' if "finding" in labels else ""
        more = f",{case.gives}" if case.gives else ""
        asked = f'ALERTS{{alertname="{name}"}}'
        fired = f'ALERTS{{alertname="{name}",alertstate="firing",severity="{labels["severity"]}"{finding}{more}}}'
        at = f"{case.at}m"
        firing = f'count_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[{case.at}m])'
        tests = [
            one_test(f"{name} fires", case.fires, promql_expr_test=[expect(asked, at, [fired])]),
            *(
                one_test(f"{name} is quiet ({number})", quiet, promql_expr_test=[expect(firing, at, [])])
                for number, quiet in enumerate((case.quiet, *case.quiet_too), 1)
            ),
        ]
        if case.also:
            tests.append(one_test(f"{name} fires also", case.also, promql_expr_test=[expect(asked, at, [fired])]))
        files.append(write_tests(tmp_path, name, tests))
    done = check(tmp_path, "test", "rules", *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alert_of_a_finding_fires_for_this_finding_only(tmp_path: Path) -> None:
    """One half of the findings is reported, then the other: exactly their alerts fire, with the severity of the finding."""
    made = list(alerts_of_findings(SEVERITIES))
    tests = []
    for half in (made[::2], made[1::2]):
        fired = [
            f'ALERTS{{alertname="{one.name}",alertstate="firing",severity="{CATALOGUE[one.finding].severity}",'
            f'finding="{one.finding}"}}'
            for one in half
        ]
        series = {finding_series(one.finding): "2x10" for one in half}
        tests.append(one_test("half", series, promql_expr_test=[expect("ALERTS", "2m", fired)]))
    tests.append(
        one_test("gone", {finding_series(made[0].finding): "2x3 stale"}, promql_expr_test=[expect("ALERTS", "5m", [])])
    )
    done = check(tmp_path, "test", "rules", write_findings(tmp_path, tests))
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_of_the_audit_show_what_it_writes() -> None:
    """Each of them has data of a report that has everything; without one it has none."""
    asked = panel_data.expressions(AUDIT, CILIUM)
    served = panel_data.scraped(prometheus(full()), job="node-exporter", instance="h1")
    assert len(asked) > 12 and panel_data.without_data(asked, served) == []
    other = {name: values for name, values in served.items() if not name.startswith("podnet_upkeep_cilium_pool_")}
    assert [one for one in asked if "cilium_pool" in one] == panel_data.without_data(asked, other) != []


def expect(expr: str, at: str, series: list[str]) -> dict[str, Any]:
    """One question of a test of promtool: each of these series has the value 1."""
    return {"expr": expr, "eval_time": at, "exp_samples": [{"labels": one, "value": 1} for one in series]}


def test_texts_of_alerts_are_whole(tmp_path: Path) -> None:
    """promtool is asked for no alert where there is one, and so prints it with the texts that people will read."""
    files = []
    for name, case in CASES.items():
        asked = [{"eval_time": f"{case.at}m", "alertname": name, "exp_alerts": []}]
        files.append(write_tests(tmp_path, name, [one_test(name, case.fires, alert_rule_test=asked)]))
    made = list(alerts_of_findings(SEVERITIES))
    series = {finding_series(one.finding): "2x10" for one in made}
    questions = [{"eval_time": "2m", "alertname": one.name, "exp_alerts": []} for one in made]
    files.append(write_findings(tmp_path, [one_test("texts", series, alert_rule_test=questions)]))
    printed = check(tmp_path, "test", "rules", *files)
    texts = re.findall(r"Annotations:\{(.*)\}", printed.stdout + printed.stderr)
    assert len(texts) == len(everything().alerts)
    for text in texts:
        assert not BROKEN.search(text), text
        assert all(f'{key}="' in text for key in ("summary", "description", "runbook_url")), text
