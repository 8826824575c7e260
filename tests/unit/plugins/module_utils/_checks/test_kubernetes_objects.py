"""Addresses for pods, objects that outlived their Node, and the ranges that CNI and kube-proxy know."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots.kubernetes_objects import ago, owned
from snapshots.small_clusters import config_map, context, daemon_set, node, pod

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cni_network, node_capacity, stale_objects
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding

MASK_26 = {"cluster_cidrs": ["10.0.0.0/16"], "node_mask_size_ipv4": 26}


def with_limit(name: str, cidr: str, pods: str, **more: Any) -> Any:
    """A Node whose kubelet takes so many pods."""
    made = node(name, cidr, **more)
    made["status"]["allocatable"] = {"pods": pods}
    return made


def capacity(**cluster: Any) -> list[Finding]:
    """Findings about addresses."""
    return list(node_capacity.check(context(allocator=MASK_26, **cluster)))


@pytest.mark.parametrize(("bits", "expected"), [(8, 253), (6, 61), (7, 125), (2, 1), (1, 0), (0, 0)])
def test_addresses_of_a_block(bits: int, expected: int) -> None:
    """As reference and host-local say: without network, broadcast and gateway."""
    assert node_capacity.usable(bits) == expected


def test_blocks_smaller_than_max_pods() -> None:
    """One finding for all Nodes of a kind; the default of 110 pods does not fit a /26."""
    nodes = [with_limit(f"n{index}", f"10.0.{index}.0/26", "110") for index in range(12)]
    (only,) = capacity(nodes=nodes)
    assert (only.id, only.severity, only.evidence["count"]) == ("node-block-too-small", "warning", 12)
    assert "12 Nodes may run 110 pods, but the block has 61 addresses" in only.summary
    assert capacity(nodes=[with_limit("a", "10.0.0.0/26", "61")]) == []
    assert capacity(nodes=[with_limit("a", "10.0.0.0/26", "1M")]) == []  # not what a kubelet writes
    assert capacity(nodes=[node("a", "10.0.0.0/26")]) == []


def test_pods_on_the_network_of_the_host_need_no_address() -> None:
    """With enough of them the others always fit: only information."""
    made = with_limit("a", "10.0.0.0/26", "64")
    pods = [pod(f"h{index}", "a", "192.0.2.1", hostNetwork=True) for index in range(3)]
    (only,) = capacity(nodes=[made], pods=pods)
    assert only.severity == "info"
    (only,) = capacity(nodes=[made], pods=pods[:2])
    assert only.severity == "warning"


def test_a_node_without_a_free_address() -> None:
    """Addresses outside of the block do not count; a cordoned Node is less urgent."""
    pods = [pod(f"p{index}", "a", f"10.0.0.{index}") for index in range(2, 63)]
    (only,) = capacity(nodes=[with_limit("a", "10.0.0.0/26", "110")], pods=pods)
    assert (only.id, only.severity, only.evidence["free"]) == ("node-addresses-exhausted", "critical", 0)
    cordoned = with_limit("a", "10.0.0.0/26", "110")
    cordoned["spec"]["unschedulable"] = True
    assert capacity(nodes=[cordoned], pods=pods)[0].severity == "warning"
    foreign = [*pods[1:], pod("x", "a", "10.0.9.9")]
    assert [one.id for one in capacity(nodes=[with_limit("a", "10.0.0.0/26", "110")], pods=foreign)] == [
        "node-block-too-small"
    ]
    assert capacity(nodes=[with_limit("a", "10.0.0.0/26", "61")], pods=pods) == []  # the limit comes first


def test_addresses_are_unknown_without_pods() -> None:
    """Never zero."""
    made = context(nodes=[node("a", "10.0.0.0/24")], unknown={"pods": "forbidden"})
    assert node_capacity.addresses(made)["a"].to_dict() == {"capacity": 253, "used": None, "free": None}


def stale(**cluster: Any) -> dict[str, Finding]:
    """{id: finding} about objects left behind."""
    return {one.id: one for one in stale_objects.check(context(**cluster))}


A = node("a", "10.0.0.0/24", uid="1")


@pytest.mark.parametrize(
    ("lease", "expected"),
    [
        (owned("a", "1", renewTime=ago(2)), set()),
        (owned("a", "", renewTime=ago(2)), set()),
        (owned("a", "0", renewTime=ago(2)), {"stale-node-lease"}),
        (owned("gone", "9", renewTime=ago(900)), {"stale-node-lease"}),
        (owned("gone", "9", renewTime=ago(2)), {"kubelet-without-node"}),
        (owned("gone", "9", created=30, renewTime=ago(2)), set()),  # its Node may be younger than our list of Nodes
    ],
)
def test_leases_of_nodes(lease: Any, expected: set[str]) -> None:
    """By name and by the owner's uid."""
    assert set(stale(nodes=[A], nodeleases=[lease])) == expected


def test_the_garbage_collector_is_given_time() -> None:
    """Right after a Node was registered again, the old objects are still there."""
    young = node("a", "10.0.0.0/24", uid="1", created=ago(60))
    assert stale(nodes=[young], nodeleases=[owned("a", "0", renewTime=ago(2))], csinodes=[owned("a", "0")]) == {}


