# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about the label filter (key labels of cilium-config)."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    INFO,
    WARNING,
    FindingKind,
)

_LABELS = "kubectl -n kube-system get configmap cilium-config -o jsonpath='{.data.labels}'"
_LOG = "; kubectl -n kube-system logs daemonset/cilium -c cilium-agent | grep -A40 'Final label prefixes'"
_CHANGE = (
    "simulate the corrected filter with podnet.upkeep.cilium_label_filter_info first, and expect more identities for a while: old and new ones "
    "exist together until all pods have theirs."
)
_NO_PLAYBOOK = "No safe automatic remedy, because a change gives every pod a new identity: "

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "cilium-label-filter-invalid",
        CRITICAL,
        "Agents do not start with the label filter",
        "A pattern of labels is no regular expression of Go (RE2), or has nothing after its source.",
        "Agents that run go on with the filter that they read; each exits at its next start.",
        _LABELS,
        _NO_PLAYBOOK
        + "correct the pattern; look-ahead, look-behind and back-references do not exist in RE2; "
        + _CHANGE,
    ),
    FindingKind(
        "cilium-label-filter-negation-misplaced",
        CRITICAL,
        "The label filter has an exclamation mark before the source",
        "The mark belongs after the source: k8s:!foo. Before it, it is part of the source's name, and the item is an include.",
        "The filter becomes an allow-list that allows nothing: pods lose the labels that policies select, and share identities.",
        _LABELS + _LOG,
        _NO_PLAYBOOK + "write k8s:!foo; " + _CHANGE,
    ),
    FindingKind(
        "cilium-label-filter-separator",
        CRITICAL,
        "The label filter is separated by commas",
        "In the ConfigMap, blanks separate patterns; a comma is part of a pattern.",
        "The whole text is one pattern that no label matches. As an include it turns the filter into an allow-list that allows nothing.",
        _LABELS + _LOG,
        _NO_PLAYBOOK + "put blanks in place of commas; " + _CHANGE,
    ),
    FindingKind(
        "cilium-label-filter-source",
        CRITICAL,
        "The label filter names a source that no label has",
        "A source is compared letter by letter; labels of pods have the source k8s, and any is no wildcard.",
        "An exclude has no effect. An include turns the filter into an allow-list that allows nothing.",
        _LABELS + _LOG,
        _NO_PLAYBOOK + "write k8s, or leave the source out; " + _CHANGE,
    ),
    FindingKind(
        "cilium-label-filter-allow-list",
        INFO,
        "The label filter is an allow-list",
        "At least one include is in labels: labels that no include matches make no identity.",
        "Policies that select any other label select nothing, also labels that are added later.",
        _LABELS + _LOG,
        "Nothing, where it is meant; compare with the labels that your policies select.",
    ),
    FindingKind(
        "cilium-label-filter-without-effect",
        WARNING,
        "An exclude of the label filter has no effect",
        "A default include matches more characters of the label than the exclude, and the longer match wins.",
        "The label still makes identities.",
        _LABELS + _LOG,
        _NO_PLAYBOOK + "match the whole key; " + _CHANGE,
    ),
    FindingKind(
        "policy-selects-ignored-label",
        WARNING,
        "A network policy selects by a label that makes no identity",
        "Cilium matches selectors against the labels of identities. By a label that the filter drops, matchLabels, In and Exists "
        "match no pod, and NotIn and DoesNotExist every pod.",
        "A policy that is to restrict pods restricts none, or one that is to allow traffic refuses it; nothing else says so.",
        "kubectl get networkpolicies.networking.k8s.io,ciliumnetworkpolicies.cilium.io,ciliumclusterwidenetworkpolicies.cilium.io "
        "-A -o yaml; kubectl -n kube-system exec daemonset/cilium -c cilium-agent -- cilium-dbg policy selectors",
        "No safe automatic remedy, because only its author knows what a policy is meant to do: select by another label, or let the "
        "label make identities again; simulate that with podnet.upkeep.cilium_label_filter_info before.",
    ),
    FindingKind(
        "cilium-label-filter-loose",
        INFO,
        "Patterns of the label filter match more than they say",
        "Patterns begin at the first character and are open at the end; a dot stands for any character.",
        "Labels that nobody thought of are included or dropped.",
        _LABELS,
        "Write a backslash before dots, and $ at the end of an include that means one key.",
    ),
    FindingKind(
        "cilium-label-filter-file",
        INFO,
        "The default label filter is replaced by a file",
        "Agents take their default patterns from label-prefix-file, which is on the hosts.",
        "What is said here about identities and labels follows Cilium's own defaults and may not hold.",
        "kubectl -n kube-system exec daemonset/cilium -c cilium-agent -- cat LABEL_PREFIX_FILE",
        "Nothing, where it is meant; the pattern reserved:.* has to be in the file.",
    ),
)
