# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Findings about the key-value store of Cilium."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import (
    CRITICAL,
    INFO,
    WARNING,
    FindingKind,
)

_STATUS = "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- cilium-dbg status | grep KVStore"
_ETCD = (
    "etcdctl endpoint status --cluster -w table; etcdctl alarm list (with the certificates of the store), or "
    "ansible-playbook podnet.upkeep.audit_kvstore"
)
_MAINTAIN = "podnet.upkeep.maintain_kvstore"
_KEYS = (
    "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- "
    "cilium-dbg kvstore get --recursive cilium/state/identities/v1"
)

KINDS: tuple[FindingKind, ...] = (
    FindingKind(
        "kvstore-quorum-lost",
        CRITICAL,
        "The kvstore does not work",
        "Agents cannot reach any endpoint of the kvstore, or the store has no quorum.",
        "No identity can be allocated, and after kvstore-lease-ttl the state of Nodes that could not renew it is dropped: running "
        "pods work on, new ones do not start.",
        f"{_STATUS}; {_ETCD}",
        "No safe automatic remedy, because a quorum is restored by bringing members back, never by removing keys: see the members' "
        "logs, disks and certificates.",
    ),
    FindingKind(
        "kvstore-member-down",
        WARNING,
        "An endpoint of the kvstore cannot be reached",
        "Agents reach some endpoints of the kvstore and not all; the store still has its quorum.",
        "One more failure may end the quorum.",
        f"{_STATUS}; {_ETCD}",
        "No safe automatic remedy, because it may be the member, its certificate, or the way from the Nodes to it: see the "
        "member's log, and the list of endpoints in cilium-config.",
    ),
    FindingKind(
        "kvstore-space-exceeded",
        CRITICAL,
        "The kvstore has no space left",
        "etcd has raised the alarm NOSPACE: its database reached its quota.",
        "Nothing can be written until the alarm is disarmed: no identity is allocated, leases of Nodes expire.",
        _ETCD,
        "Give the playbook the certificates of the store (maintain_kvstore_etcd_secret, or files). It takes a snapshot, forgets old "
        "revisions, defragments one member after the other, and disarms the alarm when all are below their quota. When it is "
        "the API server's own etcd, set maintain_kvstore_lock to local.",
        _MAINTAIN,
    ),
    FindingKind(
        "kvstore-database-large",
        WARNING,
        "The database of the kvstore is nearly as large as allowed",
        "The database is used to four fifths of its quota (or of etcd's usual quota, or of the 8 GiB that etcd advises at most).",
        "At its quota etcd refuses every write.",
        _ETCD,
        "The playbook forgets old revisions and defragments one member after the other, and does nothing where little is to be "
        "gained. Where most of it is in use, find out which keys grow.",
        _MAINTAIN,
    ),
    FindingKind(
        "kvstore-heartbeat-late",
        CRITICAL,
        "The heartbeat in the kvstore is late",
        "The operator writes a heartbeat each minute, and the last one is older than two.",
        "Agents take the store for broken and reconnect; identities and remote state get stale.",
        "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- cilium-dbg kvstore get cilium/.heartbeat; "
        "kubectl -n kube-system get pods -l io.cilium/app=operator",
        "No safe automatic remedy, because either the operator does not run or cannot write: see its log, and the space of "
        "the store.",
    ),
    FindingKind(
        "kvstore-identities-many",
        WARNING,
        "Identities in the kvstore nearly fill the range",
        "The kvstore holds as many identities as four fifths of the numeric range.",
        "When the range is full, pods with new labels do not start.",
        _KEYS,
        "No safe automatic remedy, because identities follow from labels: a label filter stops new ones, and the operator "
        "collects unused ones. Never delete keys by hand while agents hold them.",
    ),
    FindingKind(
        "kvstore-identities-orphaned",
        WARNING,
        "Identities in the kvstore are not collected",
        "Many identities in the kvstore have no key of a Node that uses them.",
        "The operator removes them in its second round of collection; that many mean that it does not, or that churn is high.",
        f"{_KEYS}; kubectl -n kube-system logs deploy/cilium-operator | grep -i identity",
        "No safe automatic remedy, because an agent that holds one makes it anew: see that the operator runs, and its "
        "identity-gc-interval.",
    ),
    FindingKind(
        "kvstore-identities-inconsistent",
        WARNING,
        "Identities that are written twice differ",
        "While identities are written as objects and into the kvstore, the operator counts some that are on one side only.",
        "The next step of the move would lose those that are not on the side that is then read.",
        "kubectl -n kube-system exec deploy/cilium-operator -- cilium-operator metrics list -p doublewrite",
        "No safe automatic remedy, because the counts must settle by themselves: stay in the present mode until both are zero "
        "for hours.",
    ),
    FindingKind(
        "kvstore-locks-held",
        INFO,
        "Many locks are held in the kvstore",
        "Many locks on identities were held at the moment of the snapshot. Locks have a lease of 25 seconds.",
        "Locks of agents that died delay allocation until their lease ends; the operator removes stale ones in its second round.",
        "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- "
        "cilium-dbg kvstore get --recursive cilium/state/identities/v1/locks",
        "Nothing to do, because a lock goes with its lease, and the operator removes what a living holder never gives back: "
        "podnet.upkeep.audit_kvstore looks twice and names holders that keep theirs.",
    ),
    FindingKind(
        "kvstore-unobserved",
        INFO,
        "Health of the kvstore is unknown",
        "Cilium uses a kvstore, and no agent's status says how it is.",
        "A store without quorum or space would not be seen by this audit.",
        _STATUS,
        "Let the audit ask agents (permission to create and get pods/exec), or give it a sysdump.",
    ),
    FindingKind(
        "remote-cluster-not-ready",
        WARNING,
        "A cluster of the mesh is not ready",
        "Agents have no complete picture of another cluster of the mesh.",
        "Its services, endpoints and identities are missing or old here: traffic to it may be dropped by policy.",
        "kubectl -n kube-system exec POD_OF_THE_AGENT -c cilium-agent -- cilium-dbg status --all-clusters",
        "No safe automatic remedy, because the cause is in the connection: address, certificates or the "
        "clustermesh-apiserver of that cluster.",
    ),
)
