"""One cluster for each finding about the Kubernetes side: arguments of `small_clusters.audited`, by finding."""

from __future__ import annotations

from typing import Any

from .kubernetes_objects import (
    ago,
    api_service,
    host,
    leader_lease,
    log_line,
    node_event,
    owned,
    sandbox_event,
    waiting_pod,
)
from .small_clusters import config_map, controller_manager, daemon_set, node, pod

A = node("a", "10.0.0.0/24", uid="1")
FLANNEL = {"allocator": {"cluster_cidrs": ["10.0.0.0/16"]}, "daemonsets": [daemon_set("kube-flannel-ds")]}
FLAGS = ("--allocate-node-cidrs=true", "--cluster-cidr=10.0.0.0/16")


def _small(name: str, pods: int, **more: Any) -> Any:
    made = node(name, "10.0.0.0/28", **more)
    made["status"]["allocatable"] = {"pods": str(pods)}
    return made


def _failing(message: str, **more: Any) -> dict[str, Any]:
    return {"nodes": [A], "pods": [waiting_pod("p", "a")], "events": [sandbox_event("p", "a", message)], **more}


def _kubelet(name: str, version: str) -> Any:
    made = node(name, "10.0.0.0/24")
    made["status"]["nodeInfo"] = {"kubeletVersion": version}
    return made


def _image(version: str) -> Any:
    made = controller_manager("cp1", *FLAGS)
    made["spec"]["containers"][0]["image"] = f"registry.k8s.io/kube-controller-manager:{version}"
    return made


_SUB_24 = {"cluster_cidrs": ["10.0.0.0/24"]}
_MASK_28 = {"cluster_cidrs": ["10.0.0.0/16"], "node_mask_size_ipv4": 28}

PROVOKED: dict[str, dict[str, Any]] = {
    "cidr-not-available": {
        "nodes": [A, node("b")],
        "allocator": _SUB_24,
        "events": [node_event("CIDRNotAvailable", "b")],
    },
    "cidr-blocks-leaked": {"nodes": [A, node("b")], "events": [node_event("CIDRNotAvailable", "b")]},
    "cidr-assignment-failed": {"nodes": [node("b")], "events": [node_event("CIDRAssignmentFailed", "b")]},
    "cidr-events-are-noise": {
        "nodes": [node("b")],
        "daemonsets": [daemon_set("aws-node")],
        "events": [node_event("CIDRNotAvailable", "b")],
    },
    "component-log-trouble": {"nodes": [A], "logs": [log_line("Local identity allocator full; claiming first", "a")]},
    "node-block-too-small": {"nodes": [_small("a", 110)], "allocator": _MASK_28},
    "node-addresses-exhausted": {
        "nodes": [_small("a", 110)],
        "allocator": _MASK_28,
        "pods": [pod(f"p{index}", "a", f"10.0.0.{index}") for index in range(2, 15)],
    },
    "kubelet-without-node": {"nodes": [A], "nodeleases": [owned("gone", "9", renewTime=ago(2))]},
    "stale-node-lease": {"nodes": [A], "nodeleases": [owned("gone", "9", renewTime=ago(900))]},
    "stale-csinode": {"nodes": [A], "csinodes": [owned("a", "0")]},
    "csinode-missing": {"nodes": [A, node("b", "10.0.1.0/24")], "csinodes": [owned("a", "1")]},
    "flannel-network-mismatch": {
        **FLANNEL,
        "nodes": [A],
        "configmaps": [config_map("kube-flannel-cfg", **{"net-conf.json": '{"Network": "10.244.0.0/16"}'})],
    },
    "flannel-config-invalid": {
        **FLANNEL,
        "configmaps": [config_map("kube-flannel-cfg", **{"net-conf.json": "{Network}"})],
    },
    "calico-pool-mismatch": {
        "nodes": [A],
        "daemonsets": [daemon_set("calico-node")],
        "configmaps": [config_map("calico-config", cni_network_config='"type": "host-local"')],
        "ippools": [{"metadata": {"name": "default"}, "spec": {"cidr": "192.168.0.0/16"}}],
    },
    "kube-proxy-range-mismatch": {
        "nodes": [A],
        "configmaps": [config_map("kube-proxy", **{"config.conf": "mode: ''\nclusterCIDR: 10.244.0.0/16\n"})],
    },
    "cilium-native-routing-mismatch": {
        "nodes": [A],
        "configmaps": [
            config_map("cilium-config", ipam="cluster-pool", **{"cluster-pool-ipv4-cidr": "10.0.0.0/8"})
            | {"data": {"cluster-pool-ipv4-cidr": "10.0.0.0/8", "ipv4-native-routing-cidr": "10.0.0.0/16"}}
        ],
    },
    "sandbox-failures-explained": {
        "nodes": [node("a")],
        "pods": [waiting_pod("p", "a")],
        "events": [sandbox_event("p", "a", "cni plugin not initialized")],
    },
    "sandbox-failures-addresses": _failing("no IP addresses available in range set: 10.0.0.1-10.0.0.254"),
    "sandbox-failures-agent": _failing("unable to connect to Cilium agent: timeout"),
    "sandbox-failures-old-bridge": _failing('"cni0" already has an IP address different from 10.0.0.1/24'),
    "sandbox-failures-identity": _failing("Unable to create endpoint: Cilium API client timeout exceeded"),
    "sandbox-failures-not-network": _failing('failed to get sandbox image "pause:3.8"'),
    "sandbox-failures-unexplained": _failing("something new"),
    "controller-manager-lease-stale": {"leases": [leader_lease(renewed=900)]},
    "controller-manager-crash-loop": {
        "nodes": [node("a", "10.1.0.0/24")],
        "leases": [leader_lease(renewed=1, acquired=3, transitions=4)],
    },
    "scheduler-lease-stale": {"leases": [leader_lease("kube-scheduler", renewed=900)]},
    "api-service-unavailable": {"apiservices": [api_service("v1beta1.metrics.k8s.io")]},
    "kubelet-version-skew": {"nodes": [_kubelet("a", "v1.37.0")]},
    "controller-manager-duplicates-cidrs": {"nodes": [A], "pods": [_image("v1.31.2")], "allocator": None},
    "host-cni-config-drift": {"nodes": [A], "hosts": [host("a", "10.0.9.0/24")]},
    "host-bridge-address-drift": {"nodes": [A], "hosts": [host("a", "10.0.0.0/24", bridge=["10.0.9.1/24"])]},
    "host-cni-config-missing": {"nodes": [A], "hosts": [{"node": "a", "conflists": [], "bridge_addresses": []}]},
    "host-cni-configs-several": {
        "nodes": [A],
        "hosts": [{**host("a"), "conflists": [*host("a")["conflists"], *host("a", file="99.conf")["conflists"]]}],
    },
    "host-flannel-state-drift": {"nodes": [A], "hosts": [{**host("a"), "flannel_subnets": ["10.0.9.1/24"]}]},
    "host-not-read": {"nodes": [A], "hosts": [host("a", error="unreachable")]},
}
