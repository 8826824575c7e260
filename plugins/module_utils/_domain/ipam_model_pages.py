# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Every IPAM model in words: where its truth is, who writes it, what deleting a Node does, how it grows, what not to judge.

The page "our IPAM model" of a report and the documentation page of all models are both drawn from here. Sources: the
code of each component (pkg/controller/nodeipam of Kubernetes, pkg/ipam of Cilium, pkg/subnet/kube of flannel, ...) and the
providers' documentation; docs/docsite names them with each model.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import NODE_SPEC, UNKNOWN
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_page import ModelPage
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_pages_of_clouds import CLOUD_PAGES

_NODE_GONE = "The block is free as soon as the Node is gone; a Node that registers again mostly gets another one. "
_ADD_TO_RANGE = (
    "The cluster CIDR cannot be exchanged while Nodes have blocks of the old one: kube-controller-manager would not start. "
    "Widen it to a larger range that contains the old one, with the same node mask size, or use smaller blocks for new "
    "clusters."
)


def _of_node_spec(title: str, truth: str, growth: str = "", deletion: str = "", agent: str = "") -> ModelPage:
    """A CNI that takes a Node's podCIDRs: all but how it takes them is the same."""
    return ModelPage(
        title,
        f"Node.spec.podCIDRs. {truth}",
        "The allocator: kube-controller-manager (RangeAllocator), the cloud's controller-manager, an allocator with ClusterCIDR "
        "objects, or k3s and RKE2 in their server. A podCIDR is set once and never changed.",
        _NODE_GONE + (deletion or "Pods and CNI state of the old registration keep addresses of the old block."),
        growth or _ADD_TO_RANGE,
        "Who allocates where the control plane is not visible.",
        "kubectl get nodes -o custom-columns=NODE:.metadata.name,CIDRS:.spec.podCIDRs",
        agent,
    )


_CILIUM_CLOUD: t.Final = (
    "CiliumNode.spec.ipam.pool of each Node, with CiliumNode.status for the interfaces. Node.spec.podCIDRs and "
    "CiliumNode.spec.ipam.podCIDRs mean nothing here."
)
_CILIUM_VERIFY: t.Final = "kubectl get ciliumnodes -o yaml"
_CILIUM_NOT: t.Final = "Node.spec.podCIDRs: kube-controller-manager may fill it; nobody reads it."

