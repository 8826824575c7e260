"""Restarting the real operator and simulated agents: who has to, one Node at a time, and never into a value that stops it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, KwokSpec, Testbed, TestbedSpec, objects

from .operator_scene import PODS, data, play, set_data, wait_operator

pytestmark = [pytest.mark.testbed, pytest.mark.long, pytest.mark.once]

NODES = ("a1", "a2", "a3")
QUICK = {"settle_seconds": 3, "timeout": 60}
JOURNAL = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-cilium"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """The operator as pods, and three simulated agents."""
    spec = TestbedSpec(name=f"restart-{os.getpid()}", cilium=CiliumOperatorSpec(pods=True), kwok=KwokSpec())
    with Testbed.up(spec) as made:
        for name in NODES:
            made.client.create("/api/v1/nodes", objects.node(name, labels=objects.AGENT_NODE))
        wait_operator(made)
        wait_until("agents run", lambda: len(agents(made)) == 3)
        yield made


def agents(testbed: Testbed) -> dict[str, str]:
    """{Node: uid of its agent}, of those that run."""
    return {
        pod["spec"]["nodeName"]: pod["metadata"]["uid"]
        for pod in testbed.client.list(PODS, {"labelSelector": "k8s-app=cilium"})
        if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
    }


def operator_uid(testbed: Testbed) -> str:
    """The operator's pod."""
    return str(wait_operator(testbed)["metadata"]["uid"])


def test_keys_say_who_has_to(testbed: Testbed) -> None:
    """A key of the operator restarts it alone, one of the agents them alone; a second run changes nothing."""
    before, operator = agents(testbed), operator_uid(testbed)
    set_data(testbed, identity_gc_rate_limit="3000")
    done = play(testbed, "restart_cilium", keys=["identity-gc-rate-limit"], **QUICK)
    assert done.returncode == 0, done.output
    assert agents(testbed) == before
    assert operator_uid(testbed) != operator

    operator = operator_uid(testbed)
    set_data(testbed, bpf_policy_map_max="32768")
    looked = play(testbed, "restart_cilium", "--check", "--diff", keys=["bpf-policy-map-max"], **QUICK)
    assert looked.returncode == 0 and agents(testbed) == before
    assert all(f"+{name}: a new pod" in looked.output for name in NODES)
    done = play(testbed, "restart_cilium", keys=["bpf-policy-map-max"], **QUICK)
    assert done.returncode == 0, done.output
    after = agents(testbed)
    assert all(after[name] != before[name] for name in NODES)
    assert operator_uid(testbed) == operator
    again = play(testbed, "restart_cilium", keys=["bpf-policy-map-max"], **QUICK)
    assert (again.returncode, again.changed) == (0, 0), again.output


def test_refusals(testbed: Testbed) -> None:
    """Nothing to go by, a key that nobody reads, and a value that would stop the operator."""
    before = operator_uid(testbed)
    nothing = play(testbed, "restart_cilium", **QUICK)
    assert "Nothing says what to restart" in nothing.flat_output
    invented = play(testbed, "restart_cilium", keys=["enable-identity-cache"], **QUICK)
    assert "is read by no program of Cilium 1.18" in invented.flat_output
    kept = data(testbed)["identity-gc-interval"]
    set_data(testbed, identity_gc_interval="600")
    fatal = play(testbed, "restart_cilium", component="both", **QUICK)
    assert "Nothing was restarted: operator would not start again" in fatal.flat_output
    set_data(testbed, identity_gc_interval=kept)
    assert operator_uid(testbed) == before


def test_some_nodes_and_the_switch(testbed: Testbed) -> None:
    """One Node's agent whatever its age; with the switch set none is begun, and the same command goes on without it."""
    before = agents(testbed)
    done = play(testbed, "restart_cilium", component="agents", nodes=["a2"], always=True, **QUICK)
    assert done.returncode == 0, done.output
    assert {name for name in NODES if agents(testbed)[name] != before[name]} == {"a2"}

    before = agents(testbed)
    testbed.client.patch(JOURNAL, {"data": {"stop": "true"}})
    stopped = play(testbed, "restart_cilium", component="agents", always=True, **QUICK)
    assert stopped.returncode != 0 and "stop" in stopped.flat_output
    assert agents(testbed) == before
    testbed.client.patch(JOURNAL, {"data": {"stop": "false"}})
    rolled = play(testbed, "restart_cilium", component="agents", method="rollout", always=True, **QUICK)
    assert rolled.returncode == 0, rolled.output
    assert all(agents(testbed)[name] != before[name] for name in NODES)
