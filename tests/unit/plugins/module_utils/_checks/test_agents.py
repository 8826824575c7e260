"""Checks of agents: what counts, what does not, and how much of it."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.agent_entries import agent, controller, metrics, policy_endpoint, silent
from snapshots.provoked_agents import cilium
from snapshots.small_clusters import context, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import agents
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding


def found(**more: Any) -> list[Finding]:
    """Findings about agents."""
    return list(agents.check(context(**more)))


def ids(**more: Any) -> set[str]:
    """Their ids."""
    return {one.id for one in found(**more)}


def only(identifier: str, **more: Any) -> Finding:
    """The only one with this id."""
    (one,) = [one for one in found(**more) if one.id == identifier]
    return one


def test_silent_agents_are_one_finding_by_cause() -> None:
    """However many they are: a broken way to the kubelets makes thousands silent."""
    more = cilium(agent("a"), *[silent(f"n{number:04}") for number in range(3000)], silent("z", "exit 1"))
    one = only("agent-silent", **more)
    assert one.summary.startswith("3001 of 3002 agents did not answer, or not to everything: 3001 Nodes (n0000, n0001")
    assert one.evidence["causes"] == [
        {"error": "no answer to status -o json within 20 s", "agents": 3000},
        {"error": "exit 1", "agents": 1},
    ]
    assert agents.section(context(**more)) == {
        "asked": 3002,
        "answered": 1,
        "versions": {"1.18.4": 1},
        "failing_controllers": {},
    }


@pytest.mark.parametrize(("failures", "expected"), [(1, False), (2, False), (3, True)])
def test_failures_that_are_retried_are_ordinary(failures: int, expected: bool) -> None:
    """Three in a row are not."""
    more = cilium(agent(controllers=[controller("sync-cidr-identities", "conflict", failures)]))
    assert ids(**more) == ({"agent-controller-failing"} if expected else set())


def test_one_finding_for_each_kind_of_controller() -> None:
    """Without the numbers of endpoints; with the worst message."""
    failing = [controller(f"sync-to-k8s-ciliumendpoint ({n})", "conflict", 3 + n) for n in range(5)]
    entries = [agent(name, controllers=[*failing, controller("resolve-identity-7", "no quorum")]) for name in "ab"]
    results = found(**cilium(*entries))
    assert [one.id for one in results] == ["agent-identity-unresolved", "agent-controller-failing"]
    assert results[1].evidence["controller"] == "sync-to-k8s-ciliumendpoint" and results[1].evidence["count"] == 10
    assert "Controller sync-to-k8s-ciliumendpoint fails on 2 Nodes (a, b), on b 7 times in a row" in results[1].summary


def test_a_full_range_is_not_told_twice() -> None:
    """Neither as a failing controller besides, nor below three failures not at all."""
    message = "unable to resolve identity: no more available IDs in configured space"
    for failures in (1, 9):
        more = cilium(agent(controllers=[controller("resolve-identity-7", message, failures)]))
        assert ids(**more) == {"agent-identities-exhausted"}


@pytest.mark.parametrize(("since", "expected"), [("2026-10-31T23:54:00Z", True), ("2026-10-31T23:56:00Z", False)])
def test_endpoints_may_take_some_minutes(since: str, expected: bool) -> None:
    """By the state's clock; one whose log says nothing about its state is not judged."""
    log = [{"timestamp": since, "state": "regenerating", "code": "Failure", "message": "no map"}]
    endpoint = {"id": 5, "status": {"state": "regenerating", "log": log}}
    assert ids(**cilium(agent(endpoints=[endpoint]))) == ({"agent-endpoint-stuck"} if expected else set())
    assert ids(**cilium(agent(endpoints=[{"id": 5, "status": {"state": "regenerating"}}]))) == set()


@pytest.mark.parametrize(
    ("identities", "level"), [(13107, None), (13108, "warning"), (16383, "warning"), (16384, "critical")]
)
def test_policy_maps_by_what_policies_name(identities: int, level: str | None) -> None:
    """A lower bound: every identity takes an entry for each port."""
    results = found(**cilium(agent(endpoints=[policy_endpoint(identities)])))
    assert [one.severity for one in results] == ([level] if level else [])


def test_the_metric_of_policy_maps_knows_better() -> None:
    """Where it is served, nothing is estimated."""
    full = agent(endpoints=[policy_endpoint(16384)])
    sample = 'cilium_bpf_map_pressure{map_name="cilium_policy_v2_01734"}'
    assert ids(**cilium(full, metrics=[metrics({sample: 0.3})])) == set()
    one = only("agent-policy-map-pressure", **cilium(agent(), metrics=[metrics({sample: 0.97})]))
    assert one.summary == "The fullest policy map of Node a is used to 97%" and one.severity == "warning"


def test_the_size_of_policy_maps_is_configured() -> None:
    """By what the agent runs with, else by cilium-config."""
    endpoints = [policy_endpoint(14000)]
    larger = cilium(agent(endpoints=endpoints), config={"bpf-policy-map-max": "65536"})
    assert ids(**larger) == set()
    assert ids(**cilium(agent(endpoints=endpoints, config={"PolicyMapEntries": 32768}))) == set()


