"""How a cluster and its hosts stand when no run is under way, in a form that two moments can be compared in.

Uids, addresses and names that are new after every re-registration are left out; that they are right is kept as a fact
("no pod outside the Node's block"), so that an interrupted and an uninterrupted run must end in equal states.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed import Testbed

from . import workload

# written anew by their owners after every registration (documented in the user guide)
_OWNERS_ANNOTATIONS = frozenset(
    {"node.alpha.kubernetes.io/ttl", "volumes.kubernetes.io/controller-managed-attach-detach"}
)
_RUN = "podnet-upkeep-reassign-pod-cidrs"
UNIT = "kubelet"
_SCRIPT = "systemctl is-active kubelet; systemctl is-enabled kubelet; crictl pods --state ready -o json"


def end_state(testbed: Testbed, state_dir: Path) -> dict[str, Any]:
    """The state now; equal for a healthy cluster, after a run, and after a run that was interrupted and gone on with."""
    nodes = {node["metadata"]["name"]: node for node in testbed.client.list("/api/v1/nodes")}
    return {
        "nodes": {name: _node(testbed, nodes, name) for name in testbed.hosts},
        "hosts": {name: _host(testbed, nodes.get(name), name) for name in testbed.hosts},
        "workload": _workload(testbed),
        "run": _run(testbed, state_dir),
    }


def wait_for_state(testbed: Testbed, state_dir: Path, wanted: Mapping[str, Any], seconds: float = 180) -> None:
    """Wait until the state is `wanted`; AssertionError with the differences after `seconds`."""
    end = time.monotonic() + seconds
    while (found := end_state(testbed, state_dir)) != wanted:
        if time.monotonic() > end:
            lines = "\n".join(_differences("", dict(wanted), found))
            raise AssertionError(f"the state is another one than after an uninterrupted run:\n{lines}")
        time.sleep(0.5)


def _node(testbed: Testbed, nodes: Mapping[str, dict[str, Any]], name: str) -> dict[str, Any]:
    node = nodes.get(name)
    if node is None:
        return {"absent": True}
    metadata, spec = node["metadata"], node["spec"]
    conditions = {entry["type"]: entry["status"] for entry in node["status"].get("conditions") or ()}
    annotations = metadata.get("annotations") or {}
    lease = testbed.client.find(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")
    csinode = testbed.client.find(f"/apis/storage.k8s.io/v1/csinodes/{name}")
    return {
        "labels": metadata.get("labels"),
        "annotations": {key: value for key, value in annotations.items() if key not in _OWNERS_ANNOTATIONS},
        "taints": [one for one in spec.get("taints", ()) if not one["key"].startswith("node.kubernetes.io/")],
        "unschedulable": spec.get("unschedulable", False),
        "ready": conditions.get("Ready"),
        "block is in range and nobody else's": _has_fit_block(testbed, nodes, node),
        # the kubelet enters itself as owner of a new Lease with its first renewal
        "another Node's remains": sorted((_owners(lease) | _owners(csinode)) - {metadata["uid"]}),
        "daemonsets": sorted(_daemonset_pods(testbed, name)),
    }


def _has_fit_block(testbed: Testbed, nodes: Mapping[str, dict[str, Any]], node: Mapping[str, Any]) -> bool:
    blocks = [ipaddress.ip_network(text) for text in node["spec"].get("podCIDRs", ())]
    ranges = [ipaddress.ip_network(text) for text in testbed.spec.control_plane.cluster_cidrs]
    others = [
        ipaddress.ip_network(text)
        for other in nodes.values()
        if other["metadata"]["name"] != node["metadata"]["name"]
        for text in other["spec"].get("podCIDRs", ())
    ]
    in_range = all(any(block.version == one.version and block.subnet_of(one) for one in ranges) for block in blocks)  # type: ignore[arg-type]
    return len(blocks) == len(ranges) and in_range and not any(a.overlaps(b) for a in blocks for b in others)


def _owners(found: Mapping[str, Any] | None) -> set[str]:
    return {one["uid"] for one in ((found or {}).get("metadata") or {}).get("ownerReferences", ())}


def _daemonset_pods(testbed: Testbed, name: str) -> list[str]:
    return [
        owner["name"]
        for pod in workload.pods_on(testbed, name)
        for owner in pod["metadata"].get("ownerReferences", ())
        if owner["kind"] == "DaemonSet" and workload.is_ready(pod)
    ]


def _host(testbed: Testbed, node: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    """What kubelet and CNI left on the host, held against the Node and its pods."""
    facts = testbed.hosts[name].facts()
    words = testbed.hosts[name].run(_SCRIPT, check=False).stdout.split("\n", 2)
    blocks = [ipaddress.ip_network(text) for text in (node or {}).get("spec", {}).get("podCIDRs", ())]
    pods = workload.pods_on(testbed, name)
    ours = {entry["ip"] for pod in pods for entry in pod.get("status", {}).get("podIPs") or ()}
    sandboxes = {str(one["metadata"]["name"]) for one in _items(words[2])}
    return {
        UNIT: words[:2],
        "bridge": [text for text in facts.bridge_addresses if not _within(text.partition("/")[0], blocks)],
        "subnets": [text for text in facts.subnets if ipaddress.ip_network(text) not in blocks],
        "leases of nobody": sorted(set(facts.leases) - ours),
        "sandboxes of nobody": sorted(sandboxes - {pod["metadata"]["name"] for pod in pods}),
        "pods outside the block": [
            pod["metadata"]["name"]
            for pod in workload.network_pods(testbed, name)
            if not _within(pod["status"]["podIP"], blocks)
        ],
    }


def _items(text: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(text).get("items") or []
    return items


def _within(address: str, blocks: list[Any]) -> bool:
    return any(ipaddress.ip_address(address) in block for block in blocks)


def _workload(testbed: Testbed) -> dict[str, Any]:
    web = testbed.client.get("/apis/apps/v1/namespaces/default/deployments/web")
    probes = testbed.client.list("/api/v1/pods", params={"labelSelector": "app.kubernetes.io/managed-by=podnet.upkeep"})
    return {
        "web": [web["spec"]["replicas"], web.get("status", {}).get("readyReplicas", 0)],
        "probe pods": sorted(pod["metadata"]["name"] for pod in probes),
    }


def _run(testbed: Testbed, state_dir: Path) -> dict[str, Any]:
    """What a run keeps about itself: everything is put aside and given back when it is over."""
    find = testbed.client.find
    lease = find(f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{_RUN}") or {}
    journal = (find(f"/api/v1/namespaces/kube-system/configmaps/{_RUN}") or {}).get("data") or {}
    images = (find(f"/api/v1/namespaces/kube-system/secrets/{_RUN}-images") or {}).get("data") or {}
    steps = {key: json.loads(text).get("step") for key, text in journal.items() if key.startswith("node.")}
    return {
        "lock held by": (lease.get("spec") or {}).get("holderIdentity") or "",
        "unfinished in the journal": sorted(key for key, step in steps.items() if step != "completed"),
        "images in the journal": sorted(images),
        "images on the controller": sorted(path.name for path in state_dir.glob("*.json")),
    }


def _differences(where: str, wanted: object, found: object) -> list[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = sorted(wanted.keys() | found.keys(), key=str)
        return [line for key in keys for line in _differences(f"{where}/{key}", wanted.get(key), found.get(key))]
    return [] if wanted == found else [f"{where}: wanted {wanted!r}, found {found!r}"]
