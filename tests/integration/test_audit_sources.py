"""One cluster, four ways to look at it: live, its own saved state, what `kubectl get` writes, and all of them agree."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from harness.playbook import run_playbook
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, ControlPlaneSpec, KwokSpec, Testbed, TestbedSpec, binaries, objects
from testbed.recordings import agent_answers

pytestmark = pytest.mark.testbed

CILIUM = "/apis/cilium.io/v2"
AGENTS = ("agent-a", "agent-b")
_FIRST_ONLY = {"matchLabels": {"statefulset.kubernetes.io/pod-name": "db-0"}}
_PEERS = [{"podSelector": {"matchLabels": {"app": "web"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]
POLICIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "NetworkPolicy",
        "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies",
        {"apiVersion": "networking.k8s.io/v1", "spec": {"podSelector": _FIRST_ONLY, "ingress": [{"from": _PEERS}]}},
    ),
    (
        "CiliumNetworkPolicy",
        f"{CILIUM}/namespaces/default/ciliumnetworkpolicies",
        {
            "apiVersion": "cilium.io/v2",
            "specs": [{"endpointSelector": _FIRST_ONLY, "ingress": [{"fromEndpoints": [{}]}]}],
        },
    ),
    (
        "CiliumClusterwideNetworkPolicy",
        f"{CILIUM}/ciliumclusterwidenetworkpolicies",
        {"apiVersion": "cilium.io/v2", "spec": {"endpointSelector": {}, "egress": [{"toEndpoints": [_FIRST_ONLY]}]}},
    ),
)
# what two looks at one living cluster cannot share
OF_THE_LOOK = ("taken_at", "origin")


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """Agents on two Nodes, a Node with a foreign podCIDR, an identity that nothing uses, one for a duplicate."""
    spec = TestbedSpec(
        f"sources-{os.getpid()}",
        control_plane=ControlPlaneSpec(cluster_cidrs=("10.147.0.0/16",), control_plane_node="cp1"),
        cilium=CiliumOperatorSpec(ipam="kubernetes"),
        kwok=KwokSpec(exec_answers=agent_answers("healthy")),
    )
    with Testbed.up(spec) as made:
        for name in AGENTS:
            made.client.apply(f"/api/v1/nodes/{name}", objects.node(name, labels=objects.AGENT_NODE))
        drifted = objects.node("drifted")
        drifted["spec"] = {**drifted.get("spec", {}), "podCIDR": "10.99.0.0/24", "podCIDRs": ["10.99.0.0/24"]}
        made.client.apply("/api/v1/nodes/drifted", drifted)
        for number in (30_001, 30_002):
            identity = {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumIdentity",
                "metadata": {"name": str(number)},
                "security-labels": {"k8s:app": "gone", "k8s:io.kubernetes.pod.namespace": "default"},
            }
            made.client.create(f"{CILIUM}/ciliumidentities", identity)
        # a selector that the default filter has broken, one that lives, and one of each kind of Cilium's
        for kind, path, parts in POLICIES:
            made.client.create(path, {"kind": kind, "metadata": {"name": f"one-{kind.lower()}"}, **parts})
        wait_until("both agents run", lambda: _running_agents(made) == len(AGENTS))
        wait_until("the Nodes have their podCIDRs", lambda: all(_pod_cidr(made, name) for name in AGENTS))
        yield made


def _running_agents(testbed: Testbed) -> int:
    pods = testbed.client.list("/api/v1/namespaces/kube-system/pods")
    agents = [pod for pod in pods if pod["metadata"].get("labels", {}).get("k8s-app") == "cilium"]
    return sum(1 for pod in agents if pod["status"].get("phase") == "Running")


def _pod_cidr(testbed: Testbed, name: str) -> str:
    return str(testbed.client.get(f"/api/v1/nodes/{name}")["spec"].get("podCIDR", ""))


def audit(tmp_path: Path, **variables: Any) -> dict[str, Any]:
    """The JSON result of the audit playbook with these variables of its role."""
    path = tmp_path / "result.json"
    done = run_playbook(
        "podnet.upkeep.audit",
        variables={"audit_output_path": str(path), **{f"audit_{key}": value for key, value in variables.items()}},
    )
    assert done.returncode == 0, done.output
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def compared(result: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a result that must not depend on where the state is from."""
    return {key: value for key, value in result.items() if key not in OF_THE_LOOK}


def test_live_and_its_own_saved_state_agree(testbed: Testbed, tmp_path: Path) -> None:
    """The whole result, not only its findings: answers of agents and log lines are saved too."""
    state = tmp_path / "state.json.gz"
    live = audit(tmp_path, kubeconfig=str(testbed.kubeconfig), save_state=str(state), use_agents=True, read_logs=True)
    found = {one["id"] for one in live["findings"]}
    assert {"node-cidr-out-of-range", "identities-duplicate", "policy-selects-ignored-label"} <= found
    (broken,) = [one for one in live["findings"] if one["id"] == "policy-selects-ignored-label"]
    assert (broken["evidence"]["count"], broken["evidence"]["policies"]) == (3, 3)
    assert live["agents"]["answered"] == len(AGENTS)
    saved = audit(tmp_path, source="snapshot", snapshot=str(state))
    assert compared(saved) == compared(live)


def dump(testbed: Testbed, folder: Path) -> Path:
    """Every kind of object as kubectl writes it, in both forms."""
    kubectl = str(binaries.locate(["kubectl"])["kubectl"])
    folder.mkdir()
    for number, resource in enumerate(RESOURCES.values()):
        plural = f"{resource.plural or resource.name}.{resource.group}".rstrip(".")
        form = ("json", "yaml")[number % 2]
        command = [kubectl, "--kubeconfig", str(testbed.kubeconfig), "get", plural, "-A", "-o", form]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            (folder / f"{resource.name}.{form}").write_text(done.stdout, encoding="utf-8")
        else:
            assert "the server doesn't have a resource type" in done.stderr, done.stderr
    version = [kubectl, "--kubeconfig", str(testbed.kubeconfig), "version", "-o", "json"]
    (folder / "version.json").write_text(subprocess.run(version, capture_output=True, text=True, check=True).stdout)
    return folder


def facts(result: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """Without what a folder of files cannot know: kinds that the server does not serve have no file."""
    return {
        (one["id"], one["subject"]["name"], one["severity"], one["summary"] if "policy" in one["id"] else "")
        for one in result["findings"]
        if one["id"] != "data-missing"
    }


def _classes(result: Mapping[str, Any]) -> Any:
    return result["identities"]["classes"]


def test_lists_that_kubectl_wrote_say_the_same(testbed: Testbed, tmp_path: Path) -> None:
    """`kubectl get -o json` and `-o yaml` in a folder: the findings of a live audit without agents' answers.

    A cluster goes on while its objects are listed one kind after the other: where the two differ, both look once more.
    """
    for look in ("first", "second", "third"):
        folder = dump(testbed, tmp_path / look)
        live = audit(tmp_path, kubeconfig=str(testbed.kubeconfig))
        dumped = audit(tmp_path, source="snapshot", snapshot=str(folder))
        if facts(dumped) == facts(live) and _classes(dumped) == _classes(live):
            break
    assert facts(dumped) == facts(live)
    assert any(one[0] == "policy-selects-ignored-label" for one in facts(dumped))
    assert dumped["pools"] == live["pools"] and _classes(dumped) == _classes(live)
