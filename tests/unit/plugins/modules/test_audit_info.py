"""The module as Ansible runs it: options in, result and files out, one sentence for what is wrong."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from snapshots.make_sick_small import TARGET, state

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
    saved = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert saved["resources"] == state()["resources"]


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
        ({"report_html": "/absent/a.html"}, "report_html: /absent/a.html cannot be written"),
    ],
)
def test_bad_options(
    options: dict[str, Any], words: str, snapshot: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence that names the option and the value."""
    result = run(capsys, **{**snapshot, **options})
    assert result["failed"] is True and words in result["msg"] and "\n" not in result["msg"]


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
