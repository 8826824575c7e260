"""The sick cluster of the demonstration: one host with a drifted podCIDR, and because of it one without any.

The pool is 10.121.0.0/21 with /24 blocks: eight. Host h2 was given 10.121.4.0/22 by hand (the mask of an older
cluster) and so holds four of them. Everything else fills the other four, and host h3, which registers last, gets
`CIDRNotAvailable` from the controller-manager. Re-registering h2 frees three blocks: h3 gets one without being touched.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import time
from typing import Any

from harness import workload
from testbed import ControlPlaneSpec, HostSpec, KwokSpec, Testbed, TestbedSpec, objects
from testbed.hosts import drift, wait_registered

CLUSTER_CIDR = "10.121.0.0/21"
BLOCKS = 8
DRIFTED = "h2"
DRIFTED_CIDR = "10.121.4.0/22"
DRIFTED_BLOCKS = 4
WAITING = "h3"


def specification(name: str) -> TestbedSpec:
    """Three hosts, the real control plane, and kwok for the Nodes that only fill the pool."""
    return TestbedSpec(
        name=name,
        control_plane=ControlPlaneSpec(
            cluster_cidrs=(CLUSTER_CIDR,), node_mask_size_ipv4=24, control_plane_node="control-plane"
        ),
        kwok=KwokSpec(),
        hosts=(HostSpec("h1"), HostSpec(DRIFTED), HostSpec(WAITING)),
    )


def specification_without_hosts(name: str) -> TestbedSpec:
    """The real control plane with simulated Nodes only: for users who are not root."""
    return dataclasses.replace(specification(name), hosts=())


def make_sick_without_hosts(testbed: Testbed) -> None:
    """The same state with simulated Nodes: the controller-manager's part of it is real."""
    drifted = objects.node(DRIFTED, spec={"podCIDR": DRIFTED_CIDR, "podCIDRs": [DRIFTED_CIDR]})
    testbed.client.create("/api/v1/nodes", drifted)
    testbed.client.create("/api/v1/nodes", objects.node("h1"))
    _wait("h1 has a podCIDR", lambda: testbed.client.get("/api/v1/nodes/h1")["spec"].get("podCIDR"))
    _fill_pool(testbed)
    testbed.client.create("/api/v1/nodes", objects.node(WAITING))
    _wait_for_refusal(testbed, WAITING)


def make_sick(testbed: Testbed) -> None:
    """Bring the healthy testbed into the state above and wait until the controller-manager has said no to h3."""
    # the other way round, a block of h3 that h2 is to hold would be free again as soon as h3 is gone
    drift.unregister(testbed, WAITING)
    _make_room(testbed)
    drift.make_drifted(testbed, DRIFTED, (DRIFTED_CIDR,))
    _fill_pool(testbed)
    workload.deploy(testbed)
    _wait("pods run on the drifted host", lambda: len(workload.network_pods(testbed, DRIFTED)) > 1)
    drift.register(testbed, WAITING)
    _wait_for_refusal(testbed, WAITING)


def _make_room(testbed: Testbed) -> None:
    """Register h1 anew while its block is one that h2 is to hold: now and then the controller-manager leaves blocks out."""
    held = ipaddress.IPv4Network(DRIFTED_CIDR)
    while True:
        _wait("h1 has a podCIDR", lambda: _pod_cidrs(testbed).get("h1"))
        if not ipaddress.IPv4Network(_pod_cidrs(testbed)["h1"]).subnet_of(held):
            return
        drift.unregister(testbed, "h1")
        drift.register(testbed, "h1")
        wait_registered(testbed, "h1")


def _pod_cidrs(testbed: Testbed) -> dict[str, str]:
    nodes = testbed.client.list("/api/v1/nodes")
    return {node["metadata"]["name"]: node["spec"].get("podCIDR", "") for node in nodes}


def _fill_pool(testbed: Testbed) -> None:
    """Add simulated Nodes until no block is left for the waiting host."""
    nodes = testbed.client.list("/api/v1/nodes")
    single = sum(1 for node in nodes if node["spec"].get("podCIDR") and node["metadata"]["name"] != DRIFTED)
    testbed.kwok.create_nodes(BLOCKS - DRIFTED_BLOCKS - single, prefix="simulated")
    _wait(
        "every simulated Node has a podCIDR",
        lambda: all(node["spec"].get("podCIDR") for node in testbed.client.list("/api/v1/nodes")),
    )


def _wait_for_refusal(testbed: Testbed, name: str) -> None:
    selector = f"involvedObject.kind=Node,involvedObject.name={name},reason=CIDRNotAvailable"
    try:
        _wait(
            f"the controller-manager refuses a block to {name}",
            lambda: testbed.client.list("/api/v1/namespaces/default/events", params={"fieldSelector": selector}),
        )
    except TimeoutError as error:
        raise TimeoutError(f"{error}; podCIDRs: {_pod_cidrs(testbed)}") from error


def _wait(what: str, condition: Any, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.2)
