# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about events, log lines and objects left behind by Nodes."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_cni_network import KINDS as _CNI_NETWORK
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_sandbox_failures import (
    KINDS as _SANDBOX_FAILURES,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CONTROLLER_MANAGER_FLAGS,
    CRITICAL,
    INFO,
    NODE_CIDRS,
    WARNING,
    FindingKind,
)

_CIDR_EVENTS = (
    "kubectl get events -n default --field-selector involvedObject.kind=Node,reason=CIDRNotAvailable; "
    "kubectl get events -n default --field-selector involvedObject.kind=Node,reason=CIDRAssignmentFailed"
)
_NODE_LEASES = "kubectl -n kube-node-lease get leases -o custom-columns=NAME:.metadata.name,OWNER:.metadata.ownerReferences[*].uid,RENEWED:.spec.renewTime"
_NODE_UIDS = "kubectl get nodes -o custom-columns=NAME:.metadata.name,UID:.metadata.uid"

_EVENTS: tuple[FindingKind, ...] = (
    FindingKind(
        "cidr-not-available",
        CRITICAL,
        "The allocator refuses a block to Nodes",
        "kube-controller-manager reports CIDRNotAvailable for Nodes that have no podCIDR now.",
        "These Nodes may be Ready, and pods on them do not start or get addresses that belong to another Node.",
        _CIDR_EVENTS + "; " + NODE_CIDRS,
        "No safe automatic remedy, because the pool has to get a block first: delete Nodes that are gone for good, or plan a "
        "superset of the cluster CIDR. The allocator tries again by itself; no kubelet has to be restarted.",
    ),
    FindingKind(
        "cidr-blocks-leaked",
        WARNING,
        "The allocator refuses blocks that no Node holds",
        "kube-controller-manager reports CIDRNotAvailable although, by the podCIDRs of all Nodes, blocks of every family are free.",
        "In a dual-stack cluster every failed attempt leaks a block of the other family until the controller-manager restarts; "
        "a pool that is nearly empty seems full. Soon after a Node was deleted it is no fault: the next attempt comes within 17 minutes.",
        _CIDR_EVENTS + "; " + NODE_CIDRS + "; " + CONTROLLER_MANAGER_FLAGS,
        "No safe automatic remedy, because it is a restart of the control plane: restart the leading kube-controller-manager, "
        "which counts the blocks anew. First mend every Node whose podCIDR is out of range.",
    ),
    FindingKind(
        "cidr-assignment-failed",
        WARNING,
        "The allocator could not write podCIDRs",
        "kube-controller-manager reports CIDRAssignmentFailed for Nodes that have no podCIDR still: three writes failed.",
        "The API server refuses or does not answer the controller-manager, or a webhook is in the way.",
        _CIDR_EVENTS + "; kubectl -n kube-system logs -l component=kube-controller-manager --tail=-1 | grep PodCIDR",
        "No safe automatic remedy, because the reason is in the controller-manager's log: mostly a webhook on Nodes, or permissions.",
    ),
    FindingKind(
        "cidr-events-are-noise",
        INFO,
        "Events about podCIDRs mean nothing here",
        "kube-controller-manager reports CIDRNotAvailable, and the CNI of this cluster does not use podCIDRs of Nodes.",
        "The events look like a fault and are none; an exhausted range there stops nothing.",
        _CIDR_EVENTS,
        "Nothing to do; --allocate-node-cidrs=false ends the events.",
    ),
    FindingKind(
        "component-log-trouble",
        WARNING,
        "A component logs trouble with pod networks",
        "Lines of the last hour of controller-manager, CNI or kubelet say that something of the pod network fails.",
        "It is the direct evidence, and tells what objects of the cluster do not show.",
        "kubectl -n kube-system logs POD --since=1h",
        "No safe automatic remedy, because a log line is a symptom: see the finding about its cause.",
    ),
    FindingKind(
        "node-block-too-small",
        WARNING,
        "Nodes may run more pods than their block has addresses",
        "maxPods of the kubelet is larger than the number of addresses that pods can have in the Node's block.",
        "The scheduler fills the Node up to maxPods; the last pods stay in ContainerCreating without an address.",
        "kubectl get nodes -o custom-columns=NODE:.metadata.name,PODS:.status.allocatable.pods,CIDRS:.spec.podCIDRs",
        "No safe automatic remedy, because it is a setting of the kubelet: set maxPods to the number of addresses or less. "
        "Blocks of another size need another node mask size, and all Nodes registered again.",
    ),
    FindingKind(
        "node-addresses-exhausted",
        CRITICAL,
        "Node without a free address for pods",
        "Pods hold every address of the Node's block, and the kubelet takes more pods.",
        "Further pods are bound to it and stay in ContainerCreating.",
        "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
        "No safe automatic remedy, because pods have to move: lower maxPods of the kubelet, then drain the Node for as long as it has too many.",
    ),
    FindingKind(
        "kubelet-without-node",
        WARNING,
        "A kubelet runs whose Node object is gone",
        "A Lease in kube-node-lease is renewed, and there is no Node of that name.",
        "A running kubelet never makes its Node again: the host is lost to the cluster, its containers run on unseen.",
        _NODE_LEASES + "; kubectl get nodes",
        "No safe automatic remedy, because the Node may be gone on purpose: restart the kubelet of that host so that it registers, or stop it.",
    ),
    FindingKind(
        "stale-node-lease",
        WARNING,
        "Leases of Nodes that are gone",
        "Leases in kube-node-lease belong to no Node, or to an earlier Node of the same name.",
        "The garbage collector deletes them within seconds where it works; a Lease of an earlier Node makes the Node Unknown for "
        "a moment when it goes.",
        _NODE_LEASES + "; " + _NODE_UIDS,
        "No safe automatic remedy, because the garbage collector is to do it: see APIServices that are not available and the "
        "controller-manager's Lease.",
    ),
    FindingKind(
        "stale-csinode",
        WARNING,
        "CSINodes of Nodes that are gone",
        "CSINodes belong to no Node, or to an earlier Node of the same name.",
        "The garbage collector will delete one of an earlier Node, and the kubelet does not make it again: from then on no "
        "volume can be attached on that Node until its kubelet restarts.",
        "kubectl get csinodes -o custom-columns=NAME:.metadata.name,OWNER:.metadata.ownerReferences[*].uid; "
        + _NODE_UIDS,
        "No safe automatic remedy, because it is a restart of kubelets: delete the CSINode, then restart the kubelet of that Node.",
    ),
    FindingKind(
        "csinode-missing",
        WARNING,
        "Node without CSINode",
        "The Node is Ready, other Nodes have a CSINode, and this one has none.",
        "No volume of a CSI driver can be attached there: pods with volumes stay in ContainerCreating.",
        "kubectl get csinodes",
        "No safe automatic remedy, because it is a restart of the kubelet on that host: it registers its CSI drivers at its start only.",
    ),
)

KINDS: tuple[FindingKind, ...] = (*_EVENTS, *_CNI_NETWORK, *_SANDBOX_FAILURES)
