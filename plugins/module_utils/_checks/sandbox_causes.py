# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which findings cause which sandbox failures: from what the CNI answered to the finding that is behind it."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_pattern import (
    AGENT_DOWN,
    ASSIGNMENT_FAILED,
    CILIUM_POOL_EXHAUSTED,
    CLOUD_ADDRESSES,
    CNI_MISSING,
    CNI_NETWORK_MISMATCH,
    IDENTITIES_EXHAUSTED,
    IDENTITY_PENDING,
    LOCAL_LIMIT,
    NO_POD_CIDR,
    NODE_FULL,
    NOT_NETWORK,
    OLD_BRIDGE,
    OUT_OF_RANGE,
    POOL_EXHAUSTED,
)

UNEXPLAINED = "sandbox-failures-unexplained"

_NO_BLOCK = ("node-cidr-missing", "node-cidr-partial-family", "cilium-node-cidr-missing", "ovn-subnet-missing")
_CNI_REFUSES = (
    "flannel-network-mismatch",
    "flannel-config-invalid",
    "cilium-node-missing",
    "azure-network-config-failed",
)
_CILIUM_REFUSES = ("cilium-config-value-invalid", "cilium-label-filter-invalid", "agent-silent")
_IDENTITIES = (
    "identity-range-exhausted",
    "agent-identities-exhausted",
    "identity-creation-forbidden",
    "identity-management-unsupported",
    "kvstore-quorum-lost",
    "kvstore-space-exceeded",
    "agent-kubernetes-unreachable",
)

# cause of a message ("" where its text is not known) -> ids of findings that may be behind it, the most likely first
CAUSED_BY: Mapping[str, tuple[str, ...]] = {
    "": _NO_BLOCK,
    NO_POD_CIDR: _NO_BLOCK,
    CNI_MISSING: (*_NO_BLOCK, *_CNI_REFUSES, "cni-agent-missing", "host-cni-config-missing"),
    AGENT_DOWN: (*_NO_BLOCK, *_CNI_REFUSES, "cni-agent-missing", *_CILIUM_REFUSES),
    CNI_NETWORK_MISMATCH: _CNI_REFUSES,
    NODE_FULL: (
        "node-addresses-exhausted",
        "agent-addresses-exhausted",
        "cilium-node-addresses-exhausted",
        "agent-addresses-leaked",
        "node-block-too-small",
    ),
    OLD_BRIDGE: ("host-bridge-address-drift", "host-cni-config-drift", "pod-address-outside-node-cidr"),
    IDENTITIES_EXHAUSTED: _IDENTITIES,
    IDENTITY_PENDING: _IDENTITIES,
    CILIUM_POOL_EXHAUSTED: (
        "cilium-pool-exhausted",
        "cilium-pool-missing",
        "cilium-pool-invalid",
        "cilium-node-cidr-missing",
    ),
    CLOUD_ADDRESSES: (
        "cilium-node-addresses-exhausted",
        "aws-addresses-used-up",
        "azure-subnet-full",
        "calico-pool-low",
    ),
    LOCAL_LIMIT: ("agent-local-identities-exhausted", "agent-policy-map-full", "agent-node-ids-exhausted"),
    POOL_EXHAUSTED: (*_NO_BLOCK, "pod-cidr-pool-exhausted"),
    ASSIGNMENT_FAILED: _NO_BLOCK,
    OUT_OF_RANGE: ("node-cidr-out-of-range",),
    NOT_NETWORK: (),
}

# finding -> findings that may be behind it in turn
ROOTS: Mapping[str, tuple[str, ...]] = {
    "node-cidr-missing": (
        "pod-cidr-pool-exhausted",
        "cluster-cidr-exhausted",
        "node-without-cluster-cidr",
        "cidr-blocks-leaked",
        "controller-manager-crash-loop",
        "controller-manager-lease-stale",
        "allocator-settings-invalid",
        "cidr-assignment-failed",
        "allocator-off",
    ),
    "node-cidr-partial-family": ("pod-cidr-pool-exhausted",),
    "pod-cidr-pool-exhausted": ("service-range-inside-cluster-cidr",),
    "cilium-node-cidr-missing": ("cilium-pool-exhausted", "cilium-pool-missing", "cilium-pool-invalid"),
    "cilium-pool-exhausted": ("cilium-node-dangling",),
    "identity-range-exhausted": (
        "identity-gc-broken",
        "identity-gc-off",
        "identities-leaked",
        "identity-label-explosion",
    ),
    "agent-identities-exhausted": ("identity-range-exhausted", "identity-gc-broken", "identity-gc-off"),
    "cilium-node-dangling": ("api-service-unavailable", "controller-manager-crash-loop"),
}

# cause of a message -> what is reported where no other finding is behind it
FINDING_OF_CAUSE: Mapping[str, str] = {
    NODE_FULL: "sandbox-failures-addresses",
    CLOUD_ADDRESSES: "sandbox-failures-addresses",
    CILIUM_POOL_EXHAUSTED: "sandbox-failures-addresses",
    AGENT_DOWN: "sandbox-failures-agent",
    CNI_MISSING: "sandbox-failures-agent",
    OLD_BRIDGE: "sandbox-failures-old-bridge",
    IDENTITIES_EXHAUSTED: "sandbox-failures-identity",
    IDENTITY_PENDING: "sandbox-failures-identity",
    NOT_NETWORK: "sandbox-failures-not-network",
}
