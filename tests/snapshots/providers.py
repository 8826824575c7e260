"""Nodes and clusters of each provider and model for which a re-registration is refused, with what the refusal says.

The objects have the labels, annotations, finalizers, providerIDs and versions that the products write (reference:
kubernetes.md, 3.1 to 3.4). `override` is the name by which a person may take the risk, None where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
OUT_OF_RANGE = "10.200.7.0/24"
CAPI, OPENSHIFT = "/apis/cluster.x-k8s.io/v1beta2/namespaces/fleet", "/apis/machine.openshift.io/v1beta1/namespaces"
SYSTEM = "/api/v1/namespaces/kube-system"
DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"


@dataclass(frozen=True)
class NodeCase:
    """One Node. `says` is a part of the refusal; `others` are overrides of further refusals of the same Node."""

    product: str
    node: Object
    says: str
    override: str | None = None
    others: tuple[str, ...] = ()
    objects: tuple[tuple[str, Object], ...] = ()
    server_version: str = "v1.36.1"


@dataclass(frozen=True)
class ClusterCase:
    """One cluster; `denied` are (verb, resource) that our credentials lack."""

    state: str
    says: str
    override: str | None = None
    objects: tuple[tuple[str, Object], ...] = ()
    denied: frozenset[tuple[str, str]] = frozenset()
    allocator: Mapping[str, Any] | None = field(
        default_factory=lambda: {"cluster_cidrs": ["10.244.0.0/22"], "service_ranges": ["10.96.0.0/16"]}
    )


def node(name: str = "w1", version: str = "v1.36.1", provider: str = "", **more: Any) -> Object:
    """A Ready Node out of range, which an audit wants registered anew; `more` is metadata, but taints and image."""
    taints, image = more.pop("taints", []), more.pop("image", "Debian GNU/Linux 12 (bookworm)")
    cidr = more.pop("cidr", OUT_OF_RANGE)
    spec: Object = {"podCIDR": cidr, "podCIDRs": [cidr]} if cidr else {}
    if provider:
        spec["providerID"] = provider
    if taints:
        spec["taints"] = [{"key": key, "effect": "NoSchedule"} for key in taints]
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", **more},
        "spec": spec,
        "status": {
            "nodeInfo": {"kubeletVersion": version, "machineID": "m1", "osImage": image, "operatingSystem": "linux"},
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-02T00:00:00Z"}],
        },
    }


def health_check(name: str, selector: Mapping[str, str], **metadata: Any) -> Object:
    """A MachineHealthCheck."""
    spec = {"clusterName": "prod", "selector": {"matchLabels": dict(selector)}}
    return {"metadata": {"name": name, **metadata}, "spec": spec}


def machine(name: str, **labels: str) -> Object:
    """A Machine."""
    return {"metadata": {"name": name, "labels": labels}}


CAPI_NODE = {
    "cluster.x-k8s.io/machine": "md-1-x7",
    "cluster.x-k8s.io/cluster-namespace": "fleet",
    "cluster.x-k8s.io/cluster-name": "prod",
    "cluster.x-k8s.io/owner-kind": "MachineSet",
}
CAPI_OBJECTS = (
    (f"{CAPI}/machines", machine("md-1-x7", pool="md-1")),
    (f"{CAPI}/machinehealthchecks", health_check("md-1-unhealthy", {"pool": "md-1"})),
    (f"{CAPI}/machinehealthchecks", health_check("other", {"pool": "md-2"})),
    (f"{CAPI}/clusters", {"metadata": {"name": "prod"}, "spec": {}}),
)
OPENSHIFT_OBJECTS = (
    (f"{OPENSHIFT}/openshift-machine-api/machines", machine("prod-worker-1", role="worker")),
    (f"{OPENSHIFT}/openshift-machine-api/machinehealthchecks", health_check("workers", {"role": "worker"})),
)
CLOUD = "cloud-provider"

NODES = (
    NodeCase(
        "Karpenter",
        node(
            version="v1.33.1-eks-1",
            provider="aws:///eu-1a/i-1",
            labels={"karpenter.sh/nodepool": "default", "karpenter.sh/registered": "true"},
            finalizers=["karpenter.sh/termination"],
        ),
        "karpenter.sh/termination shows that deleting the Node terminates the machine",
        others=(CLOUD,),
    ),
    NodeCase(
        "Karpenter before its finalizer",
        node(labels={"karpenter.sh/nodepool": "default"}),
        "karpenter.sh/nodepool shows that deleting the Node terminates the machine",
    ),
    NodeCase(
        "Karpenter that disrupts it",
        node(taints=["karpenter.sh/disrupted"]),
        "taint karpenter.sh/disrupted: its autoscaler has decided to remove the machine",
    ),
    NodeCase(
        "EKS Auto Mode",
        node(version="v1.33.1-eks-1", provider="aws:///eu-1a/i-2", labels={"eks.amazonaws.com/compute-type": "auto"}),
        "EKS compute-type shows that deleting the Node terminates the machine",
        others=(CLOUD,),
    ),
    NodeCase(
        "EKS Fargate",
        node(
            "fargate-ip-10-0-1-2",
            "v1.33.1-eks-1",
            "aws:///eu-1a/abc/fargate-ip-10-0-1-2",
            labels={"eks.amazonaws.com/compute-type": "fargate"},
        ),
        "EKS compute-type shows that deleting the Node terminates the machine",
        others=(CLOUD,),
    ),
    NodeCase(
        "EKS managed node group",
        node(version="v1.33.1-eks-1", provider="aws:///eu-1a/i-3", labels={"eks.amazonaws.com/nodegroup": "ng-1"}),
        "label eks.amazonaws.com/nodegroup: the provider manages this machine and its podCIDR",
        "managed-node",
        others=(CLOUD,),
    ),
    NodeCase(
        "EKS hybrid node",
        node(provider="eks-hybrid:///eu-1/prod/mi-1", labels={"eks.amazonaws.com/compute-type": "hybrid"}),
        "providerID eks-hybrid://: a cloud controller may act on the deletion of the Node",
        CLOUD,
    ),
    NodeCase(
        "GKE Standard",
        node(
            version="v1.33.1-gke.1",
            provider="gce://project/europe-west1-b/gke-1",
            labels={"cloud.google.com/gke-nodepool": "default-pool"},
        ),
        "label cloud.google.com/gke-nodepool: the provider manages this machine and its podCIDR",
        "managed-node",
        others=(CLOUD,),
    ),
    NodeCase(
        "GKE without its label",
        node(version="v1.33.1-gke.1"),
        "its kubelet is one of GKE: the provider manages this machine",
        "managed-node",
    ),
    NodeCase(
        "AKS",
        node(
            provider="azure:///subscriptions/1/vmss/0",
            labels={"kubernetes.azure.com/agentpool": "pool1", "kubernetes.azure.com/mode": "system"},
        ),
        "label kubernetes.azure.com/agentpool: the provider manages this machine and its podCIDR",
        "managed-node",
        others=(CLOUD,),
    ),
    NodeCase(
        "DigitalOcean Kubernetes",
        node(provider="digitalocean://1", labels={"doks.digitalocean.com/node-id": "n"}),
        "label doks.digitalocean.com/node-id: the provider manages this machine",
        "managed-node",
        others=(CLOUD,),
    ),
    NodeCase(
        "kOps on AWS",
        node(provider="aws:///eu-1a/i-4", labels={"kops.k8s.io/instancegroup": "nodes"}),
        "providerID aws://: a cloud controller may act on the deletion of the Node",
        CLOUD,
    ),
    NodeCase(
        "Alibaba Cloud, whose providerID has no scheme",
        node(provider="eu-central-1.i-abc"),
        "providerID eu-central-1.i-abc: a cloud controller may act",
        CLOUD,
    ),
    NodeCase(
        "Oracle Cloud, whose providerID has no scheme",
        node(provider="ocid1.instance.oc1.fra.abc"),
        "providerID ocid1.instance.oc1.fra.abc: a cloud controller may act",
        CLOUD,
    ),
    NodeCase(
        "Metal3",
        node(provider="metal3://fleet/host-1/md-1"),
        "providerID metal3://: a cloud controller may act",
        CLOUD,
    ),
    NodeCase(
        "Cluster Autoscaler that removes it",
        node(taints=["ToBeDeletedByClusterAutoscaler"]),
        "taint ToBeDeletedByClusterAutoscaler: its autoscaler has decided to remove the machine",
    ),
    NodeCase(
        "Cluster API with a MachineHealthCheck",
        node(annotations=CAPI_NODE),
        "MachineHealthCheck fleet/md-1-unhealthy selects its machine md-1-x7 and replaces it as soon as the Node is deleted",
        others=("machine-api",),
        objects=CAPI_OBJECTS,
    ),
    NodeCase(
        "Cluster API, managed from elsewhere",
        node(annotations=CAPI_NODE),
        "annotation cluster.x-k8s.io/machine: a machine health check may replace the machine as soon as the Node is gone",
        "machine-api",
    ),
    NodeCase(
        "Rancher on RKE2 with Cluster API",
        node(version="v1.32.1+rke2r1", provider="rke2://w1", annotations=CAPI_NODE),
        "annotation cluster.x-k8s.io/machine",
        "machine-api",
    ),
    NodeCase(
        "OpenShift with a MachineHealthCheck",
        node(annotations={"machine.openshift.io/machine": "openshift-machine-api/prod-worker-1"}),
        "MachineHealthCheck openshift-machine-api/workers selects its machine prod-worker-1",
        others=("machine-api",),
        objects=OPENSHIFT_OBJECTS,
    ),
    NodeCase(
        "OpenShift machine API",
        node(annotations={"machine.openshift.io/machine": "openshift-machine-api/prod-worker-1"}),
        "annotation machine.openshift.io/machine",
        "machine-api",
    ),
    NodeCase(
        "Gardener",
        node(labels={"worker.gardener.cloud/pool": "p"}),
        "Gardener's machine controller replaces machines whose Node stays away",
        "machine-api",
    ),
    NodeCase(
        "k3s server with embedded etcd",
        node(
            version="v1.33.1+k3s1",
            provider="k3s://w1",
            labels={"node-role.kubernetes.io/etcd": "true"},
            finalizers=["wrangler.cattle.io/node", "wrangler.cattle.io/managed-etcd-controller"],
        ),
        "it is an embedded etcd member of k3s or RKE2: deleting the Node removes the member for good",
    ),
    NodeCase(
        "RKE2 server with embedded etcd",
        node(
            version="v1.33.1+rke2r1",
            provider="rke2://w1",
            labels={"node-role.kubernetes.io/etcd": "true", "node-role.kubernetes.io/control-plane": "true"},
        ),
        "it is an embedded etcd member of k3s or RKE2",
    ),
    NodeCase(
        "RKE2 server whose role label somebody removed",
        node(version="v1.33.1+rke2r1", annotations={"etcd.rke2.cattle.io/node-address": "10.0.0.1"}),
        "it is an embedded etcd member of k3s or RKE2",
    ),
    NodeCase(
        "MicroK8s server",
        node(
            labels={
                "microk8s.io/cluster": "true",
                "node.kubernetes.io/microk8s-controlplane": "microk8s-controlplane",
            }
        ),
        "Node w1 belongs to the control plane; allow that with control_plane",
        others=("kubelet-is-api-server",),
    ),
    NodeCase(
        "MicroK8s that does not say its role",
        node(labels={"microk8s.io/cluster": "true"}),
        "without the label node.kubernetes.io/microk8s-worker: if it is a server",
        "kubelet-is-api-server",
    ),
    NodeCase(
        "virtual kubelet",
        node(labels={"type": "virtual-kubelet"}, taints=["virtual-kubelet.io/provider"]),
        "it has no machine behind it, so no kubelet can register it again",
    ),
    NodeCase(
        "virtual kubelet without the label",
        node(taints=["virtual-kubelet.io/provider"]),
        "it has no machine behind it",
    ),
    NodeCase("kwok", node(labels={"type": "kwok"}, provider="kwok://w1"), "it has no machine behind it"),
    NodeCase(
        "a finalizer of somebody else",
        node(finalizers=["example.com/hold"]),
        "finalizer example.com/hold: the Node does not go before its controller has acted",
        "foreign-finalizer",
    ),
    NodeCase(
        "deleted by somebody else",
        node(finalizers=["example.com/hold"], deletionTimestamp="2026-01-02T00:00:00Z"),
        "it is being deleted by somebody else already",
        others=("foreign-finalizer",),
    ),
    NodeCase(
        "kubeadm control plane",
        node(labels={"node-role.kubernetes.io/control-plane": ""}),
        "Node w1 belongs to the control plane; allow that with control_plane",
    ),
    NodeCase("Talos", node(image="Talos (v1.10.1)"), "which has no SSH: restart its kubelet with talosctl instead"),
    NodeCase(
        "Windows",
        node(image="Windows Server 2022 Datacenter", labels={"kubernetes.io/os": "windows"}),
        "runs Windows, whose kubelet and CNI state these steps do not know",
    ),
    NodeCase(
        "a release that gives blocks away too early",
        node(finalizers=["wrangler.cattle.io/node"], version="v1.31.2+k3s1"),
        "gives its block away while it still exists (fixed in 1.31.4)",
        server_version="v1.31.2+k3s1",
    ),
    NodeCase(
        "a Node of another mask in a shared block",
        node(cidr="10.244.1.0/26"),
        "shares a block of the allocator with w2: deleting it frees the block while they still use it",
        "shared-block",
        objects=(("/api/v1/nodes", node("w2", cidr="10.244.1.64/26")),),
    ),
)

#: Nodes for which nothing is known against it.
ORDINARY = {
    "kubeadm": node(annotations={"kubeadm.alpha.kubernetes.io/cri-socket": "unix:///run/containerd/containerd.sock"}),
    "k3s agent": node(version="v1.33.1+k3s1", provider="k3s://w1", finalizers=["wrangler.cattle.io/node"]),
    "RKE2 agent": node(version="v1.33.1+rke2r1", provider="rke2://w1", finalizers=["wrangler.cattle.io/node"]),
    "MicroK8s worker": node(
        labels={"microk8s.io/cluster": "true", "node.kubernetes.io/microk8s-worker": "microk8s-worker"}
    ),
    "own machine joined to AKS": node(
        labels={"kubernetes.azure.com/agentpool": "p", "kubernetes.azure.com/managed": "false"}
    ),
    "candidate of the autoscaler": node(taints=["DeletionCandidateOfClusterAutoscaler"]),
    "fixed release with finalizers": node(version="v1.31.4+k3s1", finalizers=["wrangler.cattle.io/node"]),
}

#: The MachineHealthChecks that do not count: paused, of a paused cluster, of another machine.
PAUSED_CHECKS = {
    "paused check": (
        CAPI_OBJECTS[0],
        (
            f"{CAPI}/machinehealthchecks",
            health_check("md-1", {"pool": "md-1"}, annotations={"cluster.x-k8s.io/paused": ""}),
        ),
    ),
    "paused cluster": (
        *CAPI_OBJECTS[:3],
        (f"{CAPI}/clusters", {"metadata": {"name": "prod"}, "spec": {"paused": True}}),
    ),
    "check of another machine": (CAPI_OBJECTS[0], CAPI_OBJECTS[2]),
    "check of another cluster": (
        CAPI_OBJECTS[0],
        (
            f"{CAPI}/machinehealthchecks",
            {**health_check("md-1", {"pool": "md-1"}), "spec": {"clusterName": "test", "selector": {}}},
        ),
    ),
}


def daemon_set(name: str) -> tuple[str, Object]:
    """A DaemonSet of a CNI."""
    return DAEMON_SETS, {"metadata": {"name": name}}


def config_map(name: str, **data: str) -> tuple[str, Object]:
    """A ConfigMap of kube-system."""
    return f"{SYSTEM}/configmaps", {"metadata": {"name": name}, "data": data}


def cilium(mode: str) -> tuple[tuple[str, Object], ...]:
    """Cilium with this IPAM mode."""
    return daemon_set("cilium"), config_map("cilium-config", ipam=mode)


def _model(name: str, model: str, *objects: tuple[str, Object]) -> ClusterCase:
    return ClusterCase(name, f"Pod addresses here do not come from Node.spec.podCIDRs ({model}", objects=objects)


IPAM_MODELS = (
    *(
        _model(f"Cilium {mode}", f"cilium-{mode}", *cilium(mode))
        for mode in ("cluster-pool", "multi-pool", "eni", "azure")
    ),
    _model(
        "Calico",
        "calico",
        daemon_set("calico-node"),
        config_map("calico-config", cni_network_config='{"ipam": {"type": "calico-ipam"}}'),
    ),
    _model("AWS VPC CNI", "aws-vpc-cni", daemon_set("aws-node")),
    _model("AWS VPC CNI with Calico for policies", "aws-vpc-cni", daemon_set("aws-node"), daemon_set("calico-node")),
    _model("Azure CNI", "azure", daemon_set("azure-cns")),
    _model("OVN-Kubernetes", "ovn-kubernetes", daemon_set("ovnkube-node")),
    _model("Kube-OVN", "kube-ovn", daemon_set("kube-ovn-cni")),
    _model("Weave Net", "weave-net", daemon_set("weave-net")),
    _model("NSX", "nsx", daemon_set("nsx-node-agent")),
    _model("Terway", "alibaba-terway", daemon_set("terway-eniip")),
    _model("a Cilium whose mode cannot be seen", "unknown", daemon_set("cilium")),
    _model("two CNIs that contradict each other", "unknown", daemon_set("kube-flannel-ds"), daemon_set("weave-net")),
)


def api_service(name: str, available: str) -> tuple[str, Object]:
    """An APIService."""
    status = {"conditions": [{"type": "Available", "status": available}]}
    return "/apis/apiregistration.k8s.io/v1/apiservices", {"metadata": {"name": name}, "status": status}


CLUSTERS = (
    *IPAM_MODELS,
    ClusterCase(
        "blocked garbage collection",
        "API services are not available (v1beta1.metrics.k8s.io), which stops the garbage collection",
        objects=(api_service("v1.", "True"), api_service("v1beta1.metrics.k8s.io", "False")),
    ),
    ClusterCase(
        "settings that nobody shows",
        "The settings of the pod CIDR allocator are not visible in this cluster",
        objects=(daemon_set("kube-flannel-ds"),),
        allocator=None,
    ),
    ClusterCase(
        "allocation is off",
        "Nobody would give the new Node a podCIDR: --allocate-node-cidrs is not on",
        objects=(daemon_set("kube-flannel-ds"),),
        allocator={"cluster_cidrs": ["10.244.0.0/22"], "allocate_node_cidrs": False},
    ),
    ClusterCase(
        "another Node is not Ready",
        "Other Nodes are not Ready: w9",
        "other-nodes-not-ready",
        objects=(("/api/v1/nodes", {**node("w9", cidr="10.244.0.0/24"), "status": {"conditions": []}}),),
    ),
    ClusterCase(
        "another Node is cordoned",
        "Other Nodes are cordoned: w9",
        "other-nodes-cordoned",
        objects=(
            (
                "/api/v1/nodes",
                {
                    **node("w9", cidr="10.244.0.0/24"),
                    "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"], "unschedulable": True},
                },
            ),
        ),
    ),
    ClusterCase(
        "no block is left",
        "Node w1: no IPv4 block would be left for it: deleting it frees 0",
        objects=(("/api/v1/nodes", node("full", cidr="10.244.0.0/22")),),
    ),
    ClusterCase(
        "Nodes that wait take the block first",
        "and 2 Nodes without podCIDR wait for one (a1, a2)",
        objects=(
            ("/api/v1/nodes", node("wide", cidr="10.244.0.0/23")),
            ("/api/v1/nodes", node("a1", cidr="")),
            ("/api/v1/nodes", node("a2", cidr="")),
        ),
    ),
)
