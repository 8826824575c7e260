"""Checks of podCIDRs: each rule on a cluster that breaks only it."""

from __future__ import annotations

import pytest
from snapshots.small_clusters import audited, daemon_set, finding, found, node

DUAL = {"cluster_cidrs": ["10.0.0.0/16", "fd00::/48"]}


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        (["10.0.1.0/24"], set()),
        ([], {"node-cidr-missing"}),
        (["10.1.0.0/24"], {"node-cidr-out-of-range"}),
        (["10.0.0.0/15"], {"node-cidr-mask-mismatch"}),  # contains the cluster CIDR: the allocator accepts it
        (["10.0.2.0/23"], {"node-cidr-mask-mismatch"}),
        (["10.0.2.0/25"], {"node-cidr-mask-mismatch"}),
        (["10.96.1.0/24"], {"node-cidr-out-of-range", "node-cidr-overlaps-service-range"}),
        (["10.0.1.0/24", "fd00::/64"], {"node-cidr-out-of-range"}),  # a family the cluster has not (any more)
    ],
)
def test_single_stack(cidrs: list[str], expected: set[str]) -> None:
    """What a Node may have in a cluster of IPv4 only."""
    result = audited(nodes=[node("w1", *cidrs)])
    assert {one for one, subject in found(result) if subject == "w1"} == expected
    assert (
        result["nodes"][0]["findings"] == sorted(expected) and (result["nodes"][0]["severity"] == "ok") is not expected
    )


@pytest.mark.parametrize(
    ("cidrs", "expected"),
    [
        (["10.0.1.0/24", "fd00:0:0:1::/64"], set()),
        (["10.0.1.0/24"], {"node-cidr-partial-family"}),
        (["fd00::/64"], {"node-cidr-partial-family", "node-cidr-family-order"}),
        (["fd00::/64", "10.0.1.0/24"], {"node-cidr-family-order"}),
        (["10.0.1.0/24", "fd01::/64"], {"node-cidr-out-of-range"}),
    ],
)
def test_dual_stack(cidrs: list[str], expected: set[str]) -> None:
    """A podCIDR belongs to the cluster CIDR at its place: the controller-manager compares them by index."""
    result = audited(nodes=[node("w1", *cidrs)], allocator=DUAL)
    assert {one for one, subject in found(result) if subject == "w1"} == expected
    assert all(one["severity"] == "critical" for one in result["findings"])


def test_out_of_range_is_critical_only_where_the_allocator_runs() -> None:
    """A controller that does not run cannot stop the others."""
    off = {"cluster_cidrs": ["10.0.0.0/16"], "allocate_node_cidrs": False}
    nodes = [node("w1", "10.1.0.0/24")]
    result = audited(nodes=nodes, allocator=off, daemonsets=[daemon_set("kube-flannel-ds")])
    assert finding(result, "node-cidr-out-of-range")["severity"] == "warning"
    assert finding(audited(nodes=nodes), "node-cidr-out-of-range")["severity"] == "critical"


@pytest.mark.parametrize(
    ("cidr", "severity", "words"),
    [
        ("10.0.2.0/23", "warning", "so it takes 2 of 256 blocks"),
        ("10.0.2.128/25", "warning", "so it holds a part of the block 10.0.2.0/24"),
        ("10.0.0.0/16", "warning", "so it takes 256 of 256 blocks"),
        ("10.0.0.0/12", "critical", "so it takes 256 of 256 blocks"),
    ],
)
def test_another_size(cidr: str, severity: str, words: str) -> None:
    """How many blocks it takes, or of which it holds a part."""
    one = finding(audited(nodes=[node("w1", cidr)]), "node-cidr-mask-mismatch")
    assert (one["severity"], one["summary"].endswith(words)) == (severity, True)


def test_size_is_not_judged_where_nobody_cuts_blocks() -> None:
    """With the allocator off, the mask flags mean nothing."""
    off = {"cluster_cidrs": ["10.0.0.0/16"], "allocate_node_cidrs": False}
    result = audited(nodes=[node("w1", "10.0.2.0/26")], allocator=off, daemonsets=[daemon_set("kube-flannel-ds")])
    assert found(result) == set() and result["pools"] == []


