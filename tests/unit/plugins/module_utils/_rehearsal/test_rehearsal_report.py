"""From the lines that a run wrote down to a report: what refused, what held drains up, how long it took."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal import record
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.bring_up import BroughtUp
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.playbook_run import report
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.playbooks import playbook_of
from ansible_collections.podnet.upkeep.plugins.module_utils._report.rehearsal import (
    rehearsal_html,
    rehearsal_lines,
    rehearsal_markdown,
    write_rehearsal,
)

DRAIN = "podnet.upkeep.node_drain"


def line(
    host: str, task: str, at: float, seconds: float, outcome: str = "ok", action: str = "x", **result: Any
) -> dict[str, Any]:
    """One line of a record."""
    return {
        **{"play": "p", "task": task, "action": action, "host": host, "outcome": outcome, "at": at, "seconds": seconds},
        "result": result,
    }


HELD = {
    "namespace": "a",
    "name": "held",
    "action": "remove",
    "result": "waiting",
    "budget": {"name": "b"},
    "detail": "waits: b",
    "seconds": 0.0,
}
REFUSED = {
    "namespace": "a",
    "name": "bare",
    "action": "refuse",
    "result": "planned",
    "budget": None,
    "reason": "not managed",
}
GONE = {"namespace": "a", "name": "gone", "action": "remove", "result": "gone", "budget": None, "seconds": 1.0}
LINES = [
    line("localhost", "Plan", 10.0, 2.0, lines=["1 Node <b>", "1. Node w1"], refusals=["No."]),
    line("w1", "Drain", 20.0, 5.0, "failed", DRAIN, msg="not empty", pods=[HELD, REFUSED, GONE], refusals=["No."]),
    line("w1", "Undo", 21.0, 0.5),
    line("w2", "Drain", 30.0, 6.0, action=DRAIN, pods=[GONE]),
]
FINDING = {
    "id": "f",
    "severity": "critical",
    "subject": {"kind": "Node", "name": "w1", "namespace": ""},
    "summary": "S",
}


def document(**changes: Any) -> dict[str, Any]:
    """A report of these lines."""
    summary = {"critical": 1, "warning": 0, "info": 0}
    audit = {"taken_at": "2026-11-01T06:00:00+00:00", "findings": [FINDING], "summary": summary}
    made = BroughtUp(
        "/f", "2026-11-01T06:00:00+00:00", audit=audit, counts={"nodes": 2, "pods": 3}, said=["Not there."]
    )
    made.blocked_budgets = [{"namespace": "a", "name": "b", "healthy": 1, "healthy_needed": 1, "pods": 1}]
    after = copy.deepcopy({**audit, "findings": [], "summary": {**summary, "critical": 0}})
    found = report(made, playbook_of("reassign_pod_cidrs"), LINES, after, exit_code=2, seconds=31.04)
    return {**found, **changes}


def test_what_a_record_says() -> None:
    """Plans, refusals, blocked pods, times."""
    made = document()
    assert made["plan"] == ["1 Node <b>", "1. Node w1"] and made["refusals"] == ["No."]
    assert [(one["pod"], one["budget"]) for one in made["blocked_pods"]] == [("held", "b"), ("bare", "")]
    assert made["nodes"] == [
        {"node": "w1", "seconds": 6.0, "outcome": "done"},
        {"node": "w2", "seconds": 6.0, "outcome": "done"},
    ]
    assert made["steps"][0] == {"step": "Drain", "times": 2, "seconds": 11.0, "longest": 6.0}
    assert made["failures"] == [{"host": "w1", "task": "Drain", "message": "not empty"}]
    assert made["outcome"] == "failed" and made["seconds"] == 31.0
    assert made["comparison"]["gone"] == [FINDING] and not made["comparison"]["new"]
    assert json.loads(json.dumps(made)) == made


def test_a_killed_run_has_half_a_line(tmp_path: Path) -> None:
    """It is left out; without a file there are none."""
    path = tmp_path / "r"
    assert record.read(str(path)) == []
    path.write_text(json.dumps(LINES[0]) + "\n" + json.dumps(LINES[1])[:50], encoding="utf-8")
    assert record.read(str(path)) == [LINES[0]]


def test_reports(tmp_path: Path) -> None:
    """All say what is not proven; texts stay texts; files are written."""
    made = document()
    lines = rehearsal_lines(made)
    assert lines[0] == "podnet.upkeep.reassign_pod_cidrs on a copy with 2 nodes, 3 pods: failed after 31.0 s."
    assert "REFUSED: No." in lines and "DRAIN: a/held stays on w1: waits: b" in lines and "FAILED: not empty" in lines
    assert "Audit: 1 critical and 0 warning before, 0 and 0 after." in lines
    for text in (rehearsal_markdown(made), rehearsal_html(made)):
        assert "What this rehearsal cannot prove" in text and "no packet was sent" in text and "Not there." in text
        assert "<b>" not in text.replace("<b>0</b>", "")
    options = {"output_path": str(tmp_path / "a.json"), "report_html": str(tmp_path / "a.html"), "report_markdown": ""}
    assert set(write_rehearsal(options, made)) == {"output_path", "report_html"}
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == made


def test_no_last_audit() -> None:
    """Said, and not taken for a good one."""
    made = document(comparison=None, after=None, outcome="ended by its time limit", exit_code=None)
    assert "There is none." in rehearsal_markdown(made)
    assert not any(text.startswith("Audit") for text in rehearsal_lines(made))


def test_a_playbook_that_does_not_begin() -> None:
    """No task failed; its own words say why."""
    audit = {"taken_at": "t", "findings": [], "summary": {"critical": 0, "warning": 0, "info": 0}}
    made = BroughtUp("/f", "t", audit=audit)
    output = ["[ERROR]: the role", "  was not found"]
    found = report(made, playbook_of("tune_cilium"), [], None, exit_code=1, seconds=1.0, output=output)
    assert found["failures"][0]["message"] == "[ERROR]: the role was not found"


OF_AGENT = {**FINDING, "id": "pod-without-endpoint"}


def after_a_run(*nodes: str) -> dict[str, Any]:
    """A report after which pods of these Nodes have no CiliumEndpoint; those of w1 had none before."""
    on = [{**OF_AGENT, "subject": {**FINDING["subject"], "name": node}, "summary": f"On {node}."} for node in nodes]
    audit = {"taken_at": "2026-11-01T06:00:00+00:00"}
    made = BroughtUp(
        "/f",
        "2026-11-01T06:00:00+00:00",
        audit={**audit, "findings": [OF_AGENT], "summary": {"critical": 1, "warning": 0, "info": 0, "findings": 1}},
    )
    numbers = {"critical": 2 + len(on), "warning": 0, "info": 0, "findings": 2 + len(on)}
    after = {**audit, "findings": [OF_AGENT, *on, FINDING], "summary": numbers}
    return report(made, playbook_of("reassign_pod_cidrs"), [], after, exit_code=0, seconds=1.0)


def test_findings_that_an_agent_would_have_prevented_are_left_out() -> None:
    """Pods of the copy that have run for a while have no CiliumEndpoint; one that had none before is a finding still."""
    found = after_a_run("w2")
    assert found["after"] == {"critical": 2, "warning": 0, "info": 0, "findings": 2}
    assert [one["id"] for one in found["comparison"]["new"]] == ["f"] and found["comparison"]["still"] == 1
    assert [one["subject"]["name"] for one in found["comparison"]["left_out"]] == ["w2"]


def test_reports_list_what_is_left_out() -> None:
    """Each finding with its reason, and in the terminal how many of each; nothing of it where there are none."""
    made = after_a_run("w2", "w3")
    reason = made["comparison"]["left_out"][0]["reason"]
    assert "none runs in a rehearsal" in reason
    assert f"LEFT OUT: 2 new pod-without-endpoint: {reason}" in rehearsal_lines(made)
    for text in (rehearsal_markdown(made), rehearsal_html(made)):
        below = text[text.index("only because this is a rehearsal") :]
        assert "On w2." in below and "On w3." in below and below.count(reason) == 2
        assert text.count("On w2.") == 1
    without = after_a_run()
    for text in (rehearsal_markdown(without), rehearsal_html(without), *rehearsal_lines(without)):
        assert "only because this is a rehearsal" not in text and "LEFT OUT" not in text


def test_no_finding_is_lost_in_a_long_list() -> None:
    """Tables say how many rows are not in them; the JSON report has all."""
    made = after_a_run(*(f"n{number}" for number in range(250)))
    assert len(made["comparison"]["left_out"]) == 250 and made["after"]["critical"] == 2
    assert "200 of 250 rows are shown; the JSON report has all." in rehearsal_html(made)
    assert "200 of 250 rows are shown." in rehearsal_markdown(made)
