"""Checks of Cilium's pools, CIDRs and addresses: each finding happens, and does not happen beside its reason."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.small_cilium import (
    YOUNG,
    agent,
    cilium_context,
    cilium_node,
    endpoint,
    machine,
    running,
)

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cilium_ipam, endpoints
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_cilium_ipam import KINDS
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding

MULTI = {"ipam": "multi-pool"}
KUBERNETES = {"ipam": "kubernetes"}
DUAL = {"enable-ipv6": "true", "cluster-pool-ipv6-cidr": "fd00::/104", "cluster-pool-ipv6-mask-size": "120"}


def pool(name: str = "default", *cidrs: str, mask: int = 28) -> Any:
    """A CiliumPodIPPool of IPv4."""
    return {"metadata": {"name": name}, "spec": {"ipv4": {"cidrs": list(cidrs), "maskSize": mask}}}


def pools(name: str = "default", needed: int = 8, *cidrs: str) -> Any:
    """spec.ipam of a CiliumNode in multi-pool mode."""
    return {
        "pools": {
            "requested": [{"pool": name, "needed": {"ipv4-addrs": needed}}],
            "allocated": [{"pool": name, "cidrs": list(cidrs)}] if cidrs else [],
        }
    }


FULL = [cilium_node(f"n{index}", f"10.0.{index}.0/24") for index in range(4)]
# one cluster for each finding
PROVOKED: dict[str, dict[str, Any]] = {
    "cilium-pool-invalid": {"config": {"cluster-pool-ipv4-cidr": "10.0.0.0/16 10.0.4.0/24"}},
    "cilium-pool-exhausted": {"ciliumnodes": FULL},
    "cilium-pool-headroom-low": {"ciliumnodes": FULL[:3], "headroom_factor": 2.0},
    "cilium-pool-missing": {"config": MULTI, "ciliumnodes": [cilium_node("a", ipam=pools("gone"))]},
    "cilium-pool-overlaps-service-range": {
        "configmaps_more": "networking: {serviceSubnet: 10.0.1.0/24}",
    },
    "cilium-pool-overlaps-node-address": {"nodes": [machine("a", "10.0.3.9")]},
    "cilium-node-cidr-missing": {"ciliumnodes": [cilium_node("a", error="allocator full")]},
    "cilium-node-cidr-not-booked": {"ciliumnodes": [cilium_node("a", "10.0.0.0/24", "fd00::/120")]},
    "cilium-node-cidr-overlap": {"ciliumnodes": [cilium_node("a", "10.0.0.0/24"), cilium_node("b", "10.0.0.0/24")]},
    "cilium-node-cidr-outside-pool": {"ciliumnodes": [cilium_node("a", "10.9.0.0/24")]},
    "cilium-node-cidr-mask-mismatch": {"ciliumnodes": [cilium_node("a", "10.0.0.0/25")]},
    "cilium-node-cidr-overlaps-service-range": {
        "ciliumnodes": [cilium_node("a", "10.0.1.0/24")],
        "configmaps_more": "networking: {serviceSubnet: 10.0.1.0/24}",
    },
    "cilium-node-cidr-overlaps-node-address": {
        "ciliumnodes": [cilium_node("a", "10.0.1.0/24")],
        "nodes": [machine("a", "10.0.1.7")],
    },
    "cilium-node-cidr-drift": {
        "config": KUBERNETES,
        "ciliumnodes": [cilium_node("a", "10.0.1.0/24")],
        "nodes": [machine("a", cidrs=["10.0.2.0/24"])],
    },
    "cilium-node-dangling": {"ciliumnodes": [cilium_node("a", "10.0.0.0/24", owner="1")]},
    "cilium-node-owner-differs": {
        "ciliumnodes": [cilium_node("a", "10.0.0.0/24", owner="1")],
        "nodes": [machine("a", uid="2")],
    },
    "cilium-node-missing": {"nodes": [machine("a")], "pods": [agent("a")]},
    "cilium-operator-error-stale": {"ciliumnodes": [cilium_node("a", "10.0.0.0/24", error="allocator full")]},
    "cilium-node-addresses-exhausted": {
        "ciliumnodes": [cilium_node("a", "10.0.0.0/30")],
        "pods": [running("p", "a", "10.0.0.1"), running("q", "a", "10.0.0.2")],
    },
    "cilium-node-addresses-low": {
        "ciliumnodes": [cilium_node("a", "10.0.0.0/28")],
        "pods": [running(f"p{index}", "a", f"10.0.0.{index}") for index in range(1, 14)],
    },
    "cilium-node-cidr-below-max-pods": {
        "ciliumnodes": [cilium_node("a", "10.0.0.0/25")],
        "nodes": [machine("a", pods="125")],
    },
    "cilium-address-outside-node-cidr": {
        "nodes": [machine("a", "192.0.2.1")],
        "ciliumnodes": [cilium_node("a", "10.0.0.0/24")],
        "ciliumendpoints": [endpoint("p", "192.0.2.1", "10.0.9.9")],
    },
    "cilium-router-address-outside": {
        "ciliumnodes": [
            cilium_node("a", "10.0.0.0/24", addresses=[{"type": "CiliumInternalIP", "ip": "10.0.9.1"}]),
        ],
    },
    "cilium-pod-unmanaged": {
        "nodes": [machine("a", "192.0.2.1")],
        "ciliumnodes": [cilium_node("a", "10.0.0.0/24")],
        "pods": [agent("a"), running("p", "a", "172.17.0.2")],
    },
}


def findings(config: Any = None, configmaps_more: str = "", **more: Any) -> list[Finding]:
    """What the subject finds in this cluster."""
    context = cilium_context(config, **more)
    if configmaps_more:
        kubeadm = {
            "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
            "data": {"ClusterConfiguration": configmaps_more},
        }
        held = {**context.state.resources, "configmaps": (*context.state.of("configmaps"), kubeadm)}
        context = type(context)(type(context.state)(context.state.taken_at, resources=held), context.settings)
    return list(cilium_ipam.check(context))


def by_id(identifier: str, **more: Any) -> list[Finding]:
    """Those with this id."""
    return [one for one in findings(**more) if one.id == identifier]


def test_every_kind_is_provoked() -> None:
    """None is forgotten, none is made up."""
    assert set(PROVOKED) == {kind.id for kind in KINDS}


@pytest.mark.parametrize("identifier", PROVOKED)
def test_a_cause_gives_its_finding(identifier: str) -> None:
    """With a sentence and evidence."""
    found = by_id(identifier, **PROVOKED[identifier])
    assert len(found) == (2 if identifier == "cilium-node-cidr-overlap" else 1)
    for one in found:
        assert one.summary and one.evidence and one.to_dict()["remedy"]["text"]


@pytest.mark.parametrize("mode", ["eni", "azure", "alibabacloud", "crd", "delegated-plugin"])
def test_cidrs_are_not_judged_where_they_do_not_decide(mode: str) -> None:
    """Of the clusters above only CiliumNodes without Node, and the like, are found."""
    found = {
        one.id
        for cluster in PROVOKED.values()
        for one in findings(**{**cluster, "config": {**cluster.get("config", {}), "ipam": mode}})
    }
    assert found == {"cilium-node-dangling", "cilium-node-missing", "cilium-node-owner-differs"}


@pytest.mark.parametrize("identifier", PROVOKED)
def test_nothing_is_judged_behind_another_cni(identifier: str) -> None:
    """Chained, Cilium has no IPAM of its own."""
    cluster = PROVOKED[identifier]
    config = {**cluster.get("config", {}), "cni-chaining-mode": "aws-cni"}
    assert findings(**{**cluster, "config": config}) == []


@pytest.mark.parametrize("resource", ["configmaps", "ciliumnodes"])
@pytest.mark.parametrize("identifier", PROVOKED)
def test_unknown_is_not_judged(identifier: str, resource: str) -> None:
    """Without the configuration or CiliumNodes nothing is said."""
    cluster = {key: value for key, value in PROVOKED[identifier].items() if key != "configmaps_more"}
    assert findings(**cluster, unknown={resource: "forbidden"}) == []


def test_a_healthy_cluster_has_no_finding() -> None:
    """Nodes with CIDRs, agents, endpoints."""
    found = findings(
        nodes=[machine("a", "192.0.2.1", uid="1", pods="110"), machine("b", "192.0.2.2", uid="2")],
        ciliumnodes=[
            cilium_node(
                "a",
                "10.0.0.0/24",
                owner="1",
                addresses=[{"type": "CiliumInternalIP", "ip": "10.0.0.9"}, {"type": "InternalIP", "ip": "192.0.2.1"}],
                health={"ipv4": "10.0.0.8"},
            ),
            cilium_node("b", "10.0.1.0/24", owner="2"),
        ],
        pods=[
            agent("a"),
            agent("b"),
            running("p", "a", "10.0.0.5"),
            running("young", "a", "172.17.0.9", created=YOUNG),
        ],
        ciliumendpoints=[endpoint("p", "192.0.2.1", "10.0.0.5")],
    )
    assert found == []


def test_an_exhausted_pool_names_the_waiting_nodes() -> None:
    """And is critical then."""
    cluster = [*FULL, cilium_node("w1", error="allocator full"), cilium_node("w0", error="allocator full")]
    (exhausted,) = by_id("cilium-pool-exhausted", ciliumnodes=cluster)
    assert exhausted.severity == "critical" and exhausted.summary.endswith("waiting Nodes (2): w0, w1")
    missing = by_id("cilium-node-cidr-missing", ciliumnodes=cluster)
    assert [one.subject.name for one in missing] == ["w0", "w1"]
    assert "no block is free" in missing[0].summary and "(operator: allocator full)" in missing[0].summary
    (exhausted,) = by_id("cilium-pool-exhausted", ciliumnodes=FULL)
    assert exhausted.severity == "warning"


def test_a_node_that_waits_beside_free_blocks_is_told_apart() -> None:
    """The operator does not try again when a block is freed: shown by the real one in the integration test."""
    (one,) = by_id("cilium-node-cidr-missing", ciliumnodes=[*FULL[:3], cilium_node("w", error="allocator full")])
    assert "1 blocks are free, but the operator tries again only" in one.summary


def test_dangling_cilium_nodes_press_when_nodes_wait() -> None:
    """They hold the blocks that others need."""
    nodes = [machine("n1"), machine("n2"), machine("n3"), machine("w")]
    cluster = {"nodes": nodes, "ciliumnodes": [*FULL, cilium_node("w")]}
    (one,) = by_id("cilium-node-dangling", **cluster)
    assert one.severity == "critical" and one.subject.name == "operator" and one.evidence["cidrs_held"] == 1


def test_a_sticky_error_is_information_and_a_duplicate_is_not_one() -> None:
    """`requested CIDR is already allocated` on a Node that shares its CIDR is no stale error."""
    text = "requested CIDR (10.0.0.0/24) is already allocated"
    cluster = [cilium_node("a", "10.0.0.0/24"), cilium_node("b", "10.0.0.0/24", error=text)]
    assert by_id("cilium-operator-error-stale", ciliumnodes=cluster) == []
    overlap = by_id("cilium-node-cidr-overlap", ciliumnodes=cluster)
    assert {one.subject.name: one.evidence["operator_error"] for one in overlap} == {"a": "", "b": text}


def test_an_overlap_says_which_side_has_pods() -> None:
    """Used addresses of the shared range on each Node."""
    one = by_id(
        "cilium-node-cidr-overlap",
        ciliumnodes=[cilium_node("a", "10.0.0.0/24"), cilium_node("b", "10.0.0.0/24")],
        pods=[running("p", "b", "10.0.0.4"), running("q", "b", "10.0.0.5"), running("r", "a", "10.0.1.1")],
    )[0]
    assert one.subject.name == "a" and one.evidence["addresses_in_use"] == {"a": 0, "b": 2}


def test_families_that_are_on_decide() -> None:
    """A Node without IPv6 lacks it in a dual-stack cluster only."""
    held = [cilium_node("a", "10.0.0.0/24")]
    assert by_id("cilium-node-cidr-missing", ciliumnodes=held) == []
    (one,) = by_id("cilium-node-cidr-missing", ciliumnodes=held, config=DUAL)
    assert "IPv6 CIDR" in one.summary


def test_mode_kubernetes_takes_node_spec_for_the_truth() -> None:
    """Equal copies are no drift, the order does not matter, and no pool is judged."""
    config = {**KUBERNETES, "enable-ipv6": "true"}
    both = ["10.0.1.0/24", "fd00::/64"]
    node, copy = machine("a", cidrs=both), cilium_node("a", *reversed(both))
    assert findings(config=config, nodes=[node], ciliumnodes=[copy]) == []
    (one,) = findings(config=config, nodes=[machine("a", cidrs=both[:1])], ciliumnodes=[cilium_node("a", both[0])])
    assert one.id == "cilium-node-cidr-missing" and "Node.spec.podCIDRs has none" in one.summary


def test_multi_pool_counts_addresses() -> None:
    """14 addresses of a /28 do for 14, not for 15; with the pool exhausted the Node waits."""
    one_block = [pool("default", "10.7.0.0/28")]
    enough = [cilium_node("a", ipam=pools("default", 14, "10.7.0.0/28"))]
    assert by_id("cilium-node-cidr-missing", config=MULTI, ciliumpodippools=one_block, ciliumnodes=enough) == []
    more = [cilium_node("a", ipam=pools("default", 15, "10.7.0.0/28"))]
    cluster = {"config": MULTI, "ciliumpodippools": one_block, "ciliumnodes": more}
    (lacking,) = by_id("cilium-node-cidr-missing", **cluster)
    assert lacking.severity == "warning" and lacking.evidence["missing"][0]["blocks"] == 1
    (exhausted,) = by_id("cilium-pool-exhausted", **cluster)
    assert exhausted.severity == "critical"


def test_multi_pool_takes_a_foreign_cidr_away() -> None:
    """So it is critical there, and of no pool but its own."""
    held = [cilium_node("a", ipam=pools("default", 8, "10.8.0.0/28"))]
    two = [pool("default", "10.7.0.0/26"), pool("other", "10.8.0.0/26")]
    (one,) = by_id("cilium-node-cidr-outside-pool", config=MULTI, ciliumpodippools=two, ciliumnodes=held)
    assert one.severity == "critical" and "outside of pool default" in one.summary


def test_addresses_of_pods_that_wait_make_a_full_node_critical() -> None:
    """Router and health endpoint count as used."""
    full = cilium_node(
        "a",
        "10.0.0.0/29",
        addresses=[{"type": "CiliumInternalIP", "ip": "10.0.0.1"}],
        health={"ipv4": "10.0.0.2"},
    )
    pods = [running(f"p{index}", "a", f"10.0.0.{index}") for index in range(3, 7)]
    (one,) = by_id("cilium-node-addresses-exhausted", ciliumnodes=[full], pods=pods)
    assert one.severity == "warning" and one.evidence["capacity"] == 6
    waits = running("w", "a", phase="Pending")
    (one,) = by_id("cilium-node-addresses-exhausted", ciliumnodes=[full], pods=[*pods, waits])
    assert one.severity == "critical" and one.summary.endswith("1 pods wait there")


def test_the_agents_answer_wins() -> None:
    """It knows of addresses that no object shows."""
    answer = {
        "node": "a",
        "status": {"ipam": {"allocations": {f"10.0.0.{index}": "router" for index in range(1, 7)}}},
    }
    cluster = {"ciliumnodes": [cilium_node("a", "10.0.0.0/29")]}
    assert by_id("cilium-node-addresses-exhausted", **cluster) == []
    assert by_id("cilium-node-addresses-exhausted", agents=[answer], **cluster)


def test_pool_against_used_where_addresses_are_single() -> None:
    """Mode eni: nothing is judged but that."""
    pool_of = {f"10.1.0.{index}": {"resource": "eni-1"} for index in range(4)}
    node = cilium_node("a", ipam={"pool": pool_of}, status={"used": dict(list(pool_of.items())[:3])})
    context = cilium_context({"ipam": "eni"}, nodes=[machine("a")], ciliumnodes=[node])
    assert list(cilium_ipam.check(context)) == []
    assert cilium_ipam.section(context) == {
        "pools": None,
        "nodes": {"a": {"capacity": 4, "used": 3, "free": 1}},
    }
    full = cilium_node("a", ipam={"pool": pool_of}, status={"used": pool_of})
    assert [one.id for one in findings(config={"ipam": "eni"}, nodes=[machine("a")], ciliumnodes=[full])] == [
        "cilium-node-addresses-exhausted"
    ]


def test_a_configured_router_address_need_not_be_of_the_cidr() -> None:
    """Key local-router-ipv4."""
    cluster = PROVOKED["cilium-router-address-outside"]
    assert by_id("cilium-router-address-outside", config={"local-router-ipv4": "10.0.9.1"}, **cluster) == []


def test_a_pod_without_endpoint_is_either_unmanaged_or_without_endpoint() -> None:
    """By its address; never both."""
    cluster: dict[str, Any] = {
        "nodes": [machine("a", "192.0.2.1")],
        "ciliumnodes": [cilium_node("a", "10.0.0.0/24")],
        "pods": [agent("a"), running("other", "a", "172.17.0.2"), running("own", "a", "10.0.0.7")],
    }
    (unmanaged,) = by_id("cilium-pod-unmanaged", **cluster)
    assert unmanaged.evidence["pods"] == ["shop/other"]
    (without,) = [one for one in endpoints.check(cilium_context(**cluster)) if one.id == "pod-without-endpoint"]
    assert without.evidence["pods"] == ["shop/own"]
    asked = {"disable-endpoint-crd": "true"}
    assert by_id("cilium-pod-unmanaged", **cluster, config=asked) == []
    # without a kvstore it is not obeyed, and endpoints that are there show that
    seen = {**cluster, "ciliumendpoints": [endpoint("p", "192.0.2.1", "10.0.0.5")]}
    assert by_id("cilium-pod-unmanaged", **seen, config=asked) == [unmanaged]
    assert by_id("cilium-pod-unmanaged", **seen, config={**asked, "kvstore": "etcd"}) == []
    without_agent = {**cluster, "pods": [agent("a", phase="Pending"), *cluster["pods"][1:]]}
    assert by_id("cilium-pod-unmanaged", **without_agent) == []


def test_the_section_has_a_row_for_each_cidr() -> None:
    """In blocks, with the operator's order."""
    context = cilium_context(
        {"cluster-pool-ipv4-cidr": "10.0.0.0/22 10.2.0.0/23"},
        ciliumnodes=[cilium_node("a", "10.0.0.0/24"), cilium_node("b", "10.2.1.0/24")],
    )
    section = cilium_ipam.section(context)
    assert section is not None
    assert [(row["cidr"], row["capacity"], row["used"], row["free"]) for row in section["pools"]] == [
        ("10.0.0.0/22", 4, 1, 3),
        ("10.2.0.0/23", 2, 1, 1),
    ]
    assert section["nodes"]["a"] == {"capacity": 254, "used": 0, "free": 254}
    assert cilium_ipam.section(cilium_context(unknown={"ciliumnodes": "forbidden"})) is None
