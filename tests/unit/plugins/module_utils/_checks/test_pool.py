"""Checks of the pool and of the settings it comes from."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.small_clusters import (
    audited,
    config_map,
    controller_manager,
    daemon_set,
    finding,
    found,
    lease,
    node,
)

FLANNEL = [daemon_set("kube-flannel-ds")]
FLAGS = ("--allocate-node-cidrs=true", "--cluster-cidr=10.0.0.0/16", "--service-cluster-ip-range=10.96.0.0/16")


def nodes(count: int, waiting: int = 0) -> list[Any]:
    """This many Nodes with a block each, and some without."""
    with_block = [node(f"n{index:03}", f"10.0.{index}.0/24") for index in range(count)]
    return with_block + [node(f"w{index}") for index in range(waiting)]


@pytest.mark.parametrize(("waiting", "severity"), [(0, "warning"), (2, "critical")])
def test_an_exhausted_pool_is_critical_when_nodes_wait(waiting: int, severity: str) -> None:
    """And they are named."""
    result = audited(nodes=nodes(4, waiting), allocator={"cluster_cidrs": ["10.0.0.0/22"]})
    one = finding(result, "pod-cidr-pool-exhausted")
    assert one["severity"] == severity and one["subject"]["name"] == "10.0.0.0/22"
    assert one["summary"].endswith("waiting Nodes (2): w0, w1" if waiting else "are taken")


@pytest.mark.parametrize(
    ("count", "factor", "severity"),
    [
        (15, 2.0, "warning"),  # 1 of 16 blocks is free: less than a tenth
        (14, 2.0, "info"),  # 2 are free, but 16 is less than twice 14
        (9, 2.0, "info"),
        (8, 2.0, None),
        (14, 1.0, None),
        (9, 3.0, "info"),
    ],
)
def test_headroom(count: int, factor: float, severity: str | None) -> None:
    """Below a tenth it is urgent; below the factor it is a matter of planning."""
    result = audited(nodes=nodes(count), allocator={"cluster_cidrs": ["10.0.0.0/20"]}, headroom_factor=factor)
    assert [one["severity"] for one in result["findings"]] == ([severity] if severity else [])


def test_each_family_has_its_own_pool() -> None:
    """An exhausted family is found although the other has blocks."""
    allocator = {"cluster_cidrs": ["10.0.0.0/16", "fd00::/63"]}
    dual = [node("a", "10.0.0.0/24", "fd00::/64"), node("b", "10.0.1.0/24", "fd00:0:0:1::/64")]
    result = audited(nodes=dual, allocator=allocator)
    assert found(result) == {("pod-cidr-pool-exhausted", "fd00::/63")}
    assert [(pool["family"], pool["free"]) for pool in result["pools"]] == [("IPv4", 254), ("IPv6", 0)]


def test_service_range_inside_the_cluster_cidr() -> None:
    """How many blocks it takes; around the cluster CIDR it takes all."""
    allocator = {"cluster_cidrs": ["10.0.0.0/16"], "service_ranges": ["10.0.128.0/20"]}
    one = finding(audited(allocator=allocator), "service-range-inside-cluster-cidr")
    assert one["summary"].startswith("The service range takes 16 of 256 blocks")
    allocator["service_ranges"] = ["10.0.0.0/12"]
    assert ("pod-cidr-pool-exhausted", "10.0.0.0/16") in found(audited(allocator=allocator))


def test_allocator_off_with_nodes_that_have_none() -> None:
    """The CNI needs what nobody gives."""
    pods = [controller_manager("cp1", "--leader-elect=true")]
    result = audited(allocator=None, nodes=nodes(1, 1), pods=pods, daemonsets=FLANNEL)
    one = finding(result, "allocator-off")
    assert one["severity"] == "warning"
    assert one["summary"].endswith("does not allocate podCIDRs, and 1 of 2 Nodes have none")


def test_allocator_off_where_somebody_else_does_it() -> None:
    """A cloud controller, for example: worth a word, not an alarm."""
    pods = [controller_manager("cp1", "--leader-elect=true")]
    result = audited(allocator=None, nodes=nodes(2), pods=pods, daemonsets=FLANNEL)
    assert finding(result, "allocator-off")["severity"] == "info" and found(result) == set()


def test_an_invisible_control_plane_is_unknown_not_off() -> None:
    """A managed control plane shows nothing."""
    result = audited(allocator=None, nodes=nodes(2), daemonsets=FLANNEL)
    assert [one["id"] for one in result["findings"]] == ["allocator-settings-unknown"]
    assert result["allocator"]["allocate_node_cidrs"] is None and result["pools"] == []


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ([], "No source shows the cluster CIDR"),
        ([controller_manager("cp1")], "kube-controller-manager-cp1 shows no flags"),
        ([controller_manager("cp1", *FLAGS, "--cidr-allocator-type=CloudAllocator")], "given out by CloudAllocator"),
    ],
)
def test_why_the_settings_are_unknown(pods: list[Any], words: str) -> None:
    """Invisible, hidden, or not cut from a cluster CIDR at all; without a range nothing is out of range."""
    result = audited(allocator=None, nodes=[node("a", "192.168.0.0/24")], pods=pods, daemonsets=FLANNEL)
    assert words in finding(result, "allocator-settings-unknown")["summary"]
    assert found(result) == set()


def test_settings_the_controller_manager_cannot_start_with() -> None:
    """One finding for each; the range is known all the same, so the Nodes are judged by it."""
    pods = [controller_manager("cp1", *FLAGS, "--node-cidr-mask-size-ipv6=64")]
    result = audited(allocator=None, nodes=[node("a", "10.0.1.0/24"), node("b", "10.9.0.0/24")], pods=pods)
    assert found(result) == {("allocator-settings-invalid", "cluster"), ("node-cidr-out-of-range", "b")}


def test_replicas_that_disagree_are_shown_by_what_differs() -> None:
    """Not by all their flags."""
    pods = [controller_manager("a", *FLAGS), controller_manager("b", *FLAGS, "--node-cidr-mask-size=25")]
    one = finding(audited(allocator=None, pods=pods, leases=[lease("a_1")]), "controller-manager-replicas-disagree")
    assert one["summary"] == (
        "Node IPAM settings differ: kube-controller-manager-a has node_mask_size_ipv4 24; "
        "kube-controller-manager-b has node_mask_size_ipv4 25"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("networking: {podSubnet: 10.0.0.0/16, serviceSubnet: 10.96.0.0/16}", ""),
        ("networking: {podSubnet: 10.1.0.0/16, serviceSubnet: 10.96.0.0/16}", "cluster_cidrs 10.1.0.0/16, running is 10.0.0.0/16"),
        ("networking: {serviceSubnet: 10.96.0.0/16}", "allocate_node_cidrs off, running is on"),
        ("{", ""),
    ],
)  # fmt: skip
def test_kubeadm_config_against_the_running_flags(text: str, words: str) -> None:
    """What the next upgrade would change."""
    resources = {
        "pods": [controller_manager("cp1", *FLAGS)],
        "configmaps": [config_map("kubeadm-config", ClusterConfiguration=text)],
    }
    found_ids = [one["id"] for one in audited(allocator=None, **resources)["findings"]]
    assert found_ids == (["kubeadm-config-differs"] if words else [])
    if words:
        assert words in finding(audited(allocator=None, **resources), "kubeadm-config-differs")["summary"]


def test_a_missing_permission_is_shown_as_the_rule_that_gives_it() -> None:
    """With what is unknown without it; nothing at all is judged without Nodes, so that is a warning."""
    result = audited(unknown={"nodes": "the permission to list nodes is missing", "leases": "forbidden"})
    by_name = {one["subject"]["name"]: one for one in result["findings"] if one["id"] == "data-missing"}
    assert (by_name["nodes"]["severity"], by_name["leases"]["severity"]) == ("warning", "info")
    assert by_name["nodes"]["evidence"]["rbac_rule"] == {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list"]}
    assert by_name["leases"]["evidence"]["rbac_namespace"] == "kube-system"
    assert "not known is which of several controller-managers leads" in by_name["leases"]["summary"]
    assert result["summary"]["unknown"] == 2


def test_unreadable_daemon_sets_are_no_proof_of_node_spec() -> None:
    """The CNI is not known then, so no podCIDR is called wrong."""
    result = audited(nodes=[node("a"), node("b", "192.168.0.0/24")], unknown={"daemonsets": "forbidden"})
    assert found(result) == set() and result["ipam_model"]["name"] == "unknown"