def test_a_missing_pod_cidr_says_that_the_pool_is_full() -> None:
    """The first question of an operator, answered."""
    nodes = [node("a", "10.0.0.0/24"), node("b", "10.0.1.0/24"), node("c")]
    result = audited(nodes=nodes, allocator={"cluster_cidrs": ["10.0.0.0/23"]})
    assert (
        finding(result, "node-cidr-missing")["summary"] == "Node c has no podCIDR, and no block of 10.0.0.0/23 is free"
    )
    assert finding(audited(nodes=nodes), "node-cidr-missing")["summary"] == "Node c has no podCIDR"


def test_overlaps_name_each_other() -> None:
    """Both Nodes, each with the others; long lists are cut and counted."""
    result = audited(nodes=[node("a", "10.0.4.0/22"), node("b", "10.0.5.0/24"), node("c", "10.0.9.0/24")])
    assert {subject for one, subject in found(result) if one == "node-cidr-overlap"} == {"a", "b"}
    many = audited(
        nodes=[node("big", "10.0.0.0/17"), *(node(f"n{index:02}", f"10.0.{index}.0/24") for index in range(40))]
    )
    big = next(one for one in many["findings"] if one["id"] == "node-cidr-overlap" and one["subject"]["name"] == "big")
    assert big["evidence"]["count"] == 40 and len(big["evidence"]["overlaps"]) == 10
    assert big["summary"].endswith("n09 and 30 more")


def test_equal_pod_cidrs_overlap() -> None:
    """The classic duplicate."""
    result = audited(nodes=[node("a", "10.0.4.0/24"), node("b", "10.0.4.0/24")])
    assert [one["summary"] for one in result["findings"] if one["id"] == "node-cidr-overlap"] == [
        "Node a shares addresses of 10.0.4.0/24 with b",
        "Node b shares addresses of 10.0.4.0/24 with a",
    ]


def test_machine_addresses_inside_a_pod_cidr() -> None:
    """One finding for the Node that holds the podCIDR, whoever has the addresses; IPv6 too."""
    nodes = [
        node("a", "10.0.0.0/24", "fd00::/64", address="10.0.1.7"),
        node("b", "10.0.1.0/24", "fd00:0:0:1::/64", address="10.0.1.8"),
        node("c", "10.0.2.0/24", "fd00:0:0:2::/64", address="fd00::c"),
        node("d", "10.0.3.0/24", "fd00:0:0:3::/64", address="no address"),
    ]
    result = audited(nodes=nodes, allocator=DUAL)
    assert found(result) == {("node-cidr-overlaps-node-address", "a"), ("node-cidr-overlaps-node-address", "b")}
    of_b = next(one for one in result["findings"] if one["subject"]["name"] == "b")
    assert of_b["summary"].endswith("contains 10.0.1.7, the address of Node a, and 1 more Node addresses")


@pytest.mark.parametrize("name", ["aws-node", "calico-node", "ovnkube-node", "azure-cns"])
def test_no_false_alarm_where_node_spec_is_not_the_truth(name: str) -> None:
    """Empty or odd podCIDRs are normal there, and no pool is full."""
    nodes = [node("a"), node("b", "192.168.0.0/24"), node("c", "192.168.0.0/24")]
    result = audited(nodes=nodes, allocator=None, daemonsets=[daemon_set(name)])
    found = {one["id"] for one in result["findings"]}
    assert "ipam-model-not-node-spec" in found
    assert not [one for one in found if one.startswith(("node-cidr", "pod-cidr", "pod-address"))]


def test_a_node_that_waits_is_one_without_any_pod_cidr() -> None:
    """One that lacks a family never gets it, and one that is being deleted is not served."""
    nodes = [
        node("partial", "10.0.0.0/24"),
        node("empty"),
        node("going", deletionTimestamp="2026-11-01T00:00:00Z"),
    ]
    assert {pool["waiting_nodes"] for pool in audited(nodes=nodes, allocator=DUAL)["pools"]} == {1}
