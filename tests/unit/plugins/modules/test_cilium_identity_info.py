"""The module as Ansible runs it, over a state that stands for a cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from snapshots.identity_clusters import cilium, endpoint, endpoint_slice, identity, labelled_pod, security_labels
from snapshots.small_clusters import content, state

from ansible_collections.podnet.upkeep.plugins.modules import cilium_identity_info

SAME = security_labels(app="twice")
CLUSTER: dict[str, Any] = {
    **cilium(),
    "ciliumidentities": [
        identity(300),
        identity(301, labels=security_labels("shop", app="cart")),
        identity(302, mark=20),
        identity(303, age=20),
        identity(304, age=200, labels=SAME),
        identity(305, age=100, labels=SAME),
        identity(70000),
    ],
    "ciliumendpoints": [
        *(endpoint(f"p{number}", 300) for number in range(12)),
        endpoint("t", 304),
        endpoint("lost", 399),
    ],
    "ciliumendpointslices": [endpoint_slice(305)],
    "pods": [labelled_pod("cart-1", "shop", app="cart")],
}


def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    cluster: dict[str, Any] | None = None,
    unknown: dict[str, str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Run the module against a live cluster."""
    asked: list[Any] = []
    made = state(unknown, **(CLUSTER if cluster is None else cluster))
    monkeypatch.setattr(cilium_identity_info.KubeClient, "from_options", lambda _options: None)
    monkeypatch.setattr(cilium_identity_info.live, "collect", lambda _client, wanted: asked.append(wanted) or made)
    with patch_module_args(options), pytest.raises(SystemExit):
        cilium_identity_info.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    if asked:
        assert "ciliumidentities" in asked[0].resources and "events" not in asked[0].resources
    return printed


def test_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every documented value is there, and no other."""
    result = run(monkeypatch, capsys)
    documented = set(yaml.safe_load(cilium_identity_info.RETURN))
    assert set(result) - {"changed", "invocation", "warnings", "deprecations"} == documented
    assert result["changed"] is False and result["installed"] is True and result["asked"] == []
    assert (result["used"], result["free"], result["objects"]) == (6, 65274, 7)
    assert result["classes"] == {
        **{"in-use": 3, "pending": 1, "marked": 1, "aging": 1, "leaked": 0, "out-of-range": 1, "duplicate": 1}
    }


def test_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each in the order of the question, once, with class, why, and who uses it."""
    numbers = [300, 301, 302, 303, 305, 70000, 399, 400, 4, 1 << 24, 300]
    found = {one["id"]: one for one in run(monkeypatch, capsys, ids=numbers)["asked"]}
    assert list(found) == numbers[:-1]
    assert [one["class"] for one in found.values()] == [
        *("in-use", "pending", "marked", "aging", "in-use", "out-of-range"),
        *(None, None, None, None),
    ]
    assert found[300]["endpoints"] == 12 and len(found[300]["endpoint_names"]) == 10
    assert found[300]["why"] == "12 endpoints name it, so nothing collects it"
    assert "pod shop/cart-1 needs it" in found[301]["why"] and found[301]["age"] == "10 h"
    assert found[302]["marked_at"] and found[302]["marked_at"] in found[302]["why"]
    assert found[305]["duplicate_of"] == "304" and found[305]["endpoint_names"] == ["default/of-slice-305"]
    assert found[305]["security_labels"] == SAME and found[300]["duplicate_of"] is None
    assert found[70000]["in_range"] is False and "256 to 65535; 0 endpoints name it" in found[70000]["why"]
    assert [found[number]["exists"] for number in (300, 399, 4)] == [True, False, False]
    assert "although 1 endpoints name it" in found[399]["why"] and found[400]["why"].endswith("no such CiliumIdentity")
    assert "reserved" in found[4]["why"] and "each Node gives out itself" in found[1 << 24]["why"]


def test_unknown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What could not be read is named and leaves null."""
    without = {key: value for key, value in CLUSTER.items() if key != "ciliumendpoints"}
    result = run(monkeypatch, capsys, without, {"ciliumendpoints": "forbidden"}, ids=[300])
    assert result["classes"] is None and result["unknown"] == {"ciliumendpoints": "forbidden"}
    (only,) = result["asked"]
    assert only["class"] is None and only["endpoints"] is None and "ciliumendpoints could not be read" in only["why"]
    without = {key: value for key, value in CLUSTER.items() if key != "ciliumidentities"}
    result = run(monkeypatch, capsys, without, {"ciliumidentities": "forbidden"}, ids=[300])
    (only,) = result["asked"]
    assert result["used"] is None and only["exists"] is None and only["why"] == "ciliumidentities could not be read"


def test_without_cilium(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The same keys, with nothing in them."""
    result = run(monkeypatch, capsys, {}, ids=[300])
    assert result["installed"] is False and result["range"] is None and result["history"] == []
    assert set(yaml.safe_load(cilium_identity_info.RETURN)) <= set(result)


def test_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The same answer from a file."""
    path = tmp_path / "state.json"
    path.write_text(json.dumps(content(**CLUSTER)), encoding="utf-8")
    live = run(monkeypatch, capsys, ids=[300])
    saved = run(monkeypatch, capsys, ids=[300], source="snapshot", snapshot=str(path))
    assert {**saved, "invocation": None} == {**live, "invocation": None}


@pytest.mark.parametrize(
    ("ids", "words"),
    [([0], "ids: 0 is no identity"), ([1 << 32], "is no identity"), (list(range(1, 1002)), "ids: 1001 numbers")],
)
def test_bad_ids(
    ids: list[int], words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence that names option, value and remedy."""
    result = run(monkeypatch, capsys, ids=ids)
    assert result["failed"] and words in result["msg"]
