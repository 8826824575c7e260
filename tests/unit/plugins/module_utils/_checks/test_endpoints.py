"""Checks of CiliumEndpoints: each finding happens, and does not happen beside its reason."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.small_cilium import (
    OLD,
    YOUNG,
    agent,
    cilium_context,
    cilium_node,
    endpoint,
    machine,
    running,
)

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import endpoints
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_endpoints import KINDS
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_answers import prune_endpoint

A = "192.0.2.1"
BASE: dict[str, Any] = {"nodes": [machine("a", A)], "ciliumnodes": [cilium_node("a", "10.0.0.0/24")]}
SLICES = {"enable-cilium-endpoint-slice": "true"}


def piece(*entries: tuple[str, int], name: str = "ces-1") -> Any:
    """A CiliumEndpointSlice of the namespace shop with (name, identity)."""
    return {
        "metadata": {"name": name},
        "namespace": "shop",
        "endpoints": [{"name": one, "id": identity} for one, identity in entries],
    }


PROVOKED: dict[str, dict[str, Any]] = {
    "endpoint-state-bad": {
        "ciliumendpoints": [endpoint("p", A, state="waiting-for-identity")],
        "pods": [running("p", "a")],
    },
    "endpoint-identity-init": {"ciliumendpoints": [endpoint("p", A, identity=5)], "pods": [running("p", "a")]},
    "endpoint-without-pod": {"ciliumendpoints": [endpoint("p", A)]},
    "endpoint-of-replaced-pod": {
        "ciliumendpoints": [endpoint("p", A, owner="1")],
        "pods": [running("p", "a", uid="2")],
    },
    "endpoint-of-terminal-pod": {
        "ciliumendpoints": [endpoint("p", A)],
        "pods": [running("p", "a", phase="Succeeded")],
    },
    "pod-without-endpoint": {"pods": [agent("a"), running("p", "a", "10.0.0.9")]},
    "endpoint-node-unknown": {"ciliumendpoints": [endpoint("p", "192.0.2.99")], "pods": [running("p", "a")]},
    "endpoint-slice-inconsistent": {
        "config": SLICES,
        "ciliumendpoints": [endpoint("p", A, "10.0.0.9")],
        "pods": [running("p", "a")],
    },
}


def findings(config: Any = None, **more: Any) -> list[Finding]:
    """What the subject finds in this cluster."""
    return list(endpoints.check(cilium_context(config, **{**BASE, **more})))


def test_every_kind_is_provoked() -> None:
    """None is forgotten, none is made up."""
    assert set(PROVOKED) == {kind.id for kind in KINDS}


@pytest.mark.parametrize("identifier", PROVOKED)
def test_a_cause_gives_its_finding_alone(identifier: str) -> None:
    """With a sentence and evidence."""
    (one,) = findings(**PROVOKED[identifier])
    assert one.id == identifier and one.summary and one.evidence


@pytest.mark.parametrize("resource", ["pods", "ciliumendpoints"])
def test_unknown_is_not_judged(resource: str) -> None:
    """Endpoints without pods are no orphans when pods are unknown."""
    by_state = {"endpoint-state-bad", "endpoint-identity-init", "endpoint-node-unknown", "endpoint-slice-inconsistent"}
    for cluster in PROVOKED.values():
        found = {one.id for one in findings(**cluster, unknown={resource: "forbidden"})}
        assert found <= (by_state if resource == "pods" else set())


def test_a_healthy_cluster_has_no_finding() -> None:
    """Endpoint and pod of one uid, in one slice, with an identity."""
    sound = {
        "ciliumendpoints": [endpoint("p", A, "10.0.0.4", owner="7")],
        "pods": [agent("a"), running("p", "a", "10.0.0.4", uid="7"), running("host", "a", phase="Pending")],
        "ciliumendpointslices": [piece(("p", 1000))],
    }
    assert findings(SLICES, **sound) == []


def test_young_objects_are_not_judged() -> None:
    """They are on their way."""
    young = [
        endpoint("p", A, state="waiting-for-identity", created=YOUNG, identity=5),
        endpoint("gone", A, created=YOUNG),
    ]
    pods = [agent("a"), running("p", "a"), running("q", "a", "10.0.0.4", created=YOUNG)]
    assert findings(ciliumendpoints=young, pods=pods) == []


def test_a_node_full_of_stuck_endpoints_is_critical_and_one_finding() -> None:
    """With the number of each state and the oldest first."""
    stuck = [
        endpoint(f"p{index}", A, state="waiting-for-identity", created=f"2026-10-{index:02}T00:00:00Z")
        for index in range(1, 20)
    ]
    stuck[3]["status"]["state"] = "invalid"
    pods = [running(f"p{index}", "a") for index in range(1, 20)]
    (one,) = findings(ciliumendpoints=[*stuck, endpoint("fine", A)], pods=[*pods, running("fine", "a")])
    assert one.severity == "critical" and one.subject.name == "a"
    assert one.summary == (
        "19 of 20 endpoints of Node a are not ready (18 waiting-for-identity, 1 invalid), for example shop/p1: "
        "waiting-for-identity at the longest since 2026-10-01T00:00:00Z"
    )
    assert len(one.evidence["endpoints"]) == 10


def answer(state: str, *log: tuple[str, str]) -> Any:
    """An agent's `endpoint list` with one endpoint and its log of (time, state), as the state keeps it."""
    endpoint = {
        "id": 1,
        "status": {
            "state": state,
            "external-identifiers": {"pod-name": "shop/p"},
            "log": [{"timestamp": when, "state": one} for when, one in log],
        },
    }
    return {"node": "a", "endpoints": [prune_endpoint(endpoint)]}


