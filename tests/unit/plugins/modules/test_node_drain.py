"""The module as Ansible runs it, against an API server that keeps objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.modules import node_drain

PODS = "/api/v1/namespaces/default/pods"
NODE = "/api/v1/nodes/w1"


def run(api: FakeApi, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """Run the module on w1."""
    with patch_module_args({**api.options, "name": "w1", **options}), pytest.raises(SystemExit):
        node_drain.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def cluster(api: FakeApi, owner: str = "ReplicaSet") -> None:
    """Node w1 with one pod."""
    api.store.add("/api/v1/nodes", {"metadata": {"name": "w1"}, "spec": {}})
    owners = [{"apiVersion": "apps/v1", "kind": owner, "name": "web", "controller": True}] if owner else []
    pod = {"metadata": {"name": "web-0", "ownerReferences": owners}, "spec": {"nodeName": "w1"}}
    api.store.add(PODS, pod)


def test_plan_drain_and_uncordon(capsys: pytest.CaptureFixture[str]) -> None:
    """Check mode returns the plan and writes nothing; then it is done; a second run changes nothing."""
    with FakeApi() as api:
        cluster(api)
        planned = run(api, capsys, _ansible_check_mode=True)
        assert planned["changed"] and planned["cordoned"] and planned["pods"][0]["result"] == "planned"
        assert planned["diff"]["before"] == {"unschedulable": False, "pods_to_remove": ["default/web-0"]}
        assert {request.method for request in api.requests} == {"GET"}
        done = run(api, capsys)
        assert done["changed"] and done["cordoned"] and done["pods"][0]["result"] == "gone"
        again = run(api, capsys)
        assert not again["changed"] and not again["cordoned"] and again["was_unschedulable"]
        assert run(api, capsys, state="uncordoned")["changed"]
        assert not run(api, capsys, state="uncordoned")["changed"]


def test_refusal_comes_before_the_cordon(capsys: pytest.CaptureFixture[str]) -> None:
    """With the decision about each pod."""
    with FakeApi() as api:
        cluster(api, owner="")
        failed = run(api, capsys)
        assert failed["refusals"] == [
            "cannot delete Pods that declare no controller (use --force to override): default/web-0"
        ]
        assert failed["pods"][0]["action"] == "refuse"
        assert "unschedulable" not in api.store.objects[NODE]["spec"]
        assert run(api, capsys, force=True)["drain_warnings"] == [
            "deleting Pods that declare no controller: default/web-0"
        ]


def test_failed_drain_is_undone(capsys: pytest.CaptureFixture[str]) -> None:
    """By default; the result of each pod is in the failure."""
    with FakeApi() as api:
        cluster(api)
        api.store.sticky_pods.add("web-0")
        failed = run(api, capsys, timeout=1)
        assert failed["failed"] and failed["msg"].endswith("Node w1 is schedulable again as before.")
        assert failed["pods"][0]["result"] == "terminating"
        assert "unschedulable" not in api.store.objects[NODE]["spec"]
        assert run(api, capsys, timeout=1, uncordon_on_failure=False)["msg"].endswith("Node w1 stays cordoned.")


def lease(api: FakeApi, holder: str) -> None:
    """The Lock of a run."""
    api.store.add(
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases",
        {
            "metadata": {"name": "podnet-upkeep-reassign-pod-cidrs", "namespace": "kube-system"},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 300},
        },
    )


def test_lock_of_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Renewed at both ends: a host is worked on next. When another run has it nothing is done; check mode does not look at it."""
    with FakeApi() as api:
        cluster(api)
        lease(api, "alice")
        refused = run(api, capsys, run={"holder": "bob"})
        assert "held by alice now" in refused["msg"] and "unschedulable" not in api.store.objects[NODE]["spec"]
        assert run(api, capsys, run={"holder": "bob"}, _ansible_check_mode=True)["changed"]
        assert api.count("PATCH", "leases") == 0
        assert run(api, capsys, run={"holder": "alice"})["changed"]
        assert api.count("PATCH", "leases") == 2
        assert (api.requests[-1].method, "leases" in api.requests[-1].path) == ("PATCH", True)


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("timeout", 0, "1 or more"),
        ("retry_interval", 0, "1 or more"),
        ("parallel", 0, "1 to 100"),
        ("parallel", 101, "1 to 100"),
        ("grace_period", -2, "-1 or more"),
        ("skip_wait_for_delete_timeout", -1, "0 or more"),
    ],
)
def test_numbers_that_cannot_be_used(option: str, value: int, allowed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Option, value and remedy in one sentence."""
    with FakeApi() as api:
        cluster(api)
        assert run(api, capsys, **{option: value})["msg"] == f"{option}: {value} cannot be used; give {allowed}."


def test_progress_path_is_tried_before_anything_is_done(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A path that cannot be written is an error, in time."""
    with FakeApi() as api:
        cluster(api)
        failed = run(api, capsys, progress_path=str(tmp_path / "nowhere" / "lines"))
        assert failed["msg"].startswith("progress_path: ") and api.count("PATCH") == 0


def test_documented_options_are_the_options() -> None:
    """Of the module itself; fragments document the others."""
    documented = yaml.safe_load(node_drain.DOCUMENTATION)["options"]
    spec = node_drain.argument_spec()
    assert set(documented) == set(spec) - set(node_drain.auth_argument_spec()) - {"run"}
    for name, option in documented.items():
        assert option["type"] == spec[name]["type"] and option.get("default") == spec[name].get("default"), name
