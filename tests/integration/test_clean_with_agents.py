"""What agents know and no object shows: addresses that they hold for ended pods, endpoints that they still run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.playbook import run_playbook
from testbed import CiliumOperatorSpec, ControlPlaneSpec, KwokSpec, Testbed, TestbedSpec
from testbed.objects import AGENT_NODE, node
from testbed.recordings import agent_answers

pytestmark = [pytest.mark.testbed, pytest.mark.once, pytest.mark.long]

PODS = "/api/v1/namespaces/default/pods"
ENDPOINTS = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "9c1d", "controller": True}


def answers() -> dict[str, str]:
    """Those of an agent that has not let go of default/ended and default/run-on."""
    found = agent_answers()
    for command in ("cilium-dbg status -o json", "cilium-dbg endpoint list -o json"):
        content = json.loads(found[command])
        if isinstance(content, dict):
            content["ipam"]["allocations"]["10.99.0.77"] = "default/ended"
        else:
            content.append(
                {"id": 4242, "status": {"state": "ready", "external-identifiers": {"pod-name": "default/run-on"}}}
            )
        found[command] = json.dumps(content)
    return found


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    """One simulated Node with an agent that answers; the controllers are stopped."""
    spec = TestbedSpec(
        name=f"ask-{os.getpid()}",
        control_plane=ControlPlaneSpec(allocate_node_cidrs=False),
        cilium=CiliumOperatorSpec(),
        kwok=KwokSpec(exec_answers=answers()),
    )
    with Testbed.up(spec) as up:
        up.client.create("/api/v1/nodes", node("a0", labels=AGENT_NODE))  # the DaemonSet cilium wants this one
        end = time.monotonic() + 60
        while not agent_runs(up) or up.client.find("/api/v1/namespaces/default/serviceaccounts/default") is None:
            assert time.monotonic() < end
            time.sleep(0.2)
        up.control_plane.stop_component("kube-controller-manager")
        up.cilium.stop()
        yield up


def agent_runs(testbed: Testbed) -> bool:
    """Whether the simulated agent is there."""
    pods = testbed.client.list("/api/v1/namespaces/kube-system/pods", {"labelSelector": "k8s-app=cilium"})
    return any(one["status"].get("phase") == "Running" for one in pods)


def test_asked_agents(testbed: Testbed, tmp_path: Path) -> None:
    """An address is freed only where the agent holds it; an endpoint that the agent runs stays although its pod is gone."""
    made = {
        "metadata": {"name": "ended", "ownerReferences": [OWNER]},
        "spec": {"nodeName": "a0", "containers": [{"name": "c", "image": "c"}]},
    }
    testbed.client.create(PODS, made)
    end = time.monotonic() + 60
    while testbed.client.get(f"{PODS}/ended")["status"].get("phase") != "Running":  # kwok has done with it
        assert time.monotonic() < end
        time.sleep(0.2)
    status = {"phase": "Failed", "podIPs": [{"ip": "10.99.0.77"}], "podIP": "10.99.0.77", "containerStatuses": []}
    testbed.client.patch(f"{PODS}/ended/status", {"status": status})
    for name in ("run-on", "gone"):
        owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": "00000000-0000-4000-8000-000000000000"}
        endpoint = {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumEndpoint",
            "metadata": {"name": name, "ownerReferences": [owner]},
            "status": {"id": 7, "identity": {"id": 4711}, "state": "ready"},
        }
        testbed.client.create(ENDPOINTS, endpoint)
    common = {
        "kubeconfig": str(testbed.kubeconfig),
        "journal_path": str(tmp_path / "j"),
        "min_age": 0,
        "ask_agents": True,
    }
    pods = run_playbook(
        "podnet.upkeep.clean_stale_pods",
        ["--check"],
        variables={f"clean_stale_pods_{name}": value for name, value in common.items()},
    )
    assert pods.returncode == 0 and "May free 1 addresses" in pods.flat_output, pods.output
    done = run_playbook(
        "podnet.upkeep.clean_endpoints",
        variables={f"clean_endpoints_{name}": value for name, value in common.items()},
    )
    assert done.returncode == 0 and "the agent of its Node still runs the endpoint" in done.flat_output, done.output
    assert [one["metadata"]["name"] for one in testbed.client.list(ENDPOINTS)] == ["run-on"]