def test_the_agents_log_tells_since_when() -> None:
    """The first entry of the last unbroken run; so a regeneration that does not end is found, a short one is not."""
    log = [
        ("2026-10-31T10:00:00Z", "regenerating"),
        ("2026-10-31T11:00:00Z", "ready"),
        ("2026-10-31T12:00:00Z", "regenerating"),
        ("2026-10-31T13:00:00Z", "regenerating"),
    ]
    cluster: dict[str, Any] = {
        "ciliumendpoints": [endpoint("p", A, state="regenerating")],
        "pods": [running("p", "a")],
    }
    assert findings(**cluster) == []
    (one,) = findings(**cluster, agents=[answer("regenerating", *log)])
    assert one.evidence["endpoints"][0]["since"] == "2026-10-31T12:00:00Z"
    assert findings(**cluster, agents=[answer("regenerating", (YOUNG, "regenerating"))]) == []
    # the log is of another state than the object: it tells nothing
    assert findings(**cluster, agents=[answer("ready", (OLD, "ready"))]) == []


@pytest.mark.parametrize(
    "endpoints_of_agent",
    [[{}], [None], ["x"], [{"pod": None, "state": 5}], [{"pod": [1], "state": {}, "since": 0}]],
)
def test_odd_answers_of_agents_are_passed_over(endpoints_of_agent: Any) -> None:
    """What an agent says is not validated by the API server."""
    cluster = PROVOKED["endpoint-state-bad"]
    assert len(findings(**cluster, agents=[{"node": "a", "endpoints": endpoints_of_agent}])) == 1


def test_endpoints_of_a_cilium_node_need_no_pod() -> None:
    """Agents have endpoints of their own."""
    own = endpoint("cilium-health-a", A, ownerReferences=[{"kind": "CiliumNode", "name": "a", "uid": "1"}])
    assert findings(ciliumendpoints=[own]) == []


def test_a_replaced_pod_that_runs_is_critical() -> None:
    """Its traffic is dropped where policies hold; a young one may get its endpoint any moment."""
    (one,) = findings(**PROVOKED["endpoint-of-replaced-pod"])
    assert one.severity == "critical" and one.evidence["of_running_pods"] == 1
    young = {**PROVOKED["endpoint-of-replaced-pod"], "pods": [running("p", "a", uid="2", created=YOUNG)]}
    assert findings(**young)[0].severity == "warning"


def test_orphans_are_one_finding_for_each_node() -> None:
    """Never one for each endpoint."""
    orphans = [endpoint(f"p{index}", A) for index in range(500)]
    (one,) = findings(ciliumendpoints=orphans)
    assert one.evidence["count"] == 500 and len(one.evidence["endpoints"]) == 10


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([piece(("p", 1000))], None),
        ([piece(("p", 1001))], "1 with another identity"),
        ([piece(("p", 1000)), piece(("p", 1000), name="ces-2")], "1 in several slices"),
        ([piece(("p", 1000), ("gone", 1))], "1 in a slice, but gone"),
    ],
)
def test_slices_are_compared(pieces: Any, words: str | None) -> None:
    """Only where they are on."""
    cluster: dict[str, Any] = {
        "ciliumendpoints": [endpoint("p", A, "10.0.0.9")],
        "pods": [running("p", "a")],
        "ciliumendpointslices": pieces,
    }
    found = findings(SLICES, **cluster)
    assert [one.summary.split(": ")[1] for one in found] == ([words] if words else [])
    assert findings(**cluster) == []


def test_the_section_counts() -> None:
    """Unknown is null and not zero."""
    cluster: dict[str, Any] = {
        **BASE,
        "ciliumendpoints": [endpoint("p", A), endpoint("gone", "192.0.2.99", state="invalid")],
        "pods": [agent("a"), running("p", "a", "10.0.0.3"), running("q", "a", "10.0.0.4")],
    }
    assert endpoints.section(cilium_context(**cluster)) == {
        "count": 2,
        "states": {"invalid": 1, "ready": 1},
        "nodes": [
            {"node": "", "endpoints": 1, "states": {"invalid": 1}},
            {"node": "a", "endpoints": 1, "states": {"ready": 1}},
        ],
        "without_pod": 1,
        "pods_without_endpoint": 1,
    }
    unknown = endpoints.section(cilium_context(**cluster, unknown={"pods": "forbidden"}))
    assert unknown is not None and unknown["without_pod"] is None and unknown["pods_without_endpoint"] is None
    assert endpoints.section(cilium_context(**cluster, unknown={"ciliumendpoints": "forbidden"})) is None
