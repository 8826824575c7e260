"""Brings hosts really into the states that the product finds and mends."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import binaries
from . import wait_registered

if TYPE_CHECKING:
    from ..testbed import Testbed

_CLEAN = r"""
set -eu
crictl --timeout 60s rmp -fa >/dev/null 2>&1
if ip link show cni0 >/dev/null 2>&1; then ip link delete cni0; fi
rm -rf /var/lib/cni/networks/* /var/lib/cni/results/* /etc/cni/net.d/10-containerd-net.conflist
"""


def _poll(what: str, condition: Callable[[], object], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.1)


def unregister(testbed: Testbed, name: str) -> dict[str, Any]:
    """Stop a host's kubelet, delete its Node and pods, and clean its CNI state; returns the Node as it was."""
    client, host = testbed.client, testbed.hosts[name]
    node = client.get(f"/api/v1/nodes/{name}")
    client.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
    host.run("systemctl stop kubelet")
    client.delete(f"/api/v1/nodes/{name}")
    for pod in client.list("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={name}"}):
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        client.delete(path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    host.run(_CLEAN)
    for path in (
        f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}",
        f"/apis/storage.k8s.io/v1/csinodes/{name}",
    ):
        _poll(f"{path} is collected", lambda path=path: client.find(path) is None)  # type: ignore[misc]
    return node


def register(testbed: Testbed, name: str) -> None:
    """Start a host's kubelet; whether its Node becomes Ready depends on the podCIDR it gets."""
    testbed.hosts[name].run("systemctl start kubelet")
    _poll(f"{name} registers", lambda: testbed.client.find(f"/api/v1/nodes/{name}"))


def make_drifted(testbed: Testbed, name: str, pod_cidrs: Sequence[str]) -> None:
    """Give a host a podCIDR of somebody's own choice: the Node is created with it before the kubelet starts.

    Labels, annotations and taints stay as they were. Afterwards the Node is Ready and its pods get addresses from
    `pod_cidrs`: everything looks healthy.
    """
    node = unregister(testbed, name)
    taints = [taint for taint in node["spec"].get("taints", ()) if not taint["key"].startswith("node.kubernetes.io/")]
    testbed.client.create(
        "/api/v1/nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": node["metadata"].get("labels", {}),
                "annotations": node["metadata"].get("annotations", {}),
            },
            "spec": {"podCIDR": pod_cidrs[0], "podCIDRs": list(pod_cidrs), "taints": taints},
        },
    )
    testbed.hosts[name].run("systemctl start kubelet")
    wait_registered(testbed, name)


def naive_reregistration(testbed: Testbed, name: str) -> None:
    """What many runbooks say: drain, delete the Node, restart kubelet, uncordon. Nothing else."""
    kubectl = [str(binaries.locate(["kubectl"])["kubectl"]), f"--kubeconfig={testbed.kubeconfig}"]
    before = testbed.client.get(f"/api/v1/nodes/{name}")
    for words in (
        ("drain", name, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s"),
        ("delete", "node", name),
    ):
        subprocess.run([*kubectl, *words], check=True, capture_output=True, text=True)
    testbed.hosts[name].run("systemctl restart kubelet")
    wait_registered(testbed, name, uid_not=before["metadata"]["uid"])
    _poll(f"{name} has a podCIDR", lambda: testbed.client.get(f"/api/v1/nodes/{name}")["spec"].get("podCIDR"))
    subprocess.run([*kubectl, "uncordon", name], check=True, capture_output=True, text=True)