PAGES: Mapping[str, ModelPage] = {
    NODE_SPEC: _of_node_spec("Node.spec", "The CNI on the host takes it from there."),
    "node-spec/flannel": _of_node_spec(
        "flannel",
        "flannel reads it when it starts. It must be inside Network of ConfigMap kube-flannel-cfg.",
        f"{_ADD_TO_RANGE} Change Network of ConfigMap kube-flannel-cfg with it and restart flannel.",
        "The pod of flannel must restart, and the bridge cni0 keeps its old address until it is removed.",
        "kube-flannel-ds",
    ),
    "node-spec/canal": _of_node_spec(
        "Calico with host-local (canal)", "Calico's CNI plugin takes it (host-local, usePodCidr)."
    ),
    "node-spec/kube-router": _of_node_spec(
        "kube-router",
        "The annotation kube-router.io/pod-cidr, then kube-router.io/pod-cidrs, goes before it. kube-router reads them once, at "
        "its start.",
        deletion="The annotation is lost with the Node, the bridge kube-bridge keeps its old address.",
        agent="kube-router",
    ),
    "node-spec/antrea": _of_node_spec(
        "Antrea",
        "antrea-controller can be the allocator itself (nodeIPAM.enableNodeIPAM of ConfigMap antrea-config in kube-system).",
        "With Antrea's own NodeIPAM, clusterCIDRs of antrea-config is the range. " + _ADD_TO_RANGE,
        agent="antrea-agent",
    ),
    "node-spec/kindnet": _of_node_spec("kindnet", "kindnet writes it into the CNI configuration.", agent="kindnet"),
    "node-spec/gke": _of_node_spec(
        "GKE, VPC-native",
        "It is a copy of the alias range that the machine has in the VPC, written by the cloud's allocator.",
        "Add a secondary range to the cluster (additional pod ranges) and make node pools that use it, or lower the maximum "
        "of pods for each Node of new node pools, which makes their ranges smaller.",
        "Here it gets the same one again: the alias range belongs to the machine.",
    ),
    "node-spec/cilium": _of_node_spec(
        "Cilium with ipam: kubernetes",
        "The agent reads it once, at its start, and copies it to CiliumNode.spec.ipam.podCIDRs.",
        deletion="The agent goes on with the old block until its pod restarts.",
        agent="cilium",
    ),
    "cilium-cluster-pool": ModelPage(
        "Cilium, cluster-pool",
        "CiliumNode.spec.ipam.podCIDRs of each Node: one block for each family, cut from cluster-pool-ipv4-cidr and "
        "cluster-pool-ipv6-cidr.",
        "The cilium-operator. What it cannot give is in CiliumNode.status.ipam.operator-status.error.",
        "The CiliumNode goes with its Node and its block returns to the pool, and may go to another Node while the old agent "
        "still uses it: end the agent's pod first.",
        "Append a range to cluster-pool-ipv4-cidr of ConfigMap cilium-config and restart the operator. Never change or remove a "
        "range or the mask size.",
        _CILIUM_NOT,
        _CILIUM_VERIFY,
        "cilium",
    ),
    "cilium-multi-pool": ModelPage(
        "Cilium, multi-pool",
        "CiliumNode.spec.ipam.pools.allocated of each Node: blocks of CiliumPodIPPool objects.",
        "The cilium-operator gives, the agent returns what it does not need any more.",
        "The CiliumNode goes with its Node and its blocks return to their pools.",
        "Add a CIDR to the CiliumPodIPPool, or a pool. maskSize cannot be changed; no CIDR in use may be removed.",
        _CILIUM_NOT,
        "kubectl get ciliumpodippools -o yaml; " + _CILIUM_VERIFY,
        "cilium",
    ),
    "cilium-eni": ModelPage(
        "Cilium, AWS ENI",
        _CILIUM_CLOUD,
        "The cilium-operator, from the EC2 API.",
        "The CiliumNode goes with its Node; the interfaces belong to the machine and go with that.",
        "Add subnets or a secondary CIDR to the VPC and tag the subnets for Cilium, use prefix delegation "
        "(aws-enable-prefix-delegation), or larger instances.",
        _CILIUM_NOT,
        _CILIUM_VERIFY,
        "cilium",
    ),
    "cilium-azure": ModelPage(
        "Cilium, Azure",
        _CILIUM_CLOUD,
        "The cilium-operator, from the Azure API.",
        "The CiliumNode goes with its Node; the addresses belong to the machine's interfaces.",
        "Add an address space and a larger subnet, and node pools in it.",
        _CILIUM_NOT,
        _CILIUM_VERIFY,
        "cilium",
    ),
    "cilium-alibabacloud": ModelPage(
        "Cilium, Alibaba Cloud",
        _CILIUM_CLOUD,
        "The cilium-operator, from the cloud's API.",
        "The CiliumNode goes with its Node; the interfaces belong to the machine.",
        "Add vSwitches, or use larger instances.",
        _CILIUM_NOT,
        _CILIUM_VERIFY,
        "cilium",
    ),
    "cilium-crd": ModelPage(
        "Cilium, crd",
        "CiliumNode.spec.ipam.pool of each Node.",
        "A controller of somebody else.",
        "The CiliumNode goes with its Node; what the other controller does then is its matter.",
        "As the other controller says.",
        "Everything but the use of each pool: the controller is not known.",
        _CILIUM_VERIFY,
        "cilium",
    ),
    "cilium-delegated-plugin": ModelPage(
        "Cilium with a delegated IPAM plugin",
        "The books of the other CNI plugin, for example azure-ipam.",
        "That plugin.",
        "As that plugin does it.",
        "As that plugin says.",
        "All of it: nothing about addresses is in objects of Cilium.",
        "ls /etc/cni/net.d (on a host)",
        "cilium",
    ),
    "calico": ModelPage(
        "Calico IPAM",
        "BlockAffinity objects: blocks of IPPools, several for a Node as it needs them.",
        "calico-node on each Node, and calico-kube-controllers for what is left behind.",
        "calico-kube-controllers releases the blocks of a Node that is gone.",
        "Add an IPPool; no restart is needed. blockSize of a pool cannot be changed.",
        "Node.spec.podCIDRs: Calico ignores it, events CIDRNotAvailable included. Single addresses: IPAMBlock objects are not "
        "read.",
        "kubectl get ippools.crd.projectcalico.org,blockaffinities.crd.projectcalico.org -o yaml",
        "calico-node",
    ),
    "ovn-kubernetes": ModelPage(
        "OVN-Kubernetes",
        "The annotation k8s.ovn.org/node-subnets of each Node, key default for the cluster's network.",
        "ovnkube-cluster-manager (before: ovnkube-master), out of clusterNetwork of networks.config.openshift.io.",
        "The annotation is lost with the Node; it gets a subnet again when it registers.",
        "OpenShift: widen clusterNetwork to a larger range that contains it; hostPrefix cannot be changed.",
        "Node.spec.podCIDRs: it is not used.",
        'kubectl get nodes -o jsonpath=\'{range .items[*]}{.metadata.name}{"\\t"}{.metadata.annotations'
        '.k8s\\.ovn\\.org/node-subnets}{"\\n"}{end}\'',
        "ovnkube-node",
    ),
    "kube-ovn": ModelPage(
        "Kube-OVN",
        "Subnet and IP objects (kubeovn.io): subnets belong to namespaces, not to Nodes.",
        "kube-ovn-controller.",
        "Addresses of its pods are released with the pods.",
        "Make another Subnet, or add one to the namespaces.",
        "Node.spec.podCIDRs, and equal addresses in two networks: both are normal.",
        "kubectl get subnets.kubeovn.io",
        "kube-ovn-cni",
    ),
    "nsx": ModelPage(
        "NSX",
        "NSX Manager: segments and pools for namespaces.",
        "The NSX container plugin.",
        "NSX releases what belonged to the Node.",
        "Add a block to the IP pools of NSX.",
        "All of it: nothing about addresses is in the Kubernetes API.",
        "kubectl get nsxerrors -A",
        "nsx-node-agent",
    ),
    "weave-net": ModelPage(
        "Weave Net",
        "The ring that its peers keep among themselves and on each host; nothing of it is in the Kubernetes API.",
        "weave-net, peer by peer.",
        "A peer that goes for good keeps its part of the ring until somebody removes it with weave rmpeer.",
        "IPALLOC_RANGE of DaemonSet weave-net; not while pods run. Weave Net has come to the end of its life: plan a move.",
        "All of it but the Nodes.",
        "kubectl -n kube-system exec ds/weave-net -c weave -- /home/weave/weave --local status ipam",
        "weave-net",
    ),
    **CLOUD_PAGES,
    UNKNOWN: ModelPage(
        "Not known",
        "It is not known which object decides about pod addresses.",
        "Not known.",
        "Not known, so take it that addresses of the Node's pods are lost.",
        "Find out the model first.",
        "podCIDRs of Nodes: a missing or odd one may be as it should be.",
        "kubectl get daemonsets -A; ls /etc/cni/net.d (on a host)",
    ),
}


def page_key(model: str, cni: str = "") -> str:
    """Key of the page of a model: with the CNI where it takes Node.spec in a way of its own."""
    return f"{model}/{cni}" if f"{model}/{cni}" in PAGES else model


def page_of(model: str, cni: str = "") -> ModelPage:
    """The page of a model; that of an unknown one for a Cilium mode (or a name) that is not listed."""
    return PAGES.get(page_key(model, cni), PAGES[UNKNOWN])
