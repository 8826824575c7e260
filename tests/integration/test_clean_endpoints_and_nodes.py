"""clean_stale_pods, clean_endpoints and clean_cilium_nodes against the real controllers that do the same when they can.

The oracles: kube-controller-manager's garbage collector, and the cilium-operator's GC of endpoints and its pool. All of them
are stopped while ours works, in one of two namespaces with the same objects; then they have the other one.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec

pytestmark = [pytest.mark.testbed, pytest.mark.once]

NODES = "/api/v1/nodes"
CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"
OURS, THEIRS = "ours", "theirs"
KCM = "kube-controller-manager"
JOB = {"apiVersion": "batch/v1", "kind": "Job", "name": "backup", "uid": "4b7f", "controller": True}
SET = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "9c1d", "controller": True}


def pods(namespace: str) -> str:
    """Path of the pods of a namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"


def endpoints(namespace: str) -> str:
    """Path of the CiliumEndpoints of a namespace."""
    return f"/apis/cilium.io/v2/namespaces/{namespace}/ciliumendpoints"


def names(testbed: Testbed, path: str) -> set[str]:
    """Names of the objects that are there."""
    return {one["metadata"]["name"] for one in testbed.client.list(path)}


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A pool of four blocks, Node n0, two namespaces; every controller that cleans up is stopped."""
    cilium = CiliumOperatorSpec(
        pool_ipv4_cidrs=("10.60.0.0/28",),
        pool_ipv4_mask_size=30,
        endpoint_gc_interval="3s",
        nodes_gc_interval="1h",
    )
    plane = ControlPlaneSpec(allocate_node_cidrs=False, extra_arguments={"kube-scheduler": ()})
    with Testbed.up(TestbedSpec(name=f"clean-{os.getpid()}", control_plane=plane, cilium=cilium)) as up:
        for namespace in (OURS, THEIRS):
            up.client.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
            account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
            wait_until("the service account", lambda path=account: up.client.find(path))
        node(up, "n0")
        up.control_plane.stop_component(KCM)
        up.cilium.stop()
        yield up


def node(testbed: Testbed, name: str, *, with_node: bool = True, owned: bool = True) -> None:
    """A Node and the CiliumNode of its agent."""
    owners = []
    if with_node:
        uid = testbed.client.create(NODES, {"metadata": {"name": name}})["metadata"]["uid"]
        owners = [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}] if owned else []
    made = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": name, "ownerReferences": owners},
        "spec": {"ipam": {}},
    }
    testbed.client.create(CILIUM_NODES, made)


def pod(testbed: Testbed, namespace: str, name: str, phase: str, owner: Mapping[str, Any] | None = None) -> str:
    """A pod on Node n0 whose kubelet has reported this phase; its uid."""
    made = {
        "metadata": {"name": name, **({"ownerReferences": [dict(owner)]} if owner else {})},
        "spec": {"nodeName": "n0", "containers": [{"name": "c", "image": "c"}]},
    }
    uid: str = testbed.client.create(pods(namespace), made)["metadata"]["uid"]
    testbed.client.patch(f"{pods(namespace)}/{name}/status", {"status": {"phase": phase}})
    return uid


def endpoint(
    testbed: Testbed, namespace: str, name: str, owner: Mapping[str, Any] | None, identity: int = 1000
) -> None:
    """A CiliumEndpoint as an agent writes it."""
    made = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEndpoint",
        "metadata": {"name": name, **({"ownerReferences": [dict(owner)]} if owner else {})},
        "status": {
            "id": 7,
            "identity": {"id": identity, "labels": ["k8s:a=b"]},
            "state": "ready",
            "networking": {"node": "192.0.2.1", "addressing": [{"ipv4": "10.60.0.9"}]},
        },
    }
    testbed.client.create(endpoints(namespace), made)


def generate(testbed: Testbed, namespace: str, seed: int, count: int) -> set[str]:
    """Endpoints in every situation: pods that run, have ended or are gone; owners that are right, wrong, none, or CiliumNodes.

    Names of those that only the garbage collector deletes: of a CiliumNode that is gone, beside a pod of this name.
    """
    chance = random.Random(seed)
    spared = set()
    for number in range(count):
        name = f"e{number:03}"
        phase = chance.choice(["Running", "Running", "Pending", "Succeeded", "Failed", ""])
        kind = chance.choice(["right", "right", "wrong", "none", "node", "lost-node"])
        uid = pod(testbed, namespace, name, phase) if phase else "00000000-0000-4000-8000-000000000000"
        wrong = "11111111-1111-4111-8111-111111111111"
        owner: dict[str, Any] | None = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
        if kind == "wrong":
            owner = {**(owner or {}), "uid": wrong}
        elif kind == "none":
            owner = None
        elif kind == "node":
            present = testbed.client.get(f"{CILIUM_NODES}/n0")["metadata"]["uid"]
            owner = {"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "name": "n0", "uid": present}
        elif kind == "lost-node":
            owner = {"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "name": "n9", "uid": wrong}
            if phase in ("Running", "Pending"):
                spared.add(name)
        endpoint(testbed, namespace, name, owner, identity=1000 + number)
    return spared


def clean(testbed: Testbed, playbook: str, tmp_path: Path, *arguments: str, **variables: Any) -> PlaybookRun:
    """Run one of the playbooks; its variables without their prefix."""
    given = {"kubeconfig": str(testbed.kubeconfig), "journal_path": str(tmp_path / "journals"), **variables}
    return run_playbook(
        f"podnet.upkeep.{playbook}",
        arguments,
        variables={f"{playbook}_{name}": value for name, value in given.items()},
    )


def test_endpoints_that_are_dead(testbed: Testbed, tmp_path: Path) -> None:
    """Ours deletes in its namespace what the real controllers delete in theirs, and leaves them nothing to do."""
    spared = generate(testbed, OURS, seed=7, count=60)
    assert generate(testbed, THEIRS, seed=7, count=60) == spared
    everything = names(testbed, endpoints(OURS))
    planned = clean(testbed, "clean_endpoints", tmp_path, "--check", "--diff", namespaces=[OURS], min_age=0)
    assert planned.returncode == 0, planned.output
    assert names(testbed, endpoints(OURS)) == everything and "its pod ours/e" in planned.flat_output
    done = clean(testbed, "clean_endpoints", tmp_path, namespaces=[OURS], min_age=0)
    assert done.returncode == 0 and done.changed > 0, done.output
    left = names(testbed, endpoints(OURS))
    assert names(testbed, endpoints(THEIRS)) == everything and 10 < len(left) < 50
    again = clean(testbed, "clean_endpoints", tmp_path, namespaces=[OURS], min_age=0)
    assert again.returncode == 0 and again.changed == 0, again.output

    testbed.control_plane.start_component(KCM)
    testbed.cilium.start_process()
    try:
        wait_until("the controllers have done the same", lambda: names(testbed, endpoints(THEIRS)) <= left - spared)
        time.sleep(7)  # two rounds of the operator
        assert names(testbed, endpoints(THEIRS)) == names(testbed, endpoints(OURS)) == left - spared
    finally:
        testbed.control_plane.stop_component(KCM)
        testbed.cilium.stop()


def test_cilium_nodes_without_node(testbed: Testbed, tmp_path: Path) -> None:
    """The block is free again for the real operator; the one that waits is served when it is touched, and not before."""
    testbed.cilium.start_process()
    try:
        for name in ("n1", "n2", "n3"):
            node(testbed, name)
            wait_until(f"a block for {name}", lambda one=name: blocks(testbed, one))
        wait_until("a block for n0", lambda: blocks(testbed, "n0"))
        node(testbed, "late")
        wait_until("the pool is full", lambda: error(testbed, "late") == "allocator full")
        freed = blocks(testbed, "n1")
        testbed.client.delete(
            f"{NODES}/n1"
        )  # kube-controller-manager, whose business the CiliumNode is now, is stopped

        done = clean(testbed, "clean_cilium_nodes", tmp_path, quarantine=0, settle_seconds=1)
        assert done.returncode == 0 and done.changed > 0, done.output
        assert names(testbed, CILIUM_NODES) == {"n0", "n2", "n3", "late"}
        assert "the operator tries again only when the spec or status" in done.flat_output
        time.sleep(3)
        assert not blocks(testbed, "late")
        served = clean(testbed, "clean_cilium_nodes", tmp_path, quarantine=0, settle_seconds=1, serve_waiting=True)
        assert served.returncode == 0 and served.changed > 0, served.output
        assert blocks(testbed, "late") == freed
    finally:
        testbed.cilium.stop()


def blocks(testbed: Testbed, name: str) -> list[str]:
    """podCIDRs of a CiliumNode."""
    found: list[str] = testbed.client.get(f"{CILIUM_NODES}/{name}")["spec"].get("ipam", {}).get("podCIDRs") or []
    return found


def error(testbed: Testbed, name: str) -> str:
    """What the operator says about a CiliumNode."""
    status = testbed.client.get(f"{CILIUM_NODES}/{name}").get("status") or {}
    text: str = status.get("ipam", {}).get("operator-status", {}).get("error", "")
    return text


def test_pods_that_have_ended(testbed: Testbed, tmp_path: Path) -> None:
    """Those of a ReplicaSet go; pods of Jobs and bare ones stay, and everything in the other namespace."""
    for namespace in (OURS, THEIRS):
        for one in testbed.client.list(pods(namespace)):
            testbed.client.delete(f"{pods(namespace)}/{one['metadata']['name']}", {"gracePeriodSeconds": 0})
        for number, phase in enumerate(["Running", "Failed", "Succeeded", "Failed", "Pending"] * 4):
            pod(testbed, namespace, f"p{number:02}", phase, (SET, JOB, None)[number % 3])
    ended = {name for name in names(testbed, pods(OURS)) if int(name[1:]) % 5 in (1, 2, 3)}
    ours = {name for name in ended if int(name[1:]) % 3 == 0}
    planned = clean(testbed, "clean_stale_pods", tmp_path, "--check", "--diff", namespaces=[OURS], min_age=0)
    assert planned.returncode == 0 and len(names(testbed, pods(OURS))) == 20, planned.output
    assert "Frees no addresses" in planned.flat_output
    done = clean(testbed, "clean_stale_pods", tmp_path, namespaces=[OURS], min_age=0)
    assert done.returncode == 0 and done.changed > 0, done.output
    assert names(testbed, pods(THEIRS)) - names(testbed, pods(OURS)) == ours
