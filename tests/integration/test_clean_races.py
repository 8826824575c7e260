"""Endpoints that agents take over while clean_endpoints works at full speed, and the operator's trap at interval 0."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import run_playbook
from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec
from testbed.cilium_operator import CiliumOperator
from testbed.client import Client, ServerError

pytestmark = [pytest.mark.testbed, pytest.mark.once, pytest.mark.long]

PODS = "/api/v1/namespaces/default/pods"
ENDPOINTS = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"
KCM = "kube-controller-manager"
ENDPOINTS_IN_ALL = 3000


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


def pod(client: Client, name: str) -> str:
    """A pod that runs; its uid."""
    made = {"metadata": {"name": name}, "spec": {"nodeName": "n0", "containers": [{"name": "c", "image": "c"}]}}
    uid: str = client.create(PODS, made)["metadata"]["uid"]
    client.patch(f"{PODS}/{name}/status", {"status": {"phase": "Running"}})
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


def clean(testbed: Testbed, tmp_path: Path, **variables: Any) -> Any:
    """Run the playbook."""
    given = {
        "kubeconfig": str(testbed.kubeconfig),
        "journal_path": str(tmp_path / "journals"),
        "min_age": 0,
        **variables,
    }
    return run_playbook(
        "podnet.upkeep.clean_endpoints",
        variables={f"clean_endpoints_{name}": value for name, value in given.items()},
    )


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
        for name in chosen[part::2]:
            if stop.is_set():
                return
            uid = pod(clients[part], name)
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
    assert taken and taken <= left
    # what was neither taken over nor spared because its pod was there again is gone
    assert left <= set(chosen)
    journal = next((tmp_path / "journals").glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    assert len(journal) > ENDPOINTS_IN_ALL - len(chosen) and all(json.loads(line) for line in journal)
    print(f"{len(taken)} taken over, {len(lost)} too late, {len(left)} left, {seconds:.1f} s for the playbook")


def test_the_trap_of_interval_zero(testbed: Testbed, tmp_path: Path) -> None:
    """The real operator deletes the endpoint of a pod that lives when it starts with 0s; not with a real interval."""
    endpoint(testbed.client, "alive", pod(testbed.client, "alive"))
    warned = clean(testbed, tmp_path)
    assert "deletes every CiliumEndpoint once when it starts" in warned.flat_output and warned.changed == 0
    spec = dataclasses.replace(testbed.cilium.spec, endpoint_gc_interval="2s")
    real = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    real.start()
    time.sleep(15)
    real.stop()
    assert testbed.client.find(f"{ENDPOINTS}/alive") is not None
    testbed.cilium.start_process()
    end = time.monotonic() + 40
    while testbed.client.find(f"{ENDPOINTS}/alive") is not None:
        assert time.monotonic() < end, "the operator has left it alone"
        time.sleep(0.5)
