"""The module as Ansible runs it, over a state that stands for a cluster, and over saved ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from snapshots import make_sick_cilium
from snapshots.label_filter_clusters import cluster, labelled, network_policy

from ansible_collections.podnet.upkeep.plugins.modules import audit_info, cilium_label_filter_info

PODS = [labelled("a", {"app": "a", "role": "db"}), labelled("b", {"app": "b"})]
POLICY = network_policy("p", {"matchLabels": {"role": "db"}})


def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unknown: dict[str, str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Run the module against a live cluster."""
    asked: list[Any] = []
    made = cluster(PODS, unknown=unknown, networkpolicies=[POLICY]).state
    monkeypatch.setattr(cilium_label_filter_info.KubeClient, "from_options", lambda _options: None)
    monkeypatch.setattr(cilium_label_filter_info.live, "collect", lambda _client, wanted: asked.append(wanted) or made)
    with patch_module_args(options), pytest.raises(SystemExit):
        cilium_label_filter_info.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    if asked:
        assert {"pods", "networkpolicies"} <= set(asked[0].resources) and "nodes" not in asked[0].resources
    return printed


def test_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every documented value is there, and no other; files have all rows."""
    paths = {name: str(tmp_path / name) for name in ("output_path", "report_html", "report_markdown")}
    options = {"labels": "k8s:!role$ k8s:!app$", "target_identities": 1, "max_rows_returned": 1, **paths}
    result = run(monkeypatch, capsys, **options)
    documented = set(yaml.safe_load(cilium_label_filter_info.RETURN))
    assert set(result) - {"changed", "invocation", "warnings", "deprecations"} == documented
    assert result["changed"] is False and result["identities"]["after"] == 1 and result["report_paths"] == paths
    assert [one["kind"] for one in result["refusals"]] == ["policies-affected"]
    assert len(result["workloads"]) == 1 and result["workloads_count"] == 2
    whole = json.loads(Path(paths["output_path"]).read_text(encoding="utf-8"))
    assert len(whole["workloads"]) == 2 and whole["policies"]["effects"][0]["name"] == "p"
    assert all("NetworkPolicy shop/p" in Path(paths[one]).read_text(encoding="utf-8") for one in list(paths)[1:])


def test_the_present_filter(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without labels nothing changes; an empty text is a filter."""
    assert run(monkeypatch, capsys)["changes"] is False
    assert run(monkeypatch, capsys, labels="")["changes"] is False
    assert run(monkeypatch, capsys, target_version="1.20.0")["upgrade"]["added_defaults"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target_version": "latest"}, "target_version: 'latest' is no version of Cilium whose filter is known"),
        ({"version": "0.9"}, "version: '0.9' is no version"),
        ({"target_identities": 0}, "target_identities: 0 identities cannot be reached; give 1 or more"),
        ({"max_rows_returned": 0}, "max_rows_returned: 0 is too few"),
        ({"agent_concurrency": -1}, "agent_concurrency: -1 is too few"),
        ({"labels": "a", "report_html": "/nowhere/x.html"}, "report_html: /nowhere/x.html cannot be written"),
        ({"source": "snapshot", "snapshot": "/nowhere"}, "snapshot: /nowhere cannot be read"),
    ],
)
def test_bad_options_are_one_sentence(
    options: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """That names the option."""
    result = run(monkeypatch, capsys, **options)
    assert result["failed"] and words in result["msg"] and "\n" not in result["msg"]


def test_a_filter_that_no_agent_takes_is_an_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no failure: that is what was asked."""
    result = run(monkeypatch, capsys, labels="k8s:(")
    assert not result.get("failed") and result["identities"]["after"] is None
    assert [one["kind"] for one in result["refusals"]] == ["label-filter-invalid"]


@pytest.mark.parametrize("path", [make_sick_cilium.KUBECTL, make_sick_cilium.MAIN, make_sick_cilium.V1_15])
def test_snapshots(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Of three layouts the same answer, also as part of an audit."""
    options = {"source": "snapshot", "snapshot": str(path)}
    result = run(monkeypatch, capsys, labels="k8s:team$", **options)
    assert result["identities"] == {"now": 3, "after": 1, "objects": 7, "peak": 8, "capacity": 65280}
    (effect, peer) = result["policies"]["effects"]
    assert (effect["name"], effect["becomes"], effect["opens"]) == ("cart", "dead", True)
    assert (peer["becomes"], peer["opens"]) == ("dead", False)
    assert {one["name"] for one in result["policies"]["already"]} == {"dns", "first-only"} and not result[
        "unknown"
    ].get("networkpolicies")
    with patch_module_args({**options, "label_filter": {"labels": "k8s:team$"}}), pytest.raises(SystemExit):
        audit_info.main()
    audited = json.loads(capsys.readouterr().out)
    assert audited["label_filter"]["policies"] == result["policies"]
    assert any("2 selectors of 1 polic" in one for one in audited["summary_lines"])


def test_an_audit_names_its_own_option(capsys: pytest.CaptureFixture[str]) -> None:
    """In sentences about the dict."""
    with patch_module_args({"label_filter": {"target_version": "x"}}), pytest.raises(SystemExit):
        audit_info.main()
    assert "label_filter: target_version: 'x'" in json.loads(capsys.readouterr().out)["msg"]
