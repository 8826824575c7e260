"""The module as Ansible runs it, against an API server that keeps objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.modules import maintenance_run


class Module:
    """Runs the module from one machine (state_dir)."""

    def __init__(self, api: FakeApi, capsys: pytest.CaptureFixture[str], state_dir: Path) -> None:
        self.api, self._capsys, self.state_dir = api, capsys, state_dir

    def __call__(self, state: str, **options: Any) -> dict[str, Any]:
        given = {**self.api.options, "state": state, "state_dir": str(self.state_dir), **options}
        with patch_module_args(given), pytest.raises(SystemExit):
            maintenance_run.main()
        printed: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return printed


@pytest.fixture
def module(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Module]:
    """One machine and an empty cluster."""
    with FakeApi() as api:
        yield Module(api, capsys, tmp_path / "one")


def test_from_start_to_end(module: Module) -> None:
    """With the holder that started returns; documented keys are returned and no others."""
    documented = set(yaml.safe_load(maintenance_run.RETURN))
    started = module("started", plan={"nodes": ["w1"]}, plan_digest="d")
    holder = started["holder"]
    assert started["lease"] == "kube-system/podnet-upkeep-reassign-pod-cidrs"
    assert module("checkpoint", holder=holder)["may_continue"]
    assert not module("held", holder=holder)["changed"]
    assert module("recorded", holder=holder, node="w1", entry={"step": "deleted"})["unfinished_nodes"] == ["w1"]
    info = module("inspected")
    assert info["holder"] == holder and info["expired"] is False
    assert info["journal"]["nodes"]["w1"]["step"] == "deleted"
    finished = module("finished", holder=holder)
    assert finished["changed"] and module("inspected")["holder"] == ""
    for result in (started, info, finished):
        assert set(result) - {"changed", "invocation", "warnings", "deprecations"} <= documented


def test_another_machine(module: Module, tmp_path: Path) -> None:
    """Is refused by name; names and namespaces keep runs apart."""
    holder = module("started")["holder"]
    module.state_dir = tmp_path / "two"
    assert f"Another run is under way: {holder} holds" in module("started")["msg"]
    assert module("started", name="other")["lease"] == "kube-system/podnet-upkeep-other"
    assert module("started", namespace="elsewhere")["lease"] == "elsewhere/podnet-upkeep-reassign-pod-cidrs"
    assert "refusals" in module("started", take_over=True)


def test_lost_lease(module: Module) -> None:
    """One sentence, no traceback."""
    module("started")
    failed = module("checkpoint", holder="somebody else")
    assert failed["failed"] and "of this run (somebody else) is held by" in failed["msg"]
    assert "held_by" in yaml.safe_load(maintenance_run.RETURN) and failed["held_by"]


def test_check_mode(module: Module) -> None:
    """Neither the cluster nor the folder is written to."""
    assert module("started", _ansible_check_mode=True)["changed"]
    assert not module.state_dir.exists() and not [one for one in module.api.store.objects if "podnet" in one]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "Big_Name"}, "name: 'Big_Name' cannot be part of a name"),
        ({"name": "x" * 101}, "cannot be part of a name"),
        ({"name": ""}, "cannot be part of a name"),
        ({"holder": "two\nlines"}, "holder: it is not a line"),
        ({"lease_seconds": 29}, "lease_seconds: 29 is shorter"),
        ({"lease_seconds": 86401}, "give 30 to 86400"),
        ({"window_end": "25:00"}, "window_end: '25:00' is no time"),
        ({"state": "recorded", "node": "w1"}, "entry: node and step are needed"),
        ({"state": "recorded", "entry": {"step": "x"}}, "entry: node and step are needed"),
        ({"state": "held", "uid": "u1"}, "uid: u1 is the uid of a Node; give its name as node."),
        ({"state": "paused"}, "value of state must be one of"),
    ],
)
def test_bad_input(module: Module, options: dict[str, Any], words: str) -> None:
    """One sentence that names the option, and nothing was written."""
    failed = module(**{"state": "started", **options})
    assert failed["failed"] and words in failed["msg"]
    assert all(one.method == "GET" for one in module.api.requests)
