# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of agents against what the cluster's objects say: version, configuration, identity range, CIDR."""

from __future__ import annotations

import re
from collections import Counter
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
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_configuration import differences, overrides_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import (
    IdentityRangeError,
    range_of_config,
)

_RANGE_KEYS = {"cluster-id": "0", "max-connected-clusters": "255"}
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MODES_WITH_CIDRS = ("kubernetes", "cluster-pool")


def check(context: Context) -> Iterator[Finding]:
    """What runs and what is written differ."""
    yield from _versions(context)
    yield from _configuration(context)
    yield from _drift_metric(context)
    yield from _identity_range(context)
    yield from _cidrs(context)


def _versions(context: Context) -> Iterator[Finding]:
    wanted = context.cilium.full_version if context.cilium.daemon_set is not None else None
    if wanted is None:
        return
    others: dict[str, str] = {}
    for agent in agents_of(context):
        found = _VERSION.match(agent.version)
        if found and (int(found[1]), int(found[2]), int(found[3])) != wanted:
            others[agent.node] = agent.version
    if others:
        written = ".".join(map(str, wanted))
        counts = dict(sorted(Counter(others.values()).items()))
        yield Finding(
            "agent-version-differs",
            daemon_set(context),
            f"The DaemonSet has version {written}; agents of {nodes_in_words(others)} run {', '.join(counts)}",
            {"configured": written, "running": counts, "count": len(others), "nodes": sorted(others)[:SHOWN]},
        )


def _configuration(context: Context) -> Iterator[Finding]:
    """One finding for each key and each pair of values: a ConfigMap that nobody restarted for differs everywhere."""
    configured = context.cilium.config
    if not configured:
        return
    labels = {name_of(node): node["metadata"].get("labels") or {} for node in context.state.nodes}
    node_configs = context.state.of("ciliumnodeconfigs")
    unsure = _unsure_keys(context, labels)
    found: dict[tuple[str, str, str], list[str]] = {}
    for agent in agents_of(context):
        if agent.configuration is None:
            continue
        overrides = overrides_of(labels.get(agent.node, {}), node_configs)
        for key, running, written in differences(agent.configuration, configured, overrides):
            if unsure is not None and key not in unsure:
                found.setdefault((key, running, written), []).append(agent.node)
    for (key, running, written), nodes in sorted(found.items()):
        yield Finding(
            "agent-configuration-differs",
            daemon_set(context),
            f"Agents of {nodes_in_words(nodes)} run with {key}={running or 'nothing'}, configured is {written or 'nothing'}",
            {
                "key": key,
                "running": running,
                "configured": written,
                "count": len(nodes),
                "nodes": sorted(nodes)[:SHOWN],
            },
        )


def _unsure_keys(context: Context, labels: Mapping[str, object]) -> set[str] | None:
    """Keys that some Node may have another value of, we cannot tell which; None: that is any key."""
    if "ciliumnodeconfigs" in context.state.unknown:
        return None
    if labels:
        return set()
    configs = context.state.of("ciliumnodeconfigs")
    return {key for one in configs for key in ((one.get("spec") or {}).get("defaults") or {})}


def _drift_metric(context: Context) -> Iterator[Finding]:
    changed = {
        node: int(value)
        for node, _labels, value in agent_samples(context, "cilium_drift_checker_config_delta")
        if value > 0
    }
    if changed:
        yield Finding(
            "agent-configuration-differs",
            daemon_set(context),
            f"Agents of {nodes_in_words(changed)} count keys of cilium-config that they do not run with, at most "
            f"{max(changed.values())}",
            {
                "count": len(changed),
                "nodes": sorted(changed)[:SHOWN],
                "keys": max(changed.values()),
                "source": "metric cilium_drift_checker_config_delta",
            },
        )


def _identity_range(context: Context) -> Iterator[Finding]:
    if context.cilium.config is None:
        return
    try:
        configured = range_of_config(context.cilium.config)
    except IdentityRangeError:
        return  # the checks of cilium-config tell
    expected = (configured.minimum, configured.maximum)
    cluster, clusters = (context.cilium.value(key, usual) for key, usual in _RANGE_KEYS.items())
    others: dict[tuple[int, int], list[str]] = {}
    for agent in answering(context):
        if agent.identity_range is not None and agent.identity_range != expected:
            others.setdefault(agent.identity_range, []).append(agent.node)
    for (smallest, largest), nodes in sorted(others.items()):
        yield Finding(
            "agent-identity-range-differs",
            daemon_set(context),
            f"Agents of {nodes_in_words(nodes)} allocate identities {smallest} to {largest}; cluster-id "
            f"{cluster} and max-connected-clusters {clusters} mean {expected[0]} to {expected[1]}",
            {
                "range": [smallest, largest],
                "expected": list(expected),
                "count": len(nodes),
                "nodes": sorted(nodes)[:SHOWN],
            },
        )


def _cidrs(context: Context) -> Iterator[Finding]:
    """An agent reads its CIDR once, when it starts; the object with the truth may have changed since."""
    mode = context.cilium.ipam_mode
    if context.cilium.config is None or mode not in _MODES_WITH_CIDRS:
        return
    if mode == "kubernetes":
        kind, cidrs = "Node", {node: [str(cidr) for cidr in found] for node, found in context.node_cidrs.items()}
    else:
        kind = "CiliumNode"
        cidrs = {
            name_of(node): [str(cidr) for cidr in ((node.get("spec") or {}).get("ipam") or {}).get("podCIDRs") or ()]
            for node in context.state.of("ciliumnodes")
        }
    rows: dict[str, OnNode] = {}
    for agent in answering(context):
        written = cidrs.get(agent.node) or []
        given = [one.cidr for one in agent.ranges if one.cidr]
        foreign = [cidr for cidr in given if not _is_one_of(cidr, written)]
        if written and foreign:
            rows[agent.node] = OnNode(
                f"The agent of Node {agent.node} gives out addresses of {', '.join(foreign)}; its {kind} has "
                f"{', '.join(written)}",
                {"pod": agent.pod, "agent": given, "written": written, "written_in": kind},
            )
    yield from spread(context, "agent-cidr-differs", rows, "Agents give out addresses of another CIDR")


def _is_one_of(cidr: str, others: list[str]) -> bool:
    try:
        return any(parse_network(cidr) == parse_network(other) for other in others)
    except CidrError:
        return True  # what cannot be read is not judged
