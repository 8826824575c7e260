# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about CiliumEndpoints."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CLEAN_ENDPOINTS,
    CRITICAL,
    INFO,
    WARNING,
    FindingKind,
)

_LIST = "kubectl get ciliumendpoints -A"
_AGENT = (
    "kubectl -n kube-system get pods -l k8s-app=cilium --field-selector spec.nodeName=NODE; "
    "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- cilium-dbg endpoint list"
)

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "endpoint-state-bad",
        WARNING,
        "Endpoints are not ready",
        "Endpoints of the Node have been in a state that should last moments: waiting-for-identity, not-ready, invalid, "
        "disconnecting, or a regeneration that does not end.",
        "Their pods have no network, or policies of an earlier time. waiting-for-identity on many Nodes means that no "
        "identity can be had.",
        _AGENT,
        "No safe automatic remedy, because it depends on the state. waiting-for-identity: see the identities. Others: the "
        "agent's log and what cilium-dbg endpoint log ID says; restart the Node's agent. The plan of "
        "podnet.upkeep.clean_endpoints says which agents.",
    ),
    FindingKind(
        "endpoint-identity-init",
        WARNING,
        "Endpoints keep the identity reserved:init",
        "Endpoints older than two minutes have identity 5: the agent has not got the labels of their pods.",
        "Policies treat them as unknown: most of their traffic is dropped.",
        "kubectl get ciliumendpoints -A -o jsonpath='{range .items[?(@.status.identity.id==5)]}{.metadata.namespace}/"
        '{.metadata.name}{"\\n"}{end}\'',
        "No safe automatic remedy, because the agent's connection to the API server has to be looked at first. Restart the "
        "Node's agent; recreate the pods when that does not help.",
    ),
    FindingKind(
        "endpoint-without-pod",
        WARNING,
        "CiliumEndpoints without pod",
        "The pod of the CiliumEndpoint does not exist.",
        "It holds an identity, and other Nodes take its address for that identity: a new pod with this address gets the "
        "rights of the old one.",
        _LIST + "; kubectl get pods -A",
        "The operator deletes them every cilium-endpoint-gc-interval (5 minutes): see to it that it runs. The playbook deletes "
        "those that were left alone for five minutes, each after another look for its pod.",
        CLEAN_ENDPOINTS,
    ),
    FindingKind(
        "endpoint-of-replaced-pod",
        WARNING,
        "CiliumEndpoints of an earlier pod",
        "The CiliumEndpoint belongs to a pod with another uid than the one of the same name, as with StatefulSets.",
        "Other Nodes know the old address and identity only: traffic of the present pod is dropped where policies hold.",
        "kubectl get ciliumendpoint -n NAMESPACE NAME -o yaml; kubectl get pod -n NAMESPACE NAME -o yaml",
        "Delete the CiliumEndpoint, and the pod when none appears within a minute. The playbook leaves those alone that an "
        "agent has just written, or that have the address of the present pod.",
        CLEAN_ENDPOINTS,
    ),
    FindingKind(
        "endpoint-of-terminal-pod",
        INFO,
        "CiliumEndpoints of pods that have ended",
        "The pod of the CiliumEndpoint has succeeded or failed.",
        "They hold identities until the operator deletes them (cilium-endpoint-gc-interval, 5 minutes).",
        _LIST + "; kubectl get pods -A --field-selector status.phase=Succeeded",
        "Nothing as long as the operator runs. The playbook deletes those of pods that ended more than five minutes ago.",
        CLEAN_ENDPOINTS,
    ),
    FindingKind(
        "pod-without-endpoint",
        CRITICAL,
        "Running pods without CiliumEndpoint",
        "Pods on a Node with an agent have been running for more than a minute, but have no CiliumEndpoint.",
        "Other Nodes do not know their identity: traffic is dropped where policies hold. No network policy may hold for "
        "them either.",
        _AGENT + "; " + _LIST,
        "No safe automatic remedy, because only the pods' owner knows when they may restart. Restart the Node's agent; "
        "delete the pods when that does not help (podnet.upkeep.clean_endpoints with clean_endpoints_recreate_pods evicts one "
        "of each controller).",
    ),
    FindingKind(
        "endpoint-node-unknown",
        WARNING,
        "Endpoints of unknown Nodes",
        "CiliumEndpoints name an address of a Node that no Node and no CiliumNode has.",
        "Traffic to them is sent to a machine that is gone; they hold identities.",
        "kubectl get ciliumendpoints -A -o custom-columns=NAME:.metadata.name,NODE:.status.networking.node; "
        "kubectl get nodes -o wide",
        "No safe automatic remedy, because a Node that got a new address still runs their pods: then restart its agent. "
        "Otherwise delete the pods of the machine that is gone, and then their endpoints with podnet.upkeep.clean_endpoints.",
    ),
    FindingKind(
        "endpoint-slice-inconsistent",
        WARNING,
        "CiliumEndpointSlices differ from CiliumEndpoints",
        "With slices, agents read them and not the CiliumEndpoints. Some endpoints are in none, in several, or there with "
        "another identity; or a slice names one that is gone.",
        "Agents of other Nodes have no or a wrong identity for these addresses.",
        "kubectl get ciliumendpointslices -o yaml; " + _LIST,
        "No safe automatic remedy, because the operator writes slices with a delay. When it lasts, restart the operator: it "
        "compares all slices when it starts.",
    ),
)
