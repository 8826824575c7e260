"""The small sick cluster of sick_cilium_objects.py: all its objects, log lines and answers."""

from __future__ import annotations

from typing import Any

from snapshots.sick_cilium_objects import (
    FLAGS,
    WORKERS,
    cilium_node,
    endpoint,
    event,
    identity,
    lease,
    metadata,
    node,
    owner,
    pod,
)

_SYSTEM = "kube-system"
AGENTS = {
    "control-1": "cilium-c4k2p",
    "worker-1": "cilium-w7x9q",
    "worker-2": "cilium-z2m5v",
    "worker-3": "cilium-t8d3n",
}
OPERATOR_POD = "cilium-operator-6c9d7f5b8-abcde"
_IMAGE = "quay.io/cilium/cilium:v1.18.4@sha256:" + "0" * 64
CONFIG = {
    "cluster-id": "0",
    "cluster-name": "default",
    "cluster-pool-ipv4-cidr": "10.245.0.0/22",
    "cluster-pool-ipv4-mask-size": "24",
    "enable-ipv4": "true",
    "enable-ipv6": "false",
    "identity-allocation-mode": "crd",
    "identity-gc-interval": "15m0s",
    "identity-heartbeat-timeout": "30m0s",
    "ipam": "cluster-pool",
    "labels": "k8s:app k8s:io\\.kubernetes\\.pod\\.namespace\n",
    "write-cni-conf-when-ready": "/host/etc/cni/net.d/05-cilium.conflist",
}


def _agent(number: int, on: str) -> dict[str, Any]:
    return pod(
        number, AGENTS[on], on, f"192.0.2.{10 + number}", _SYSTEM,
        owner=owner("DaemonSet", "cilium"), labels={"k8s-app": "cilium"}, image=_IMAGE, container="cilium-agent",
        command=["cilium-agent"], host=True, account="cilium", restarts=1 if on == "worker-1" else 0,
    )  # fmt: skip


def _daemon_set(name: str, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata(name, _SYSTEM, generation=3, labels={"k8s-app": name}),
        "spec": {"template": {"spec": {"containers": [{"image": image, "name": f"{name}-agent"}]}}},
        "status": {
            "currentNumberScheduled": 4,
            "desiredNumberScheduled": 4,
            "numberReady": 4,
            "observedGeneration": 3,
            "updatedNumberScheduled": 4,
        },
    }


def _config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "data": data,
        "kind": "ConfigMap",
        "metadata": metadata(name, _SYSTEM, resourceVersion="812", labels={"app.kubernetes.io/managed-by": "Helm"}),
    }


