"""The module as Ansible runs it: options in, result and files out, one sentence for what is wrong."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from snapshots.make_sick_small import TARGET, state
from snapshots.report_documents import sick
from snapshots.small_clusters import content, node

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.modules import audit_info


def run(capsys: pytest.CaptureFixture[str], *, check: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module; what it prints."""
    with patch_module_args({**options, "_ansible_check_mode": check}), pytest.raises(SystemExit) as ended:
        audit_info.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert bool(ended.value.code) is bool(printed.get("failed", False))
    return printed


@pytest.fixture
def snapshot() -> dict[str, Any]:
    """Options for the bundled state."""
    return {"source": "snapshot", "snapshot": str(TARGET)}


@pytest.mark.parametrize("check", [False, True])
def test_result_and_files(
    check: bool, snapshot: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reports are written in check mode too; nothing counts as a change."""
    names = {"output_path": "a.json", "report_html": "a.html", "report_markdown": "a.md", "save_state": "s.json"}
    files = {option: str(tmp_path / name) for option, name in names.items()}
    result = run(capsys, check=check, **snapshot, **files)
    assert result["changed"] is False and result["report_paths"] == files
    assert result["summary"]["critical"] == 7 and result["truncated"] is False and "nodes" not in result
    assert result["summary_lines"][-1].endswith(f", saved state {files['save_state']}")
    written = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert written["findings"] == result["findings"] and len(written["nodes"]) == 12
    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / "a.md").read_text(encoding="utf-8").startswith("# Pod network audit")
    assert audit_info.snapshot.load(files["save_state"]) == audit_info.snapshot.load(str(TARGET))


def test_many_findings_are_cut_in_the_result_only(
    snapshot: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Worst first; the file has all."""
    path = tmp_path / "a.json"
    result = run(capsys, **snapshot, max_findings_returned=2, output_path=str(path))
    written = json.loads(path.read_text(encoding="utf-8"))
    assert result["truncated"] is True and result["findings"] == written["findings"][:2]
    assert len(written["findings"]) == result["summary"]["findings"] > 11


def test_selection(snapshot: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Over the whole result, Nodes included, however few findings are returned."""
    expression = "nodes[?severity=='critical'].name"
    result = run(capsys, **snapshot, select=expression, max_findings_returned=0)
    assert result["selected"] == ["worker-2", "worker-3", "worker-4", "worker-5", "worker-6"]
    assert "selected" not in run(capsys, **snapshot)


def test_an_override_wins(snapshot: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """What the user states is what Nodes are judged by."""
    allocator = {"cluster_cidrs": ["10.240.0.0/12"], "node_mask_size_ipv4": 24}
    result = run(capsys, **snapshot, allocator=allocator)
    assert result["allocator"]["source"] == "option allocator" and result["pools"][0]["capacity"] == 4096
    assert "node-cidr-out-of-range" not in {finding["id"] for finding in result["findings"]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"snapshot": "/absent"}, "snapshot: /absent cannot be read: No such file"),
        ({"select": "findings[?"}, "select: 'findings[?' is not a JMESPath expression"),
        ({"select": "length(summary_of_nothing)"}, "select: 'length(summary_of_nothing)' is not a JMESPath expression"),
        ({"allocator": {"cluster_cidrs": ["10.0.0.0/40"]}}, "allocator: '10.0.0.0/40' is not a CIDR"),
        ({"allocator": {"cluster_cidrs": ["10.0.0.0/8", "11.0.0.0/8"]}}, "allocator: cluster_cidrs has two ranges"),
        ({"allocator": {}}, "missing required arguments: cluster_cidrs"),
        ({"headroom_factor": -1}, "headroom_factor: -1.0 is not a factor"),
        ({"agent_concurrency": 0}, "agent_concurrency: 0 agents at once would ask none; give 1 or more"),
        ({"compare_to": "/absent.json"}, "compare_to: /absent.json cannot be read: No such file"),
        ({"compare_to": str(TARGET)}, f"compare_to: {TARGET} is not JSON"),
        ({"fail_on": "info"}, "value of fail_on must be one of: critical, warning, never, got: info"),
        ({"report_html": "/absent/a.html"}, "report_html: /absent/a.html cannot be written"),
    ],
)
def test_bad_options(
    options: dict[str, Any], words: str, snapshot: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence that names the option and the value."""
    result = run(capsys, **{**snapshot, **options})
    assert result["failed"] is True and words in result["msg"] and "\n" not in result["msg"]


FILES = {
    **{"output_path": "a.json", "report_html": "a.html", "report_markdown": "a.md", "save_state": "s.json.gz"},
    **{"report_prometheus": "a.prom", "report_junit": "a.xml"},
}


@pytest.mark.parametrize("fail_on", ["critical", "warning"])
def test_it_fails_after_everything_is_written(
    fail_on: str, snapshot: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the counts in the message, and the result that a successful run returns."""
    files = {option: str(tmp_path / name) for option, name in FILES.items()}
    passed = run(capsys, **snapshot, **files, select="summary.critical")
    for path in files.values():
        Path(path).unlink()
    failed = run(capsys, **snapshot, **files, select="summary.critical", fail_on=fail_on)
    assert failed["msg"].startswith(f"fail_on: {fail_on}: the audit has findings (7 critical, 4 warning, ")
    assert failed["failed"] is True and {path.name for path in tmp_path.iterdir()} == set(FILES.values())
    of_run = ("invocation", "failed", "msg")
    assert {key: one for key, one in failed.items() if key not in of_run} == {
        key: one for key, one in passed.items() if key not in of_run
    }


def test_warnings_fail_only_where_that_was_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cluster with a warning and nothing critical; one with nothing never fails."""
    small = [node("a", "10.0.0.0/25")]
    for nodes, fails in ((small, {"warning"}), ([node("a", "10.0.0.0/24")], set())):
        path = tmp_path / "state.json"
        path.write_text(json.dumps(content(nodes=nodes)), encoding="utf-8")
        options = {"source": "snapshot", "snapshot": str(path), "allocator": {"cluster_cidrs": ["10.0.0.0/16"]}}
        for fail_on in ("critical", "warning", "never"):
            assert run(capsys, **options, fail_on=fail_on).get("failed", False) is (fail_on in fails), fail_on


def test_compared_with_an_older_result(
    snapshot: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same file may be read and written; the lists are cut in the result only."""
    path = tmp_path / "a.json"
    assert run(capsys, **snapshot, output_path=str(path))["comparison"] is None
    older = json.loads(path.read_text(encoding="utf-8"))
    named = [one for one in older["findings"] if one["subject"]["name"] == "worker-4"]
    older["findings"] = [one for one in older["findings"] if one not in named]
    older["findings"] += [{**one, "subject": {**one["subject"], "name": "worker-99"}} for one in named]
    path.write_text(json.dumps(older), encoding="utf-8")
    result = run(capsys, **snapshot, output_path=str(path), compare_to=str(path), max_findings_returned=1)
    written = json.loads(path.read_text(encoding="utf-8"))["comparison"]
    assert written["new"] == named and {one["subject"]["name"] for one in written["gone"]} == {"worker-99"}
    assert result["comparison"]["new"] == named[:1] and len(result["comparison"]["gone"]) == 1
    assert f"compared: {len(named)} new, {len(named)} gone, " in "\n".join(result["summary_lines"])


def test_options_reach_the_reader(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In one place, with their defaults."""
    seen: list[Any] = []

    def collect(client: object, options: Any) -> Any:
        seen.append(options)
        return ClusterState.from_json(state())

    monkeypatch.setattr(audit_info.KubeClient, "from_options", lambda options: None)
    monkeypatch.setattr(audit_info.live, "collect", collect)
    run(capsys)
    assert seen[-1] == audit_info.live.LiveOptions(hosts=[], processes=True)
    hosts = [{"node": "a", "conflists": [], "bridge_addresses": [], "error": ""}]
    more = {"use_agents": True, "agent_concurrency": 3, "read_logs": True, "cilium_namespace": "cilium"}
    run(capsys, **more, host_facts=hosts)
    assert seen[-1] == audit_info.live.LiveOptions(
        processes=True, agents=True, agent_concurrency=3, logs=True, hosts=hosts, cilium_namespace="cilium"
    )


def test_rows_of_nodes_stay_in_the_file(
    snapshot: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A workflow's artifact must not grow with the cluster."""
    rows = [{"node": f"n{number}"} for number in range(5000)]
    parts = {"endpoints": {"nodes": rows, "count": 5000}, "ipam_report": {"table": {"rows": [["a"]] * 5000}}}
    monkeypatch.setattr(audit_info, "document", lambda context: {**sick(), **parts})
    path = tmp_path / "a.json"
    result = run(capsys, **snapshot, output_path=str(path))
    assert result["endpoints"] == {"count": 5000} and len(result["ipam_report"]["table"]["rows"]) == 100
    assert len(json.loads(path.read_text(encoding="utf-8"))["endpoints"]["nodes"]) == 5000


def test_the_result_is_documented() -> None:
    """Every key that is returned is in RETURN, and nothing else is."""
    documented = set(yaml.safe_load(audit_info.RETURN))
    with_extras = {"summary_lines", "truncated", "selected", "report_paths", "comparison"}
    returned = (set(sick()) - {"nodes"}) | with_extras
    assert returned == documented


def test_without_a_snapshot(capsys: pytest.CaptureFixture[str]) -> None:
    """The source asks for it."""
    assert "snapshot" in run(capsys, source="snapshot")["msg"]


def without(monkeypatch: pytest.MonkeyPatch, *libraries: str) -> None:
    """These libraries are not installed."""
    real = builtins.__import__

    def importing(name: str, *more: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] in libraries:
            raise ImportError(name)
        return real(name, *more, **kwargs)

    for library in libraries:
        for name in [one for one in sys.modules if one.split(".")[0] == library]:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", importing)


def test_a_snapshot_needs_no_kubernetes_library(
    snapshot: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor urllib3: an audit of a file runs where only Ansible is."""
    without(monkeypatch, "kubernetes", "urllib3", "jmespath")
    assert run(capsys, **snapshot)["summary"]["nodes"] == 12


def test_without_jmespath(
    snapshot: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The library is named, with the interpreter that lacks it."""
    without(monkeypatch, "jmespath")
    result = run(capsys, **snapshot, select="summary")
    assert "select: Failed to import the required Python library (jmespath)" in result["msg"]
