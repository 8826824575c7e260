"""Predicted free blocks against the real kube-controller-manager: as many Nodes get a podCIDR, and not one more.

The oracle is the allocation of the real controller-manager: Nodes are created until one is refused by the event
`CIDRNotAvailable`.
"""

from __future__ import annotations

import ipaddress
import os
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from testbed import ControlPlaneSpec, Testbed, TestbedSpec

from .conftest import Audit

pytestmark = pytest.mark.testbed


@dataclass(frozen=True)
class Pool:
    """A controller-manager's pool, the Nodes that are there before the audit, and what is to be left.

    One block is always taken by the Node on which the controller-manager is visible: its flags are read from there.
    """

    cluster_cidrs: tuple[str, ...]
    mask_ipv4: int
    expected: int
    mask_ipv6: int = 64
    service_ranges: tuple[str, ...] = ("10.96.0.0/16",)
    preset: tuple[tuple[str, ...], ...] = field(default=())


POOLS = {
    "plain": Pool(("10.140.0.0/22",), 24, 3),
    "service-range-inside": Pool(("10.140.0.0/22",), 26, 11, service_ranges=("10.140.1.0/24",)),
    "wider-node-takes-two": Pool(("10.140.0.0/22",), 24, 1, preset=(("10.140.2.0/23",),)),
    "two-smaller-nodes-share-one": Pool(("10.140.0.0/22",), 24, 2, preset=(("10.140.1.0/26",), ("10.140.1.64/26",))),
    "node-outside-takes-none": Pool(("10.140.0.0/22",), 24, 3, preset=(("10.150.9.0/24",),)),
    "dual-stack-ipv4-is-the-limit": Pool(
        ("10.140.0.0/22", "fd00:10:140::/60"), 24, 3, service_ranges=("10.96.0.0/16", "fd00:10:96::/112")
    ),
    "dual-stack-ipv6-is-the-limit": Pool(
        ("fd00:10:140::/62", "10.140.0.0/20"), 24, 3, service_ranges=("10.96.0.0/16", "fd00:10:96::/112")
    ),
}


def create_node(testbed: Testbed, name: str, pod_cidrs: tuple[str, ...] = ()) -> None:
    """Create a Node as a kubelet (without podCIDRs) or an admin (with them) would."""
    spec: dict[str, Any] = {"podCIDR": pod_cidrs[0], "podCIDRs": list(pod_cidrs)} if pod_cidrs else {}
    testbed.client.create(
        "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}
    )


def outcome(testbed: Testbed, name: str, deadline: float = 30) -> str:
    """Wait until the controller-manager has decided about one Node: `assigned` or `refused`.

    It allocates twice at times and says `CIDRNotAvailable` for the second block although the Node has the first one or
    gets it a moment later. So a Node counts as refused only when it still has nothing after three more seconds.
    """
    end = time.monotonic() + deadline
    refused_until: float | None = None
    while time.monotonic() < end:
        if testbed.client.get(f"/api/v1/nodes/{name}")["spec"].get("podCIDRs"):
            return "assigned"
        if refused_until is not None and time.monotonic() > refused_until:
            return "refused"
        selector = f"involvedObject.kind=Node,involvedObject.name={name},reason=CIDRNotAvailable"
        if refused_until is None and testbed.client.list(
            "/api/v1/namespaces/default/events", params={"fieldSelector": selector}
        ):
            refused_until = time.monotonic() + 3
        time.sleep(0.05)
    raise AssertionError(f"Node {name}: neither podCIDRs nor CIDRNotAvailable within {deadline} s")


@pytest.mark.parametrize("name", POOLS)
def test_predicted_free_blocks_are_the_nodes_that_get_one(name: str, audit: Audit) -> None:
    """Create Nodes one by one: exactly the predicted number gets a block, the next is refused."""
    pool = POOLS[name]
    control_plane = ControlPlaneSpec(
        cluster_cidrs=pool.cluster_cidrs,
        node_mask_size_ipv4=pool.mask_ipv4,
        node_mask_size_ipv6=pool.mask_ipv6,
        service_ranges=pool.service_ranges,
        control_plane_node="cp1",
    )
    with Testbed.up(TestbedSpec(name=f"blocks-{os.getpid()}", control_plane=control_plane)) as testbed:
        for number, pod_cidrs in enumerate(pool.preset):
            create_node(testbed, f"preset-{number}", pod_cidrs)
        report = audit(testbed.kubeconfig)
        assert report["allocator"]["source"] == "pod kube-system/kube-controller-manager-cp1"
        predicted = min(entry["free"] for entry in report["pools"])
        assert predicted == pool.expected

        results = []
        for number in range(predicted + 1):
            create_node(testbed, f"new-{number}")
            results.append(outcome(testbed, f"new-{number}"))
        assert results == ["assigned"] * predicted + ["refused"]

        nodes = testbed.client.list("/api/v1/nodes")
        blocks = [ipaddress.ip_network(cidr) for node in nodes for cidr in node["spec"].get("podCIDRs", ())]
        overlaps = [
            (str(one), str(other))
            for index, one in enumerate(blocks)
            for other in blocks[index + 1 :]
            if one.version == other.version and one.overlaps(other)
        ]
        assert overlaps == []

        after = audit(testbed.kubeconfig)
        assert min(entry["free"] for entry in after["pools"]) == 0
        exhausted = [finding for finding in after["findings"] if finding["id"] == "pod-cidr-pool-exhausted"]
        assert exhausted and exhausted[0]["severity"] == "critical"
        assert f"new-{predicted}" in {
            finding["subject"]["name"] for finding in after["findings"] if finding["id"] == "node-cidr-missing"
        }
