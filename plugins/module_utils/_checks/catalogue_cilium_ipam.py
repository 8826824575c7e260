# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about addresses and blocks that Cilium gives out."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_cilium_ipam_addresses import (
    KINDS as ADDRESS_KINDS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_cilium_ipam_nodes import (
    CILIUM_NODE_CIDRS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_cilium_ipam_nodes import (
    KINDS as NODE_KINDS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    INFO,
    WARNING,
    FindingKind,
)

_POOLS = (
    "kubectl -n kube-system get configmap cilium-config -o yaml | grep -E 'cluster-pool|enable-ipv'; "
    "kubectl get ciliumpodippools -o yaml"
)
_EXTEND = (
    "Append the range by podnet.upkeep.tune_cilium (tune_cilium_add_pool_cidrs, with tune_cilium_pool for a CiliumPodIPPool), which "
    "refuses what overlaps anything, and restarts what must restart; never change a CIDR or a mask size that is there."
)

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "cilium-pool-invalid",
        CRITICAL,
        "Pool of Cilium is not valid",
        "The CIDRs or the mask size of a pool cannot be used.",
        "The cilium-operator does not start with such a cluster pool, and does not know such a CiliumPodIPPool: Nodes get "
        "no CIDRs.",
        _POOLS + "; kubectl -n kube-system logs deployment/cilium-operator | grep -iE 'fatal|allocator|pool'",
        "No safe automatic remedy, because only you know which CIDR is meant. Correct it in the Helm values and restart "
        "the operator.",
    ),
    FindingKind(
        "cilium-pool-exhausted",
        WARNING,
        "Pool of Cilium has no free block",
        "Every block of the pool is taken by CiliumNodes, as an operator that starts now counts them.",
        "The next Node gets no CIDR: its agent does not become ready, and no pod starts there.",
        CILIUM_NODE_CIDRS + "; " + _POOLS,
        "No safe automatic remedy, because an unused range has to be chosen. Delete CiliumNodes without Node first, which "
        "frees their blocks. " + _EXTEND,
    ),
    FindingKind(
        "cilium-pool-headroom-low",
        WARNING,
        "Few free blocks in a pool of Cilium",
        "Less than a tenth of the blocks is free, or there are fewer blocks than headroom_factor times the Nodes.",
        "When the pool is exhausted, new Nodes get no CIDR.",
        CILIUM_NODE_CIDRS + "; " + _POOLS,
        "No safe automatic remedy, because an unused range has to be chosen. " + _EXTEND,
    ),
    FindingKind(
        "cilium-pool-missing",
        CRITICAL,
        "CiliumPodIPPool does not exist",
        "CiliumNodes ask for addresses of a pool, or hold CIDRs of it, but there is no CiliumPodIPPool of this name.",
        "Pods that want an address of it do not start. When the operator restarts, it takes the CIDRs away from the Nodes, "
        "and other Nodes drop the routes to pods that run there.",
        "kubectl get ciliumpodippools; kubectl get ciliumnodes -o yaml | grep -B2 -A8 'requested:'",
        "No safe automatic remedy, because the pool's CIDRs are not known any more. Create the CiliumPodIPPool again with "
        "the same CIDRs and mask size, or correct the annotation ipam.cilium.io/ip-pool of the pods.",
    ),
    FindingKind(
        "cilium-pool-overlaps-service-range",
        CRITICAL,
        "Pool of Cilium overlaps the service range",
        "A CIDR of the pool and the service range contain the same addresses.",
        "The operator does not leave service addresses out: sooner or later a pod has the address of a Service.",
        _POOLS + "; kubectl cluster-info dump | grep -m1 service-cluster-ip-range",
        "No safe automatic remedy, because a CIDR of a pool cannot be changed while Nodes use it. Append a free CIDR and "
        "move the Nodes one after the other.",
    ),
    FindingKind(
        "cilium-pool-overlaps-node-address",
        WARNING,
        "Pool of Cilium contains Node addresses",
        "A CIDR of the pool contains addresses of Nodes. The default pool 10.0.0.0/8 does so in many networks.",
        "When a Node gets the block with the address of a Node, other Nodes send its traffic into the pod network.",
        _POOLS + "; kubectl get nodes -o wide",
        "No safe automatic remedy, because a CIDR of a pool cannot be changed while Nodes use it. Append a free CIDR and "
        "move the Nodes one after the other.",
    ),
    *NODE_KINDS,
    FindingKind(
        "cilium-operator-error-stale",
        INFO,
        "Old error of the operator in CiliumNodes",
        "status.ipam.operator-status.error is set although the Node has all its CIDRs.",
        "Some versions do not clear the error after a later success (issue 28758 of cilium/cilium). It is cosmetic, but "
        "hides real errors from people who look for it.",
        "kubectl get ciliumnodes -o custom-columns=NODE:.metadata.name,ERROR:.status.ipam.operator-status.error",
        "Nothing has to be done. A newer operator clears it when it starts.",
    ),
    *ADDRESS_KINDS,
)
