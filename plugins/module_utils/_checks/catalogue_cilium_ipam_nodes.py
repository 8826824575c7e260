# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about CiliumNodes and their CIDRs."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CLEAN_CILIUM_NODES,
    CRITICAL,
    NODE_CIDRS,
    WARNING,
    FindingKind,
)

CILIUM_NODE_CIDRS = (
    "kubectl get ciliumnodes -o custom-columns=NODE:.metadata.name,CIDRS:.spec.ipam.podCIDRs,"
    "POOLS:.spec.ipam.pools.allocated,ERROR:.status.ipam.operator-status.error"
)
_MOVE = (
    "No safe automatic remedy, because pods with addresses of the CIDR have to be created again. Drain the Node, stop its "
    "agent, delete its CiliumNode, start the agent, and recreate the pods that are left."
)

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "cilium-node-cidr-missing",
        CRITICAL,
        "Node lacks a CIDR of Cilium",
        "The Node has no CIDR of a family that is on, or fewer addresses of a pool than its agent asks for.",
        "The agent waits for the CIDR and no pod starts there; in multi-pool mode pods that exceed the present CIDRs do not "
        "start.",
        CILIUM_NODE_CIDRS,
        "No safe automatic remedy, because it depends on the reason. No free block: see the pool. Free blocks: restart the "
        "operator (kubectl -n kube-system rollout restart deployment/cilium-operator), which then serves waiting Nodes; or "
        "podnet.upkeep.clean_cilium_nodes with clean_cilium_nodes_serve_waiting.",
    ),
    FindingKind(
        "cilium-node-cidr-not-booked",
        CRITICAL,
        "Operator counts a Node's CIDR as free",
        "The operator refuses one CIDR of the Node, and with it does not book the others, or it is told to ignore the Node.",
        "It may give the same block to another Node: then two pods have the same address.",
        CILIUM_NODE_CIDRS + "; kubectl -n kube-system logs deployment/cilium-operator | grep -i cidr",
        "No safe automatic remedy, because the refused CIDR may be in use. Remove its reason: switch the family on again, "
        "append the CIDR's range to the pool, or take the CIDR out of the CiliumNode when nothing uses it.",
    ),
    FindingKind(
        "cilium-node-cidr-overlap",
        CRITICAL,
        "CIDRs of CiliumNodes overlap",
        "The CIDRs of two CiliumNodes contain the same addresses.",
        "Two pods can get the same address; other Nodes send the traffic to one of the two only.",
        CILIUM_NODE_CIDRS,
        "No safe automatic remedy, because one side loses its addresses. Take the side with fewer pods: drain the Node, stop "
        "its agent, delete its CiliumNode, restart the operator, start the agent, and recreate the pods that are left. The plan "
        "of podnet.upkeep.clean_cilium_nodes says which side to take.",
    ),
    FindingKind(
        "cilium-node-cidr-outside-pool",
        WARNING,
        "Node's CIDR is outside of its pool",
        "The CiliumNode holds a CIDR that its pool does not contain (any more).",
        "The operator refuses it: no block of this Node is booked. In multi-pool mode it takes the CIDR away from the Node "
        "when it starts, and pods there become unreachable.",
        CILIUM_NODE_CIDRS,
        _MOVE + " Or append the CIDR's range to the pool again.",
    ),
    FindingKind(
        "cilium-node-cidr-mask-mismatch",
        WARNING,
        "Node's CIDR has another size than its pool's blocks",
        "The prefix length of the CIDR is not the mask size of the pool.",
        "A larger one takes several blocks; smaller ones share a block, and the operator refuses all but the first of them.",
        CILIUM_NODE_CIDRS,
        _MOVE,
    ),
    FindingKind(
        "cilium-node-cidr-overlaps-service-range",
        CRITICAL,
        "Node's CIDR overlaps the service range",
        "A CIDR of the CiliumNode and the service range contain the same addresses.",
        "Pods get addresses of Services: traffic to one goes to the other.",
        CILIUM_NODE_CIDRS,
        _MOVE + " Change the pool first.",
    ),
    FindingKind(
        "cilium-node-cidr-overlaps-node-address",
        CRITICAL,
        "Node's CIDR contains the address of a Node",
        "An address of a Node lies in the CIDR of a CiliumNode.",
        "Other Nodes take this Node's address for a pod's and cannot reach it.",
        CILIUM_NODE_CIDRS + "; kubectl get nodes -o wide",
        _MOVE + " Change the pool first.",
    ),
    FindingKind(
        "cilium-node-cidr-drift",
        CRITICAL,
        "Agent works with an earlier podCIDR of its Node",
        "In mode kubernetes the agent copies Node.spec.podCIDRs into its CiliumNode when it starts. Both differ now: the Node "
        "was registered again after that.",
        "The agent gives out addresses of the earlier CIDR, which may belong to another Node by now; other Nodes do not "
        "reach these pods.",
        NODE_CIDRS + "; " + CILIUM_NODE_CIDRS,
        "No safe automatic remedy, because pods have to be created again. Drain the Node, delete its agent's pod, wait until "
        "the CiliumNode has the Node's podCIDRs, recreate all other pods with addresses of the earlier one.",
    ),
    FindingKind(
        "cilium-node-dangling",
        WARNING,
        "CiliumNodes without Node",
        "There are CiliumNodes whose Node does not exist. The subject says who has to delete them.",
        "They hold blocks of the pool, and other Nodes keep tunnels and routes to them.",
        "kubectl get ciliumnodes,nodes -o name; kubectl get apiservices | grep -v True",
        "Make sure that the machine is gone, then delete the CiliumNode. The playbook leaves it while anything uses its block, "
        "or a Node comes back under its name. When a whole class is stuck, mend its cause: an APIService that is not available "
        "blocks the garbage collector, nodes-gc-interval=0 the operator.",
        CLEAN_CILIUM_NODES,
    ),
    FindingKind(
        "cilium-node-owner-differs",
        WARNING,
        "CiliumNode belongs to an earlier Node object",
        "The ownerReference of the CiliumNode has another uid than the Node of this name.",
        "The garbage collector deletes it at any moment, which frees its block while pods use it; that it is still there "
        "means that the collector is blocked, or that the Node was registered again just now.",
        "kubectl get node NODE -o jsonpath='{.metadata.uid}'; "
        "kubectl get ciliumnode NODE -o jsonpath='{.metadata.ownerReferences}'",
        "No safe automatic remedy, because pods of the earlier registration may still run. Restart the Node's agent: it "
        "writes the CiliumNode again. Where no agent runs, podnet.upkeep.clean_cilium_nodes deletes it.",
    ),
    FindingKind(
        "cilium-node-missing",
        CRITICAL,
        "Node with an agent, but without CiliumNode",
        "The agent has been running for more than a minute, but there is no CiliumNode.",
        "Other Nodes do not know this one: no traffic to its pods. It holds no block either, so another Node may get the same "
        "addresses.",
        "kubectl get ciliumnode NODE; kubectl -n kube-system get pods -l k8s-app=cilium --field-selector spec.nodeName=NODE",
        "No safe automatic remedy, because pods of the Node may have addresses that another Node gets now. Restart the "
        "Node's agent and look at its log.",
    ),
)
