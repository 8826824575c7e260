"""A plan that people look at before the run, with the role's own tasks on the real API server."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.playbook import PlaybookRun, run_playbook
from testbed import ControlPlaneSpec, KwokSpec, Testbed, TestbedSpec, objects

pytestmark = pytest.mark.testbed

PLAY = [
    {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [
            {"ansible.builtin.include_role": {"name": "podnet.upkeep.reassign_pod_cidrs", "tasks_from": "plan.yml"}}
        ],
    }
]
DRIFTED = ("w1", "w2")


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """Two Nodes out of range, and one in it whose kubelet (kwok) sends heartbeats."""
    spec = TestbedSpec(
        f"plan-file-{os.getpid()}",
        control_plane=ControlPlaneSpec(cluster_cidrs=("10.148.0.0/16",), control_plane_node="cp1"),
        kwok=KwokSpec(nodes=1),
    )
    with Testbed.up(spec) as made:
        for number, name in enumerate(DRIFTED):
            cidr = f"10.200.{number}.0/24"
            node = objects.node(name, spec={"podCIDR": cidr, "podCIDRs": [cidr], "taints": []})
            del node["metadata"]["labels"]["type"]  # a Node with it has no machine, and is refused
            made.client.create("/api/v1/nodes", node)
        end = time.monotonic() + 60
        while not all(_ready(made, name) for name in DRIFTED):
            assert time.monotonic() < end, "the Nodes are not Ready"
            time.sleep(0.2)
        yield made


def _ready(testbed: Testbed, name: str) -> bool:
    conditions = testbed.client.get(f"/api/v1/nodes/{name}").get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


class Planner:
    """Runs the role's plan on a controller whose inventory has a host for each Node."""

    def __init__(self, testbed: Testbed, folder: Path) -> None:
        self.testbed, self.folder = testbed, folder
        self.path = folder / "plan.json"
        (folder / "play.yml").write_text(yaml.safe_dump(PLAY), encoding="utf-8")
        (folder / "hosts").write_text("\n".join(DRIFTED), encoding="utf-8")

    def __call__(self, *arguments: str, **options: Any) -> PlaybookRun:
        variables = {
            "kubeconfig": str(self.testbed.kubeconfig),
            "state_dir": str(self.folder / "state"),
            "accepted_risks": ["other-nodes-not-ready"],
            "settle_seconds": 1,
            "health_gate": False,
            **options,
        }
        given = {f"reassign_pod_cidrs_{key}": value for key, value in variables.items()}
        play = str(self.folder / "play.yml")
        return run_playbook(play, ["-i", str(self.folder / "hosts"), *arguments], variables=given, timeout=120)


@pytest.fixture
def plan(testbed: Testbed, tmp_path: Path) -> Iterator[Planner]:
    """One controller. Nothing is left of the run that it has begun: the next one would go on with it, or not start."""
    made = Planner(testbed, tmp_path)
    yield made
    for group, kind in (("/apis/coordination.k8s.io", "leases"), ("/api", "configmaps"), ("/api", "secrets")):
        path = f"{group}/v1/namespaces/kube-system/{kind}"
        for one in testbed.client.list(path):
            if one["metadata"]["name"].startswith("podnet-upkeep-"):
                testbed.client.delete(f"{path}/{one['metadata']['name']}")


def writes(testbed: Testbed) -> int:
    """How many requests of administrators have written something, by the API server's audit log."""
    lines = testbed.audit_log.read_text(encoding="utf-8").splitlines()
    return sum(
        1
        for event in map(json.loads, lines)
        if event["verb"] not in ("get", "list", "watch")
        and event.get("userAgent") == "podnet.upkeep"
        and "dryRun=All" not in event["requestURI"]
        and event.get("objectRef", {}).get("resource") != "selfsubjectaccessreviews"
    )


def test_plan_is_looked_at_and_then_holds(testbed: Testbed, plan: Planner) -> None:
    """--check --diff writes only the file and shows what is in it; the run with it begins after heartbeats."""
    looked = plan("--check", "--diff", plan_path=str(plan.path))
    assert looked.returncode == 0, looked.output
    content = json.loads(plan.path.read_text(encoding="utf-8"))
    assert [one["name"] for one in content["basis"]["nodes"]] == list(DRIFTED)
    assert all(f"+{line}" in looked.stdout for line in content["lines"]), looked.stdout
    assert any("10.148.0.0/16 (/24 each)" in line for line in content["lines"])
    assert writes(testbed) == 0
    time.sleep(2)  # heartbeats
    began = plan(plan_file=str(plan.path))
    assert began.returncode == 0, began.output
    journal = testbed.client.get("/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-reassign-pod-cidrs")
    run = json.loads(journal["data"]["run"])
    assert run["plan_digest"] == content["digest"] and run["plan"]["basis"] == content["basis"]
    assert plan(plan_digest=content["digest"]).returncode == 0


def test_cluster_that_changed_is_refused(testbed: Testbed, plan: Planner) -> None:
    """By the file and by the digest; nothing is written, and the sentence says what was and what is."""
    first = plan("--check", plan_path=str(plan.path))
    assert first.returncode == 0, first.output
    digest = json.loads(plan.path.read_text(encoding="utf-8"))["digest"]
    testbed.client.patch("/api/v1/nodes/w2", {"spec": {"taints": [{"key": "dedicated", "effect": "NoSchedule"}]}})
    before = writes(testbed)
    try:
        refused = plan(plan_file=str(plan.path))
        assert refused.returncode == 2 and "of Node w2 taints: was none, is dedicated:NoSchedule" in refused.flat_output
        refused = plan(plan_digest=digest)
        assert refused.returncode == 2 and f"not {digest} that was agreed to" in refused.flat_output
        assert writes(testbed) == before
    finally:
        testbed.client.patch("/api/v1/nodes/w2", {"spec": {"taints": None}})


@pytest.mark.once
def test_the_digest_goes_to_the_node_of_a_workflow_that_follows(testbed: Testbed, tmp_path: Path) -> None:
    """A run in check mode hands it on as the option of the run that is approved; that run itself hands on none."""
    variables = {
        "reassign_pod_cidrs_kubeconfig": str(testbed.kubeconfig),
        "reassign_pod_cidrs_state_dir": str(tmp_path / "state"),
        "reassign_pod_cidrs_nodes": [
            node["metadata"]["name"]
            for node in testbed.client.list("/api/v1/nodes")
            if node["metadata"]["name"] not in (*DRIFTED, "cp1")
        ],
    }
    env = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}

    def run(*arguments: str, **more: str) -> PlaybookRun:
        given = {**variables, **more}
        return run_playbook("podnet.upkeep.reassign_pod_cidrs", arguments, variables=given, env=env, timeout=180)

    looked = run("--check")
    assert looked.returncode == 0, looked.output
    handed = re.search(r'"reassign_pod_cidrs_plan_digest": "(\S+)"', looked.flat_output)
    assert handed, looked.output
    assert '"playbook": "podnet.upkeep.reassign_pod_cidrs"' in looked.flat_output
    approved = run(reassign_pod_cidrs_plan_digest=handed[1])
    assert approved.returncode == 0, approved.output
    assert "reassign_pod_cidrs_plan_digest" not in approved.stdout.partition("CUSTOM STATS")[2]
    refused = run(reassign_pod_cidrs_plan_digest="sha256:0")
    assert refused.returncode == 2 and "not sha256:0 that was agreed to" in refused.flat_output
    assert '"failure": "' in refused.stdout.partition("CUSTOM STATS")[2]
