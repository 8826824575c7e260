# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the key-value store of Cilium, and of the remote clusters whose stores agents read.

What is known comes from agents (their status), from metrics that somebody serves or saved, and from the kvstore files of
a sysdump. The store itself is not asked.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import kvstore_contents
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.agents_view import (
    SHOWN,
    agents_of,
    answering,
    nodes_in_words,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_status import RemoteCluster
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_status import (
    HEARTBEAT_SECONDS,
    KvstoreStatus,
    Member,
    parse_status,
)

_SUBJECT = Subject("Kvstore", "etcd")
_UNUSED = ("", "Disabled")
# agents take the store for broken when two heartbeats are missing
_LATE = 2 * HEARTBEAT_SECONDS


def used(context: Context) -> bool | None:
    """Whether this cluster keeps identities or state in a kvstore; None when nothing tells."""
    if any(status.state not in _UNUSED for _node, status in _statuses(context)) or context.state.of("kvstore"):
        return True
    if context.cilium.config is None:
        return None
    return context.cilium.value("kvstore") == "etcd" or context.cilium.identity_mode != "crd"


def check(context: Context) -> Iterator[Finding]:
    """Health by what agents say, contents by what files and metrics say, remote clusters."""
    yield from _remote_clusters(context)
    if not context.cilium.installed or not used(context):
        return
    statuses = _statuses(context)
    yield from _quorum(statuses)
    yield from _members_down(statuses)
    yield from _space(context, statuses)
    yield from _heartbeat(context, statuses)
    yield from kvstore_contents.check(context, _SUBJECT)
    if not statuses:
        yield _unobserved(context)


def section(context: Context) -> dict[str, t.Any] | None:
    """State, worst message and members; None when Cilium is not there or nothing tells whether it uses a kvstore."""
    if not context.cilium.installed or used(context) is None:
        return None
    statuses = _statuses(context)
    worst = next((status for _node, status in statuses if status.error), statuses[0][1] if statuses else None)
    return {
        "used": bool(used(context)),
        "state": worst.state if worst else None,
        "message": worst.message if worst else None,
        "members": [
            {"address": one.address, "version": one.version, "leader": one.leader, "error": one.error}
            for one in _members(statuses)
        ],
        **kvstore_contents.section(context),
    }


def _statuses(context: Context) -> list[tuple[str, KvstoreStatus]]:
    """(Node, what its agent says of the store)."""
    found = []
    for agent in answering(context):
        state, message = agent.state("kvstore")
        if state not in _UNUSED:
            found.append((agent.node, parse_status(state, message)))
    return found


def _members(statuses: list[tuple[str, KvstoreStatus]]) -> list[Member]:
    """Each endpoint once; as those see it that cannot reach it, if there are any."""
    found: dict[str, Member] = {}
    for _node, status in statuses:
        for member in status.members:
            if member.address not in found or member.error:
                found[member.address] = member
    return [found[address] for address in sorted(found)]


def _quorum(statuses: list[tuple[str, KvstoreStatus]]) -> Iterator[Finding]:
    without = {node: status for node, status in statuses if status.quorum is False}
    if without:
        node = min(without)
        yield Finding(
            "kvstore-quorum-lost",
            _SUBJECT,
            f"The kvstore does not work for agents of {nodes_in_words(without)} of {len(statuses)} that were asked: "
            f"{without[node].error}",
            {
                "count": len(without),
                "asked": len(statuses),
                "nodes": sorted(without)[:SHOWN],
                "error": without[node].error,
                "said_on": node,
            },
        )


def _members_down(statuses: list[tuple[str, KvstoreStatus]]) -> Iterator[Finding]:
    lacking = {
        node: status
        for node, status in statuses
        if status.quorum and status.connected is not None and status.connected < (status.endpoints or 0)
    }
    if lacking:
        node = min(lacking)
        down = sorted({one.address for status in lacking.values() for one in status.members if one.error})
        named = f" ({', '.join(down[:SHOWN])})" if down else ""
        yield Finding(
            "kvstore-member-down",
            _SUBJECT,
            f"Agents of {nodes_in_words(lacking)} reach {lacking[node].connected} of {lacking[node].endpoints} endpoints "
            f"of the kvstore{named}",
            {
                "count": len(lacking),
                "nodes": sorted(lacking)[:SHOWN],
                "endpoints": [{"address": one.address, "error": one.error} for one in _members(statuses) if one.error],
            },
        )


def _space(context: Context, statuses: list[tuple[str, KvstoreStatus]]) -> Iterator[Finding]:
    """The alarm NOSPACE, as every write then says; of the store's status or of a controller that writes."""
    said = {node: status.message for node, status in statuses if status.space_exceeded}
    for agent in agents_of(context):
        for message in agent.messages():
            if parse_status("Failure", message).space_exceeded:
                said.setdefault(agent.node, message)
    if said:
        node = min(said)
        yield Finding(
            "kvstore-space-exceeded",
            _SUBJECT,
            f"The kvstore refuses to write because its database reached its quota, as agents of {nodes_in_words(said)} say",
            {"count": len(said), "nodes": sorted(said)[:SHOWN], "message": said[node], "said_on": node},
        )


def _heartbeat(context: Context, statuses: list[tuple[str, KvstoreStatus]]) -> Iterator[Finding]:
    ages = {node: status.heartbeat_age for node, status in statuses if status.heartbeat_age is not None}
    for entry in context.state.of("kvstore"):
        written = moment(entry.get("time")) if entry.get("kind") == "heartbeat" else None
        if written is not None:
            ages["the snapshot"] = (context.state.taken_at - written).total_seconds()
    late = {node: age for node, age in ages.items() if age > _LATE + context.state.skew.total_seconds()}
    if late:
        node, age = max(late.items(), key=lambda one: (one[1], one[0]))
        yield Finding(
            "kvstore-heartbeat-late",
            _SUBJECT,
            f"The last heartbeat in the kvstore is {datetime.timedelta(seconds=round(age))} old; the operator writes one each "
            "minute",
            {"seconds": round(age), "seen_by": node, "count": len(late), "interval_seconds": HEARTBEAT_SECONDS},
        )


def _unobserved(context: Context) -> Finding:
    why = "no agent was asked" if not agents_of(context) else "no agent that was asked says anything about it"
    reason = context.state.unknown.get("agents")
    return Finding(
        "kvstore-unobserved",
        _SUBJECT,
        f"Cilium uses a kvstore ({context.cilium.identity_mode}), and its health is unknown: {reason or why}",
        {"identity_allocation_mode": context.cilium.identity_mode, "kvstore": context.cilium.value("kvstore")},
    )


def _remote_clusters(context: Context) -> Iterator[Finding]:
    unready: dict[str, dict[str, RemoteCluster]] = {}
    for agent in answering(context):
        for cluster in agent.remote_clusters:
            if not cluster.ready:
                unready.setdefault(cluster.name, {})[agent.node] = cluster
    for name, nodes in sorted(unready.items()):
        _node, cluster = max(nodes.items(), key=lambda one: (one[1].failures, one[0]))
        yield Finding(
            "remote-cluster-not-ready",
            Subject("RemoteCluster", name),
            f"Cluster {name} of the mesh is not ready for agents of {nodes_in_words(nodes)}: "
            f"{cluster.status or 'they do not say why'}",
            _remote_evidence(nodes, cluster),
        )


def _remote_evidence(nodes: Mapping[str, RemoteCluster], cluster: RemoteCluster) -> dict[str, t.Any]:
    return {
        "count": len(nodes),
        "nodes": sorted(nodes)[:SHOWN],
        "failures": cluster.failures,
        "status": cluster.status,
    }
