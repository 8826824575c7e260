"""The control plane: who leads and stays, aggregated APIs, versions."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from snapshots.kubernetes_objects import ago, api_service, leader_lease, owned
from snapshots.small_clusters import context, controller_manager, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import control_plane
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding

OUT = node("odd", "10.9.0.0/24", created=ago(3600))


def found(**cluster: Any) -> dict[str, Finding]:
    """{id: finding} of a small cluster."""
    return {one.id: one for one in control_plane.check(context(**cluster))}


def kubelet(name: str, version: str) -> Any:
    """A Node with this kubelet."""
    made = node(name, "10.0.0.0/24")
    made["status"]["nodeInfo"] = {"kubeletVersion": version}
    return made


@pytest.mark.parametrize(
    ("renewed", "others", "stale"),
    [
        (2, (), False),
        (50, (), False),
        (90, (), True),
        (90, (1,), True),
        (90, (80,), False),  # the clock of the audit is ahead: another Lease of the cluster is as old
        (900, (890,), True),  # no clock is that wrong
        (-120, (), False),  # the clock of the audit is behind
    ],
)
def test_a_lease_is_stale_by_the_clock_of_the_cluster(renewed: float, others: tuple[float, ...], stale: bool) -> None:
    """Against the newest Lease, as the audit may run where the clock is wrong."""
    node_leases = [owned(f"n{index}", "1", renewTime=ago(other)) for index, other in enumerate(others)]
    result = found(leases=[leader_lease(renewed=renewed)], nodeleases=node_leases)
    assert ("controller-manager-lease-stale" in result) is stale


def test_a_collection_that_took_minutes_is_no_stale_lease() -> None:
    """Objects of a support bundle are of different times."""
    state = context(leases=[leader_lease(renewed=200)]).state
    assert [one.id for one in control_plane.check(Context(state))] == ["controller-manager-lease-stale"]
    skewed = dataclasses.replace(state, skew=datetime.timedelta(minutes=5))
    assert list(control_plane.check(Context(skewed))) == []


def test_a_controller_manager_that_exits_at_a_node() -> None:
    """The Node was there before the leader took over, and it has led for seconds only."""
    crash = found(nodes=[OUT], leases=[leader_lease(renewed=1, acquired=4)])["controller-manager-crash-loop"]
    assert (crash.severity, crash.evidence["exits_at"]) == ("critical", ["odd"])
    assert "it exits at 1 Node (odd); the last leader had led for 3 s" in crash.summary


@pytest.mark.parametrize(
    "cluster",
    [
        {"nodes": [OUT], "leases": [leader_lease(acquired=7200)]},  # it leads since before the Node came
        {"nodes": [OUT], "leases": [leader_lease(acquired=600)]},  # it survived its start: the settings must be others
        {"nodes": [OUT]},
        {
            "nodes": [OUT],
            "leases": [leader_lease(acquired=4)],
            "allocator": {"cluster_cidrs": ["10.0.0.0/16"], "allocate_node_cidrs": False},
        },
        {"nodes": [node("a", "10.0.0.0/24")], "leases": [leader_lease(acquired=4)]},  # an ordinary restart
        {"leases": [leader_lease(acquired=4, transitions=300, created=86400 * 900)]},  # an old cluster, upgraded
    ],
)
def test_no_crash_loop(cluster: dict[str, Any]) -> None:
    """A restart alone is none, nor is a Node that nobody has stumbled over yet."""
    assert "controller-manager-crash-loop" not in found(**cluster)


def test_changes_of_leader_tell_a_crash_loop() -> None:
    """The Lease is an hour old, and the tenth leader took over just now."""
    crash = found(leases=[leader_lease(acquired=20, created=3600, transitions=10)])["controller-manager-crash-loop"]
    assert crash.severity == "warning" and "10 changes of leader" in crash.summary


def test_restarts_and_crash_loop_back_off() -> None:
    """What the kubelet says about the static pod."""
    one = controller_manager("cp1", "--v=2")
    one["status"].update(restarts=7)
    assert found(pods=[one], leases=[leader_lease()]) == {}
    crash = found(pods=[one], leases=[leader_lease(acquired=30)])["controller-manager-crash-loop"]
    assert (crash.severity, crash.evidence["restarts"]) == ("warning", 7)
    one["status"].update(waiting="CrashLoopBackOff")
    crash = found(pods=[one], leases=[leader_lease()])["controller-manager-crash-loop"]
    assert (crash.severity, crash.evidence["crashing_pods"]) == ("critical", ["kube-controller-manager-cp1"])


def test_api_services() -> None:
    """Only those that another server answers for; one that says nothing is not available."""
    silent = {"metadata": {"name": "v1.silent"}, "spec": {"service": {"namespace": "a", "name": "b"}}}
    services = [api_service("v1.down"), api_service("v1.up", "True"), api_service("v1.", "False", service=""), silent]
    made = context(apiservices=services)
    assert [one.subject.name for one in control_plane.check(made)] == ["v1.down", "v1.silent"]
    section = control_plane.section(made)
    assert section is not None
    assert [(one["name"], one["available"]) for one in section["api_services"]] == [
        ("v1.down", "False"),
        ("v1.silent", "Unknown"),
        ("v1.up", "True"),
    ]


def test_section_says_what_is_unknown() -> None:
    """null, and not an empty list."""
    assert control_plane.section(context()) == {"leases": [], "api_services": []}
    unknown = {"leases": "forbidden", "apiservices": "forbidden"}
    assert control_plane.section(context(unknown=unknown)) == {"leases": None, "api_services": None}


def test_section_has_the_leases() -> None:
    """With ages in seconds."""
    section = control_plane.section(context(leases=[leader_lease(renewed=2, acquired=100)]))
    assert section is not None
    (lease,) = section["leases"]
    assert lease == {
        "name": "kube-controller-manager",
        "holder": "cp1_1",
        "transitions": 2,
        "led_for_seconds": 98.0,
        "renewed_seconds_ago": 2.0,
        "stale": False,
    }


@pytest.mark.parametrize(
    ("version", "supported"),
    [("v1.36.4", True), ("v1.33.0-eks-1", True), ("v1.32.9", False), ("v1.37.0+k3s1", False), ("", True)],
)
def test_skew_of_kubelets(version: str, supported: bool) -> None:
    """The API server of the small cluster is 1.36.1."""
    result = found(nodes=[kubelet("a", version), kubelet("b", "v1.36.1")])
    assert ("kubelet-version-skew" not in result) is supported
    if not supported:
        assert result["kubelet-version-skew"].evidence["nodes"] == {"a": version}


@pytest.mark.parametrize(("tag", "affected"), [("v1.30.9", 0), ("v1.31.0", 1), ("v1.31.3", 1), ("v1.31.4", 0)])
def test_releases_that_give_out_a_block_twice(tag: str, affected: int) -> None:
    """By the image of the controller-manager; critical where a Node has finalizers."""
    pod = controller_manager("cp1", "--allocate-node-cidrs=true", "--cluster-cidr=10.0.0.0/16")
    pod["spec"]["containers"][0]["image"] = f"registry:5000/kube-controller-manager:{tag}@sha256:1.31.2"
    nodes = [node("a", "10.0.0.0/24", finalizers=["wrangler.cattle.io/node"])]
    for held, severity in ((nodes, "critical"), ([node("a", "10.0.0.0/24")], "warning")):
        result = found(allocator=None, pods=[pod], nodes=held)
        assert [one.severity for one in result.values()] == [severity] * affected