def objects() -> dict[str, list[dict[str, Any]]]:
    """{resource as in ClusterState: objects}, in the order in which an API server lists them."""
    kubeadm = (
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking:\n  podSubnet: 10.244.0.0/23\n"
    )
    events = [
        event(1, "Node", "worker-3", "CIDRNotAvailable", "Node worker-3 status is now: CIDRNotAvailable", source={"component": "cidrAllocator"}),
        event(2, "Pod", "search-0", "FailedCreatePodSandBox",
              'Failed to create pod sandbox: plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: range is full',
              namespace="shop", source={"component": "kubelet", "host": "worker-3"}),
        event(3, "Pod", "cart-0", "Pulled", "Container image already present", namespace="shop", source={"component": "kubelet", "host": "worker-1"}),
    ]  # fmt: skip
    return {
        "nodes": [
            node(1, "control-1", "10.244.0.0/24"),
            node(2, "worker-1", "10.244.1.0/24"),
            node(3, "worker-2", "10.250.3.0/24"),
            node(4, "worker-3", ""),
        ],
        "pods": [
            _agent(1, "control-1"),
            pod(
                5, OPERATOR_POD, "worker-1", "192.0.2.12", _SYSTEM, owner=owner("ReplicaSet", "cilium-operator-6c9d7f5b8"),
                labels={"io.cilium/app": "operator", "name": "cilium-operator"}, container="cilium-operator", host=True,
                image="quay.io/cilium/operator-generic:v1.18.4", command=["cilium-operator-generic"], account="cilium-operator",
            ),
            *(_agent(number, on) for number, on in enumerate(WORKERS, 2)),
            pod(
                6, "kube-controller-manager-control-1", "control-1", "192.0.2.11", _SYSTEM,
                owner=owner("Node", "control-1", 1, "v1"), labels={"component": "kube-controller-manager"}, host=True,
                container="kube-controller-manager", image="registry.k8s.io/kube-controller-manager:v1.34.2", command=FLAGS,
            ),
            pod(10, "cart-0", "worker-1", "10.245.1.17", owner=owner("StatefulSet", "cart")),
            pod(11, "catalog-7c9d4-x2m5k", "worker-2", "10.245.2.9", owner=owner("ReplicaSet", "catalog-7c9d4")),
            pod(12, "search-0", "worker-3", "", owner=owner("StatefulSet", "search"), waiting="ContainerCreating"),
        ],
        "namespaces": [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, labels={"kubernetes.io/metadata.name": name})}
            for name in ("default", "kube-node-lease", "kube-system", "shop")
        ],
        "daemonsets": [_daemon_set("cilium", _IMAGE), _daemon_set("kube-proxy", "registry.k8s.io/kube-proxy:v1.34.2")],
        "deployments": [
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata("cilium-operator", _SYSTEM, generation=2),
                "spec": {
                    "replicas": 2,
                    "template": {"spec": {"containers": [{"image": "quay.io/cilium/operator-generic:v1.18.4", "name": "cilium-operator"}]}},
                },
                "status": {"observedGeneration": 2, "readyReplicas": 1, "replicas": 2, "updatedReplicas": 2},
            }
        ],
        "configmaps": [_config_map("cilium-config", **CONFIG), _config_map("kubeadm-config", ClusterConfiguration=kubeadm)],
        "leases": [
            lease("cilium-operator-resource-lock", _SYSTEM, "worker-1-kdjfh"),
            lease("kube-controller-manager", _SYSTEM, "control-1_2f6c"),
            lease("kube-scheduler", _SYSTEM, "control-1_9b1d"),
        ],
        "nodeleases": [
            lease("control-1", "kube-node-lease", "control-1"),
            *(lease(name, "kube-node-lease", name) for name in WORKERS),
            lease("worker-9", "kube-node-lease", "worker-9", "2026-10-28T03:00:00Z"),
        ],
        "csinodes": [
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "CSINode",
                "metadata": metadata(name, ownerReferences=owner("Node", name, 9, "v1")),
                "spec": {"drivers": None},
            }
            for name in ("worker-1", "worker-9")
        ],
        "apiservices": [
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": metadata("v1beta1.metrics.k8s.io"),
                "spec": {"group": "metrics.k8s.io", "service": {"name": "metrics-server", "namespace": _SYSTEM}, "version": "v1beta1"},
                "status": {"conditions": [{"message": "no endpoints", "reason": "MissingEndpoints", "status": "False", "type": "Available"}]},
            }
        ],
        "events": events,
        "clusterroles": [
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": metadata("cilium-operator"),
                "rules": [{"apiGroups": ["cilium.io"], "resources": ["ciliumidentities"], "verbs": ["list", "watch", "delete", "update"]}],
            }
        ],
        "networkpolicies": [
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": metadata("cart", "shop"),
                "spec": {
                    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "search"}}}], "ports": [{"port": 80, "protocol": "TCP"}]}],
                    "podSelector": {"matchLabels": {"app": "cart"}},
                    "policyTypes": ["Ingress"],
                },
            },
        ],
        "ciliumnetworkpolicies": [
            {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumNetworkPolicy",
                "metadata": metadata("first-only", "shop"),
                # dropped by the default filter: nobody is selected
                "spec": {"endpointSelector": {"matchLabels": {"statefulset.kubernetes.io/pod-name": "cart-0"}}, "ingress": [{}]},
            },
        ],
        "ciliumclusterwidenetworkpolicies": [
            {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumClusterwideNetworkPolicy",
                "metadata": metadata("dns"),
                "specs": [{"egress": [{"toEndpoints": [{"matchLabels": {"k8s-app": "kube-dns"}}]}], "endpointSelector": {}}],
            },
        ],
        "ciliumidentities": [
            identity(10001, "cart"),
            identity(10002, "cart"),
            identity(10003, "gone"),
            identity(10004, "left", heartbeat="2026-11-01T04:00:00Z"),
            identity(10005, "catalog"),
            identity(10006, "new", "2026-11-01T05:56:00Z"),
            identity(70000, "far"),
        ],
        "ciliumendpoints": [
            endpoint(10, "cart-0", "192.0.2.12", "10.245.1.17", 10001, "ready"),
            endpoint(11, "catalog-7c9d4-x2m5k", "192.0.2.13", "10.245.2.9", None, "waiting-for-identity"),
            endpoint(13, "ghost-0", "192.0.2.12", "10.245.1.99", 10002, "ready"),
        ],
        "ciliumendpointslices": [
            {
                "apiVersion": "cilium.io/v2alpha1",
                "endpoints": [
                    {
                        "id": 10005,
                        "name": "catalog-7c9d4-x2m5k",
                        "networking": {"addressing": [{"ipv4": "10.245.2.9"}], "node": "192.0.2.13"},
                        "pod-uid": "u-11",
                    }
                ],
                "kind": "CiliumEndpointSlice",
                "metadata": metadata("ces-4hk2b5c9d-x7m2q"),
                "namespace": "shop",
            }
        ],
        "ciliumnodes": [
            cilium_node(1, "control-1", "10.245.0.0/24"),
            cilium_node(2, "worker-1", "10.245.1.0/24"),
            cilium_node(3, "worker-2", "10.245.2.0/24"),
            cilium_node(4, "worker-3", "", "allocator full"),
            cilium_node(9, "worker-9", "10.245.3.0/24"),
        ],
        "ciliumnodeconfigs": [
            {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumNodeConfig",
                "metadata": metadata("debug-worker-2", _SYSTEM),
                "spec": {"defaults": {"debug": "true"}, "nodeSelector": {"matchLabels": {"kubernetes.io/hostname": "worker-2"}}},
            }
        ],
    }  # fmt: skip


