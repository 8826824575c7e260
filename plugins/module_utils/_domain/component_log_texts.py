# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Lines that components of the control plane and of a CNI write when bookkeeping of pod networks fails.

Texts are those of the sources: range_allocator.go and cidr_set.go of kubernetes/kubernetes, pkg/allocator and pkg/ipam of
cilium/cilium, pkg/subnet/kube of flannel-io/flannel.
"""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_pattern import (
    ASSIGNMENT_FAILED,
    CILIUM_AGENT,
    CILIUM_OPERATOR,
    CILIUM_POOL_EXHAUSTED,
    CNI_NETWORK_MISMATCH,
    CONTROLLER_MANAGER,
    FLANNEL,
    IDENTITIES_EXHAUSTED,
    IDENTITY_PENDING,
    LOCAL_LIMIT,
    NO_POD_CIDR,
    OUT_OF_RANGE,
    POOL_EXHAUSTED,
    LogPattern,
)

# the first that matches wins: the more exact text stands above the more general one
COMPONENT_TEXTS: tuple[LogPattern, ...] = (
    LogPattern(
        "allocator-exhausted",
        CONTROLLER_MANAGER,
        POOL_EXHAUSTED,
        "there are no remaining CIDRs left to allocate in the accepted range",
        "The allocator has no block left for a Node.",
    ),
    LogPattern(
        "allocator-exits-out-of-range",
        CONTROLLER_MANAGER,
        OUT_OF_RANGE,
        "is out the range of cluster cidr",
        "A Node's podCIDR is outside the cluster CIDR; at its start the controller-manager exits at this.",
    ),
    LogPattern(
        "allocator-exits-family",
        CONTROLLER_MANAGER,
        OUT_OF_RANGE,
        "that does not exist in cluster cidrs configuration",
        "A Node has a podCIDR of a family that the cluster CIDR does not have; the controller-manager exits at this.",
    ),
    LogPattern(
        "allocator-patch-failed",
        CONTROLLER_MANAGER,
        ASSIGNMENT_FAILED,
        "Failed to update node PodCIDR after multiple attempts",
        "The allocator could not write a Node's podCIDR in three attempts.",
    ),
    LogPattern(
        "allocator-released-again",
        CONTROLLER_MANAGER,
        ASSIGNMENT_FAILED,
        "CIDR assignment for node failed. Releasing allocated CIDR",
        "The allocator gave a block back because it could not write it to the Node.",
    ),
    LogPattern(
        "allocator-mask",
        CONTROLLER_MANAGER,
        OUT_OF_RANGE,
        "New CIDR set failed; the node CIDR size is too big",
        "The node mask size does not fit the cluster CIDR, so the controller-manager does not start.",
    ),
    LogPattern(
        "local-identities-nearly-exhausted",
        CILIUM_AGENT,
        LOCAL_LIMIT,
        "Local identity allocator full",
        "The identities for CIDR and FQDN rules of one Node are nearly used up.",
    ),
    LogPattern(
        "cilium-pool-full",
        CILIUM_OPERATOR,
        CILIUM_POOL_EXHAUSTED,
        "allocator full",
        "The operator has no CIDR left in the cluster pool for a CiliumNode.",
    ),
    LogPattern(
        "cilium-node-cidr-failed",
        CILIUM_OPERATOR,
        CILIUM_POOL_EXHAUSTED,
        "Unable to allocate node CIDR for node",
        "The operator could not give a CiliumNode its CIDR.",
    ),
    LogPattern(
        "cilium-pool-empty",
        CILIUM_OPERATOR,
        CILIUM_POOL_EXHAUSTED,
        "pool empty",
        "A CiliumPodIPPool has no CIDR left.",
        also=("from pool",),
    ),
    LogPattern(
        "cilium-pool-missing",
        CILIUM_OPERATOR,
        CILIUM_POOL_EXHAUSTED,
        "cannot allocate from non-existing pool",
        "A pod or a Node asks for a CiliumPodIPPool that does not exist.",
    ),
    LogPattern(
        "identity-range-exhausted",
        CILIUM_AGENT,
        IDENTITIES_EXHAUSTED,
        "no more available IDs in configured space",
        "The numeric range of security identities is exhausted: pods with new labels cannot start.",
    ),
    LogPattern(
        "identity-allocation-failed",
        CILIUM_AGENT,
        IDENTITY_PENDING,
        "Key allocation attempt failed",
        "An agent could not allocate a security identity.",
    ),
    LogPattern(
        "identity-allocation-cancelled",
        CILIUM_AGENT,
        IDENTITY_PENDING,
        "key allocation cancelled",
        "An agent gave up allocating a security identity.",
    ),
    LogPattern(
        "identity-operator-slow",
        CILIUM_AGENT,
        IDENTITY_PENDING,
        "timed out waiting for cilium-operator to allocate CiliumIdentity",
        "The operator, which manages identities here, did not make one in time.",
    ),
    LogPattern(
        "identity-unresolved",
        CILIUM_AGENT,
        IDENTITY_PENDING,
        "unable to resolve identity",
        "An endpoint waits for its security identity.",
    ),
    LogPattern(
        "local-identities-exhausted",
        CILIUM_AGENT,
        LOCAL_LIMIT,
        "out of local identity space",
        "Too many CIDR or FQDN identities on one Node; this is not the range of security identities.",
    ),
    LogPattern(
        "policy-map-full",
        CILIUM_AGENT,
        LOCAL_LIMIT,
        "the map is full, please consider resizing it",
        "A BPF map of one Node is full, mostly the policy map of an endpoint.",
    ),
    LogPattern(
        "node-ids-exhausted",
        CILIUM_AGENT,
        LOCAL_LIMIT,
        "No more IDs available for nodes",
        "An agent has no id left for further Nodes.",
    ),
    LogPattern(
        "cilium-waits-for-pod-cidr",
        CILIUM_AGENT,
        NO_POD_CIDR,
        "PodCIDR not available",
        "The agent waits for the podCIDRs of its Node and does not start before.",
        also=("required IPv",),
    ),
    LogPattern(
        "cilium-pod-cidr-changed",
        CILIUM_AGENT,
        CNI_NETWORK_MISMATCH,
        "Detected change of primary pod allocation CIDR",
        "The Node's CIDR changed under a running agent: the agent has to be restarted.",
    ),
    LogPattern(
        "cilium-router-address-outside",
        CILIUM_AGENT,
        CNI_NETWORK_MISMATCH,
        "considered for restoration does not belong in the Pod CIDR of the node",
        "The agent dropped a router address of an earlier CIDR; pods of that time still have theirs.",
    ),
    LogPattern(
        "flannel-network-mismatch",
        FLANNEL,
        CNI_NETWORK_MISMATCH,
        "specified in the flannel net config doesn't contain",
        "The Network of flannel's net-conf.json does not contain the Node's podCIDR: flannel does not start there.",
    ),
    LogPattern(
        "flannel-no-pod-cidr",
        FLANNEL,
        NO_POD_CIDR,
        "pod cidr not assigned",
        "flannel does not start on a Node without podCIDR.",
    ),
)
