"""Forecast Nodes against the real allocators: the one that is foretold to get no block is the one that gets none.

The oracles are kube-controller-manager and the cilium-operator: Nodes are created until one stays without a block. What
another mask or a larger range would give is foretold first; then the allocator is really started with it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity import Present, present_of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.live import LiveOptions, collect
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import parse_network
from harness.playbook import run_playbook
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec
from testbed.cilium_operator import CiliumOperator

from .test_cilium_ipam import POOLS, blocks, create, decided
from .test_free_blocks import create_node, outcome

pytestmark = pytest.mark.testbed


def present(testbed: Testbed) -> Present:
    """What the product reads of the cluster now."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    return present_of(Context(collect(client, LiveOptions())))


def forecast(testbed: Testbed, folder: Path, what_if: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answers of the playbook."""
    path = folder / "forecast.json"
    variables = {
        "forecast_kubeconfig": str(testbed.kubeconfig),
        "forecast_what_if": dict(what_if),
        "forecast_output_path": str(path),
    }
    done = run_playbook("podnet.upkeep.forecast", variables=variables)
    assert done.returncode == 0 and done.changed == 0, done.output
    answers: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["what_if"]
    return answers


def first_without_block(testbed: Testbed, prefix: str, most: int = 40) -> int:
    """Create Nodes one by one; the number of the first that kube-controller-manager refuses."""
    for number in range(1, most):
        create_node(testbed, f"{prefix}-{number}")
        if outcome(testbed, f"{prefix}-{number}") == "refused":
            return number
    raise AssertionError(f"none of {most} Nodes was refused")


def preset(testbed: Testbed, cidrs: Sequence[tuple[str, ...]]) -> None:
    """Nodes that exist already, with podCIDRs of all kinds."""
    for number, one in enumerate(cidrs):
        create_node(testbed, f"preset-{number}", one)


@pytest.mark.long
def test_node_blocks_with_scattered_and_foreign_cidrs(tmp_path: Path) -> None:
    """A wider one, two smaller in one block, one outside, a service range inside; then the range is really enlarged."""
    plane = ControlPlaneSpec(
        cluster_cidrs=("10.140.0.0/22",),
        node_mask_size_ipv4=25,
        service_ranges=("10.140.1.0/25",),
        control_plane_node="cp1",
    )
    with Testbed.up(TestbedSpec(name=f"forecast-{os.getpid()}", control_plane=plane)) as testbed:
        preset(testbed, [("10.140.2.0/24",), ("10.140.3.0/27",), ("10.140.3.96/27",)])
        answers = forecast(testbed, tmp_path, {"nodes": 3, "added_cidrs": ["10.140.0.0/21"]})
        now, larger = answers[0]["first_node_without"], answers[1]["first_node_without"]
        assert answers[0]["possible"] is True and answers[1]["possible"] is True
        assert first_without_block(testbed, "new") == now == 4
        again = present(testbed).nodes
        assert again is not None and again.further_nodes() == 0 and again.waiting == 1
        # the Node that waits is served first, and is one of those that were foretold
        testbed.restart_controller_manager(cluster_cidrs=("10.140.0.0/21",))
        assert now + first_without_block(testbed, "more") == larger


def test_node_blocks_of_two_families_and_another_mask() -> None:
    """IPv6 is the limit with scattered blocks; with another mask for IPv4 new Nodes get the other size, as many as foretold."""
    plane = ControlPlaneSpec(
        cluster_cidrs=("10.141.0.0/23", "fd00:10:141::/61"),
        node_mask_size_ipv4=26,
        service_ranges=("10.96.0.0/16", "fd00:10:96::/112"),
        control_plane_node="cp1",
    )
    with Testbed.up(TestbedSpec(name=f"forecast-{os.getpid()}", control_plane=plane)) as testbed:
        preset(testbed, [("10.141.0.128/26", "fd00:10:141:2::/63"), ("10.141.1.0/26", "fd00:10:141:6::/64")])
        supply = present(testbed).nodes
        assert supply is not None
        masked = supply.with_masks({4: 28})
        expected = masked.further_nodes()
        assert supply.further_nodes() == expected == 4
        assert [row.free for row in masked.rows()] == [32 - 12, 4] and masked.sharing() == 0
        testbed.restart_controller_manager(node_mask_size_ipv4=28)
        assert first_without_block(testbed, "new") == expected + 1
        sizes = {
            cidr.rpartition("/")[2]
            for node in testbed.client.list("/api/v1/nodes")
            if node["metadata"]["name"].startswith("new-")
            for cidr in node["spec"].get("podCIDRs", ())
        }
        assert sizes == {"28", "64"}


def restarted(testbed: Testbed, **changes: Any) -> None:
    """The cilium-operator again, with other settings, which cilium-config shows too."""
    testbed.cilium.stop()
    spec = dataclasses.replace(testbed.cilium.spec, **changes)
    testbed.cilium = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    testbed.cilium.start()


def first_without_pool(testbed: Testbed, prefix: str, most: int = 40) -> int:
    """Create CiliumNodes one by one; the number of the first that the operator refuses."""
    for number in range(1, most):
        create(testbed, f"{prefix}-{number}")
        if not blocks(decided(testbed, f"{prefix}-{number}")):
            return number
    raise AssertionError(f"none of {most} CiliumNodes was refused")


@pytest.mark.long
def test_cluster_pool_of_several_elements_and_two_families() -> None:
    """Scattered and foreign CIDRs, three elements of IPv4 and one of IPv6; then an element is really appended."""
    elements = ("10.60.0.0/29", "10.61.0.0/29", "10.62.0.0/30")
    config = {
        "enable-ipv6": "true",
        "cluster-pool-ipv6-cidr": "fd00:60::/123",
        "cluster-pool-ipv6-mask-size": "126",
        # so that an operator that starts again leads soon
        "leader-election-lease-duration": "5s",
        "leader-election-renew-deadline": "3s",
        "leader-election-retry-period": "1s",
    }
    operator = CiliumOperatorSpec(
        pool_ipv4_cidrs=elements, pool_ipv4_mask_size=30, nodes_gc_interval="1h", config=config
    )
    with Testbed.up(TestbedSpec(name=f"forecast-{os.getpid()}", cilium=operator)) as testbed:
        testbed.cilium.stop()
        create(testbed, "sound", {"podCIDRs": ["10.61.0.4/30", "fd00:60::8/126"]})
        create(testbed, "outside", {"podCIDRs": ["10.99.0.0/30", "fd00:60::4/126"]})
        create(testbed, "double", {"podCIDRs": ["10.61.0.4/30", "fd00:60::c/126"]})
        testbed.cilium.start_process()
        wait_until(
            "the operator's start", lambda: testbed.client.get("/apis/cilium.io/v2/ciliumnodes/double").get("status")
        )
        supply = present(testbed).cilium
        assert supply is not None
        expected = supply.further_nodes()
        assert expected == 4
        assert first_without_pool(testbed, "new") == expected + 1

        full = present(testbed).cilium
        assert full is not None and full.further_nodes() == 0
        larger = full.with_range(parse_network("10.63.0.0/28"), "cluster-pool").further_nodes()
        assert larger is not None
        restarted(testbed, pool_ipv4_cidrs=(*elements, "10.63.0.0/28"))
        wait_until(
            "the one that waits",
            lambda: blocks(testbed.client.get(f"/apis/cilium.io/v2/ciliumnodes/new-{expected + 1}")),
        )
        assert first_without_pool(testbed, "more") == larger + 1


@pytest.mark.long
def test_multi_pool_gives_as_many_nodes_what_their_agents_ask_for() -> None:
    """Three addresses are two blocks of /30; what is left at the end is too little for one more Node."""
    operator = CiliumOperatorSpec(ipam="multi-pool", config={"ipam-multi-pool-pre-allocation": "default=1"})
    with Testbed.up(TestbedSpec(name=f"forecast-{os.getpid()}", cilium=operator)) as testbed:
        pool = {
            "apiVersion": "cilium.io/v2alpha1",
            "kind": "CiliumPodIPPool",
            "metadata": {"name": "default"},
            "spec": {"ipv4": {"cidrs": ["10.61.0.0/28", "10.62.0.0/29", "10.63.0.0/30"], "maskSize": 30}},
        }
        testbed.client.create(POOLS, pool)
        supply = present(testbed).cilium
        assert supply is not None and supply.asked == {"default": 3}
        expected = supply.further_nodes()
        assert expected == 3
        for number in range(1, expected + 2):
            request = {"pool": "default", "needed": {"ipv4-addrs": supply.asked["default"]}}
            create(testbed, f"n{number}", {"pools": {"requested": [request]}})
            enough = len(blocks(decided(testbed, f"n{number}"))) == 2
            assert enough is (number <= expected)
