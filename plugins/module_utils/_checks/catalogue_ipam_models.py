# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about IPAM models other than Node.spec and Cilium's own, and of the machines' providers."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CONTROLLER_MANAGER_FLAGS,
    CRITICAL,
    INFO,
    NODE_CIDRS,
    WARNING,
    FindingKind,
)

_CLUSTER_CIDRS = "kubectl get clustercidrs -o yaml"
_CALICO = "kubectl get ippools.crd.projectcalico.org,blockaffinities.crd.projectcalico.org -o yaml"
_INSTANCES = (
    "kubectl get nodes -L node.kubernetes.io/instance-type; kubectl -n kube-system get daemonset aws-node -o yaml"
)
_AZURE = "kubectl -n kube-system get nodenetworkconfigs -o yaml"
_OVN = "kubectl get nodes -o yaml | grep -B1 -A1 k8s.ovn.org/node-subnets"

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "ipam-models-mixed",
        INFO,
        "Nodes have different IPAM models",
        "Not all Nodes of the cluster get their pod addresses in the same way.",
        "What is a fault on one Node may be as it should be on another; each Node is judged by its own model.",
        "kubectl get nodes --show-labels; kubectl get pods -A -o wide | grep -E 'aws-node|calico-node|cilium|flannel'",
        "Nothing to mend where it is meant so. During a move from one CNI to another, finish the move.",
    ),
    FindingKind(
        "cni-agent-missing",
        WARNING,
        "Node without a working agent of its CNI",
        "The DaemonSet that gives pods their addresses has no running pod on these Nodes.",
        "No new pod on such a Node gets an address; running pods go on.",
        "kubectl get daemonsets -A; kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
        "No safe automatic remedy, because the cause is not in the cluster's bookkeeping: look at the events and the log of the "
        "DaemonSet's pod, at taints of the Node and at its disk.",
    ),
    FindingKind(
        "cluster-cidr-two-allocators",
        CRITICAL,
        "Two allocators give out podCIDRs",
        "There are ClusterCIDR objects, and kube-controller-manager cuts blocks out of its own cluster CIDR too.",
        "Whichever is faster gives a Node its block, and neither knows the blocks of the other: blocks can be given out twice.",
        _CLUSTER_CIDRS + "; " + CONTROLLER_MANAGER_FLAGS,
        "No safe automatic remedy, because one of the two has to be switched off by hand: set --allocate-node-cidrs=false, or "
        "remove the ClusterCIDR objects and their allocator.",
    ),
    FindingKind(
        "cluster-cidr-invalid",
        WARNING,
        "ClusterCIDR that its allocator cannot use",
        "The range and the block size of the ClusterCIDR do not fit.",
        "The allocator skips it; Nodes that it selects get a block from another one, or none.",
        _CLUSTER_CIDRS,
        "No safe automatic remedy, because fields of a ClusterCIDR cannot be changed: make another one and delete this one.",
    ),
    FindingKind(
        "cluster-cidr-selector-terms",
        WARNING,
        "ClusterCIDR with several nodeSelector terms",
        "Its allocator reads several terms as one: all of them must match. Everywhere else in Kubernetes one is enough.",
        "Nodes that match one of the terms only are served from elsewhere, or not at all.",
        _CLUSTER_CIDRS,
        "No safe automatic remedy, because the selector cannot be changed: make one ClusterCIDR for each term.",
    ),
    FindingKind(
        "cluster-cidr-exhausted",
        WARNING,
        "ClusterCIDR without a free block",
        "Every block of the ClusterCIDR is taken by a Node or by the service range.",
        "The next Node that it selects gets a block from another ClusterCIDR that selects it, or none at all.",
        _CLUSTER_CIDRS + "; " + NODE_CIDRS,
        "No safe automatic remedy, because addresses have to be chosen: create another ClusterCIDR with the same nodeSelector.",
    ),
    FindingKind(
        "cluster-cidr-overlap",
        WARNING,
        "ClusterCIDR objects overlap",
        "Two ClusterCIDR objects contain the same addresses.",
        "Each looks larger than it is; objects of two API groups have two allocators that do not know each other's blocks.",
        _CLUSTER_CIDRS,
        "No safe automatic remedy, because a range cannot be changed: make disjoint ones and delete those that overlap.",
    ),
    FindingKind(
        "node-without-cluster-cidr",
        CRITICAL,
        "Node that no ClusterCIDR selects",
        "No ClusterCIDR matches the labels of the Node, and there is none without nodeSelector.",
        "Such a Node gets no podCIDR; one that has a podCIDR would get none when it registers again.",
        _CLUSTER_CIDRS + "; kubectl get nodes --show-labels",
        "No safe automatic remedy, because labels or addresses have to be chosen: label the Node, or create a ClusterCIDR for it.",
    ),
    FindingKind(
        "cluster-cidr-not-recorded",
        CRITICAL,
        "podCIDR that the allocator does not remember",
        "No ClusterCIDR that selects the Node contains its podCIDRs, so the allocator did not mark them as taken when it started.",
        "When another ClusterCIDR contains them, the same block may be given to a second Node.",
        _CLUSTER_CIDRS + "; " + NODE_CIDRS + "; kubectl get nodes --show-labels",
        "No safe automatic remedy, because it depends on which labels were meant: give the Node back the labels by which it was "
        "served, or create a ClusterCIDR that selects it and contains its podCIDRs.",
    ),
    FindingKind(
        "calico-pool-low",
        WARNING,
        "IPPool of Calico with few free blocks",
        "Less than a tenth of the blocks of the IPPool is free.",
        "A Node without a block borrows single addresses from others, each with a route of its own; with strictAffinity it gets none.",
        _CALICO + "; calicoctl ipam show --show-blocks",
        "No safe automatic remedy, because addresses have to be chosen: create another IPPool; no restart is needed.",
    ),
    FindingKind(
        "calico-pool-overlap",
        CRITICAL,
        "IPPool of Calico overlaps another range",
        "The IPPool shares addresses with another IPPool or with the service range.",
        "An address can be given out twice, or traffic to a pod is taken for traffic to a Service.",
        _CALICO,
        "No safe automatic remedy, because pods have addresses of it: disable the IPPool, replace its pods, then delete it.",
    ),
    FindingKind(
        "calico-block-stale",
        WARNING,
        "Blocks of Calico belong to Nodes that are gone",
        "BlockAffinity objects name Nodes that are not in the cluster.",
        "Their blocks are lost to the IPPool until somebody releases them.",
        _CALICO + "; calicoctl ipam check",
        "No safe automatic remedy, because addresses in such a block may be in use: see that calico-kube-controllers runs, which "
        "releases them; otherwise calicoctl ipam release after calicoctl ipam check.",
    ),
    FindingKind(
        "calico-block-outside-pools",
        INFO,
        "Blocks of Calico in no IPPool",
        "Nodes have blocks of a range that is no IPPool (any more).",
        "Pods keep such addresses, but NAT and encapsulation follow IPPools: their traffic may be treated otherwise.",
        _CALICO,
        "Replace the pods with such addresses, or create the IPPool again, disabled.",
    ),
    FindingKind(
        "aws-max-pods-above-addresses",
        WARNING,
        "Kubelet accepts more pods than its EC2 instance has addresses",
        "Maximum of pods of the Nodes is above what interfaces of the instance type hold without prefix delegation. The audit does "
        "not see whether prefix delegation is on.",
        "Without it, pods beyond the limit stay in ContainerCreating: failed to assign an IP address to container.",
        _INSTANCES,
        "No safe automatic remedy, because it is set on the machine: see ENABLE_PREFIX_DELEGATION of DaemonSet aws-node; switch it "
        "on, or set maxPods of the kubelet as eni-max-pods.txt has it.",
    ),
    FindingKind(
        "aws-addresses-used-up",
        WARNING,
        "EC2 instance with as many pods as addresses",
        "Nodes have as many pods on the pod network as their interfaces have addresses without prefix delegation.",
        "The kubelet accepts further pods, which then get no address, unless prefix delegation is on.",
        _INSTANCES + "; kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
        "No safe automatic remedy, because the cloud decides: prefix delegation, larger instances, or fewer pods for each Node.",
    ),
    FindingKind(
        "aws-instance-type-unknown",
        INFO,
        "EC2 instance type that is not in our table",
        "How many interfaces and addresses instances of this type have is not known here.",
        "Whether these Nodes can hold the pods they accept was not judged.",
        "kubectl get nodes -L node.kubernetes.io/instance-type; aws ec2 describe-instance-types --instance-types TYPE",
        "Compare by hand: interfaces times (addresses - 1), plus 2, is the most pods without prefix delegation.",
    ),
    FindingKind(
        "aws-cninode-missing",
        INFO,
        "Node without CNINode",
        "EKS makes a CNINode for each Linux Node; these Nodes have none although others do.",
        "Security groups for pods do not work there, and custom networking of the Node is not seen by this audit.",
        "kubectl get cninodes; kubectl get nodes",
        "See whether the Node has just registered; otherwise look for events of the VPC resource controller on it.",
    ),
    FindingKind(
        "azure-subnet-full",
        CRITICAL,
        "Pod subnet of Azure is full",
        "Azure could not give these Nodes further addresses, because their subnet has none left.",
        "New pods on them stay in ContainerCreating.",
        _AZURE,
        "No safe automatic remedy, because the subnet is outside of the cluster: make a node pool with another pod subnet, lower "
        "maxPods of node pools, or move to overlay.",
    ),
    FindingKind(
        "azure-network-config-failed",
        WARNING,
        "Node gets nothing or errors from Azure's control plane",
        "A Node has no NodeNetworkConfig, one without network container, or one with an error.",
        "Pods of such a Node get no address once azure-cns has no spare ones.",
        _AZURE + "; kubectl -n kube-system logs ds/azure-cns --tail=50",
        "No safe automatic remedy, because Azure's control plane writes these objects: see the log of azure-cns on the Node, and "
        "reimage the machine where it stays.",
    ),
    FindingKind(
        "gke-range-small",
        INFO,
        "Alias range of GKE with less than twice as many addresses as pods",
        "GKE gives Nodes about twice as many addresses as pods, because addresses of ended pods are not used again at once.",
        "When many pods come and go, new ones may wait for an address.",
        NODE_CIDRS + "; kubectl get nodes -o custom-columns=NODE:.metadata.name,PODS:.status.allocatable.pods",
        "Make a node pool with a smaller maximum of pods for each Node, or with a larger range.",
    ),
    FindingKind(
        "ovn-subnet-missing",
        CRITICAL,
        "Node without a subnet of OVN-Kubernetes",
        "The annotation k8s.ovn.org/node-subnets of the Node has no subnet of the cluster's network.",
        "Pods on it get no address.",
        _OVN,
        "No safe automatic remedy, because OVN-Kubernetes itself writes it: see the log of ovnkube-cluster-manager (or "
        "ovnkube-master) and whether clusterNetwork has free subnets.",
    ),
    FindingKind(
        "ovn-subnet-overlap",
        CRITICAL,
        "Subnets of OVN-Kubernetes overlap",
        "The subnet of the Node and that of another Node contain the same addresses.",
        "Two pods can get the same address.",
        _OVN,
        "No safe automatic remedy, because OVN-Kubernetes itself writes it: drain one of the Nodes and let it register again.",
    ),
    FindingKind(
        "kube-router-annotation-differs",
        WARNING,
        "kube-router takes another CIDR than Node.spec has",
        "An annotation of the Node goes before Node.spec.podCIDRs for kube-router, and it says something else.",
        "Pods get addresses of a block that the allocator may give to another Node.",
        "kubectl get node NODE -o yaml | grep -E 'kube-router.io/pod-cidr|podCIDR'",
        "No safe automatic remedy, because pods have addresses of the annotation: drain the Node, remove the annotation, restart "
        "kube-router on it.",
    ),
)
