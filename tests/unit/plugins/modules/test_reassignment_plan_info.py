"""The plan as a file with a digest: what it refuses, what it bears, and where it may be given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration import (
    Registration,
    RegistrationOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.modules import reassignment_plan_info

NODES = "/api/v1/nodes"
ALLOCATOR = {"cluster_cidrs": ["10.244.0.0/16"], "service_ranges": ["10.96.0.0/16"]}


def node(name: str, cidr: str, **labels: str) -> dict[str, Any]:
    """A Ready Node."""
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"kubernetes.io/hostname": name, **labels}},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}]},
    }


class Planner:
    """Runs the module for a cluster in which w1 and w2 are out of range and w3 is well."""

    def __init__(self, api: FakeApi, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self.api, self._capsys, self.folder = api, capsys, folder
        self.path = folder / "plan.json"

    def __call__(self, **options: Any) -> dict[str, Any]:
        given = {
            **self.api.options,
            "allocator": ALLOCATOR,
            "accepted_risks": ["controller-manager-unknown"],
            "state_dir": str(self.folder / "state"),
            **options,
        }
        with patch_module_args(given), pytest.raises(SystemExit):
            reassignment_plan_info.main()
        printed: dict[str, Any] = json.loads(self._capsys.readouterr().out)
        return printed

    def written(self, **options: Any) -> dict[str, Any]:
        """A plan in the file."""
        made = self(plan_path=str(self.path), **options)
        assert made["refusals"] == [], made
        return made

    def node(self, name: str) -> dict[str, Any]:
        """The Node in the cluster."""
        found: dict[str, Any] = self.api.store.objects[f"{NODES}/{name}"]
        return found


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Planner]:
    """The cluster."""
    with FakeApi() as api:
        for name, cidr in (("w1", "10.200.1.0/24"), ("w2", "10.200.2.0/24"), ("w3", "10.244.3.0/24")):
            api.store.add(NODES, node(name, cidr))
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        yield Planner(api, capsys, tmp_path)


def test_file(plan: Planner) -> None:
    """Whole, 0640, with text and digest; the same plan leaves it alone; only documented keys are returned."""
    made = plan.written(_ansible_check_mode=True, _ansible_diff=True)
    content = json.loads(plan.path.read_text())
    assert content["digest"] == made["plan_digest"] == made["plan_record"]["digest"]
    assert content["lines"] == made["lines"] and made["diff"] == {
        "before": "",
        "after": "\n".join(made["lines"]) + "\n",
    }
    assert plan.path.stat().st_mode & 0o777 == 0o640 and [one.name for one in plan.folder.iterdir()] == ["plan.json"]
    before = plan.path.stat()
    again = plan(plan_path=str(plan.path))
    assert made["changed"] and not again["changed"] and plan.path.stat().st_ino == before.st_ino
    documented = set(yaml.safe_load(reassignment_plan_info.RETURN)) | {"changed", "diff", "invocation"}
    assert set(made) <= documented
    assert all(one.method == "GET" or "selfsubject" in one.path for one in plan.api.requests)


def test_diff_shows_what_became_of_a_plan(plan: Planner) -> None:
    """Of the one that the file holds."""
    first = plan.written()
    del plan.api.store.objects[f"{NODES}/w2"]
    second = plan(plan_path=str(plan.path))
    assert second["changed"] and "Node w2" in second["diff"]["before"] and "Node w2" not in second["diff"]["after"]
    assert second["diff"]["before"] == "\n".join(first["lines"]) + "\n"


def _heartbeat(plan: Planner) -> None:
    plan.node("w1")["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-02-02T00:00:00Z"
    plan.node("w1")["metadata"]["resourceVersion"] = "99999"


def _pod(plan: Planner) -> None:
    owner = {"kind": "ReplicaSet", "name": "web", "controller": True}
    pod = {"metadata": {"name": "web", "ownerReferences": [owner]}, "spec": {"nodeName": "w1"}, "status": {}}
    plan.api.store.add("/api/v1/namespaces/default/pods", pod)


def _label(plan: Planner) -> None:
    plan.node("w1")["metadata"]["labels"]["feature.example.com/scanned"] = "today"
    plan.node("w1")["metadata"].setdefault("annotations", {})["example.com/seen"] = "today"


def _condition_taint(plan: Planner) -> None:
    plan.node("w1")["spec"]["taints"] = [{"key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule"}]


def _healthy_node(plan: Planner) -> None:
    plan.api.store.add(NODES, node("w4", "10.244.4.0/24"))


@pytest.mark.parametrize("change", [_heartbeat, _pod, _label, _condition_taint, _healthy_node])
def test_what_does_not_matter(plan: Planner, change: Callable[[Planner], None]) -> None:
    """The plan that was agreed to still holds."""
    made = plan.written()
    change(plan)
    for options in (
        {"plan_file": str(plan.path)},
        {"plan": made["plan_record"]},
        {"expected_digest": made["plan_digest"]},
    ):
        again = plan(**options)
        assert again["refusals"] == [] and again["plan_digest"] == made["plan_digest"]


def _set(plan: Planner, *path: str, value: Any) -> None:
    target = plan.node("w1")
    for key in path[:-1]:
        target = target.setdefault(key, {})
    target[path[-1]] = value


MATTERS: dict[str, tuple[Callable[[Planner], Any], str]] = {
    "another Node of that name": (
        lambda plan: _set(plan, "metadata", "uid", value="other"),
        "of Node w1 uid: was uid-w1, is other",
    ),
    "other podCIDRs": (
        lambda plan: _set(plan, "spec", "podCIDRs", value=["10.200.9.0/24"]),
        "of Node w1 podCIDRs: was 10.200.1.0/24, is 10.200.9.0/24",
    ),
    "cordoned": (
        lambda plan: _set(plan, "spec", "unschedulable", value=True),
        "of Node w1 being cordoned: was false, is true",
    ),
    "taint": (
        lambda plan: _set(plan, "spec", "taints", value=[{"key": "a", "effect": "NoSchedule"}]),
        "of Node w1 taints: was none, is a:NoSchedule",
    ),
    "provider": (
        lambda plan: _set(plan, "spec", "providerID", value="kind://x"),
        "of Node w1 providerID: was none, is kind://x",
    ),
    "one more": (
        lambda plan: plan.api.store.add(NODES, node("w4", "10.200.4.0/24")),
        "Node w4 is to be registered anew as well",
    ),
    "one less": (
        lambda plan: plan.api.store.objects.pop(f"{NODES}/w2"),
        "Node w2 is not to be registered anew any more",
    ),
    "another cluster": (
        lambda plan: plan.api.store.objects["/api/v1/namespaces/kube-system"]["metadata"].update(uid="cluster-2"),
        "it was made for another cluster",
    ),
}


@pytest.mark.parametrize("what", MATTERS)
def test_what_matters(plan: Planner, what: str) -> None:
    """Each is named with what it was and what it is; the digest alone refuses as well."""
    made = plan.written()
    change, words = MATTERS[what]
    change(plan)
    refusals = plan(plan_file=str(plan.path))["refusals"]
    assert any(words in one and "Make a new one" in one for one in refusals), refusals
    assert all(str(plan.path) in one for one in refusals)
    assert any("not sha256:" in one for one in plan(expected_digest=made["plan_digest"])["refusals"])
    failed = plan(plan_file=str(plan.path), fail_on_refusal=True)
    assert failed["failed"] and words in failed["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"allocator": {**ALLOCATOR, "node_mask_size_ipv4": 25}}, "the allocator's node_mask_size_ipv4: was 24, is 25"),
        ({"force": True}, "the option force: was false, is true"),
        ({"delete_emptydir_data": True}, "the option delete_emptydir_data: was false, is true"),
        ({"keep_pod_cidrs": True}, "the option keep_pod_cidrs: was false, is true"),
        ({"pod_cidrs": {"w1": ["10.244.9.0/24"]}}, "of Node w1 chosen podCIDRs: was none, is 10.244.9.0/24"),
        ({"nodes": ["w1"]}, "Node w2 is not to be registered anew any more"),
        (
            {"accepted_risks": ["controller-manager-unknown", "x"]},
            "the option accepted_risks: was controller-manager-unk",
        ),
    ],
)
def test_other_options_are_another_plan(plan: Planner, options: dict[str, Any], words: str) -> None:
    """People agreed to what these do."""
    plan.written()
    refusals = plan(plan_file=str(plan.path), **options)["refusals"]
    assert any(words in one for one in refusals), refusals


def test_digest_with_and_without_its_prefix(plan: Planner) -> None:
    """As people copy it; a wrong one is refused also beside the right file."""
    digest = plan.written()["plan_digest"]
    for text in (digest, digest.removeprefix("sha256:"), f" {digest.upper()} "):
        assert plan(expected_digest=text)["refusals"] == []
    assert "has the digest" in plan(plan_file=str(plan.path), expected_digest="abc")["refusals"][0]


def test_gate_of_one_node(plan: Planner) -> None:
    """In mid-run only that Node is compared; the others may be done; findings may be gone with them."""
    record = plan()["plan_record"]
    plan.node("w1")["metadata"]["uid"] = "new"
    plan.node("w1")["spec"].update(podCIDR="10.244.1.0/24", podCIDRs=["10.244.1.0/24"])
    gate = {"nodes": ["w2"], "run_nodes": ["w1", "w2"], "plan": record}
    assert plan(**gate)["refusals"] == [] and plan(**gate)["plan_digest"] == record["digest"]
    plan.node("w2")["metadata"]["uid"] = "changed-behind-our-back"
    assert ["uid: was uid-w2, is changed-behind-our-back" in one for one in plan(**gate)["refusals"]] == [True]


def test_run_that_has_begun_goes_on_with_its_plan(plan: Planner) -> None:
    """Its journal tells that it has; w1 is done then, w2 is half-way, and its before-image is known; from any machine."""
    made = plan.written()
    client = KubeClient.from_options(plan.api.options)
    journal = Journal(client, "reassign-pod-cidrs", "kube-system")
    Registration(
        client, "w2", RegistrationOptions(state_dir=str(plan.folder / "other-machine")), journal=journal
    ).capture()
    image = journal.load_image("w2")
    assert image is not None
    journal.save_image(image.at("deleting").at("deleted"))
    journal.record("w2", {"step": "deleted"})
    del plan.api.store.objects[f"{NODES}/w2"]
    plan.node("w1")["metadata"]["uid"] = "new"
    plan.node("w1")["spec"].update(podCIDR="10.244.1.0/24", podCIDRs=["10.244.1.0/24"])
    ours = {"journal": {"name": "reassign-pod-cidrs", "namespace": "kube-system"}}
    ways: list[dict[str, Any]] = [{"plan_file": str(plan.path)}, {"expected_digest": made["plan_digest"]}]
    for way in ways:
        assert any("Node w1 is not to be" in one or "digest" in one for one in plan(**ours, **way)["refusals"])
    journal.note_run({"plan_digest": made["plan_digest"], "plan": made["plan_record"]})
    for way in ways:
        again = plan(**ours, **way)
        assert again["refusals"] == [] and again["node_names"] == ["w2"], again
        assert again["plan_digest"] == made["plan_digest"] and again["plan_record"] == made["plan_record"]
    plan.api.store.add(NODES, node("w4", "10.200.4.0/24"))
    for way in ways:
        assert "Node w4 is to be registered anew as well" in " ".join(plan(**ours, **way)["refusals"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("", "is not a plan"),
        ("[]", "is not a plan"),
        ('{"format": "podnet.upkeep/before-image/1"}', "is not a plan"),
        ('{"format": "podnet.upkeep/reassignment-plan/1"}', "was changed after it was written"),
    ],
)
def test_file_that_is_no_plan(plan: Planner, content: str | None, words: str) -> None:
    """One sentence; and a file that is something else is not replaced."""
    if content is not None:
        plan.path.write_text(content)
    failed = plan(plan_file=str(plan.path))
    assert failed["failed"] and failed["msg"].startswith("plan_file: ") and words in failed["msg"]
    if content is not None and "reassignment-plan" not in content:
        failed = plan(plan_path=str(plan.path))
        assert failed["failed"] and failed["msg"].startswith("plan_path: ") and plan.path.read_text() == content


@pytest.mark.parametrize("key", ["lines", "digest", "basis"])
def test_file_that_was_edited(plan: Planner, key: str) -> None:
    """Neither what it says nor what it rests on may be changed by hand."""
    plan.written()
    content = json.loads(plan.path.read_text())
    changed: dict[str, Any] = {
        "lines": ["nothing"],
        "digest": "sha256:0",
        "basis": {**content["basis"], "cluster": "x"},
    }
    plan.path.write_text(json.dumps({**content, key: changed[key]}))
    assert "was changed after it was written" in plan(plan_file=str(plan.path))["msg"]


@pytest.mark.parametrize("record", [{"digest": "x"}, {"basis": {}}, {"basis": {"nodes": 1}}, {"nodes": ["w1"]}])
def test_record_that_is_none(plan: Planner, record: dict[str, Any]) -> None:
    """As a wrong variable would give it."""
    assert plan(plan=record)["msg"].startswith("plan: it is not a plan as plan_record of this module")


def test_bad_input(plan: Planner) -> None:
    """One sentence each."""
    assert "pod_cidrs: of Node w1 there is no list" in plan(pod_cidrs={"w1": "10.0.0.0/24"})["msg"]
    assert "mutually exclusive" in plan(plan_file="x", plan={"a": 1})["msg"]
    assert plan(plan_path="/nowhere/plan.json")["msg"].startswith("plan_path: /nowhere/plan.json cannot be written")
