# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about CiliumIdentities and their garbage collection."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    INFO,
    RECOVER_IDENTITIES,
    TUNE_CILIUM,
    WARNING,
    FindingKind,
)

_COUNT = "kubectl get ciliumidentities --no-headers | wc -l"
_CONFIG = "kubectl -n kube-system get configmap cilium-config -o yaml"
_OPERATOR = (
    "kubectl -n kube-system get deployment cilium-operator; "
    "kubectl -n kube-system get lease cilium-operator-resource-lock -o yaml; kubectl get clusterrole cilium-operator "
    "-o yaml"
)
_UNUSED = (
    "comm -23 <(kubectl get ciliumidentities -o name | cut -d/ -f2 | sort) "
    "<(kubectl get ciliumendpoints -A -o jsonpath='{range .items[*]}{.status.identity.id}{\"\\n\"}{end}' | sort -u)"
)
_LABELS = (
    'kubectl get ciliumidentities -o json | jq -r \'.items[]."security-labels" | to_entries[] | .key + "=" + .value\''
    " | sort -u | cut -d= -f1 | uniq -c | sort -rn | head"
)

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "identity-range-exhausted",
        CRITICAL,
        "No identity number is free",
        "Every number that this cluster may give to a security identity is taken by a CiliumIdentity.",
        "A pod with a new set of labels gets no identity: it stays in ContainerCreating, because its endpoint waits "
        "for an identity. Running pods are not affected.",
        _COUNT
        + "; kubectl -n kube-system exec ds/cilium -c cilium-agent -- cilium-dbg status -o json | jq '.\"identity-range\"'",
        "The playbook mends the collection, speeds it up for a while, and proves that new pods get an identity. What is in "
        "use stays: drop labels that make too many identities. Never delete all identities. The range itself (cluster-id, "
        "max-connected-clusters) is fixed at installation.",
        RECOVER_IDENTITIES,
    ),
    FindingKind(
        "identity-range-nearly-exhausted",
        WARNING,
        "Few identity numbers are free",
        "More than 80 % of the numbers that this cluster may give to security identities are taken.",
        "When none is left, pods with a new set of labels do not start. A change of labels makes more identities for "
        "a while, so it has to come in time.",
        _COUNT,
        "The playbook lets unused identities go sooner; it changes nothing about those in use: see the findings about labels "
        "for what makes so many.",
        RECOVER_IDENTITIES,
    ),
    FindingKind(
        "identity-range-unknown",
        WARNING,
        "Range of identity numbers cannot be told",
        "cluster-id or max-connected-clusters of cilium-config are not what Cilium can start with.",
        "Agents and operator do not start with it, and how many identities still fit is unknown.",
        _CONFIG,
        "No safe automatic remedy, because both are fixed at installation: set them back to what they were.",
    ),
    FindingKind(
        "identity-classes-unknown",
        INFO,
        "Use of identities cannot be judged",
        "What shows which identities are in use could not be read, or identities are not kept as CiliumIdentities.",
        "Nothing is said about leaked identities: an identity without a visible user may well be in use.",
        "kubectl auth can-i list ciliumendpoints.cilium.io -A; " + _CONFIG,
        "Grant the permission that the finding data-missing names. With identities in the kvstore, look at the "
        "findings about the kvstore.",
    ),
    FindingKind(
        "identities-leaked",
        WARNING,
        "Unused identities that nothing collects",
        "No endpoint names them, no live pod waits for them, they are older than the collection lets any unused "
        "identity become, and the collection does not work.",
        "They take numbers of the range for good, and every agent keeps them and computes policy for them.",
        _UNUSED,
        "The operator collects them itself as soon as its collection works again, which the playbook mends (see the findings "
        "identity-gc-*). It deletes them itself only where recover_identities_direct allows it.",
        RECOVER_IDENTITIES,
    ),
    FindingKind(
        "identities-unmarked",
        INFO,
        "Many unused identities are not marked for deletion",
        "They are older than the collection lets an unused identity become, the collection seems to work, and yet "
        "few are marked.",
        "Either many lost their last endpoint a short while ago, which is fine, or agents keep removing the marks, "
        "which leaks identities (cilium/cilium#35946).",
        _UNUSED
        + "; kubectl get ciliumidentities -o json | jq '[.items[] | select(.metadata.annotations.\"io.cilium.heartbeat\")] | length'",
        "No safe automatic remedy, because one picture cannot tell the two apart: audit again after the time that "
        "the finding names. If they are still there, upgrade Cilium.",
    ),
    FindingKind(
        "identity-gc-off",
        WARNING,
        "Collection of unused identities is turned off",
        "identity-gc-interval is 0.",
        "Every set of labels that ever existed keeps its number, until the range is exhausted.",
        _CONFIG + " | grep identity-gc",
        "Set identity-gc-interval to 15m0s and restart the operator, as the playbook does; give Helm "
        "operator.identityGCInterval, or the next upgrade turns it off again.",
        RECOVER_IDENTITIES,
    ),
    FindingKind(
        "identity-gc-broken",
        WARNING,
        "Unused identities are not collected",
        "The operator does not run, does not lead, may not delete identities, or does not start with its settings.",
        "Every set of labels that ever existed keeps its number, until the range is exhausted.",
        _OPERATOR + "; " + _CONFIG + " | grep identity-",
        "The playbook corrects the duration, gives back the permission, or scales the operator up. Where it is not ready for "
        "another reason, find that out in its log.",
        RECOVER_IDENTITIES,
    ),
    FindingKind(
        "identity-gc-slow",
        WARNING,
        "Collection of unused identities is behind",
        "Identities that were marked for deletion long ago are still there and still unused.",
        "Numbers come free later than they are needed. Each restart of the operator delays it by a further "
        "identity-heartbeat-timeout.",
        "kubectl get ciliumidentities -o "
        "custom-columns=ID:.metadata.name,MARKED:.metadata.annotations.io\\.cilium\\.heartbeat | grep -v none; "
        + _OPERATOR,
        "Find out why the operator restarts, where it does. Else the playbook with tune_cilium_profile=faster_identity_gc raises "
        "operator-k8s-client-qps and -burst, and identity-gc-rate-limit.",
        TUNE_CILIUM,
    ),
    FindingKind(
        "identities-duplicate",
        INFO,
        "Identities with the same labels",
        "Two agents created an identity for the same labels at the same time. Both may be in use; agents take the "
        "oldest for new endpoints.",
        "Each duplicate takes a number and entries of policy maps. Many of them point at a burst of new workloads.",
        "kubectl get ciliumidentities -o json | jq -r '.items[].\"security-labels\" | tojson' | sort | uniq -d | wc -l",
        "No safe automatic remedy, because a duplicate may be in use: it is collected when its last endpoint is gone.",
    ),
    FindingKind(
        "identities-out-of-range",
        WARNING,
        "Identities outside the range of this cluster",
        "Their numbers are not those that this cluster may give: cluster-id or max-connected-clusters was changed, "
        "or something else created them.",
        "Peers in a mesh take them for identities of another cluster.",
        "kubectl get ciliumidentities -o name | cut -d/ -f2 | sort -n | sed -n '1p;$p'; "
        + _CONFIG
        + " | grep -E 'cluster-id|max-connected'",
        "No safe automatic remedy, because endpoints may still have them: recreate the pods that use them; the "
        "operator then collects them.",
    ),
    FindingKind(
        "identity-missing",
        WARNING,
        "Endpoints with an identity that does not exist",
        "CiliumEndpoints name a number of this cluster's range for which there is no CiliumIdentity.",
        "Other Nodes do not know the labels behind the number: policy drops what it should allow (cilium/cilium#19877).",
        "comm -13 <(kubectl get ciliumidentities -o name | cut -d/ -f2 | sort) "
        "<(kubectl get ciliumendpoints -A -o jsonpath='{range .items[*]}{.status.identity.id}{\"\\n\"}{end}' | sort -u)",
        "No safe automatic remedy, because the agent usually recreates the identity itself: where it does not, "
        "restart the pod, then the agent of its Node.",
    ),
    FindingKind(
        "identity-label-explosion",
        WARNING,
        "One label makes a large part of all identities",
        "A label with many values is part of the identity of pods that policy need not tell apart.",
        "Each value makes an identity for each combination of the other labels. It is the usual reason for exhaustion.",
        _LABELS,
        "No safe automatic remedy, because a policy may select by this label: if none does, add the item that is "
        "named to the key labels (Helm: labels) and restart "
        "the agents. Until all pods are renewed there are more identities than before, so not at the edge of the range.",
    ),
    FindingKind(
        "identity-churn-unsustainable",
        WARNING,
        "Identities are created faster than they can be collected",
        "An unused identity keeps its number for about two heartbeat timeouts and an interval. More are created in "
        "this time than are free.",
        "The range runs full although hardly any identity is in use.",
        "kubectl get ciliumidentities --sort-by=.metadata.creationTimestamp | tail -20; "
        + _CONFIG
        + " | grep identity-",
        "No safe automatic remedy, because labels are to be changed: leave the label that differs in each pod or job "
        "out of the identity (see identity-label-explosion), "
        "or shorten identity-heartbeat-timeout and identity-gc-interval.",
    ),
    FindingKind(
        "identity-management-unsupported",
        WARNING,
        "The operator cannot manage identities here",
        "identity-management-mode asks the operator to create identities, which this version or mode of Cilium does "
        "not do.",
        "Agents that leave it to the operator wait for identities that nobody creates.",
        _CONFIG + " | grep identity-",
        "No safe automatic remedy, because the mode belongs to the installation: set identity-management-mode to "
        "agent, and restart operator and agents.",
    ),
    FindingKind(
        "identity-creation-forbidden",
        CRITICAL,
        "The operator may not create identities",
        "The operator is to create identities, but its ClusterRole lacks the verb create.",
        "Pods with a new set of labels wait for an identity that nobody creates.",
        "kubectl auth can-i create ciliumidentities.cilium.io --as=system:serviceaccount:kube-system:cilium-operator",
        "No safe automatic remedy, because the ClusterRole belongs to the installation: install the chart with the "
        "same identityManagementMode as cilium-config has.",
    ),
)
