# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""IPAM models of clouds in words: addresses of the cloud's network, kept outside of the Kubernetes API.

Sources: the documentation of EKS, AKS and Alibaba Cloud, and the code of amazon-vpc-cni-k8s and azure-container-networking.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_page import ModelPage

CLOUD_PAGES: Mapping[str, ModelPage] = {
    "aws-vpc-cni": ModelPage(
        "Amazon VPC CNI",
        "The interfaces (ENI) of each machine in EC2, and the books of aws-node on it. Node.spec.podCIDRs is empty.",
        "aws-node attaches interfaces and addresses as pods need them.",
        "Nothing is lost that does not belong to the machine: the interfaces stay with it.",
        "Prefix delegation (ENABLE_PREFIX_DELEGATION of DaemonSet aws-node: sixteen addresses for one), a secondary CIDR of the "
        "VPC with custom networking (ENIConfig) or tagged subnets, or instances with more interfaces.",
        "Free addresses of subnets, and whether prefix delegation is on: neither is in the Kubernetes API.",
        "kubectl -n kube-system get daemonset aws-node -o yaml; kubectl get nodes -L node.kubernetes.io/instance-type",
        "aws-node",
    ),
    "aws-auto": ModelPage(
        "EKS Auto Mode",
        "The interfaces of each machine in EC2, with prefixes; the CNI is a part of the machine and no DaemonSet.",
        "EKS.",
        "EKS ends the machine.",
        "Name further subnets in the NodeClass (podSubnetSelectorTerms), or add a secondary CIDR to the VPC.",
        "All of it but the Nodes: EKS manages it.",
        "kubectl get nodeclasses.eks.amazonaws.com -o yaml",
    ),
    "aws-fargate": ModelPage(
        "EKS Fargate",
        "One interface of the VPC for the one pod of the Node.",
        "EKS.",
        "The pod and its machine end.",
        "Add subnets to the Fargate profile.",
        "All of it: there is no host.",
        "kubectl get nodes -l eks.amazonaws.com/compute-type=fargate",
    ),
    "aws-windows": ModelPage(
        "Windows Nodes of EKS",
        "Secondary addresses of the machine's one interface, counted as vpc.amazonaws.com/PrivateIPv4Address of the Node.",
        "The VPC resource controller in the control plane of EKS.",
        "Nothing is lost that does not belong to the machine.",
        "Prefix delegation for Windows (ConfigMap amazon-vpc-cni, enable-windows-prefix-delegation), or larger instances.",
        "Free addresses of subnets: they are not in the Kubernetes API.",
        "kubectl describe nodes -l kubernetes.io/os=windows",
    ),
    "azure": ModelPage(
        "Azure CNI",
        "NodeNetworkConfig objects in kube-system: single addresses of the pod subnet (dynamic), or a block of the overlay for "
        "each Node. With the older node-subnet mode, addresses of the machine's interface.",
        "Azure's control plane, on request of azure-cns on each Node.",
        "The NodeNetworkConfig goes with its Node; AKS does not end the machine because of it.",
        "Pod subnet: make a node pool with another pod subnet. Overlay: a larger pod CIDR for the cluster (az aks update "
        "--pod-cidr, a range that contains the old one). Node subnet: make a node pool in a larger subnet, or move to overlay.",
        "Node.spec.podCIDRs, and free addresses of subnets: they are not in the Kubernetes API.",
        "kubectl -n kube-system get nodenetworkconfigs -o yaml",
        "azure-cns",
    ),
    "alibaba-terway": ModelPage(
        "Alibaba Cloud Terway",
        "The interfaces of each machine, and the books of terway on it.",
        "terway.",
        "The interfaces belong to the machine and stay with it.",
        "Add vSwitches to Terway's configuration, or use larger instances.",
        "Free addresses of vSwitches: they are not in the Kubernetes API.",
        "kubectl -n kube-system get configmap eni-config -o yaml",
    ),
    "virtual-kubelet": ModelPage(
        "Virtual kubelet",
        "The provider behind the virtual Node gives its pods their addresses.",
        "That provider.",
        "Its pods end; there is no host that could register again.",
        "As the provider says.",
        "All of it: there is no host.",
        "kubectl get nodes -l type=virtual-kubelet",
    ),
}
