# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about answers of Cilium agents."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_agents_drift import KINDS as _DRIFT
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue_agents_limits import KINDS as _LIMITS
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import CRITICAL, WARNING, FindingKind

_EXEC = "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- cilium-dbg"
_PODS = "kubectl -n kube-system get pods -l k8s-app=cilium -o wide"

_HEALTH: tuple[FindingKind, ...] = (
    FindingKind(
        "agent-silent",
        WARNING,
        "Agents do not answer",
        "The audit asked agents of Cilium in their pods, and some gave no answer, or not all answers, in the time allowed.",
        "What only agents know is unknown for these Nodes. An agent that cannot answer is mostly one that cannot work "
        "either: new pods of its Node wait.",
        f"{_PODS}; {_EXEC} status --brief",
        "No safe automatic remedy, because the error says whether the pod, its kubelet or the agent is at fault: see "
        "the pod's log and restarts. Running pods keep their network while an agent is restarted.",
    ),
    FindingKind(
        "agent-unwell",
        WARNING,
        "An agent says that it is not well",
        "The agent's own state is not Ok, or one of the probes behind its status hangs.",
        "Policies, endpoints and addresses of this Node may be out of date, and new pods may not start.",
        f"{_EXEC} status --verbose",
        "No safe automatic remedy, because the state only names the part that fails: follow its message, then restart the "
        "agent's pod on that Node.",
    ),
    FindingKind(
        "agent-kubernetes-unreachable",
        CRITICAL,
        "An agent has no good connection to the Kubernetes API",
        "The agent reports that its connection to the Kubernetes API does not work.",
        "It learns of no new pod, policy, Node or identity; existing connections work on with what it knew.",
        f"{_EXEC} status; kubectl -n kube-system get configmap cilium-config -o yaml | grep k8s-",
        "No safe automatic remedy, because the way from the host to the API server is at fault: address and port in "
        "cilium-config, kube-proxy or its replacement, certificates, firewall.",
    ),
    FindingKind(
        "agent-identity-unresolved",
        CRITICAL,
        "Endpoints get no identity",
        "Controllers resolve-identity of agents fail again and again, for another reason than a full range.",
        "Pods of these endpoints stay in ContainerCreating, or run with the identity reserved:init and without their policies.",
        f"{_EXEC} status --all-controllers | grep resolve-identity; kubectl -n kube-system logs deploy/cilium-operator",
        "No safe automatic remedy, because the message names the cause: an operator that makes no identities (where it "
        "manages them), a kvstore without quorum, or an API server that refuses.",
    ),
    FindingKind(
        "agent-controller-failing",
        WARNING,
        "A controller of agents fails again and again",
        "A background task of agents failed three times in a row or more.",
        "Its part of the work is not done: the state of these Nodes drifts from what it should be.",
        f"{_EXEC} status --all-controllers",
        "No safe automatic remedy, because each controller fails for its own reason, which its message names.",
    ),
    FindingKind(
        "agent-endpoint-stuck",
        WARNING,
        "Endpoints are not ready for minutes",
        "The agent has endpoints that stay in a state that should pass within seconds.",
        "Their pods do not start, or run with old policies.",
        f"{_EXEC} endpoint list; {_EXEC} endpoint log ID",
        "No safe automatic remedy, because the endpoint's log names the cause; when it is gone, recreate the pod, or restart "
        "the agent's pod on that Node when many are stuck.",
    ),
)

KINDS: tuple[FindingKind, ...] = (*_HEALTH, *_LIMITS, *_DRIFT)
