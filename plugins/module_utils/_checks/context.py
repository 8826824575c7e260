# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What all checks start from: the state, the user's settings, and what follows from both."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_view import CiliumView
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.settings import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.allocator import find_settings, kubeadm_flags
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    ClusterState,
    Object,
    name_of,
    network_pods,
    pod_cidrs,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    Address,
    BlockPool,
    Network,
    key_of_address,
    parse_address,
    span,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    settings_from_flags,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import IpamEvidence, IpamModel, detect

__all__ = ["AuditSettings", "Context"]

_GKE_LABEL = "cloud.google.com/gke-nodepool"


class Context:
    """One audit. Everything is derived from ``state`` and ``settings``, once."""

    def __init__(self, state: ClusterState, settings: AuditSettings | None = None) -> None:
        self.state = state
        self.settings = settings or AuditSettings()

    @functools.cached_property
    def cilium(self) -> CiliumView:
        """Cilium of this cluster."""
        return CiliumView(self.state)

    @functools.cached_property
    def allocator(self) -> AllocatorSettings:
        """The settings in force."""
        return find_settings(self.state, self.settings.allocator)

    @functools.cached_property
    def ipam_model(self) -> IpamModel:
        """Where the truth about pod CIDRs is."""
        state = self.state
        readable = "configmaps" not in state.unknown
        return detect(
            IpamEvidence(
                daemon_sets=None if "daemonsets" in state.unknown else [name_of(one) for one in state.of("daemonsets")],
                cilium_config=(state.config_map("cilium-config") or {}) if readable else None,
                calico_config=(state.config_map("calico-config") or {}) if readable else None,
                allocate_node_cidrs=self.allocator.allocate_node_cidrs,
                gke_nodes=any(_GKE_LABEL in (node["metadata"].get("labels") or {}) for node in state.nodes),
            )
        )

    @functools.cached_property
    def node_cidrs(self) -> dict[str, list[Network]]:
        """{Node: its podCIDRs}."""
        return {name_of(node): pod_cidrs(node) for node in self.state.nodes}

    @functools.cached_property
    def network_pods(self) -> list[tuple[Object, tuple[Address, ...]]]:
        """Pods that hold an address of the pod network, with their addresses; what is no address is left out."""
        return [(pod, _addresses(pod)) for pod in network_pods(self.state)]

    @functools.cached_property
    def address_keys(self) -> list[tuple[int, ...]]:
        """Beside ``network_pods``: their addresses as numbers (see ``key_of_address``)."""
        return [tuple(map(key_of_address, addresses)) for _pod, addresses in self.network_pods]

    @functools.cached_property
    def node_spans(self) -> dict[str, list[tuple[int, int]]]:
        """{Node: first and last address of each of its podCIDRs}, as numbers."""
        return {name: [span(network) for network in networks] for name, networks in self.node_cidrs.items()}

    @functools.cached_property
    def pools(self) -> list[BlockPool]:
        """One pool for each family; none where nobody cuts the cluster CIDR into blocks."""
        return [] if self.allocator.allocate_node_cidrs is False else self.allocator.pools()

    @functools.cached_property
    def service_ranges(self) -> tuple[Network, ...]:
        """The service ranges: of the allocator's flags, else of kubeadm-config."""
        if self.allocator.service_ranges:
            return self.allocator.service_ranges
        return settings_from_flags(kubeadm_flags(self.state) or {}, "kubeadm-config").service_ranges

    def held(self, pool: BlockPool) -> list[Network]:
        """podCIDRs of all Nodes that are of the pool's family."""
        version = pool.cluster.version
        return [network for cidrs in self.node_cidrs.values() for network in cidrs if network.version == version]

    @functools.cached_property
    def waiting(self) -> list[str]:
        """Nodes that the allocator is to serve: those without any podCIDR that are not being deleted.

        A Node that lacks one family only never gets it (AllocateOrOccupyCIDR of range_allocator.go).
        """
        return [
            name_of(node)
            for node in self.state.nodes
            if not self.node_cidrs[name_of(node)] and not node["metadata"].get("deletionTimestamp")
        ]

    @functools.cached_property
    def judged_families(self) -> set[int]:
        """Families that Node.spec decides about here: those of the cluster CIDR, or that any Node has."""
        held = {network.version for cidrs in self.node_cidrs.values() for network in cidrs}
        return held | set(self.allocator.families)

    def pool_summaries(self) -> list[dict[str, t.Any]]:
        """Use of each pool, in blocks."""
        made = []
        for pool in self.pools:
            held = self.held(pool)
            made.append(
                {
                    "family": f"IPv{pool.cluster.version}",
                    "cluster_cidr": str(pool.cluster),
                    "node_mask_size": pool.mask_size,
                    "capacity": pool.capacity,
                    "used": pool.used(held),
                    "reserved_by_service_ranges": pool.used(()),
                    "free": pool.free(held),
                    "waiting_nodes": len(self.waiting),
                }
            )
        return made


def _addresses(pod: Object) -> tuple[Address, ...]:
    found = []
    for entry in pod["status"].get("podIPs") or ():
        try:
            found.append(parse_address(entry["ip"]))
        except ValueError:
            continue
    return tuple(found)
