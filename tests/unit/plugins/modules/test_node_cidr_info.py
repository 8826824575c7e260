"""The module as Ansible runs it, over a state that stands for a cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from snapshots.small_clusters import controller_manager, node, state

from ansible_collections.podnet.upkeep.plugins.modules import node_cidr_info


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """Run the module against a cluster of two Nodes."""
    cluster = state(
        nodes=[node("a", "10.0.0.0/24"), node("b")],
        pods=[controller_manager("a", "--allocate-node-cidrs=true", "--cluster-cidr=10.0.0.0/22")],
    )
    monkeypatch.setattr(node_cidr_info.KubeClient, "from_options", lambda _options: None)
    monkeypatch.setattr(node_cidr_info.live, "collect", lambda _client: cluster)
    with patch_module_args(options), pytest.raises(SystemExit):
        node_cidr_info.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def test_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nodes with their CIDRs, free blocks, model and settings; no findings with their texts."""
    result = run(monkeypatch, capsys)
    assert result["changed"] is False
    assert [(one["name"], one["pod_cidrs"]) for one in result["nodes"]] == [("a", ["10.0.0.0/24"]), ("b", [])]
    assert [(one["free"], one["waiting_nodes"]) for one in result["pools"]] == [(3, 1)]
    assert result["ipam_model"]["name"] == "node-spec" and result["allocator"]["cluster_cidrs"] == ["10.0.0.0/22"]
    assert result["unknown"] == {} and "findings" not in result


def test_stated_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """They win, and a wrong one is named."""
    assert run(monkeypatch, capsys, allocator={"cluster_cidrs": ["10.0.0.0/16"]})["pools"][0]["free"] == 255
    assert "allocator: 'x' is not a CIDR" in run(monkeypatch, capsys, allocator={"cluster_cidrs": ["x"]})["msg"]
