"""Writes sick-small.state.json.gz: the small sick cluster of the offline demonstration.

Run it again after a change: `python tests/snapshots/make_sick_small.py`. Two control plane Nodes, six workers, a pool of
sixteen blocks; what is wrong with it is listed in EXPECTED.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).with_name("sick-small.state.json.gz")
EXPECTED = {
    ("node-cidr-out-of-range", "worker-3"),
    ("node-cidr-missing", "worker-6"),
    ("node-cidr-mask-mismatch", "worker-4"),
    ("node-cidr-overlap", "worker-4"),
    ("node-cidr-overlap", "worker-5"),
    ("pod-address-outside-node-cidr", "worker-2"),
    ("pod-cidr-pool-exhausted", "10.244.0.0/20"),
    ("service-range-inside-cluster-cidr", "10.244.0.0/20"),
    ("controller-manager-replicas-disagree", "cluster"),
    ("kubeadm-config-differs", "cluster"),
}
FLAGS = [
    "kube-controller-manager",
    "--allocate-node-cidrs=true",
    "--cluster-cidr=10.244.0.0/20",
    "--node-cidr-mask-size=24",
    "--service-cluster-ip-range=10.244.14.0/23",
    "--leader-elect=true",
]


def node(number: int, name: str, cidr: str | None, **labels: str) -> dict[str, Any]:
    """A Node with its podCIDR."""
    return {
        "metadata": {
            "name": name,
            "uid": f"00000000-0000-4000-8000-{number:012d}",
            "resourceVersion": str(1000 + number),
            "creationTimestamp": "2026-03-02T08:00:00Z",
            "labels": {"kubernetes.io/hostname": name, **labels},
        },
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"192.0.2.{10 + number}"}],
            "conditions": [{"type": "Ready", "status": "False" if cidr is None else "True"}],
            "nodeInfo": {"kubeletVersion": "v1.34.2"},
            "capacity": {"pods": "110"},
        },
    }


def pod(name: str, on: str, address: str, namespace: str = "shop") -> dict[str, Any]:
    """A running pod with an address of the pod network."""
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"pod-{name}"},
        "spec": {"nodeName": on},
        "status": {"phase": "Running", "podIPs": [{"ip": address}]},
    }


def controller_manager(on: str, flags: list[str]) -> dict[str, Any]:
    """A controller-manager's static pod."""
    return {
        "metadata": {
            "name": f"kube-controller-manager-{on}",
            "namespace": "kube-system",
            "uid": f"pod-kcm-{on}",
            "labels": {"component": "kube-controller-manager"},
        },
        "spec": {
            "nodeName": on,
            "hostNetwork": True,
            "containers": [{"name": "kube-controller-manager", "command": flags}],
        },
        "status": {"phase": "Running"},
    }


def state() -> dict[str, Any]:
    """The whole state."""
    role = {"node-role.kubernetes.io/control-plane": ""}
    kubeadm = (
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking:\n"
        "  podSubnet: 10.244.0.0/16\n  serviceSubnet: 10.244.14.0/23\n"
    )
    return {
        "format": 1,
        "taken_at": "2026-11-01T06:00:00+00:00",
        "server_version": "v1.34.2",
        "resources": {
            "nodes": [
                node(1, "control-1", "10.244.0.0/24", **role),
                node(2, "control-2", "10.244.1.0/24", **role),
                node(3, "worker-1", "10.244.2.0/24"),
                node(4, "worker-2", "10.244.3.0/24"),
                node(5, "worker-3", "10.250.3.0/24"),
                node(6, "worker-4", "10.244.8.0/21"),
                node(7, "worker-5", "10.244.9.0/24"),
                node(8, "worker-6", None),
                *(node(8 + extra, f"worker-{6 + extra}", f"10.244.{3 + extra}.0/24") for extra in range(1, 5)),
            ],
            "pods": [
                controller_manager("control-1", FLAGS),
                controller_manager("control-2", [flag.replace("=24", "=25") for flag in FLAGS]),
                pod("cart-0", "worker-1", "10.244.2.17"),
                pod("cart-1", "worker-2", "10.244.11.4"),
                pod("catalog-7c9d4-x2m5k", "worker-2", "10.244.11.5"),
                pod("catalog-7c9d4-p8vzn", "worker-3", "10.250.3.9"),
                pod("search-0", "worker-5", "10.244.9.6"),
            ],
            "daemonsets": [{"metadata": {"name": "kube-flannel-ds", "namespace": "kube-flannel"}}],
            "configmaps": [
                {
                    "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
                    "data": {"ClusterConfiguration": kubeadm},
                }
            ],
            "leases": [
                {
                    "metadata": {"name": "kube-controller-manager", "namespace": "kube-system"},
                    "spec": {"holderIdentity": "control-1_2f6c", "leaseTransitions": 3},
                }
            ],
        },
        "unknown": {},
    }


if __name__ == "__main__":
    TARGET.write_bytes(gzip.compress(json.dumps(state(), sort_keys=True).encode(), mtime=0))