def test_addresses_that_only_the_agent_knows_of() -> None:
    """Router, health, pods that live and endpoints that are known do not count; two may be on their way."""
    allocations = {"10.0.5.1": "router", "10.0.5.2": "shop/cart-6c9d7f8b5-abcde [restored]"}
    ghosts = {f"10.0.5.{number}": f"batch/job-{number}" for number in (7, 8, 9)}
    ipam = {"status": "", "allocations": {**allocations, **ghosts}}
    one = only("agent-addresses-leaked", **cilium(agent(ipam=ipam)))
    assert one.evidence["count"] == 3
    assert one.evidence["addresses"][0] == {"address": "10.0.5.7", "owner": "batch/job-7"}
    two = {"status": "", "allocations": dict(list(ghosts.items())[:2])}
    assert ids(**cilium(agent(ipam=two))) == set()
    endpoints = [
        {"id": n, "status": {"state": "ready", "external-identifiers": {"pod-name": o}}}
        for n, o in enumerate(ghosts.values())
    ]
    assert ids(**cilium(agent(ipam=ipam, endpoints=endpoints))) == set()
    unknown = cilium(agent(ipam=ipam), unknown={"pods": "forbidden"})
    del unknown["pods"]
    assert ids(**unknown) == set()


def test_a_full_range_is_told_by_the_agent_only_where_no_object_tells() -> None:
    """Blocks of CiliumNodes are counted by the checks of Cilium's IPAM."""
    cilium_node = {"metadata": {"name": "a"}, "spec": {"ipam": {"podCIDRs": ["10.0.5.0/29"]}}}
    assert "agent-addresses-exhausted" in ids(**cilium(agent("a", "range-full")))
    assert "agent-addresses-exhausted" not in ids(**cilium(agent("a", "range-full"), ciliumnodes=[cilium_node]))
    assert "agent-addresses-exhausted" in ids(
        **cilium(agent("a", "range-full"), ciliumnodes=[cilium_node], config={"ipam": "eni"})
    )


def test_the_cidr_of_the_node_counts_in_mode_kubernetes() -> None:
    """There the CiliumNode is only a copy that the agent made when it started."""
    cilium_node = {"metadata": {"name": "a"}, "spec": {"ipam": {"podCIDRs": ["10.0.5.0/24"]}}}
    more = {"config": {"ipam": "kubernetes"}, "ciliumnodes": [cilium_node]}
    entry = agent("a", config={})
    assert ids(**cilium(entry, nodes=[node("a", "10.0.5.0/24")], **more)) == set()
    one = only("agent-cidr-differs", **cilium(entry, nodes=[node("a", "10.0.7.0/24")], **more))
    assert one.summary == "The agent of Node a gives out addresses of 10.0.5.0/24; its Node has 10.0.7.0/24"
    assert ids(**cilium(entry, nodes=[node("a")], **more)) == set()


def test_configuration_is_one_finding_for_each_value() -> None:
    """With the Nodes; what a CiliumNodeConfig says for a Node is right there."""
    entries = [agent(name) for name in "abc"]
    override = {
        "metadata": {"name": "special", "namespace": "kube-system"},
        "spec": {"nodeSelector": {"matchLabels": {"special": "yes"}}, "defaults": {"routing-mode": "tunnel"}},
    }
    nodes = [node("a"), node("b"), node("c", labels={"special": "yes"})]
    more = {"config": {"routing-mode": "native"}, "nodes": nodes}
    one = only("agent-configuration-differs", **cilium(*entries, ciliumnodeconfigs=[override], **more))
    assert one.summary == "Agents of 2 Nodes (a, b) run with routing-mode=tunnel, configured is native"
    hidden = cilium(*entries, unknown={"ciliumnodeconfigs": "forbidden"}, **more)
    assert ids(**hidden) == set(), "any Node may have an override that we cannot see"


def test_many_nodes_with_one_fault_are_one_fault() -> None:
    """Up to fifty are named one by one."""
    unwell = {"cilium": {"state": "Failure", "msg": "not ready"}}
    assert len(found(**cilium(*[agent(f"n{number:03}", **unwell) for number in range(50)]))) == 50
    one = only("agent-unwell", **cilium(*[agent(f"n{number:03}", **unwell) for number in range(51)]))
    assert one.subject.kind == "DaemonSet" and one.evidence["count"] == 51 and len(one.evidence["nodes"]) == 10


def test_versions_of_a_rollout() -> None:
    """Counted; unknown where the image has no tag."""
    entries = [agent("a"), agent("b", "version-1.14"), agent("c", cilium={"state": "Ok", "msg": "1.17.9 (v1.17.9-x)"})]
    one = only("agent-version-differs", **cilium(*entries))
    assert one.evidence["running"] == {"1.14.19": 1, "1.17.9": 1} and one.evidence["configured"] == "1.18.4"
    untagged = {"metadata": {"name": "cilium", "namespace": "kube-system"}, "spec": {"images": ["cilium@sha256:0"]}}
    assert "agent-version-differs" not in ids(**cilium(*entries, daemonsets=[untagged]))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, set()),
        ({"max-connected-clusters": "511"}, {"agent-identity-range-differs"}),
        ({"max-connected-clusters": "300"}, set()),
        ({"cluster-id": "none"}, set()),
    ],
)
def test_identity_range(config: dict[str, str], expected: set[str]) -> None:
    """What cannot be computed is not judged."""
    entry = agent("a", config={})
    assert ids(**cilium(entry, config=config)) == expected


def test_five_thousand_agents_have_two_findings() -> None:
    """With twenty endpoints each, all in trouble; in about a second."""
    log = [{"timestamp": "2026-03-01T00:00:00Z", "state": "regenerating", "code": "Failure", "message": "no map"}]
    endpoints = [{"id": n, "status": {"state": "regenerating" if n < 2 else "ready", "log": log}} for n in range(20)]
    failing = [controller("resolve-identity-7", "no quorum")]
    first = agent("a", endpoints=endpoints, controllers=failing)
    entries = [{**first, "node": f"n{number:04}", "pod": f"p{number}"} for number in range(5000)]
    made = context(**cilium(*entries))
    results = list(agents.check(made))
    assert {one.id for one in results} == {"agent-identity-unresolved", "agent-endpoint-stuck"} and len(results) == 2
