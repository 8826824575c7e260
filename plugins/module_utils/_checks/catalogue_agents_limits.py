# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about limits that agents of Cilium reach."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import CRITICAL, WARNING, FindingKind

_EXEC = "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- cilium-dbg"

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "agent-identities-exhausted",
        CRITICAL,
        "Agents find no free security identity",
        'Agents fail to allocate an identity with "no more available IDs in configured space".',
        "Pods whose labels are new to the cluster do not start anywhere; existing pods work on.",
        f"{_EXEC} status --all-controllers | grep resolve-identity; kubectl get ciliumidentities | wc -l",
        "No safe automatic remedy, because the cause is elsewhere: see the findings about identities. Leaked ones can be "
        "cleaned, a label filter stops new ones; the range itself is fixed when a cluster is installed.",
    ),
    FindingKind(
        "agent-local-identities-exhausted",
        CRITICAL,
        "Agents find no free local identity",
        "The identities that a Node makes for itself, for CIDR and FQDN rules, are used up or nearly.",
        "Such rules do not match as they should. It looks like exhausted security identities, and cleaning those does nothing.",
        f"{_EXEC} identity list -o json | jq '[.[] | select(.id >= 16777216)] | length'",
        "No safe automatic remedy, because policies decide how many there are: fewer or wider toCIDR and toFQDNs rules, shorter "
        "tofqdns-idle-connection-grace-period, lower tofqdns-max-ips-per-host.",
    ),
    FindingKind(
        "agent-node-ids-exhausted",
        WARNING,
        "Agents have no id left for further Nodes",
        'Agents fail with "No more IDs available for nodes": ids of Nodes are numbered with 16 bits and were not given back.',
        "Encryption and some datapath features do not work towards Nodes without an id. It looks like exhausted "
        "security identities, and cleaning those does nothing.",
        f"{_EXEC} nodeid list",
        "No safe automatic remedy, because the ids are in memory and in a BPF map of the agent: upgrade Cilium "
        "(issues 42787, 44520, 47563), and restart the agent of the Node.",
    ),
    FindingKind(
        "agent-policy-map-full",
        CRITICAL,
        "A policy map is full",
        "An agent could not add an entry to the policy map of an endpoint.",
        "Traffic that a policy allows is dropped. It looks like exhausted security identities: every allowed peer and port "
        "takes an entry.",
        f"{_EXEC} bpf policy get --all | wc -l; kubectl -n kube-system get configmap cilium-config -o yaml | grep bpf-policy-map-max",
        "No safe automatic remedy, because a larger bpf-policy-map-max (at most 65536) takes memory for every endpoint, and "
        "agents must restart: first write policies with fewer peers, or reduce identities.",
    ),
    FindingKind(
        "agent-policy-map-pressure",
        WARNING,
        "A policy map is nearly full",
        "An endpoint's policy needs most of the entries of its policy map; without metrics, at least so many.",
        "When it is full, traffic that a policy allows is dropped.",
        f"{_EXEC} bpf policy get --all | wc -l; kubectl -n kube-system get configmap cilium-config -o yaml | grep bpf-policy-map-max",
        "No safe automatic remedy, because a larger bpf-policy-map-max (at most 65536) takes memory for every endpoint, and "
        "agents must restart: first write policies with fewer peers, or reduce identities.",
    ),
    FindingKind(
        "agent-map-pressure",
        WARNING,
        "A BPF map is nearly full",
        "A BPF map of an agent is used to four fifths or more.",
        "When it is full, connections, services or addresses that have no entry do not work.",
        f"{_EXEC} map list; {_EXEC} metrics list -p bpf_map_pressure",
        "No safe automatic remedy, because sizes of maps are set in cilium-config (bpf-map-dynamic-size-ratio or the map's own "
        "key) and some maps lose their entries when agents restart with another size.",
    ),
    FindingKind(
        "agent-addresses-exhausted",
        CRITICAL,
        "An agent has given out all its addresses",
        "By its own count every address of the agent's range is allocated.",
        'New pods of this Node wait with "range is full".',
        f"{_EXEC} status --all-addresses",
        "No safe automatic remedy, because a range does not grow by itself: move pods to other Nodes; see leaked addresses.",
    ),
    FindingKind(
        "agent-addresses-leaked",
        WARNING,
        "An agent holds addresses of pods that do not exist",
        "Addresses are allocated in the agent's memory to pods that neither the API nor the agent's endpoints have.",
        "They are lost for new pods until the agent restarts.",
        f"{_EXEC} status --all-addresses",
        "No safe automatic remedy, because it is known only after a while that nobody uses them: if the same owners are "
        "still there minutes later, restart the agent's pod; it builds its allocations anew from its endpoints.",
    ),
)
