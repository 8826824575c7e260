# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which object holds the truth about a Node's pod CIDRs in this cluster.

Detection by what each CNI leaves in the cluster. Only where ``Node.spec`` is the truth may a missing or odd podCIDR
be called a fault: elsewhere the field is empty or noise by design. Where the evidence is incomplete or contradicts
itself, the model is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

NODE_SPEC = "node-spec"
UNKNOWN = "unknown"

# DaemonSet name -> model
_BY_DAEMON_SET: Mapping[str, str] = {
    "aws-node": "aws-vpc-cni",
    "ovnkube-node": "ovn-kubernetes",
    "kube-ovn-cni": "kube-ovn",
    "azure-cns": "azure",
    "terway": "alibaba-terway",
    "terway-eniip": "alibaba-terway",
    "calico-node": "calico",
    "weave-net": "weave-net",
    "nsx-node-agent": "nsx",
    "canal": NODE_SPEC,
    "kube-flannel-ds": NODE_SPEC,
    "kube-flannel": NODE_SPEC,
    "kube-router": NODE_SPEC,
    "antrea-agent": NODE_SPEC,
    "kindnet": NODE_SPEC,
    "netd": NODE_SPEC,
}
# DaemonSet name -> CNI, where Node.spec is the truth and each takes it in a way of its own
_CNI: Mapping[str, str] = {
    "canal": "canal",
    "kube-flannel-ds": "flannel",
    "kube-flannel": "flannel",
    "kube-router": "kube-router",
    "antrea-agent": "antrea",
    "kindnet": "kindnet",
    "netd": "gke",
}
# these route for others too (network policy, or a chained plugin), so beside another CNI they say nothing about IPAM
_ALSO_POLICY_ONLY = frozenset({"calico-node"})
_CILIUM_DAEMON_SETS = frozenset({"cilium", "anetd"})
# cni-chaining-mode values with which Cilium keeps its own IPAM
_OWN_IPAM = frozenset({"", "none", "portmap"})
# a tenant network may use the addresses of another one
_OVERLAPPING_BY_DESIGN = frozenset({"ovn-kubernetes", "kube-ovn", "nsx"})

_DESCRIPTIONS: Mapping[str, str] = {
    NODE_SPEC: "Pods get addresses out of Node.spec.podCIDRs, which kube-controller-manager or a cloud controller assigns "
    "once, when the Node registers.",
    "cilium-cluster-pool": "The cilium-operator gives each Node a CIDR in CiliumNode.spec.ipam.podCIDRs; Node.spec.podCIDRs "
    "is not used.",
    "cilium-multi-pool": "The cilium-operator gives each Node CIDRs in CiliumNode.spec.ipam.pools; Node.spec.podCIDRs is not "
    "used.",
    "calico": "Calico gives Nodes blocks of its IPPools (BlockAffinity objects); Node.spec.podCIDRs is not used.",
    "aws-vpc-cni": "Pods get addresses of the VPC through the machine's network interfaces; Node.spec.podCIDRs is empty.",
    "azure": "Azure CNI assigns addresses through NodeNetworkConfig objects; Node.spec.podCIDRs does not decide.",
    "ovn-kubernetes": "OVN-Kubernetes keeps subnets in the annotation k8s.ovn.org/node-subnets of Nodes.",
    UNKNOWN: "It is not known which object decides about pod addresses, so podCIDRs of Nodes are not judged.",
}


@dataclass(frozen=True)
class IpamEvidence:
    """What was found in the cluster. ``None`` means that it could not be read.

    ``cilium_config`` and ``calico_config`` are the data of these ConfigMaps, empty when there is none.
    """

    daemon_sets: Collection[str] | None = ()
    cilium_config: Mapping[str, str] | None = field(default_factory=dict)
    calico_config: Mapping[str, str] | None = field(default_factory=dict)
    allocate_node_cidrs: bool | None = None
    gke_nodes: bool = False


