# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of limits that agents run into: identities, addresses, BPF maps, ids of Nodes.

Source: the four limits that all look like "identities are exhausted", pkg/identity/cache/local.go, pkg/maps/policymap and
pkg/node of cilium/cilium.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.agents_view import (
    SHOWN,
    OnNode,
    agent_samples,
    agents_of,
    answering,
    daemon_set,
    nodes_in_words,
    spread,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import CRITICAL
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import whole
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_status import Agent, RangeUse

# what agents complain with -> the finding that it is
_LIMITS: t.Final[Mapping[str, str]] = {
    "no more available IDs in configured space": "agent-identities-exhausted",
    "out of local identity space": "agent-local-identities-exhausted",
    "Local identity allocator full": "agent-local-identities-exhausted",
    "No more IDs available for nodes": "agent-node-ids-exhausted",
    "the map is full": "agent-policy-map-full",
    "Failed to add PolicyMap key": "agent-policy-map-full",
}
_WORDS: t.Final[Mapping[str, str]] = {
    "agent-identities-exhausted": "no security identity is left for new labels",
    "agent-local-identities-exhausted": "no local identity is left for CIDR and FQDN rules",
    "agent-node-ids-exhausted": "no id is left for further Nodes",
    "agent-policy-map-full": "a policy map is full",
}
_POLICY_MAP_ENTRIES = 16384
_PRESSURE = 0.8
_LOCAL_IDENTITIES = 0xFFFFFF
# addresses that only its agent knows of: so many are no race between our reading of pods and of agents
_LEAKED = 3
_MODES_WITH_CIDRS = ("kubernetes", "cluster-pool")


def names_a_limit(message: str) -> bool:
    """Whether a complaint is of a finding of this file."""
    return any(words in message for words in _LIMITS)


def check(context: Context) -> Iterator[Finding]:
    """Limits that were reached, and those that are near."""
    yield from _reached(context)
    yield from _local_identities(context)
    yield from _policy_maps(context)
    yield from _maps(context)
    yield from _addresses(context)
    yield from _leaked_addresses(context)


def _reached(context: Context) -> Iterator[Finding]:
    found: dict[str, dict[str, str]] = {}
    for agent in agents_of(context):
        for message in agent.messages():
            for words, identifier in _LIMITS.items():
                if words in message:
                    found.setdefault(identifier, {}).setdefault(agent.node, message)
    for identifier, messages in sorted(found.items()):
        node, message = min(messages.items())
        yield Finding(
            identifier,
            daemon_set(context),
            f"Agents of {nodes_in_words(messages)} say that {_WORDS[identifier]}",
            {"count": len(messages), "nodes": sorted(messages)[:SHOWN], "message": message, "said_on": node},
        )


def _local_identities(context: Context) -> Iterator[Finding]:
    near = {
        node: value
        for node, labels, value in agent_samples(context, "cilium_identity")
        if labels.get("type") == "node_local" and value >= _PRESSURE * _LOCAL_IDENTITIES
    }
    if near:
        node, value = max(near.items(), key=lambda one: (one[1], one[0]))
        yield Finding(
            "agent-local-identities-exhausted",
            daemon_set(context),
            f"{nodes_in_words(near)} use most of their local identities, {node} has {value:.0f} of {_LOCAL_IDENTITIES}",
            {"count": len(near), "nodes": sorted(near)[:SHOWN], "most": value, "capacity": _LOCAL_IDENTITIES},
        )


def _policy_map_entries(context: Context, agent: Agent) -> int:
    for field in ("PolicyMapEntries", "PolicyMapMaxEntries"):
        running = whole((agent.configuration or {}).get(field))
        if running:
            return running
    written = context.cilium.value("bpf-policy-map-max")
    return int(written) if written.isdecimal() and int(written) else _POLICY_MAP_ENTRIES


def _policy_maps(context: Context) -> Iterator[Finding]:
    """By the metric where it is served; else by the identities that the policy of an endpoint names, a lower bound."""
    measured: dict[str, float] = {}
    for node, labels, value in agent_samples(context, "cilium_bpf_map_pressure"):
        if "policy" in labels.get("map_name", ""):
            measured[node] = max(measured.get(node, 0.0), value)
    rows: dict[str, OnNode] = {}
    for node, pressure in measured.items():
        if pressure >= _PRESSURE:
            rows[node] = OnNode(
                f"The fullest policy map of Node {node} is used to {pressure:.0%}",
                {"pressure": round(pressure, 3), "source": "metric cilium_bpf_map_pressure"},
                CRITICAL if pressure >= 1 else "",
            )
    for agent in agents_of(context):
        fullest = max(agent.endpoints or (), key=lambda one: one.named, default=None)
        if fullest is None or agent.node in measured:
            continue
        entries = _policy_map_entries(context, agent)
        if fullest.named >= _PRESSURE * entries:
            about = fullest.pod or f"endpoint {fullest.id}"
            rows[agent.node] = OnNode(
                f"The policy of {about} on Node {agent.node} names {fullest.named} identities; its policy map has {entries} "
                "entries, and needs one for each identity and port",
                {
                    "endpoint": fullest.id,
                    "pod": fullest.pod,
                    "identities": fullest.named,
                    "entries": entries,
                    "source": "endpoint list",
                },
                CRITICAL if fullest.named >= entries else "",
            )
    yield from spread(context, "agent-policy-map-pressure", rows, "Policy maps are nearly full")


def _maps(context: Context) -> Iterator[Finding]:
    pressed: dict[str, dict[str, float]] = {}
    for node, labels, value in agent_samples(context, "cilium_bpf_map_pressure"):
        name = labels.get("map_name", "")
        if "policy" not in name and value >= _PRESSURE:
            pressed.setdefault(name, {})[node] = value
    for name, nodes in sorted(pressed.items()):
        node, value = max(nodes.items(), key=lambda one: (one[1], one[0]))
        yield Finding(
            "agent-map-pressure",
            daemon_set(context),
            f"BPF map {name} is used to {value:.0%} on Node {node}, and to {_PRESSURE:.0%} or more on "
            f"{nodes_in_words(nodes)}",
            {"map": name, "count": len(nodes), "nodes": sorted(nodes)[:SHOWN], "pressure": round(value, 3)},
            CRITICAL if value >= 1 else "",
        )


def _addresses(context: Context) -> Iterator[Finding]:
    """Ranges that the agent itself calls full, where no CIDR of a CiliumNode tells the same (see cilium_ipam)."""
    told = _cidrs_of_cilium_nodes(context)
    rows: dict[str, OnNode] = {}
    for agent in answering(context):
        full = [one for one in agent.ranges if one.capacity and one.used >= one.capacity]
        new = [one for one in full if one.cidr not in told.get(agent.node, ())]
        if new:
            rows[agent.node] = _full(agent, new[0])
    yield from spread(context, "agent-addresses-exhausted", rows, "Agents have no free address")


def _full(agent: Agent, one: RangeUse) -> OnNode:
    where = f" of {one.cidr}" if one.cidr else ""
    return OnNode(
        f"The agent of Node {agent.node} has given out all {one.capacity} {one.family} addresses{where}",
        {"family": one.family, "used": one.used, "capacity": one.capacity, "cidr": one.cidr, "pod": agent.pod},
    )


def _cidrs_of_cilium_nodes(context: Context) -> dict[str, set[str]]:
    if context.cilium.ipam_mode not in _MODES_WITH_CIDRS:
        return {}
    found = {}
    for node in context.state.of("ciliumnodes"):
        ipam = (node.get("spec") or {}).get("ipam") or {}
        found[str(node["metadata"]["name"])] = {str(cidr) for cidr in ipam.get("podCIDRs") or ()}
    return found


def _leaked_addresses(context: Context) -> Iterator[Finding]:
    """Addresses that an agent holds for pods of which neither the API nor its own endpoints know anything."""
    if not context.state.knows("pods"):
        return
    agents = answering(context)
    alive = {
        f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
        for pod in (context.state.of("pods") if agents else ())
        if (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES
    }
    rows: dict[str, OnNode] = {}
    for agent in agents:
        if agent.endpoints is None:
            continue
        known = {one.pod for one in agent.endpoints}
        leaked = {
            address: owner
            for address, owner in agent.allocations.items()
            if "/" in owner and owner.split(" ")[0] not in alive and owner.split(" ")[0] not in known
        }
        if len(leaked) >= _LEAKED:
            shown = sorted(leaked.items())[:SHOWN]
            rows[agent.node] = OnNode(
                f"The agent of Node {agent.node} holds {len(leaked)} addresses for pods that do not exist, for example "
                f"{shown[0][0]} for {shown[0][1]}",
                {
                    "count": len(leaked),
                    "addresses": [{"address": address, "owner": owner} for address, owner in shown],
                    "pod": agent.pod,
                },
            )
    yield from spread(context, "agent-addresses-leaked", rows, "Agents hold addresses of pods that do not exist")
