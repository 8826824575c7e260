"""Endpoints that agents take over while clean_endpoints works at full speed, and settings of the operator that are traps."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec, processes
from testbed.cilium_operator import CiliumOperator
from testbed.client import Client, ServerError

pytestmark = [pytest.mark.testbed, pytest.mark.once, pytest.mark.long]

PODS = "/api/v1/namespaces/default/pods"
ENDPOINTS = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"
CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"
KCM = "kube-controller-manager"
ENDPOINTS_IN_ALL = 3000
NO_POLICIES = {
    "enable-policy": "never",
    "enable-k8s-networkpolicy": "false",
    "enable-cilium-network-policy": "false",
    "enable-cilium-clusterwide-network-policy": "false",
}


@pytest.fixture
def testbed() -> Iterator[Testbed]:
    """A cluster with the objects of Cilium, whose controllers are stopped."""
    cilium = CiliumOperatorSpec(endpoint_gc_interval="0s")
    spec = TestbedSpec(
        name=f"races-{os.getpid()}", control_plane=ControlPlaneSpec(allocate_node_cidrs=False), cilium=cilium
    )
    with Testbed.up(spec) as up:
        end = time.monotonic() + 60
        while up.client.find("/api/v1/namespaces/default/serviceaccounts/default") is None:
            assert time.monotonic() < end
            time.sleep(0.2)
        up.control_plane.stop_component(KCM)
        up.cilium.stop()
        yield up


def pod(client: Client, name: str, phase: str = "Running") -> str:
    """A pod, in this phase unless it is empty; its uid."""
    made = {"metadata": {"name": name}, "spec": {"nodeName": "n0", "containers": [{"name": "c", "image": "c"}]}}
    uid: str = client.create(PODS, made)["metadata"]["uid"]
    if phase:
        client.patch(f"{PODS}/{name}/status", {"status": {"phase": phase}})
    return uid


def endpoint(client: Client, name: str, uid: str) -> None:
    """The CiliumEndpoint of a pod."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
    made = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumEndpoint",
        "metadata": {"name": name, "ownerReferences": [owner]},
        "status": {"id": 7, "identity": {"id": 4711}, "state": "ready"},
    }
    client.create(ENDPOINTS, made)


def clean(
    testbed: Testbed, tmp_path: Path, playbook: str = "clean_endpoints", *arguments: str, **variables: Any
) -> PlaybookRun:
    """Run a playbook; its variables without their prefix."""
    given = {"kubeconfig": str(testbed.kubeconfig), "journal_path": str(tmp_path / "journals"), **variables}
    if playbook == "clean_endpoints":
        given.setdefault("min_age", 0)
    named = {f"{playbook}_{name}": value for name, value in given.items()}
    return run_playbook(f"podnet.upkeep.{playbook}", arguments, variables=named)