LOGS = {
    (AGENTS["worker-1"], "cilium-agent", False): [
        '2026-11-01T05:57:00.000000001Z time="2026-11-01T05:57:00Z" level=info msg="Regenerating all endpoints"',
        '2026-11-01T05:58:01.123456789Z time="2026-11-01T05:58:01Z" level=warning msg="Key allocation attempt failed" '
        'error="no more available IDs in configured space"',
    ],
    (AGENTS["worker-1"], "cilium-agent", True): [
        '2026-11-01T04:00:00.5Z time="2026-11-01T04:00:00Z" level=warning msg="Detected change of primary pod allocation CIDR"',
    ],
    (AGENTS["worker-1"], "mount-cgroup", False): ["2026-10-25T08:00:00Z mounted"],
    (OPERATOR_POD, "cilium-operator", False): [
        '2026-11-01T05:59:30.1Z time="2026-11-01T05:59:30Z" level=warning msg="Unable to allocate node CIDR for node worker-3" error="allocator full"',
    ],
}  # fmt: skip
METRICS = (
    "# HELP cilium_operator_identity_gc_entries The number of alive and deleted identities at the end of a garbage collector run\n"
    "# TYPE cilium_operator_identity_gc_entries gauge\n"
    'cilium_operator_identity_gc_entries{identity_type="crd",status="alive"} 6\n'
    'cilium_operator_identity_gc_entries{identity_type="crd",status="deleted"} 1\n'
    "process_open_fds 12\n"
)
DEBUG_INFO = {
    "cilium-status": {
        "cilium": {"msg": "1.18.4 (v1.18.4-afda2aa9)", "state": "Ok"},
        "cluster": {"self": "default/worker-1"},
        "controllers": [
            {
                "name": "resolve-identity-11",
                "status": {
                    "consecutive-failure-count": 7,
                    "last-failure-msg": "unable to resolve identity: no more available IDs in configured space",
                    "last-failure-timestamp": "2026-11-01T05:58:01.000Z",
                    "last-success-timestamp": "0001-01-01T00:00:00.000Z",
                },
            }
        ],
        "identity-range": {"max-identity": 65535, "min-identity": 256},
        "ipam": {"allocations": {"10.245.1.17": "shop/cart-0", "10.245.1.2": "health"}, "status": "IPv4: 2/254 allocated from 10.245.1.0/24, "},
        "kvstore": {"state": "Disabled"},
    },
    "cilium-version": "1.18.4",
    "endpoint-list": [
        {"id": 10, "status": {"external-identifiers": {"pod-name": "shop/cart-0"}, "identity": {"id": 10001}, "state": "ready"}}
    ],
    "environment-variables": [],
    "service-list": [],
}  # fmt: skip
