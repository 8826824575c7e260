# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about pod sandboxes that cannot be made."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    REASSIGN,
    WARNING,
    FindingKind,
)

_EVENTS = "kubectl get events -A --field-selector reason=FailedCreatePodSandBox"

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "sandbox-failures-explained",
        WARNING,
        "Pods do not start because of another finding",
        "Pods got no sandbox in the last hour, and another finding of this audit is the cause.",
        "It is the consequence that users see; mending the cause mends it.",
        _EVENTS,
        "Mend the finding that is named as the cause; there is nothing else to do, because the kubelet tries again by itself.",
    ),
    FindingKind(
        "sandbox-failures-addresses",
        CRITICAL,
        "Pods do not start: no free address",
        "The CNI answers that no address is free, and no other finding of this audit says why.",
        "Every further pod there waits. On a bridge with host-local, leases of dead pods may hold the addresses.",
        _EVENTS + "; ls /var/lib/cni/networks/* (on the host)",
        "No safe automatic remedy, because leases in use and leases left over look alike: compare the leases on the host with its pods, "
        "or move pods to other Nodes.",
    ),
    FindingKind(
        "sandbox-failures-agent",
        CRITICAL,
        "Pods do not start: the CNI is not up on their Nodes",
        "The agent of the CNI does not answer, or there is no CNI configuration or program on the host.",
        "No new pod on the pod network starts on these Nodes.",
        _EVENTS + "; kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
        "No safe automatic remedy, because the reason is in the log of the CNI's pod on that Node: read it, then restart that pod.",
    ),
    FindingKind(
        "sandbox-failures-old-bridge",
        CRITICAL,
        "Pods do not start: the bridge has the address of an earlier pod CIDR",
        "The bridge on the host still has the gateway address of the podCIDR that the Node had before.",
        "No new pod starts on this Node; the old ones are Running and cannot be reached from other hosts.",
        _EVENTS + "; ip address show cni0 (on the host)",
        "Register the Node again; the playbook cleans the CNI state of the host and replaces the pods.",
        REASSIGN,
    ),
    FindingKind(
        "sandbox-failures-identity",
        CRITICAL,
        "Pods do not start: their endpoints get no identity in time",
        "Cilium did not finish endpoints in time or refuses more of them, as it does while it waits for security identities.",
        "Pods with new labels do not start; existing ones work on.",
        _EVENTS + "; kubectl get ciliumendpoints -A; kubectl get ciliumidentities | wc -l",
        "No safe automatic remedy, because it may be load only: see use of the identity range, the operator's health and the agent's log.",
    ),
    FindingKind(
        "sandbox-failures-not-network",
        WARNING,
        "Pods do not start, and the pod network is not the reason",
        "The container runtime fails before or after the CNI: image of the sandbox, runtime class, creation of the container.",
        "Searching in the pod network would find nothing.",
        _EVENTS,
        "No safe automatic remedy, because the message names something outside the pod network: follow it.",
    ),
    FindingKind(
        "sandbox-failures-unexplained",
        WARNING,
        "Pods do not start, and nobody knows why",
        "Pods got no sandbox in the last hour; neither a finding of this audit nor the text of the message explains it.",
        "The pods wait until somebody finds out.",
        _EVENTS + "; kubectl get pods -A -o wide --field-selector spec.nodeName=NODE",
        "No safe automatic remedy, because the cause is not known: read the message, the log of the CNI's pod on that Node, and the kubelet's.",
    ),
)
