# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about the keys of cilium-config, and about the versions that run with them."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_cilium_label_filter import (
    KINDS as LABEL_FILTER_KINDS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    INFO,
    RESTART_CILIUM,
    WARNING,
    FindingKind,
)

_CONFIG = "kubectl -n kube-system get configmap cilium-config -o yaml"
_OPERATOR_LOG = "kubectl -n kube-system logs deployment/cilium-operator"
_NODE_CONFIGS = "kubectl -n kube-system get ciliumnodeconfigs -o yaml"
_AGENT_PODS = "kubectl -n kube-system get pods -l k8s-app=cilium -o wide"
_SET = (
    "podnet.upkeep.tune_cilium sets a value and restarts what reads it (restart of the evidence). Set it in the Helm values as "
    "well (helm_value of the evidence), or the next helm upgrade reverts it."
)

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "cilium-config-value-invalid",
        CRITICAL,
        "Cilium does not start with a value of its configuration",
        "The value cannot be read by a program that reads its key, or the program refuses it.",
        "What runs now goes on with the value that it read; at its next start it exits at once, on one Node after the other. Without an "
        "operator no identity is collected and no Node gets a CIDR; without an agent no pod of the Node starts.",
        _CONFIG + "; " + _OPERATOR_LOG + " | grep -E 'Incorrect config-map flag value|failed to start'",
        "No safe automatic remedy, because only you know which value was meant. "
        + _SET
        + " Durations need a unit, as in 15m0s.",
    ),
    FindingKind(
        "cilium-config-duration-without-unit",
        WARNING,
        "A duration without unit is taken for nanoseconds",
        "The key is read loosely in this version: a bare number is no error, but a number of nanoseconds.",
        "What was to happen every few minutes happens without a pause, or times out at once. Newer versions do not start with it.",
        _CONFIG,
        "No safe automatic remedy, because only you know which unit was meant. " + _SET,
    ),
    FindingKind(
        "cilium-config-value-harmful",
        WARNING,
        "A value of Cilium's configuration makes the trouble worse",
        "The value is valid, and turns off or cripples what keeps identities and endpoints in order.",
        "Identities pile up, or ones that are in use are deleted.",
        _CONFIG,
        "No safe automatic remedy, because somebody may have set it on purpose. " + _SET,
    ),
    FindingKind(
        "cilium-config-key-invented",
        WARNING,
        "A key that Cilium never had",
        "The key is in circulation in runbooks, but no version of Cilium reads it.",
        "Whoever set it believes that something was changed.",
        _CONFIG,
        "No safe automatic remedy, because the real key does something else: remove it, and set the real one if it is wanted.",
    ),
    FindingKind(
        "cilium-config-key-unknown",
        INFO,
        "Keys that this version of Cilium does not know",
        "Neither agent nor operator of this version reads the keys: misspelled, removed, of a newer version, or of another product.",
        "Cilium passes over them without a word. A key that was removed no longer does what it did.",
        _CONFIG,
        "Compare with the keys that are similar; remove what a former version left.",
    ),
    *LABEL_FILTER_KINDS,
    FindingKind(
        "cilium-node-config-override",
        INFO,
        "Nodes run with values of their own",
        "A CiliumNodeConfig overrides keys of cilium-config for the Nodes that it selects.",
        "What cilium-config says is not what these agents run with.",
        _NODE_CONFIGS,
        "Nothing, where it is meant. An agent reads it when its pod starts.",
    ),
    FindingKind(
        "cilium-node-config-conflict",
        WARNING,
        "Two CiliumNodeConfigs disagree about a Node",
        "Both select the Node and set the same key to different values; the one whose name is last in the alphabet wins.",
        "A new object with another name changes silently which value applies.",
        _NODE_CONFIGS,
        "No safe automatic remedy, because only you know which one is meant: take the key out of the other, or narrow its nodeSelector.",
    ),
    FindingKind(
        "cilium-config-newer-than-agents",
        WARNING,
        "Agents run with an older configuration",
        "cilium-config was changed after these agents' pods were created; an agent reads it once, when its pod starts.",
        "The change is not in force there. Whatever restarts an agent applies it, on one Node at a time and unplanned.",
        _CONFIG + " --show-managed-fields | grep -E 'manager:|time:'; " + _AGENT_PODS,
        "See the findings about values first: the playbook refuses where an agent would not start again. With "
        "restart_cilium_component=agents it restarts one Node after the other (not needed where only keys of the operator were "
        "changed).",
        RESTART_CILIUM,
    ),
    FindingKind(
        "cilium-config-newer-than-operator",
        WARNING,
        "The operator runs with an older configuration",
        "cilium-config was changed after the operator's pod was created; it reads it when it starts.",
        "A changed GC interval or pool is not in force. A value that it cannot start with shows only at its next start.",
        _CONFIG
        + " --show-managed-fields | grep -E 'manager:|time:'; kubectl -n kube-system get pods -l io.cilium/app=operator",
        "See the findings about values first: the playbook refuses where the operator would not start again. Use it with "
        "restart_cilium_component=operator (not needed where only keys of agents were changed).",
        RESTART_CILIUM,
    ),
    FindingKind(
        "cilium-agent-versions-mixed",
        WARNING,
        "Agents of several versions",
        "The agents of this cluster do not all run the same image: an upgrade is under way or was left half done.",
        "Default label filters and generated labels differ by version: the same pod has another identity on another Node, so there are "
        "more identities than labels call for.",
        _AGENT_PODS + " -o custom-columns=NODE:.spec.nodeName,IMAGE:.spec.containers[0].image",
        "No safe automatic remedy, because an upgrade may be under way: finish it, and see why the DaemonSet does not go on.",
    ),
    FindingKind(
        "cilium-operator-version-differs",
        WARNING,
        "The operator is of another release than the agents",
        "Operator and agents are of different minor releases.",
        "Upstream tests them together only; the operator may write objects that agents do not read, and has other defaults.",
        "kubectl -n kube-system get deployment/cilium-operator daemonset/cilium -o wide",
        "No safe automatic remedy, because an upgrade may be under way: bring both to one release.",
    ),
    FindingKind(
        "cilium-known-bug",
        WARNING,
        "The running version has a known bug",
        "The release notes say that the bug was fixed in a later version than the one that runs, and the configuration is one it concerns.",
        "The trouble comes back after every repair.",
        "kubectl -n kube-system get daemonset/cilium -o wide",
        "No safe automatic remedy, because an upgrade is a decision of its own: the evidence names the version, and what helps until then.",
    ),
    FindingKind(
        "cilium-possible-bugs",
        INFO,
        "The running version may have known bugs",
        "Users reported these bugs; which versions are free of them is not known, or they need rare circumstances.",
        "They explain symptoms that nothing else explains.",
        "kubectl -n kube-system get daemonset/cilium -o wide",
        "Read the issue at github.com when its symptom is yours.",
    ),
)
