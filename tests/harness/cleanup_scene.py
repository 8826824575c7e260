"""Clusters with something to clean up, for the Molecule scenarios: `python -m harness.cleanup_scene KIND up|down NAME`.

The controllers that would clean up by themselves are stopped. `up` prints the path of the kubeconfig.
"""

from __future__ import annotations

import sys
from typing import Any

from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec
from testbed.testbed import NoSuchTestbedError, take_down

KCM = "kube-controller-manager"
NODES = "/api/v1/nodes"
CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"
PODS = "/api/v1/namespaces/default/pods"
ENDPOINTS = "/apis/cilium.io/v2/namespaces/default/ciliumendpoints"
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "9c1d", "controller": True}


def pod(testbed: Testbed, name: str, phase: str) -> str:
    """A pod of a ReplicaSet, whose kubelet has reported this phase; its uid."""
    made = {
        "metadata": {"name": name, "ownerReferences": [OWNER]},
        "spec": {"nodeName": "n0", "containers": [{"name": "c", "image": "c"}]},
    }
    uid: str = testbed.client.create(PODS, made)["metadata"]["uid"]
    testbed.client.patch(f"{PODS}/{name}/status", {"status": {"phase": phase}})
    return uid


def cilium_node(testbed: Testbed, name: str) -> None:
    """A Node, and the CiliumNode of its agent."""
    uid = testbed.client.create(NODES, {"metadata": {"name": name}})["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": uid}
    metadata = {"name": name, "ownerReferences": [owner]}
    made = {"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": metadata, "spec": {"ipam": {}}}
    testbed.client.create(CILIUM_NODES, made)


def endpoint(testbed: Testbed, name: str, uid: str) -> None:
    """The CiliumEndpoint of a pod."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
    metadata: dict[str, Any] = {"name": name, "ownerReferences": [owner]}
    status = {"id": 7, "identity": {"id": 4711}, "state": "ready"}
    made = {"apiVersion": "cilium.io/v2", "kind": "CiliumEndpoint", "metadata": metadata, "status": status}
    testbed.client.create(ENDPOINTS, made)


def stale_pods(testbed: Testbed) -> None:
    """Two pods that have ended, and one that runs."""
    cilium_free = testbed.spec.cilium is None
    testbed.control_plane.stop_component(KCM)
    if cilium_free:
        testbed.client.create(NODES, {"metadata": {"name": "n0"}})
    for name, phase in (("evicted", "Failed"), ("done", "Succeeded"), ("running", "Running")):
        pod(testbed, name, phase)


def endpoints(testbed: Testbed) -> None:
    """Endpoints of a pod that runs, of one that was replaced, and of one that is gone."""
    testbed.control_plane.stop_component(KCM)
    testbed.cilium.stop()
    cilium_node(testbed, "n0")
    endpoint(testbed, "running", pod(testbed, "running", "Running"))
    pod(testbed, "replaced", "Running")
    for name in ("replaced", "gone"):
        endpoint(testbed, name, "00000000-0000-4000-8000-000000000000")


def cilium_nodes(testbed: Testbed) -> None:
    """A full pool, a CiliumNode that waits, and one whose Node is gone."""
    testbed.control_plane.stop_component(KCM)
    for number in range(4):
        cilium_node(testbed, f"n{number}")
    wait_until("blocks", lambda: all(_ipam(one)[0] for one in testbed.client.list(CILIUM_NODES)))
    cilium_node(testbed, "late")
    wait_until("the pool is full", lambda: _ipam(testbed.client.get(f"{CILIUM_NODES}/late"))[1])
    testbed.client.delete(f"{NODES}/n1")


def _ipam(one: dict[str, Any]) -> tuple[list[str], str]:
    """(podCIDRs, the operator's error) of a CiliumNode."""
    status = (one.get("status") or {}).get("ipam") or {}
    blocks: list[str] = one["spec"].get("ipam", {}).get("podCIDRs") or []
    return blocks, str(status.get("operator-status", {}).get("error") or "")


SCENES = {"stale_pods": stale_pods, "endpoints": endpoints, "cilium_nodes": cilium_nodes}


def main() -> int:
    """Bring a scene up, or take it down."""
    kind, act, name = sys.argv[1:]
    if act == "down":
        try:
            take_down(name)
        except NoSuchTestbedError:
            return 0
        return 0
    cilium = CiliumOperatorSpec(pool_ipv4_cidrs=("10.60.0.0/28",), pool_ipv4_mask_size=30, nodes_gc_interval="1h")
    plane = ControlPlaneSpec(allocate_node_cidrs=False)
    spec = TestbedSpec(name=name, control_plane=plane, cilium=None if kind == "stale_pods" else cilium)
    testbed = Testbed.create(spec)
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    wait_until("the service account", lambda: testbed.client.find(account))
    SCENES[kind](testbed)
    print(testbed.kubeconfig)
    return 0


if __name__ == "__main__":
    sys.exit(main())