def test_csi_nodes() -> None:
    """Of an earlier Node, of none, and missing; simulated and young Nodes have none by design."""
    kwok = node("k", "10.0.1.0/24", annotations={"kwok.x-k8s.io/node": "fake"})
    young = node("y", "10.0.2.0/24", created=ago(30))
    down = node("d", "10.0.3.0/24")
    down["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    nodes = [A, kwok, young, down]
    assert stale(nodes=nodes, csinodes=[owned("a", "1")]) == {}
    result = stale(nodes=[*nodes, node("b", "10.0.4.0/24")], csinodes=[owned("a", "0"), owned("gone", "9")])
    assert set(result) == {"stale-csinode", "csinode-missing"}
    assert result["stale-csinode"].evidence["of_earlier_node"] == ["a"]
    assert result["stale-csinode"].evidence["without_node"] == ["gone"]
    assert result["csinode-missing"].subject.name == "b"
    assert stale(nodes=nodes) == {}  # nobody makes CSINodes here


def test_nothing_is_said_without_nodes() -> None:
    """Every Lease would look left behind."""
    assert stale(unknown={"nodes": "forbidden"}, nodeleases=[owned("a", "1", renewTime=ago(900))]) == {}


def ranges(**cluster: Any) -> list[Finding]:
    """Findings about ranges of CNI and kube-proxy."""
    return list(cni_network.check(context(**cluster)))


def flannel(net_conf: str, **more: Any) -> list[Finding]:
    """A cluster of flannel with this net-conf.json."""
    maps = [config_map("kube-flannel-cfg", **{"net-conf.json": net_conf})]
    return ranges(daemonsets=[daemon_set("kube-flannel-ds")], configmaps=maps, **more)


def test_flannel_network() -> None:
    """Critical where a Node is outside, a warning where only further ones would be."""
    nodes = [node("a", "10.0.0.0/24")]
    assert flannel('{"Network": "10.0.0.0/16", "Backend": {"Type": "vxlan"}}', nodes=nodes) == []
    assert flannel('{"Network": "10.0.0.0/8"}', nodes=nodes) == []
    (only,) = flannel('{"Network": "10.0.0.0/20"}', nodes=nodes)
    assert only.severity == "warning" and "does not contain the cluster CIDR 10.0.0.0/16" in only.summary
    (only,) = flannel('{"Network": "10.244.0.0/16"}', nodes=nodes)
    assert only.severity == "critical" and "the podCIDRs of 1 Node (a)" in only.summary
    dual = {"allocator": {"cluster_cidrs": ["10.0.0.0/16", "fd00::/48"]}}
    both = '{"Network": "10.0.0.0/16", "IPv6Network": "fd01::/48"}'
    (only,) = flannel(both, nodes=[node("a", "10.0.0.0/24", "fd00::/64")], **dual)
    assert "the cluster CIDR fd00::/48" in only.summary


@given(st.text(max_size=40) | st.sampled_from(['{"Network": 5}', "[]", "null", '{"Network": []}', '{"Network": "x"}']))
def test_any_net_conf_gives_a_finding(text: str) -> None:
    """Whatever somebody wrote: flannel does not start with it."""
    assert [one.id for one in flannel(text)] == ["flannel-config-invalid"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clusterCIDR: 10.0.0.0/16", 0),
        ('clusterCIDR: ""', 0),
        ("mode: iptables", 0),
        ("clusterCIDR: 10.244.0.0/16", 1),
        ("clusterCIDR: '10.244.0.0/16'  # old", 1),
        ("clusterCIDR: 10.244.0.0/16\ndetectLocalMode: NodeCIDR", 0),
        ("clusterCIDR: 10.244.0.0/16\ndetectLocalMode: ClusterCIDR", 1),
        ("  clusterCIDR: 10.244.0.0/16", 0),  # a key of something else
        ("clusterCIDR: nonsense", 0),
    ],
)
def test_kube_proxy(text: str, expected: int) -> None:
    """One key of YAML that we read ourselves, and the mode in which it counts."""
    maps = [config_map("kube-proxy", **{"config.conf": f"apiVersion: v1\n{text}\nwinkernel: {{}}\n"})]
    assert len(ranges(nodes=[node("a", "10.0.0.0/24")], configmaps=maps)) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"ipam": "kubernetes", "ipv4-native-routing-cidr": "10.0.0.0/16"}, 0),
        ({"ipam": "kubernetes", "ipv4-native-routing-cidr": "10.0.0.0/20"}, 1),
        ({"ipam": "kubernetes"}, 0),
        ({"ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.1.0.0/16 10.2.0.0/16"}, 0),
        (
            {
                "ipam": "cluster-pool",
                "cluster-pool-ipv4-cidr": "10.1.0.0/16 10.2.0.0/16",
                "ipv4-native-routing-cidr": "10.1.0.0/16",
            },
            1,
        ),
        ({"ipam": "eni", "ipv4-native-routing-cidr": "10.1.0.0/16"}, 0),
        ({"ipam": "kubernetes", "ipv4-native-routing-cidr": "nonsense"}, 0),  # a finding about the configuration
    ],
)
def test_native_routing_of_cilium(data: dict[str, str], expected: int) -> None:
    """Against podCIDRs where Cilium takes them, against its pools where it cuts them itself."""
    maps = [{**config_map("cilium-config"), "data": data}]
    assert len(ranges(nodes=[node("a", "10.0.0.0/24")], configmaps=maps)) == expected
