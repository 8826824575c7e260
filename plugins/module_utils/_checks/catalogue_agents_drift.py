# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about agents of Cilium that run with something else than what is written."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import CRITICAL, WARNING, FindingKind

_EXEC = "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- cilium-dbg"

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "agent-version-differs",
        WARNING,
        "Agents run another version than their DaemonSet has",
        "The version that agents report is not that of the image in the DaemonSet.",
        "A rollout is on its way or stuck, or pods are not replaced (updateStrategy OnDelete). Bugs and label defaults differ "
        "between versions, so the same pod may get two identities.",
        "kubectl -n kube-system rollout status daemonset/cilium; kubectl -n kube-system get pods -l k8s-app=cilium "
        "-o custom-columns=NODE:.spec.nodeName,IMAGE:.spec.containers[*].image",
        "No safe automatic remedy, because the rollout may wait for a reason: find the pod it waits for, or replace the pods.",
    ),
    FindingKind(
        "agent-configuration-differs",
        WARNING,
        "Agents run with another configuration than cilium-config has",
        "A key of cilium-config (or of a CiliumNodeConfig for the Node) has another value than running agents use.",
        "Agents read their configuration when they start: somebody changed it and did not restart them. What the "
        "ConfigMap says is not what happens, until the next restart changes it by surprise.",
        f"{_EXEC} config -a; kubectl -n kube-system get configmap cilium-config -o yaml",
        "No safe automatic remedy, because it must be decided which of the two is meant: then put the ConfigMap right, "
        "and restart agents in turn (kubectl -n kube-system rollout restart daemonset/cilium).",
    ),
    FindingKind(
        "agent-identity-range-differs",
        CRITICAL,
        "Agents allocate identities of another range than configured",
        "The range that agents report does not follow from cluster-id and max-connected-clusters in cilium-config.",
        "The next restart gives every pod another identity; while only some agents restarted, they do not know each other's.",
        f"{_EXEC} status | grep 'Global Identity Range'; kubectl -n kube-system get configmap cilium-config -o yaml | "
        "grep -E 'cluster-id|max-connected-clusters'",
        "No safe automatic remedy, because both keys can only be chosen when a cluster is installed: put the ConfigMap back to "
        "what the agents run with.",
    ),
    FindingKind(
        "agent-cidr-differs",
        CRITICAL,
        "An agent gives out addresses of another CIDR",
        "The range of the running agent is not the CIDR that its Node (or its CiliumNode) has.",
        "Other Nodes route the new CIDR to it, not the one its pods get addresses of: new pods cannot be reached, and the "
        "old CIDR may be another Node's already.",
        f"{_EXEC} status | grep IPAM; kubectl get ciliumnode NODE -o yaml; kubectl get node NODE -o yaml | grep -A2 podCIDR",
        "No safe automatic remedy, because pods keep their addresses: cordon the Node, restart the agent's pod, recreate every "
        "pod with an address outside the CIDR, then uncordon.",
    ),
)