def test_endpoints_that_are_taken_over(testbed: Testbed, tmp_path: Path) -> None:
    """Three thousand dead ones; of every third an agent makes its own while the clean-up runs, and not one of those goes."""
    clients = [Client(testbed.kubeconfig) for _number in range(4)]
    names = [f"e{number:04}" for number in range(ENDPOINTS_IN_ALL)]
    with ThreadPoolExecutor(4) as pool:
        gone = "00000000-0000-4000-8000-000000000000"
        list(pool.map(lambda entry: endpoint(clients[entry[0] % 4], entry[1], gone), enumerate(names)))
    chosen = names[::3]
    random.Random(1).shuffle(chosen)
    taken: set[str] = set()
    lost: set[str] = set()
    stop = threading.Event()

    def agent(part: int) -> None:
        page: dict[str, Any] = {}
        while (
            not stop.is_set() and page.get("metadata", {}).get("remainingItemCount", ENDPOINTS_IN_ALL) > len(names) - 20
        ):
            page = clients[part].get(ENDPOINTS, {"limit": "1"})  # the clean-up has begun to delete
        for name in chosen[part::2]:
            if stop.is_set():
                return
            uid = pod(clients[part], name, phase="")
            owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
            try:
                clients[part].patch(f"{ENDPOINTS}/{name}", {"metadata": {"ownerReferences": [owner]}})
            except ServerError as error:
                assert error.status == 404
                lost.add(name)
                continue
            taken.add(name)

    agents = [threading.Thread(target=agent, args=(part,)) for part in (0, 1)]
    began = time.monotonic()
    for one in agents:
        one.start()
    done = clean(testbed, tmp_path, rate=0, max_conflict_share=1)
    seconds = time.monotonic() - began
    stop.set()
    for one in agents:
        one.join()
    assert done.returncode == 0, done.output
    left = {one["metadata"]["name"] for one in testbed.client.list(ENDPOINTS)}
    assert len(taken) > 20 and lost and taken <= left
    # what was neither taken over nor spared because its pod was there again is gone
    assert left <= set(chosen)
    journal = next((tmp_path / "journals").glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    assert len(journal) > ENDPOINTS_IN_ALL - len(chosen) and all(json.loads(line) for line in journal)
    print(f"{len(taken)} taken over, {len(lost)} too late, {len(left)} left, {seconds:.1f} s for the playbook")


def test_settings_that_seem_to_turn_the_collection_off(testbed: Testbed, tmp_path: Path) -> None:
    """The real operator does not start with 0s, and deletes the endpoint of a living pod with disable-endpoint-crd.

    That one counts only where no policy is enforced (or there is a kvstore).
    """
    endpoint(testbed.client, "alive", pod(testbed.client, "alive"))
    warned = clean(testbed, tmp_path)
    assert "the operator does not start" in warned.flat_output and warned.changed == 0, warned.output
    testbed.cilium.start_process()
    fatal = "Cilium Identity garbage collector requires the CiliumEndpoint garbage collector to be enabled"
    log = processes.log_of(testbed.directory, "cilium-operator")
    wait_until("the end of the operator", lambda: fatal in log.read_text(encoding="utf-8"))
    assert testbed.client.find(f"{ENDPOINTS}/alive") is not None
    testbed.cilium.stop()

    disabled = dataclasses.replace(
        testbed.cilium.spec, endpoint_gc_interval="5m0s", config={"disable-endpoint-crd": "true", **NO_POLICIES}
    )
    real = CiliumOperator(testbed.directory, disabled, testbed.control_plane)
    real.start()
    try:
        assert "deletes every CiliumEndpoint once when it starts" in clean(testbed, tmp_path).flat_output
        wait_until("the deletion of all endpoints", lambda: testbed.client.find(f"{ENDPOINTS}/alive") is None)
    finally:
        real.stop()


def test_cilium_nodes_that_the_controllers_delete(testbed: Testbed, tmp_path: Path) -> None:
    """What ours calls dead is what garbage collector and operator delete, and nothing that they keep."""
    chance = random.Random(5)
    client = testbed.client
    kept_by_all = client.create(
        "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "owner"}}
    )["metadata"]["uid"]
    for number in range(24):
        name = f"c{number:02}"
        kind = chance.choice(["sound", "owner-gone", "earlier", "no-owner", "kept", "other-owner"])
        uid = "00000000-0000-4000-8000-000000000000"
        if kind in ("sound", "earlier"):
            made = client.create("/api/v1/nodes", {"metadata": {"name": name}})["metadata"]["uid"]
            uid = made if kind == "sound" else uid
        owners: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}]
        if kind in ("no-owner", "kept"):
            owners = []
        elif kind == "other-owner":
            owners = [{"apiVersion": "v1", "kind": "Namespace", "name": "owner", "uid": kept_by_all}]
        annotations = {"cilium.io/do-not-gc": "true"} if kind == "kept" else {}
        client.create(
            CILIUM_NODES,
            {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumNode",
                "metadata": {"name": name, "ownerReferences": owners, "annotations": annotations},
                "spec": {"ipam": {"podCIDRs": [f"10.60.{number % 4}.0/24"]} if number < 4 else {}},
            },
        )
    before = {one["metadata"]["name"] for one in client.list(CILIUM_NODES)}
    options = {"quarantine": 0, "settle_seconds": 0, "max_share": 1}
    planned = clean(testbed, tmp_path, "clean_cilium_nodes", "--check", "--diff", **options)
    assert planned.returncode == 0, planned.output
    ours = set(re.findall(r"-CiliumNode (c\d\d) uid", planned.stdout))
    spec = dataclasses.replace(testbed.cilium.spec, endpoint_gc_interval="5m0s", nodes_gc_interval="2s")
    real = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    testbed.control_plane.start_component(KCM)
    real.start()
    try:
        wait_until(
            "the same deletions", lambda: not ours & {one["metadata"]["name"] for one in client.list(CILIUM_NODES)}
        )
        time.sleep(10)
    finally:
        real.stop()
        testbed.control_plane.stop_component(KCM)
    assert len(ours) > 5 and before - {one["metadata"]["name"] for one in client.list(CILIUM_NODES)} == ours
