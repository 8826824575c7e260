"""Objects that make the testbed's processes visible in the cluster, as kubeadm and Helm would have made them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import yaml

from .client import Client, JsonObject
from .spec import CiliumOperatorSpec, ControlPlaneSpec

KWOK_NODE = {"kwok.x-k8s.io/node": "fake"}
AGENT_NODE = {"testbed.podnet/agent": "true"}
OPERATOR_NODE = {"testbed.podnet/operator": "true"}


def node(name: str, *, labels: Mapping[str, str] | None = None, spec: Mapping[str, Any] | None = None) -> JsonObject:
    """A Node that kwok keeps Ready."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": KWOK_NODE,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "type": "kwok",
                **(labels or {}),
            },
        },
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}], **(spec or {})},
    }


def control_plane_node(name: str) -> JsonObject:
    """The Node of the machine that would run the control plane, with the role label and taint of kubeadm."""
    made = node(name, labels={"node-role.kubernetes.io/control-plane": ""})
    made["metadata"]["annotations"]["kubeadm.alpha.kubernetes.io/cri-socket"] = (
        "unix:///var/run/containerd/containerd.sock"
    )
    made["spec"]["taints"].append({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"})
    return made


def controller_manager_pod(node_name: str, flags: list[str]) -> JsonObject:
    """The mirror pod that a kubelet publishes for the static pod kube-controller-manager (here kwok runs it)."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"kube-controller-manager-{node_name}",
            "namespace": "kube-system",
            "labels": {"component": "kube-controller-manager", "tier": "control-plane"},
            "annotations": {"kubernetes.io/config.mirror": "0", "kubernetes.io/config.source": "file"},
        },
        "spec": {
            "nodeName": node_name,
            "hostNetwork": True,
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {
                    "name": "kube-controller-manager",
                    "image": "registry.k8s.io/kube-controller-manager:v1.36.1",
                    "command": ["kube-controller-manager", *flags],
                }
            ],
        },
    }


def mask_size_flags(spec: ControlPlaneSpec) -> list[tuple[str, int]]:
    """(flag without dashes, prefix length): one flag for a single family, one for each family of a dual-stack."""
    families = [ipaddress.ip_network(text).version for text in spec.cluster_cidrs]
    if spec.dual_stack:
        return [(f"node-cidr-mask-size-ipv{family}", spec.mask_size(family)) for family in sorted(families)]
    return [("node-cidr-mask-size", spec.mask_size(families[0]))]


def kubeadm_config(spec: ControlPlaneSpec) -> JsonObject:
    """The ConfigMap kubeadm-config (v1beta4: extraArgs is a list)."""
    arguments = [{"name": name, "value": str(size)} for name, size in mask_size_flags(spec)]
    if not spec.allocate_node_cidrs:
        arguments.append({"name": "allocate-node-cidrs", "value": "false"})
    configuration = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v1.36.1",
        "networking": {
            "dnsDomain": "cluster.local",
            "podSubnet": ",".join(spec.cluster_cidrs),
            "serviceSubnet": ",".join(spec.service_ranges),
        },
        "controllerManager": {"extraArgs": arguments},
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "kubeadm-config", "namespace": "kube-system"},
        "data": {"ClusterConfiguration": yaml.safe_dump(configuration)},
    }


def publish_control_plane(client: Client, node_name: str, spec: ControlPlaneSpec, flags: list[str]) -> None:
    """Create or renew Node, static pod and kubeadm-config of the control plane."""
    if client.find(f"/api/v1/nodes/{node_name}") is None:
        client.create("/api/v1/nodes", control_plane_node(node_name))
    pods = "/api/v1/namespaces/kube-system/pods"
    pod = controller_manager_pod(node_name, flags)
    path = f"{pods}/{pod['metadata']['name']}"
    if client.find(path) is not None:
        client.delete(path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
    client.create(pods, pod)
    client.apply("/api/v1/namespaces/kube-system/configmaps/kubeadm-config", kubeadm_config(spec))


def cilium_config(spec: CiliumOperatorSpec) -> dict[str, str]:
    """The keys of the ConfigMap cilium-config that the operator of this testbed runs with."""
    return {
        "ipam": spec.ipam,
        "cluster-name": "default",
        "cluster-id": "0",
        "enable-ipv4": "true",
        "enable-ipv6": "false",
        "identity-allocation-mode": "crd",
        "cluster-pool-ipv4-cidr": " ".join(spec.pool_ipv4_cidrs),
        "cluster-pool-ipv4-mask-size": str(spec.pool_ipv4_mask_size),
        "identity-gc-interval": spec.identity_gc_interval,
        "identity-heartbeat-timeout": spec.identity_heartbeat_timeout,
        "cilium-endpoint-gc-interval": spec.endpoint_gc_interval,
        "nodes-gc-interval": spec.nodes_gc_interval,
        **spec.config,
    }


def cilium_objects(spec: CiliumOperatorSpec) -> list[tuple[str, JsonObject]]:
    """(path, object) of what a Helm installation of Cilium leaves in the cluster, for audits to see.

    The Deployment matches no Node, where the operator runs as a process of the testbed; with `spec.pods` it matches the one
    of operator_pods, and the operator may do what these ClusterRoles allow. The DaemonSet matches Nodes with the
    label `AGENT_NODE` only: there kwok simulates agents, which answer to exec what was recorded for them.
    """

    def workload(kind: str, name: str, image: str, extra: dict[str, Any]) -> JsonObject:
        labels = {"k8s-app": "cilium"} if kind == "DaemonSet" else {"io.cilium/app": "operator", "name": name}
        container = {"name": f"{name}-agent" if kind == "DaemonSet" else name, "image": image}
        pod = {
            "nodeSelector": AGENT_NODE if kind == "DaemonSet" else OPERATOR_NODE,
            "serviceAccountName": name,
            "hostNetwork": True,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        }
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
                **extra,
            },
        }

    namespaced = "/api/v1/namespaces/kube-system"
    apps = "/apis/apps/v1/namespaces/kube-system"
    made: list[tuple[str, JsonObject]] = [
        (
            f"{namespaced}/configmaps/cilium-config",
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "cilium-config", "namespace": "kube-system"},
                "data": cilium_config(spec),
            },
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/cilium-operator",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": "cilium-operator"},
                "rules": [{"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": ["*"]}],
            },
        ),
        (
            f"{apps}/deployments/cilium-operator",
            workload("Deployment", "cilium-operator", "quay.io/cilium/operator-generic:v1.18.4", {"replicas": 1}),
        ),
        (f"{apps}/daemonsets/cilium", workload("DaemonSet", "cilium", "quay.io/cilium/cilium:v1.18.4", {})),
    ]
    for name in ("cilium", "cilium-operator"):
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": "kube-system"},
        }
        made.append((f"{namespaced}/serviceaccounts/{name}", account))
    return [*made, *_operator_permissions()] if spec.pods else made


def _operator_permissions() -> list[tuple[str, JsonObject]]:
    """The ClusterRole cilium-operator bound to its account, and beside it all that is no object of Cilium."""
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    groups = ["", "apps", "apiextensions.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "networking.k8s.io"]
    rules = [{"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}]
    other = "cilium-operator-otherwise"
    made: list[tuple[str, JsonObject]] = [
        (
            f"{rbac}/clusterroles/{other}",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": other},
                "rules": rules,
            },
        )
    ]
    for name in ("cilium-operator", other):
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "cilium-operator", "namespace": "kube-system"}],
        }
        made.append((f"{rbac}/clusterrolebindings/{name}", binding))
    return made
