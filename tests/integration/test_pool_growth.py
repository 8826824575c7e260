"""Pools that are full and get further CIDRs, on the real cilium-operator: it hands out of them, and what was there stays.

The oracle is the operator: CiliumNodes are created, as agents would do it, and it gives them blocks or says why not. What we
refuse is done all the same, past us: it stops, or gives to Nodes what belongs to others. The shorter tests of growth are in
test_cilium_ipam.py.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.modules import cilium_config
from harness.module_answers import answer
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, Testbed, TestbedSpec, processes
from testbed.cilium_operator import CiliumOperator

from .operator_scene import CONFIG, play, raw, wait_operator
from .test_cilium_ipam import NODES, POOLS, blocks, create, decided, error

pytestmark = [pytest.mark.testbed, pytest.mark.long, pytest.mark.once]

QUICK = {"settle_seconds": 3, "timeout": 90, "health_gate": False}
KEY = "cluster-pool-ipv4-cidr"
FOUR = {"pool_ipv4_cidrs": ("10.60.0.0/28",), "pool_ipv4_mask_size": 30}


def held(testbed: Testbed) -> dict[str, list[str]]:
    """{CiliumNode: its blocks}."""
    return {one["metadata"]["name"]: blocks(one) for one in testbed.client.list(NODES)}


@pytest.fixture(scope="module")
def full() -> Iterator[Testbed]:
    """Four blocks for five Nodes, and the real operator as pods of its Deployment."""
    spec = TestbedSpec(name=f"grow-{os.getpid()}", cilium=CiliumOperatorSpec(pods=True, **FOUR))
    with Testbed.up(spec) as made:
        wait_operator(made)
        for number in range(5):
            create(made, f"n{number}")
            decided(made, f"n{number}")
        yield made


def test_the_cluster_pool_grows(full: Testbed) -> None:
    """The Node that waits is served, as is a new one; the others keep what they have; and the second run changes nothing."""
    before, first = raw(full), held(full)
    (late,) = [name for name, own in first.items() if not own]
    assert error(full.client.get(f"{NODES}/{late}")) == "allocator full"
    growth = {"add_pool_cidrs": ["10.61.0.0/29"], **QUICK}
    looked = play(full, "tune_cilium", "--check", "--diff", **growth)
    assert looked.returncode == 0 and raw(full) == before, looked.output
    assert f"+{KEY}: '10.60.0.0/28 10.61.0.0/29'" in looked.output and '"blocks_added": 2' in looked.output
    assert f'"waiting": [ "{late}" ]' in looked.flat_output and "clusterPoolIPv4PodCIDRList" in looked.output

    pod = wait_operator(full)["metadata"]["uid"]
    done = play(full, "tune_cilium", **growth)
    assert done.returncode == 0, done.output
    assert wait_operator(full)["metadata"]["uid"] != pod and '"known_by": "log"' in done.output
    after = held(full)
    (given,) = after[late]
    assert given in ("10.61.0.0/30", "10.61.0.4/30")
    assert {name: own for name, own in after.items() if name != late} == {
        name: own for name, own in first.items() if name != late
    }
    create(full, "new")
    assert blocks(decided(full, "new")) == [{"10.61.0.0/30": "10.61.0.4/30"}.get(given, "10.61.0.0/30")]
    create(full, "too-many")
    assert error(decided(full, "too-many")) == "allocator full"

    again = play(full, "tune_cilium", **growth)
    assert (again.returncode, again.changed) == (0, 0), again.output
    # Nodes have blocks of it: it cannot be taken back
    back = play(full, "tune_cilium", state="restored", **QUICK)
    assert back.returncode != 0 and "10.61.0.0/29 out of the pool, of which" in back.flat_output, back.output
    assert full.client.get(CONFIG)["data"][KEY] == "10.60.0.0/28 10.61.0.0/29" and held(full)[late] == [given]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Testbed]:
    """Four blocks for five Nodes, and the operator as a process that is quick to start again."""
    spec = TestbedSpec(name=f"growforced-{os.getpid()}", cilium=CiliumOperatorSpec(**FOUR))
    with Testbed.up(spec) as made:
        for number in range(5):
            create(made, f"n{number}")
            decided(made, f"n{number}")
        status = {"addresses": [{"type": "InternalIP", "address": "10.63.0.1"}]}
        made.client.patch("/api/v1/nodes/n0/status", {"status": status})
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "taken"}}
        service["spec"] = {"clusterIP": "10.96.0.5", "ports": [{"port": 80}]}
        made.client.create("/api/v1/namespaces/default/services", service)
        yield made


def forced(testbed: Testbed, config: dict[str, str]) -> bool:
    """Start the operator with these keys, whatever we think of them; whether it leads and lives for a while then."""
    testbed.cilium.stop()
    spec = dataclasses.replace(testbed.spec.cilium or CiliumOperatorSpec(), config=config)
    testbed.cilium = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    file = processes.log_of(testbed.directory, "cilium-operator")
    before = file.stat().st_size
    testbed.cilium.start()

    def verdict() -> str:
        record = processes.read(testbed.directory, "cilium-operator")
        if record is None or not processes.alive(record):
            return "stops"
        return "leads" if "Starting to synchronize CiliumNode" in file.read_bytes()[before:].decode() else ""

    return bool(wait_until("the operator leads or stops", verdict) == "leads")


@pytest.mark.parametrize(
    ("cidr", "words", "effect"),
    [
        ("10.60.0.8/30", "overlaps 10.60.0.0/28, which the pool has already", "stops"),
        ("fd00::/104", "enable-ipv6 is off: the operator would not start", "stops"),
        ("10.62.0.0/31", "smaller than one block of /30", "gives nothing"),
        ("10.63.0.0/30", "10.63.0.1, the address of Node n0", "10.63.0.1"),
        ("10.96.0.4/30", "the service range 10.96.0.0/16", "10.96.0.5"),
    ],
)
def test_what_is_refused_does_harm(cidr: str, words: str, effect: str, oracle: Testbed) -> None:
    """The operator stops with it, never uses it, or gives to a Node what somebody else has."""
    refused = answer(cilium_config, kubeconfig=str(oracle.kubeconfig), add_pool_cidrs=[cidr])
    assert refused.get("failed") and words in refused["msg"], refused
    waiting = [name for name, own in held(oracle).items() if not own]
    key, value = ("cluster-pool-ipv6-cidr", cidr) if ":" in cidr else (KEY, f"10.60.0.0/28 {cidr}")
    leads = forced(oracle, {key: value})
    assert leads is (effect != "stops")
    if not leads:
        return
    if effect == "gives nothing":
        time.sleep(5)
        assert [name for name, own in held(oracle).items() if not own] == waiting
        return
    (late,) = waiting
    wait_until("a block of the CIDR that was forced", lambda: held(oracle)[late])
    (given,) = held(oracle)[late]
    assert ipaddress.ip_address(effect) in ipaddress.ip_network(given)
    oracle.cilium.stop()
    for path in (f"{NODES}/{late}", f"/api/v1/nodes/{late}"):
        oracle.client.delete(path)
    create(oracle, late)


def request(needed: int) -> dict[str, Any]:
    """spec.ipam of a CiliumNode of the mode multi-pool."""
    return {"pools": {"requested": [{"pool": "default", "needed": {"ipv4-addrs": needed}}]}}


def test_a_pod_ip_pool_grows() -> None:
    """By the playbook, without a restart. An overlap that is forced gives one block to two Nodes, and loses the pool."""
    spec = TestbedSpec(name=f"growmulti-{os.getpid()}", cilium=CiliumOperatorSpec(ipam="multi-pool"))
    with Testbed.up(spec) as testbed:
        pool = {"apiVersion": "cilium.io/v2alpha1", "kind": "CiliumPodIPPool", "metadata": {"name": "default"}}
        testbed.client.create(POOLS, {**pool, "spec": {"ipv4": {"cidrs": ["10.61.0.0/29"], "maskSize": 30}}})
        for number in range(3):
            create(testbed, f"n{number}", request(2))
            decided(testbed, f"n{number}")
        before = held(testbed)
        growth = {"pool": "default", "add_pool_cidrs": ["10.62.0.0/29"]}
        looked = play(testbed, "tune_cilium", "--check", "--diff", **growth)
        assert looked.returncode == 0, looked.output
        assert "+ipv4: 10.62.0.0/29" in looked.output and held(testbed) == before
        both = play(testbed, "tune_cilium", profile="default", **growth)
        assert both.returncode != 0 and "and does nothing else" in both.flat_output

        done = play(testbed, "tune_cilium", **growth)
        assert done.returncode == 0 and done.changed > 0, done.output
        after = held(testbed)
        assert all(after.values()) and {name: own for name, own in after.items() if before[name]} == {
            name: own for name, own in before.items() if own
        }
        again = play(testbed, "tune_cilium", **growth)
        assert (again.returncode, again.changed) == (0, 0), again.output
        refused = play(testbed, "tune_cilium", **{**growth, "add_pool_cidrs": ["10.61.0.0/28"]})
        assert refused.returncode != 0 and "10.61.0.0/28 overlaps 10.61.0.0/29" in refused.flat_output, refused.output

        cidrs = ["10.61.0.0/29", "10.62.0.0/29", "10.61.0.0/28"]
        testbed.client.patch(f"{POOLS}/default", {"spec": {"ipv4": {"cidrs": cidrs}}})
        for number in range(3, 8):
            create(testbed, f"n{number}", request(2))
            decided(testbed, f"n{number}")
        counts = Counter(cidr for own in held(testbed).values() for cidr in own)
        assert max(counts.values()) == 2, counts
        testbed.cilium.stop()
        testbed.cilium.start_process()
        wait_until(
            "the loss of the pool", lambda: "non-existing pool: default" in error(testbed.client.get(f"{NODES}/n0"))
        )
