"""Checks of pod addresses: what other hosts cannot reach although it is Ready."""

from __future__ import annotations

import pytest
from snapshots.small_clusters import audited, daemon_set, finding, found, node, pod

FOREIGN = "pod-address-outside-node-cidr"
DUPLICATE = "pod-address-duplicate"
A = node("a", "10.0.0.0/24")


@pytest.mark.parametrize(
    "ordinary",
    [
        pod("inside", "a", "10.0.0.7"),
        pod("machine", "a", "192.0.2.1", hostNetwork=True),
        pod("finished", "a", "10.0.9.8", phase="Succeeded"),
        pod("failed", "a", "10.0.9.8", phase="Failed"),
        pod("starting", "a"),
        pod("pending", "", "10.0.9.9"),
        pod("elsewhere", "no-such-node", "10.0.9.9"),
        pod("odd", "a", "no address"),
        pod("second-family", "a", "10.0.0.8", "fd00::8"),  # Node.spec decides about IPv4 only here
    ],
)
def test_ordinary_pods(ordinary: object) -> None:
    """None of these says anything about drift."""
    assert found(audited(nodes=[A], pods=[ordinary])) == set()


def test_one_finding_for_each_node() -> None:
    """With the count, a few pods, and their addresses; pods count once, however many addresses they have."""
    allocator = {"cluster_cidrs": ["10.0.0.0/16", "fd00::/48"]}
    pods = [pod(f"p{number:02}", "a", f"10.0.9.{number}", f"fd00:0:0:9::{number}") for number in range(12)]
    result = audited(nodes=[node("a", "10.0.0.0/24", "fd00::/64")], pods=pods, allocator=allocator)
    assert found(result) == {(FOREIGN, "a")}
    one = finding(result, FOREIGN)
    assert one["severity"] == "critical"
    assert one["evidence"]["count"] == 12 and len(one["evidence"]["pods"]) == 10
    assert one["evidence"]["pods"][0] == {"pod": "default/p00", "addresses": ["10.0.9.0", "fd00:0:0:9::"]}
    assert "runs 12 pods with other addresses, for example default/p00 with 10.0.9.0" in one["summary"]
    assert one["remedy"]["variables"] == {"reassign_pod_cidrs_nodes": ["a"]}
    assert one["verify"].startswith("kubectl get pods -A -o wide --field-selector spec.nodeName=a")


@pytest.mark.parametrize(("created", "younger"), [("2026-03-02T08:00:01Z", 1), ("2026-03-02T07:59:59Z", 0)])
def test_younger_pods_show_that_cni_still_works_with_the_old_range(created: str, younger: int) -> None:
    """The state after the naive procedure: the Node has a new podCIDR, the host does not know it."""
    one = finding(audited(nodes=[A], pods=[pod("p", "a", "10.0.9.1", created=created)]), FOREIGN)
    assert one["evidence"]["younger_than_the_node"] == younger
    assert ("CNI on the host still has an earlier CIDR" in one["summary"]) is bool(younger)


def test_pods_on_a_node_without_pod_cidr() -> None:
    """Their addresses are of an earlier registration, and may be another Node's now."""
    result = audited(nodes=[node("a"), node("b", "10.0.1.0/24")], pods=[pod("p", "a", "10.0.1.5")])
    assert (FOREIGN, "a") in found(result)
    assert "Node a (no podCIDR) runs 1 pod" in finding(result, FOREIGN)["summary"]


def test_two_pods_with_one_address() -> None:
    """Named with their Nodes; one that is being deleted has given its address back."""
    pods = [pod("one", "a", "10.0.0.7"), pod("two", "a", "10.0.0.7")]
    one = finding(audited(nodes=[A], pods=pods), DUPLICATE)
    assert one["subject"] == {"kind": "Address", "name": "10.0.0.7", "namespace": ""}
    assert one["summary"] == "2 pods have the address 10.0.0.7: default/one on a, default/two on a"
    pods[1]["metadata"]["deletionTimestamp"] = "2026-11-01T00:00:00Z"
    assert found(audited(nodes=[A], pods=pods)) == set()


@pytest.mark.parametrize(("name", "expected"), [("calico-node", True), ("ovnkube-node", False)])
def test_where_node_spec_is_not_the_truth(name: str, expected: bool) -> None:
    """Addresses outside podCIDRs are normal; a double address is a fault unless tenants have networks of their own."""
    pods = [pod("one", "a", "172.16.0.7"), pod("two", "a", "172.16.0.7")]
    result = audited(nodes=[A], pods=pods, allocator=None, daemonsets=[daemon_set(name)])
    assert ((DUPLICATE, "172.16.0.7") in found(result)) is expected
    assert FOREIGN not in {one for one, _subject in found(result)}


def test_pods_are_counted_for_each_node() -> None:
    """Those that hold an address of the pod network; unknown where pods are."""
    pods = [pod("one", "a", "10.0.0.7"), pod("two", "a", "192.0.2.1", hostNetwork=True)]
    assert audited(nodes=[A], pods=pods)["nodes"][0]["pods"] == 1
    assert audited(nodes=[A], unknown={"pods": "forbidden"})["nodes"][0]["pods"] is None
