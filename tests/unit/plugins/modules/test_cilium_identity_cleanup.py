"""The module as Ansible runs it, against the fake API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from snapshots.identity_clusters import endpoint, identity
from unit.fake_api import FakeApi
from unit.plugins.module_utils._operations.identity_scene import HEARTBEAT, Scene, marked

from ansible_collections.podnet.upkeep.plugins.modules import cilium_identity_cleanup


class Module:
    """Runs the module in one cluster."""

    def __init__(self, scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
        self.scene = scene
        self._capsys = capsys

    def __call__(self, **options: Any) -> dict[str, Any]:
        """What it prints."""
        journals = {"journal_path": str(self.scene.folder / "journals")}
        with patch_module_args({**self.scene.api.options, **journals, **options}), pytest.raises(SystemExit):
            cilium_identity_cleanup.main()
        printed: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return printed


@pytest.fixture
def module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Module]:
    """A cluster with an identity that is dead and marked, one in use, one of others, and one that is young."""
    with FakeApi() as api:
        scene = Scene(api, tmp_path).fill(
            *(marked(identity(300), 60, 60), identity(301), identity(70000), identity(303, age=10)),
            ciliumendpoints=[endpoint("a", 301)],
        )
        scene.add("namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        yield Module(scene, capsys)


def test_it_deletes_what_is_dead_and_nothing_the_second_time(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every documented value is there, and no other."""
    warned: list[str] = []
    monkeypatch.setattr(cilium_identity_cleanup.AnsibleModule, "warn", lambda _module, text: warned.append(text))
    first = module()
    documented = set(yaml.safe_load(cilium_identity_cleanup.RETURN)) - {"refusals"}
    assert set(first) - {"changed", "invocation", "warnings", "deprecations", "diff"} == documented
    assert first["changed"] is True and module.scene.there() == {"301", "303", "70000"}
    assert first["counts"] == {
        **{"before": 4, "candidates": 1, "marked": 0, "deleted": 1, "spared": 0, "remaining": 0, "finalizing": 0},
        **{"kept": 2, "beyond": 0, "after": 3},
    }
    assert {one["id"] for one in first["kept"]} == {303, 70000} and first["gc"]["verdict"] == "off"
    assert "turns the collection off" in warned[0]
    before = module.scene.writes()
    second = module()
    assert second["changed"] is False and second["journal_path"] == "" and module.scene.writes() == before


def test_check_mode_writes_nothing_and_says_everything(module: Module) -> None:
    """What would be marked, what deleted, and when."""
    module.scene.add("ciliumidentities", identity(304))
    found = module(_ansible_check_mode=True, _ansible_diff=True)
    assert found["changed"] is True and module.scene.writes() == [] and not (module.scene.folder / "journals").exists()
    lines = found["diff"]["before"].splitlines()
    assert lines[0].endswith("delete it now") and "300" in lines[0]
    assert lines[1].endswith("mark it now, delete it 6 min after that") and "304" in lines[1]
    assert found["diff"]["after"] == ""


def test_single_identities(module: Module) -> None:
    """Of each that must stay it says why."""
    found = module(identities=[301, 303, 305, 70000])
    assert found["changed"] is False and module.scene.writes() == []
    reasons = {one["id"]: one["reason"] for one in found["kept"]}
    assert reasons[301] == "CiliumEndpoint default/a names it" and "two heartbeat timeouts" in reasons[303]
    assert reasons[305] == "there is no such CiliumIdentity" and "range" in reasons[70000]


def test_a_run_that_stops_says_how_to_go_on(module: Module) -> None:
    """It fails with the whole result."""
    module.scene.api.store.add(
        "/apis/cilium.io/v2/ciliumidentities", marked(identity(306), 60, 60) | {"kind": "CiliumIdentity"}
    )
    config = module.scene.api.store.objects["/api/v1/namespaces/kube-system/configmaps/cilium-config"]

    def change(request: Any) -> None:
        if request.method == "DELETE":
            config["data"]["identity-allocation-mode"] = "kvstore"

    module.scene.api.before_request = change
    found = module(batch_size=1)
    assert found["failed"] is True and "The same command" in found["msg"] and "cilium-dbg kvstore" in found["stopped"]
    assert found["changed"] is True and found["counts"]["deleted"] == 1 and found["counts"]["remaining"] == 1


def test_marks_of_ours(module: Module) -> None:
    """Removed once; marks of the operator stay."""
    ours = marked(identity(307), 5, 5)
    ours["metadata"]["managedFields"][0]["manager"] = "podnet.upkeep"
    module.scene.add("ciliumidentities", ours)
    checked = module(remove_marks=True, _ansible_check_mode=True)
    assert checked["changed"] is True and module.scene.writes() == []
    done = module(remove_marks=True)
    assert done["changed"] is True and HEARTBEAT not in str(module.scene.identity(307)["metadata"].get("annotations"))
    assert HEARTBEAT in str(module.scene.identity(300)["metadata"]["annotations"]) and len(module.scene.there()) == 5
    del module.scene.identity(307)["metadata"]["managedFields"]  # the API server does so with the mark
    assert module(remove_marks=True)["changed"] is False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"identities": [0]}, "identities: 0 is no identity"),
        ({"grace": 10}, "grace: 10 seconds are too few"),
        ({"batch_size": 0}, "batch_size: 0 is not usable"),
        ({"grace": 400, "remove_marks": True}, "mutually exclusive"),
    ],
)
def test_options(module: Module, options: dict[str, Any], words: str) -> None:
    """Each with a sentence."""
    found = module(**options)
    assert found["failed"] is True and words in found["msg"] and module.scene.writes() == []
