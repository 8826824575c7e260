"""The role audit on a saved state: reports, statistics, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from snapshots.make_sick_small import TARGET

from harness.playbook import PlaybookRun, run_playbook

STATISTICS = '"podnet_upkeep_audit": { "critical": 7, "info":'


def audit(**variables: Any) -> PlaybookRun:
    """Audit the bundled state."""
    known = {"audit_source": "snapshot", "audit_snapshot": str(TARGET)}
    return run_playbook(
        "podnet.upkeep.audit", variables={**known, **variables}, env={"ANSIBLE_SHOW_CUSTOM_STATS": "true"}, timeout=120
    )


def test_every_report_and_the_statistics(tmp_path: Path) -> None:
    """It does not fail by itself; counts only are handed on."""
    names = {
        **{"audit_output_path": "a.json", "audit_report_html": "a.html", "audit_report_markdown": "a.md"},
        **{"audit_report_prometheus": "a.prom", "audit_report_junit": "a.xml", "audit_save_state": "s.json.gz"},
    }
    done = audit(**{option: str(tmp_path / name) for option, name in names.items()}, audit_select="summary.nodes")
    assert done.returncode == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == set(names.values())
    assert "12 Nodes: 7 critical, 4 warning" in done.output and '"msg": 12' in done.flat_output
    assert "CUSTOM STATS" in done.output and STATISTICS.replace(" ", "") in done.flat_output.replace(" ", "")
    assert done.changed == 0


@pytest.mark.parametrize("fail_on", ["critical", ["critical", "warning"]])
def test_it_fails_at_the_end(fail_on: Any, tmp_path: Path) -> None:
    """Reports, lines and statistics are there all the same."""
    done = audit(audit_fail_on=fail_on, audit_output_path=str(tmp_path / "a.json"))
    assert done.returncode == 2
    least = fail_on if isinstance(fail_on, str) else "warning"
    assert f"fail_on: {least}: the audit has findings (7 critical, 4 warning, " in done.flat_output
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["summary"]["critical"] == 7
    assert "12 Nodes: 7 critical, 4 warning" in done.output
    assert STATISTICS.replace(" ", "") in done.flat_output.replace(" ", "")


@pytest.mark.parametrize("fail_on", ["info", ["info"], "all"])
def test_what_it_cannot_fail_on(fail_on: Any) -> None:
    """One sentence, before anything is read."""
    done = audit(audit_fail_on=fail_on)
    assert done.returncode == 2 and "cannot be used; give critical, warning or never" in done.flat_output
    assert "Read the cluster and judge it" not in done.output


def test_an_empty_list_is_never() -> None:
    """The default of earlier versions."""
    assert audit(audit_fail_on=[]).returncode == 0


def test_an_audit_that_could_not_run_says_only_why() -> None:
    """No lines, no statistics, no second error."""
    done = audit(audit_snapshot="/absent")
    assert done.returncode == 2 and "snapshot: /absent" in done.flat_output
    assert "CUSTOM STATS" not in done.output and done.recap["localhost"]["failed"] == 1


def test_a_group_that_is_not_there() -> None:
    """The inventory is looked at before the cluster is."""
    done = audit(audit_source="live", audit_kubeconfig="/absent", audit_hosts_group="no_such_group")
    assert (
        done.returncode == 2
        and "audit_hosts_group 'no_such_group': the inventory has no such group" in done.flat_output
    )


def test_hosts_are_not_asked_for_a_snapshot() -> None:
    """They are not the hosts of then."""
    assert audit(audit_hosts_group="no_such_group").returncode == 0
