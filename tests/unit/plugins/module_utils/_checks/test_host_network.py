"""CNI state of hosts against the Nodes' podCIDRs."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.kubernetes_objects import host
from snapshots.small_clusters import context, daemon_set, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import host_network
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding

DUAL = {"cluster_cidrs": ["10.0.0.0/16", "fd00::/48"]}
NODE = node("a", "10.0.0.0/24", "fd00:0:0:1::/64")


def found(*hosts: Any, nodes: Any = (NODE,), **more: Any) -> list[Finding]:
    """Findings of these hosts in a dual-stack cluster."""
    return list(host_network.check(context(nodes=list(nodes), hosts=list(hosts), allocator=DUAL, **more)))


@pytest.mark.parametrize(
    ("subnets", "bridge", "expected"),
    [
        (["10.0.0.0/24", "fd00:0:0:1::/64"], ["10.0.0.1/24", "fd00:0:0:1::1/64"], []),
        (["10.0.0.128/25"], [], []),  # a part of the podCIDR is fine
        (["10.0.9.0/24"], ["10.0.0.1/24"], ["host-cni-config-drift"]),
        (["10.0.0.0/24", "fd00:0:0:9::/64"], [], ["host-cni-config-drift"]),
        (["10.0.0.0/24"], ["10.0.9.1/24"], ["host-bridge-address-drift"]),
        (["10.0.9.0/24"], ["10.0.9.1/24"], ["host-cni-config-drift", "host-bridge-address-drift"]),
        (["10.0.0.0/24"], ["10.0.0.1/24", "169.254.7.1/16", "fe80::1/64"], []),
        (["usePodCidr"], ["nonsense"], []),
    ],
)
def test_drift(subnets: list[str], bridge: list[str], expected: list[str]) -> None:
    """The configuration decides about new pods, the bridge about those of before."""
    result = found(host("a", *subnets, bridge=bridge))
    assert [one.id for one in result] == expected
    assert all(one.remedy()["variables"] == {"reassign_pod_cidrs_nodes": ["a"]} for one in result)


def test_only_the_first_configuration_gives_out_addresses() -> None:
    """Container runtimes take the first by name; the other one is a finding, its subnets are not."""
    entry = host("a", "10.0.0.0/24", file="05-own.conflist")
    entry["conflists"] += host("a", "10.0.9.0/24", file="99-old.conflist")["conflists"]
    (only,) = found(entry)
    assert only.id == "host-cni-configs-several" and only.evidence["used"] == "05-own.conflist"


def test_what_is_not_judged() -> None:
    """A host without Node, a Node without podCIDR (a finding of its own), a CNI with books of its own."""
    drifted = host("a", "10.0.9.0/24")
    assert found(drifted, nodes=[node("b", "10.0.0.0/24")]) == []
    assert found(drifted, nodes=[node("a")]) == []
    assert found(drifted, daemonsets=[daemon_set("aws-node")]) == []


def test_hosts_that_could_not_be_read() -> None:
    """One finding for all, with the first ten reasons; such a host has no other."""
    names = [f"n{index:02}" for index in range(12)]
    broken = [{"node": name, "error": "no route to host"} for name in names]
    (only,) = found(*broken, nodes=[node(name, "10.0.0.0/24") for name in names])
    assert (only.id, only.severity, only.evidence["count"], len(only.evidence["errors"])) == (
        "host-not-read",
        "info",
        12,
        10,
    )
