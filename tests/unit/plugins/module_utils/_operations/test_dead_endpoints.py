"""The rules for CiliumEndpoints, and what is read out of a picture of the cluster."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_view import CiliumView
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import endpoint_attention
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.dead_endpoints import (
    EndpointRules,
    Surroundings,
    judge,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_collector import endpoint_collection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_picture import (
    EndpointPicture,
    Unready,
)

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
AROUND = Surroundings(frozenset({"w1"}), frozenset({"w1"}))


def stamp(seconds: float) -> str:
    """So many seconds before NOW."""
    return (NOW - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def endpoint(owners: list[dict[str, Any]] | None, age: float = 9000, address: str = "10.0.0.5") -> dict[str, Any]:
    """The CiliumEndpoint shop/p."""
    return {
        "metadata": {"namespace": "shop", "name": "p", "creationTimestamp": stamp(age), "ownerReferences": owners},
        "status": {"networking": {"addressing": [{"ipv4": address}]}},
    }


def pod(uid: str = "one", phase: str = "Running", age: float = 9000, node: str = "w1") -> dict[str, Any]:
    """The pod shop/p."""
    return {
        "metadata": {"namespace": "shop", "name": "p", "uid": uid, "creationTimestamp": stamp(age)},
        "spec": {"nodeName": node},
        "status": {"phase": phase, "podIPs": [{"ip": "10.0.0.6"}]},
    }


def of_pod(uid: str = "one", name: str = "p") -> list[dict[str, Any]]:
    """An owner reference to a pod."""
    return [{"kind": "Pod", "name": name, "uid": uid}]


OF_NODE = [{"kind": "CiliumNode", "name": "w1", "uid": "n"}]
OF_LOST_NODE = [{"kind": "CiliumNode", "name": "w9", "uid": "n"}]


@pytest.mark.parametrize(
    ("made", "present", "dead", "kept"),
    [
        (endpoint(of_pod()), pod(), "", ""),
        (endpoint(of_pod()), pod(phase="Pending"), "", ""),
        (endpoint(of_pod()), None, "pod-gone", ""),
        (endpoint(of_pod(), age=299), None, "", "young"),
        (endpoint(of_pod()), pod("two"), "pod-replaced", ""),
        (endpoint(of_pod()), pod("two", age=100), "", "young"),
        (endpoint(of_pod(), address="10.0.0.6"), pod("two"), "", "address-in-use"),
        (endpoint(of_pod()), pod(phase="Failed"), "pod-ended", ""),
        (endpoint(None), pod(), "", ""),
        (endpoint(None), None, "pod-gone", ""),
        (endpoint(OF_NODE), None, "", ""),
        (endpoint([*OF_NODE, *of_pod()]), None, "", ""),
        (endpoint(OF_LOST_NODE), None, "owner-gone", ""),
        (endpoint(OF_LOST_NODE), pod(), "", ""),
        (endpoint([{"kind": "CiliumExternalWorkload", "name": "vm", "uid": "x"}]), None, "", "other-owner"),
        (endpoint(of_pod()), pod(node="w9"), "", "node-may-live"),
        (endpoint(of_pod()), pod(node=""), "", ""),
    ],
)
def test_rules(made: dict[str, Any], present: dict[str, Any] | None, dead: str, kept: str) -> None:
    """As the operator and the garbage collector judge, and a little more careful."""
    verdict = judge(made, present, AROUND, EndpointRules(), NOW)
    assert (("", "") if verdict is None else (verdict.dead, verdict.kept)) == (dead, kept)


def test_what_saves_a_dead_one() -> None:
    """Its deletion, its namespace, a fresh write, an agent; a machine that is off does not save it."""
    rules = EndpointRules()
    dead = endpoint(of_pod())
    verdict = judge(dead, None, AROUND, EndpointRules(excluded_namespaces=("shop",)), NOW)
    assert verdict is not None and verdict.kept == "other-namespace"
    written = endpoint(of_pod())
    written["metadata"]["managedFields"] = [{"time": stamp(8000)}, {"time": stamp(10)}]
    verdict = judge(written, None, AROUND, rules, NOW)
    assert verdict is not None and verdict.kept == "young"
    verdict = judge(dead, None, Surroundings({"w1"}, {"w1"}, {"shop/p"}), rules, NOW)
    assert verdict is not None and verdict.kept == "agent-has-it"
    verdict = judge(dead, pod(node="w9"), AROUND, EndpointRules(powered_off=("w9",)), NOW)
    assert verdict is not None and verdict.dead == "node-gone"
    dead["metadata"]["deletionTimestamp"] = stamp(3)
    verdict = judge(dead, None, AROUND, rules, NOW)
    assert verdict is not None and verdict.kept == "terminating"


OWNERS = st.lists(st.sampled_from([*of_pod(), *of_pod("two"), *OF_NODE, *OF_LOST_NODE]), max_size=2)
PRESENT = st.one_of(
    st.none(),
    st.builds(
        pod,
        st.sampled_from(["one", "two"]),
        st.sampled_from(["Running", "Pending", "Succeeded", "Failed"]),
        st.sampled_from([10.0, 9000.0]),
        st.sampled_from(["w1", "w9", ""]),
    ),
)


@given(owners=OWNERS, present=PRESENT, age=st.integers(0, 10_000), min_age=st.integers(0, 10_000))
def test_properties(owners: list[dict[str, Any]], present: dict[str, Any] | None, age: int, min_age: int) -> None:
    """An existing CiliumNode keeps; so does a pod that lives and is the owner; more patience never finds more dead."""
    made = endpoint(owners, age=age)
    verdict = judge(made, present, AROUND, EndpointRules(min_age=min_age), NOW)
    dead = verdict.dead if verdict is not None else ""
    if OF_NODE[0] in owners:
        assert not dead
    first = next((one for one in owners if one["kind"] == "Pod"), None)
    alive = present is not None and present["status"]["phase"] in ("Running", "Pending")
    if alive and (first is None or (present or {})["metadata"]["uid"] == first["uid"]):
        assert not dead
    if dead:
        assert age >= min_age
        eager = judge(made, present, AROUND, EndpointRules(min_age=0), NOW)
        assert eager is not None and eager.dead == dead


KVSTORE = {"kvstore": "etcd", "identity-allocation-mode": "kvstore"}
NO_POLICIES = {
    "enable-policy": "never",
    "enable-k8s-networkpolicy": "false",
    "enable-cilium-network-policy": "false",
    "enable-cilium-clusterwide-network-policy": "false",
}


def state(config: dict[str, str] | None = None, **resources: Any) -> ClusterState:
    """A cluster with Cilium."""
    made = {
        "metadata": {"name": "cilium-config", "namespace": "kube-system"},
        "data": config or {"ipam": "cluster-pool"},
    }
    return ClusterState(taken_at=NOW, resources={"configmaps": [made], **resources})


def lease(age: float) -> dict[str, Any]:
    """The Lease of the operator."""
    spec = {"holderIdentity": "o", "renewTime": stamp(age), "acquireTime": stamp(9000)}
    return {"metadata": {"name": "cilium-operator-resource-lock"}, "spec": spec}


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (state(leases=[lease(5)]), "healthy"),
        (state(leases=[lease(500)]), "broken"),
        (state(), "unknown"),
        (state({"cilium-endpoint-gc-interval": "0"}, leases=[lease(5)]), "broken"),
        (state({"cilium-endpoint-gc-interval": "0", **KVSTORE}), "off"),
        (state({"cilium-endpoint-gc-interval": "300"}, leases=[lease(5)]), "broken"),
        (state({"disable-endpoint-crd": "true", **KVSTORE}), "off"),
        (state({"disable-endpoint-crd": "true"}, leases=[lease(5)]), "healthy"),
        (state({"disable-endpoint-crd": "true", **NO_POLICIES}, leases=[lease(5)]), "off"),
        (state(leases=[lease(5)], clusterroles=[{"metadata": {"name": "cilium-operator"}, "rules": []}]), "broken"),
        (ClusterState(taken_at=NOW, unknown={"configmaps": "no"}), "unknown"),
    ],
)
def test_whether_the_operator_does_it(made: ClusterState, verdict: str) -> None:
    """By its settings, its Lease and its permissions; the trap is told with every way to fall into it."""
    found = endpoint_collection(made, CiliumView(made))
    assert found.verdict == verdict
    config = CiliumView(made).config or {}
    assert bool(found.trap) == (verdict == "off" or config.get("cilium-endpoint-gc-interval") == "0")


def picture(unready: list[Unready], **resources: Any) -> EndpointPicture:
    """Node w1 with an agent."""
    agent = {
        "metadata": {"name": "cilium-1", "namespace": "kube-system", "labels": {"k8s-app": "cilium"}},
        "spec": {"nodeName": "w1"},
        "status": {"phase": "Running"},
    }
    nodes = [{"metadata": {"name": "w1"}, "status": {"addresses": [{"address": "192.0.2.1"}]}}]
    made = state(pods=[agent], nodes=nodes, **resources)
    return EndpointPicture(Context(made), NOW, True, 1, [], unready, {}, AROUND, {})


def unready(state_: str, seconds: float, address: str = "192.0.2.1", name: str = "p") -> Unready:
    """An endpoint that was written so long ago."""
    return Unready("shop", name, address, state_, NOW - datetime.timedelta(seconds=seconds))


def test_agents_to_restart() -> None:
    """Long enough in the state, by the last write or by the agent's own log; of a Node that exists."""
    found = picture(
        [
            unready("not-ready", 700),
            unready("regenerating", 500, name="q"),
            unready("waiting-for-identity", 900, name="r"),
            unready("not-ready", 700, address="192.0.2.9", name="s"),
        ]
    )
    rows = endpoint_attention.agents_to_restart(found, 600)
    assert [(row["node"], row["agent"], row["states"]) for row in rows] == [
        ("w1", "cilium-1", {"not-ready": 1, "waiting-for-identity": 1})
    ]
    assert rows[0]["example"] == "shop/r" and rows[0]["longest_seconds"] == 900
    assert "1 endpoints on 1 Nodes wait for an identity" in endpoint_attention.waiting_note(rows)

    answer = {"node": "w1", "endpoints": [{"pod": "shop/q", "state": "regenerating", "since": stamp(4000)}]}
    asked = picture([unready("regenerating", 20, name="q")], agents=[answer])
    assert endpoint_attention.agents_to_restart(asked, 600)[0]["longest_seconds"] == 4000


def test_slices() -> None:
    """Entries whose endpoint is gone or dead are counted; nothing is said where slices are off."""
    piece = {
        "metadata": {"name": "ces-1"},
        "namespace": "shop",
        "endpoints": [{"name": "p"}, {"name": "q"}, {"name": "r"}],
    }
    there = [{"metadata": {"namespace": "shop", "name": name}} for name in ("p", "q")]
    config = {"ipam": "cluster-pool", "enable-cilium-endpoint-slice": "true"}
    on = EndpointPicture(
        Context(state(config, ciliumendpointslices=[piece], ciliumendpoints=there)),
        NOW,
        True,
        2,
        [],
        [],
        {},
        AROUND,
        {},
    )
    found = endpoint_attention.slice_leftovers(on, {("shop", "q")})
    assert found["stale_entries"] == 2 and found["examples"] == ["shop/q", "shop/r"]
    off = picture([], ciliumendpointslices=[piece])
    assert endpoint_attention.slice_leftovers(off, set()) == {
        "enabled": False,
        "stale_entries": 0,
        "examples": [],
        "words": "",
    }
