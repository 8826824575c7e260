# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which object holds the truth about a Node's pod CIDRs in this cluster.

Detection by what each CNI leaves in the cluster. Only where ``Node.spec`` is the truth may a missing or odd podCIDR
be called a fault: elsewhere the field is empty or noise by design.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NODE_SPEC = "node-spec"

# DaemonSet name -> model; the first that is found decides
_BY_DAEMON_SET: tuple[tuple[str, str], ...] = (
    ("aws-node", "aws-vpc-cni"),
    ("ovnkube-node", "ovn-kubernetes"),
    ("azure-cns", "azure"),
    ("calico-node", "calico"),
    ("canal", NODE_SPEC),
    ("kube-flannel-ds", NODE_SPEC),
    ("kube-flannel", NODE_SPEC),
    ("kube-router", NODE_SPEC),
    ("antrea-agent", NODE_SPEC),
    ("kindnet", NODE_SPEC),
    ("weave-net", "weave-net"),
)


@dataclass(frozen=True)
class IpamModel:
    """``name`` is NODE_SPEC, ``cilium-<mode>``, the name of a CNI with its own IPAM, or ``unknown``."""

    name: str
    evidence: str

    @property
    def node_spec_is_truth(self) -> bool:
        """Whether ``Node.spec.podCIDRs`` decides which addresses pods get."""
        return self.name == NODE_SPEC


def detect(
    daemon_sets: Iterable[str], cilium_config: Mapping[str, str] | None, allocate_node_cidrs: bool | None
) -> IpamModel:
    """The model, from names of DaemonSets, the data of ConfigMap cilium-config and the controller-manager's flag.

    Cilium decides by its own mode: ``kubernetes`` uses Node.spec, every other mode ignores it. Without any known CNI
    the allocator decides: when it gives Nodes their podCIDRs, something (a bridge with host-local) uses them.
    """
    if cilium_config is not None:
        mode = cilium_config.get("ipam", "cluster-pool")
        evidence = f"ConfigMap cilium-config: ipam={mode}"
        return IpamModel(NODE_SPEC if mode == "kubernetes" else f"cilium-{mode}", evidence)
    names = set(daemon_sets)
    for name, model in _BY_DAEMON_SET:
        if name in names:
            return IpamModel(model, f"DaemonSet {name}")
    if allocate_node_cidrs:
        return IpamModel(
            NODE_SPEC,
            "kube-controller-manager runs with --allocate-node-cidrs=true and no CNI with IPAM of its own was found",
        )
    return IpamModel("unknown", "no known CNI was found and kube-controller-manager is not known to allocate podCIDRs")
