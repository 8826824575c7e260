# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Every finding there is: stable id, severity, meaning, why it matters, how to verify by hand, what mends it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

CRITICAL, WARNING, INFO = "critical", "warning", "info"
SEVERITIES = (CRITICAL, WARNING, INFO)
REASSIGN = "podnet.upkeep.reassign_pod_cidrs"
_NODE_CIDRS = "kubectl get nodes -o custom-columns=NODE:.metadata.name,CIDRS:.spec.podCIDRs"
_FLAGS = (
    "kubectl -n kube-system get pods -l component=kube-controller-manager -o yaml | grep -E 'cidr|cluster-ip-range'"
)


@dataclass(frozen=True)
class FindingKind:
    """One entry of the catalogue. ``severity`` is the usual one; a finding may state another where the facts differ."""

    id: str
    severity: str
    title: str
    meaning: str
    why: str
    verify: str
    remedy: str
    playbook: str | None = None


_KINDS = (
    FindingKind(
        "node-cidr-missing",
        CRITICAL,
        "Node without pod CIDR",
        "The Node has no podCIDR although the controller-manager is to give it one.",
        "Pods on it stay in ContainerCreating, or, with CNI state of an earlier registration, get addresses that belong to another Node.",
        _NODE_CIDRS,
        "Free or add blocks first (see the pool). Where old CNI state is on the host, register the Node again.",
        REASSIGN,
    ),
    FindingKind(
        "node-cidr-partial-family",
        CRITICAL,
        "Node lacks a pod CIDR of one family",
        "The cluster is dual-stack, but the Node has a podCIDR of one family only.",
        "podCIDRs cannot be added to later: pods of this Node stay without addresses of that family.",
        _NODE_CIDRS,
        "Register the Node again when both families have free blocks.",
        REASSIGN,
    ),
    FindingKind(
        "node-cidr-family-order",
        CRITICAL,
        "Node's pod CIDRs are in another family order",
        "A podCIDR of the Node is at the place of another family: the first belongs to the first cluster CIDR.",
        "kube-controller-manager exits when it starts and sees such a Node, and with it every controller of the cluster.",
        _NODE_CIDRS + "; " + _FLAGS,
        "Register the Node again before the controller-manager restarts.",
        REASSIGN,
    ),
    FindingKind(
        "node-cidr-out-of-range",
        CRITICAL,
        "Node's pod CIDR is outside the cluster CIDR",
        "The Node holds a podCIDR that the configured cluster CIDR does not contain.",
        "kube-controller-manager exits when it starts and sees such a Node: the next restart or change of leader stops every controller of the cluster.",
        _NODE_CIDRS + "; " + _FLAGS,
        "Register the Node again before the controller-manager restarts.",
        REASSIGN,
    ),
    FindingKind(
        "node-cidr-overlap",
        CRITICAL,
        "Pod CIDRs of Nodes overlap",
        "The Node's podCIDR and that of another Node contain the same addresses.",
        "Two pods can get the same address; routes lead to one of the two hosts only.",
        _NODE_CIDRS,
        "Register all but one of the overlapping Nodes again.",
        REASSIGN,
    ),
    FindingKind(
        "node-cidr-mask-mismatch",
        WARNING,
        "Node's pod CIDR has another size than configured",
        "The prefix length of the podCIDR is not the configured node mask size.",
        "A larger one takes several blocks of the pool; smaller ones share a block, and deleting one of their Nodes frees the block of the others.",
        _NODE_CIDRS + "; " + _FLAGS,
        "Register the Node again; all Nodes that share one block together.",
        REASSIGN,
    ),
    FindingKind(
        "node-cidr-overlaps-service-range",
        CRITICAL,
        "Node's pod CIDR overlaps the service range",
        "Addresses of the podCIDR are also addresses of Services.",
        "Traffic to such pods is taken for traffic to a Service.",
        _NODE_CIDRS + "; " + _FLAGS,
        "Register the Node again; the controller-manager gives out no block of the service range.",
        REASSIGN,
    ),
    FindingKind(
        "node-cidr-overlaps-node-address",
        CRITICAL,
        "Node's pod CIDR contains a Node's own address",
        "The InternalIP of a Node is inside a podCIDR.",
        "Traffic to that machine is routed into the pod network.",
        "kubectl get nodes -o wide; " + _NODE_CIDRS,
        "No safe automatic remedy, because the machine network and the cluster CIDR collide: move one of them.",
    ),
    FindingKind(
        "pod-address-outside-node-cidr",
        CRITICAL,
        "Pods with addresses outside their Node's pod CIDR",
        "Pods on the Node have addresses that the Node's podCIDR does not contain: they are from before its registration, or "
        "CNI on the host still works with an earlier podCIDR.",
        "Such pods are Running and Ready, and other hosts cannot reach them; no event says so.",
        "kubectl get pods -A -o wide --field-selector spec.nodeName=NODE; " + _NODE_CIDRS,
        "Register the Node again; the playbook cleans the CNI state of the host and replaces the pods.",
        REASSIGN,
    ),
    FindingKind(
        "pod-address-duplicate",
        CRITICAL,
        "Two pods have the same address",
        "Running pods on the pod network share one address.",
        "Connections reach one or the other pod by chance.",
        "kubectl get pods -A -o wide --sort-by=.status.podIP",
        "Mend the Node whose pods are outside its podCIDR; without such a Node, delete one of the pods.",
    ),
    FindingKind(
        "pod-cidr-pool-exhausted",
        WARNING,
        "No free block in the cluster CIDR",
        "Every block of the cluster CIDR is taken by a Node or by the service range.",
        "The next Node gets no podCIDR. In a dual-stack cluster one exhausted family stops both.",
        _NODE_CIDRS + " | sort | uniq -c",
        "No safe automatic remedy, because the cluster CIDR is read at start only: delete Nodes that are gone for good, "
        "re-register Nodes that hold several blocks, or plan a superset of the cluster CIDR.",
    ),
    FindingKind(
        "pod-cidr-headroom-low",
        INFO,
        "Few free blocks in the cluster CIDR",
        "The cluster can grow by few Nodes only before the pool is exhausted.",
        "A cluster CIDR cannot be enlarged in place; twice the number of Nodes is the usual headroom.",
        _NODE_CIDRS,
        "No safe automatic remedy, because it is a matter of planning: reserve a superset of the cluster CIDR.",
    ),
    FindingKind(
        "service-range-inside-cluster-cidr",
        WARNING,
        "Service range and cluster CIDR overlap",
        "The controller-manager takes every block that the service range touches out of the pool.",
        "Blocks are missing silently; with a large service range the whole pool is.",
        _FLAGS,
        "No safe automatic remedy, because both ranges are fixed at installation.",
    ),
    FindingKind(
        "allocator-off",
        WARNING,
        "Nobody allocates pod CIDRs",
        "kube-controller-manager runs without --allocate-node-cidrs (or with its node-ipam-controller off) while the CNI needs Node.spec.podCIDRs.",
        "New and re-registered Nodes get no podCIDR.",
        _FLAGS,
        "No safe automatic remedy, because control plane flags belong to the cluster's installer: set --allocate-node-cidrs=true and --cluster-cidr.",
    ),
    FindingKind(
        "allocator-settings-unknown",
        INFO,
        "Settings of the pod CIDR allocator are not visible",
        "No pod of kube-controller-manager, no arguments of k3s or RKE2 servers and no kubeadm-config show them.",
        "Range, size and free blocks cannot be judged.",
        _FLAGS,
        "State them with the option allocator.",
    ),
    FindingKind(
        "allocator-settings-invalid",
        CRITICAL,
        "Settings of the pod CIDR allocator are not valid",
        "kube-controller-manager cannot start with these flags.",
        "After its next restart no controller of the cluster runs.",
        _FLAGS,
        "No safe automatic remedy, because control plane flags belong to the cluster's installer.",
    ),
    FindingKind(
        "controller-manager-replicas-disagree",
        WARNING,
        "Controller-managers have different settings",
        "The controller-manager pods have different node IPAM flags.",
        "A change of leader changes range or mask, and may stop the controller-manager.",
        _FLAGS,
        "No safe automatic remedy, because static pod manifests belong to the cluster's installer: make them equal.",
    ),
    FindingKind(
        "kubeadm-config-differs",
        WARNING,
        "kubeadm-config differs from the running controller-manager",
        "ConfigMap kubeadm-config says something else than the flags in force.",
        "The next kubeadm upgrade writes its values into the static pod.",
        "kubectl -n kube-system get configmap kubeadm-config -o yaml; " + _FLAGS,
        "No safe automatic remedy, because only you know which of the two is meant: correct the other.",
    ),
    FindingKind(
        "ipam-model-not-node-spec",
        INFO,
        "Pod CIDRs of Nodes are not the truth here",
        "The CNI of this cluster keeps its own books; Node.spec.podCIDRs is empty or unused by design.",
        "Missing or odd podCIDRs of Nodes are no fault here, and re-registering Nodes would mend nothing.",
        "kubectl -n kube-system get daemonsets; kubectl -n kube-system get configmap cilium-config -o yaml",
        "Nothing to do.",
    ),
    FindingKind(
        "data-missing",
        INFO,
        "Something could not be read",
        "The credentials of this audit may not read a kind of object, or the saved state does not hold it.",
        "What depends on it is unknown: neither fine nor faulty.",
        "kubectl auth can-i --list",
        "Grant the rule in the evidence to the user of the audit and run it again.",
    ),
)

CATALOGUE: t.Mapping[str, FindingKind] = {kind.id: kind for kind in _KINDS}