@dataclass(frozen=True)
class IpamModel:
    """``name`` is NODE_SPEC, ``cilium-<mode>``, the name of a CNI with its own IPAM, or UNKNOWN.

    ``cni``: with NODE_SPEC, which CNI takes it from there; empty when that is not known.
    """

    name: str
    evidence: str
    cni: str = ""

    @property
    def node_spec_is_truth(self) -> bool:
        """Whether ``Node.spec.podCIDRs`` decides which addresses pods get."""
        return self.name == NODE_SPEC

    @property
    def addresses_are_unique(self) -> bool:
        """Whether two pods with one address are a fault, and not two networks."""
        return self.name not in _OVERLAPPING_BY_DESIGN

    @property
    def description(self) -> str:
        """The model in words, for reports."""
        return _DESCRIPTIONS.get(self.name, "The CNI keeps its own books; Node.spec.podCIDRs does not decide.")


def detect(found: IpamEvidence) -> IpamModel:
    """The model.

    Cilium decides by its own mode, unless it is chained behind another CNI: ``kubernetes`` uses Node.spec, every other
    mode ignores it. Without any known CNI the allocator decides: when it gives Nodes their podCIDRs, something (a
    bridge with host-local) uses them.
    """
    if found.daemon_sets is None:
        return IpamModel(UNKNOWN, "DaemonSets cannot be read, so the CNI is not known")
    names = set(found.daemon_sets)
    if found.cilium_config is None and names & _CILIUM_DAEMON_SETS:
        return IpamModel(UNKNOWN, "DaemonSet cilium is there, but ConfigMap cilium-config cannot be read")
    if found.cilium_config:
        chained = found.cilium_config.get("cni-chaining-mode", "")
        if chained in _OWN_IPAM:
            mode = found.cilium_config.get("ipam", "cluster-pool")
            evidence = f"ConfigMap cilium-config: ipam={mode}"
            if mode == "kubernetes":
                return IpamModel(NODE_SPEC, evidence, "cilium")
            return IpamModel(f"cilium-{mode}", evidence)
    elif "cilium" in names:
        return IpamModel(UNKNOWN, "DaemonSet cilium is there, but not its ConfigMap kube-system/cilium-config")
    known = _known_daemon_sets(names)
    if known:
        return _of_daemon_sets(known, found)
    if found.gke_nodes:
        return IpamModel(
            NODE_SPEC, "Nodes of GKE: the cloud's allocator writes their alias range into Node.spec", "gke"
        )
    if found.allocate_node_cidrs:
        return IpamModel(
            NODE_SPEC,
            "kube-controller-manager runs with --allocate-node-cidrs=true and no CNI with IPAM of its own was found",
        )
    return IpamModel(UNKNOWN, "no known CNI was found and kube-controller-manager is not known to allocate podCIDRs")


def cni_daemon_sets(names: Collection[str]) -> frozenset[str]:
    """Those of the names that are DaemonSets of a CNI we know."""
    return frozenset(name for name in names if name in _BY_DAEMON_SET or name in _CILIUM_DAEMON_SETS)


def _known_daemon_sets(names: Collection[str]) -> dict[str, str]:
    known = {name: model for name, model in _BY_DAEMON_SET.items() if name in names}
    others = {name: model for name, model in known.items() if name not in _ALSO_POLICY_ONLY}
    # Amazon's and Azure's CNI with Calico for policies is common, and certain; flannel with Calico is not (see below)
    return others if others and NODE_SPEC not in others.values() else known


def _of_daemon_sets(known: Mapping[str, str], found: IpamEvidence) -> IpamModel:
    evidence = " and ".join(f"DaemonSet {name}" for name in sorted(known))
    if "calico-node" in known:
        if found.calico_config is None:
            return IpamModel(UNKNOWN, f"{evidence}, but ConfigMap calico-config cannot be read")
        network = found.calico_config.get("cni_network_config", "")
        if "host-local" in network:
            return IpamModel(NODE_SPEC, f"{evidence}; ConfigMap calico-config: IPAM host-local", "canal")
        if "calico-ipam" in network:
            return IpamModel("calico", f"{evidence}; ConfigMap calico-config: IPAM calico-ipam")
    models = set(known.values())
    if len(models) > 1:
        return IpamModel(UNKNOWN, f"{evidence}: they keep pod CIDRs in different places")
    cnis = {_CNI.get(name, "") for name in known}
    return IpamModel(models.pop(), evidence, cnis.pop() if len(cnis) == 1 else "")
