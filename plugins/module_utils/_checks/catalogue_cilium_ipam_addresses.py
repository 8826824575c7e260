# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about single addresses that Cilium gives out."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    INFO,
    WARNING,
    FindingKind,
)

_STATUS = "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- cilium-dbg status --all-addresses"
_ENDPOINTS = (
    "kubectl get ciliumendpoints -A -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,"
    "ADDRESS:.status.networking.addressing[*].ipv4,NODE:.status.networking.node"
)
_CIDRS = "kubectl get ciliumnodes -o custom-columns=NODE:.metadata.name,CIDRS:.spec.ipam.podCIDRs"

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "cilium-node-addresses-exhausted",
        WARNING,
        "Node has no free address",
        "Every address that Cilium can give out on this Node is in use. First and last address of a CIDR cannot be used; "
        "router and health endpoint take one each.",
        'New pods of this Node wait with "range is full" or "No more IPs available".',
        _STATUS,
        "No safe automatic remedy, because a CIDR of a Node does not grow. Move pods to other Nodes; lower the kubelet's "
        "maxPods; give new Nodes larger blocks, or use multi-pool. Where the cloud gives the addresses: more or larger "
        "network interfaces.",
    ),
    FindingKind(
        "cilium-node-addresses-low",
        WARNING,
        "Node has few free addresses",
        "Less than a tenth of the addresses that Cilium can give out on this Node is free.",
        "When they are used up, new pods of this Node do not start.",
        _STATUS,
        "No safe automatic remedy, because a CIDR of a Node does not grow. Move pods to other Nodes or lower the kubelet's "
        "maxPods.",
    ),
    FindingKind(
        "cilium-node-cidr-below-max-pods",
        INFO,
        "Nodes may run more pods than they have addresses",
        "The CIDR of the Node, less what the agent takes, has fewer addresses than the kubelet's maxPods.",
        "The scheduler fills the Node up to maxPods: the last pods get no address.",
        "kubectl get nodes -o custom-columns=NODE:.metadata.name,PODS:.status.allocatable.pods; " + _CIDRS,
        "Lower maxPods, or give new Nodes larger blocks.",
    ),
    FindingKind(
        "cilium-address-outside-node-cidr",
        CRITICAL,
        "Pods with addresses outside of their Node's CIDR",
        "Pods or endpoints of the Node have addresses that none of its CIDRs contains: they are from before it got these.",
        "Other Nodes send traffic for these addresses elsewhere; the CIDR may belong to another Node by now.",
        _ENDPOINTS + "; " + _CIDRS,
        "No safe automatic remedy, because pods have to be created again, and only their owner knows when. Delete these pods "
        "once the agent works with the present CIDR.",
    ),
    FindingKind(
        "cilium-router-address-outside",
        WARNING,
        "Router or health address outside of the Node's CIDR",
        "CiliumNode.spec.addresses (CiliumInternalIP) or spec.health is of an earlier CIDR.",
        "Other Nodes do not reach the agent's own addresses: health checks fail, and traffic that the Node sends from the "
        "router address gets no answer.",
        "kubectl get ciliumnode NODE -o yaml",
        "No safe automatic remedy, because the agent takes these addresses only when it starts, and pods of the Node may have "
        "addresses of the earlier CIDR too. Restart the Node's agent.",
    ),
    FindingKind(
        "cilium-pod-unmanaged",
        WARNING,
        "Pods that Cilium does not manage",
        "Running pods on a Node with an agent have no CiliumEndpoint and an address that is none of Cilium's: they started "
        "before it, with another CNI.",
        "Network policies do not hold for them, and after the other CNI's routes are gone nobody reaches them.",
        "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE; kubectl get ciliumendpoints -A",
        "No safe automatic remedy, because only the pods' owner knows when they may restart. Delete these pods; let Nodes "
        "start with the taint node.cilium.io/agent-not-ready.",
    ),
)
