"""A rolling re-registration of three hosts under constant requests: no request fails, nothing is lost, all is new.

The Deployment is one that can be drained without a failed request at all: several replicas, a readiness probe, a
PodDisruptionBudget, and pods that serve on for a moment after their end was asked for, as long as a proxy needs to hear
of it. What fails then is the fault of the procedure.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import request_client, workload
from harness.cluster_watch import Sight
from harness.request_client import Request
from harness.rolling_scene import REPLICAS, Scene, assert_succeeded
from harness.safety_rules import times_out

Record = Callable[[str, object], None]
pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

HOSTS = ("h1", "h2", "h3")
LONGEST_GAP = 2.0  # seconds without any answered request; several are sent at once, every few milliseconds
_DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web"
_GRACEFUL = {
    "spec": {
        "replicas": REPLICAS,
        "template": {
            "spec": {
                "terminationGracePeriodSeconds": 15,
                "containers": [{"name": "netexec", "lifecycle": {"preStop": {"sleep": {"seconds": 2}}}}],
            }
        },
    }
}


@contextmanager
def under_load(name: str, hosts: Sequence[str], drifted: Sequence[str]) -> Iterator[Scene]:
    """Hosts, some of them drifted, with a Service in front of a Deployment on all of them."""
    with Scene.up(name, hosts) as scene:
        client = scene.testbed.client
        strategic = "application/strategic-merge-patch+json"
        client.request("PATCH", _DEPLOYMENT, body=_GRACEFUL, content_type=strategic)
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": request_client.SERVICE},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": workload.PORT}]},
        }
        client.create("/api/v1/namespaces/default/services", service)
        scene.drift(*drifted)
        yield scene


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """Three hosts, all of them drifted."""
    with under_load("requests", HOSTS, HOSTS) as scene:
        yield scene


def test_no_request_fails_while_one_of_two_nodes_is_out(tmp_path: Path, record_testsuite_property: Record) -> None:
    """The daily one: the smallest cluster in which it can be."""
    with under_load("request", HOSTS[:2], HOSTS[:1]) as scene:
        assert_no_request_fails(scene, HOSTS[:1], tmp_path, record_testsuite_property)


@pytest.mark.long
def test_no_request_fails(scene: Scene, tmp_path: Path, record_testsuite_property: Record) -> None:
    """Every request of the whole run over three hosts is answered."""
    assert_no_request_fails(scene, HOSTS, tmp_path, record_testsuite_property)


def assert_no_request_fails(
    scene: Scene, drifted: Sequence[str], folder: Path, record_testsuite_property: Record
) -> None:
    """Every request of the whole run is answered; Nodes are as before but for what had to change."""
    output = folder / "requests.jsonl"
    hosts = list(scene.testbed.hosts)
    before = scene.uids()
    with scene.safe() as watch, request_client.constant_requests(scene.testbed, output):
        done = scene.run()
    assert_succeeded(done)
    requests = request_client.read(output)
    lines = timeline(watch.sights, requests)
    print("\n".join(lines))
    record_testsuite_property("timeline", "\n".join(lines))
    record_testsuite_property("requests", len(requests))
    assert [request for request in requests if request.error] == [], "\n".join(lines)
    assert longest_gap(requests) < LONGEST_GAP
    assert len(requests) > 1000
    assert {request.node for request in requests} == set(hosts), "not every host served: nothing was proved about it"
    assert {host: times_out(watch.sights, host) for host in hosts} == {host: int(host in drifted) for host in hosts}
    after = scene.uids()
    assert [host for host in hosts if before[host] != after[host]] == list(drifted)
    assert_all_pods_have_new_addresses(scene, drifted, watch.sights)
    scene.wait_healthy()


@pytest.mark.long
def test_the_run_tells_when_each_node_was_out(scene: Scene) -> None:
    """The journal in the cluster has every Node of the run, complete and in its order."""
    name = "podnet-upkeep-reassign-pod-cidrs"
    data = scene.testbed.client.get(f"/api/v1/namespaces/kube-system/configmaps/{name}")["data"]
    entries = {key.removeprefix("node."): json.loads(text) for key, text in data.items() if key.startswith("node.")}
    assert set(entries) == set(HOSTS)
    assert {entry["step"] for entry in entries.values()} == {"completed"}
    assert all(entry.get("at") or entry.get("history") for entry in entries.values())


def assert_all_pods_have_new_addresses(scene: Scene, drifted: Sequence[str], sights: Sequence[Sight]) -> None:
    """No pod of the pod network runs with an address of a podCIDR that these Nodes had at the beginning."""
    first: dict[str, list[str]] = {}
    for sight in sights:
        if sight.kind == "Node" and sight.name in drifted:
            first.setdefault(sight.name, sight.body["spec"].get("podCIDRs", []))
    old = [ipaddress.ip_network(text) for texts in first.values() for text in texts]
    for host in drifted:
        pods = workload.network_pods(scene.testbed, host)
        assert pods, f"no pod on {host}: nothing was proved"
        addresses = {pod["metadata"]["name"]: ipaddress.ip_address(pod["status"]["podIP"]) for pod in pods}
        assert [name for name, address in addresses.items() if any(address in block for block in old)] == []


def longest_gap(requests: Sequence[Request]) -> float:
    """The longest time between two answers that followed each other."""
    answered = sorted(request.sent + request.seconds for request in requests if not request.error)
    return max((later - earlier for earlier, later in itertools.pairwise(answered)), default=float("inf"))


def timeline(sights: Sequence[Sight], requests: Sequence[Request]) -> list[str]:
    """What became of each Node and when, and how many requests were answered by whom meanwhile."""
    lines = []
    state: dict[str, str] = {}
    for sight in sights:
        if sight.kind == "Node" and sight.name in HOSTS and (now := standing(sight)) != state.get(sight.name):
            state[sight.name] = now
            lines.append(f"revision {sight.revision}: {sight.name} {now}")
    counts = Counter(request.node for request in requests)
    failed = [request for request in requests if request.error]
    slowest = max((request.seconds for request in requests), default=0.0)
    lines.append(
        f"{len(requests)} requests ({', '.join(f'{node}: {count}' for node, count in sorted(counts.items()))}), "
        f"{len(failed)} failed, slowest {slowest:.3f} s, longest gap {longest_gap(requests):.3f} s"
    )
    return lines + [f"failed: {request}" for request in failed[:20]]


def standing(sight: Sight) -> str:
    """One Node version in words."""
    if sight.type == "DELETED":
        return "deleted"
    spec: dict[str, Any] = sight.body["spec"]
    conditions = {one["type"]: one["status"] for one in sight.body.get("status", {}).get("conditions") or ()}
    words = ["cordoned" if spec.get("unschedulable") else "schedulable"]
    words += ["Ready" if conditions.get("Ready") == "True" else "not Ready", spec.get("podCIDR") or "no podCIDR"]
    return f"({sight.uid[:8]}) {', '.join(words)}"
