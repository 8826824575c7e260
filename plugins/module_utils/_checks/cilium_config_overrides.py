# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of what differs from Node to Node: CiliumNodeConfig objects."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_config_values import invalid, shown
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import AGENT
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_overrides import (
    NodeOverride,
    conflicts,
    selected_nodes,
)

_MOST_SHOWN = 10


def check_overrides(context: Context) -> Iterator[Finding]:
    """Which Nodes run with other values than cilium-config says, and where two objects disagree about a Node."""
    objects = [
        NodeOverride(name_of(one), spec.get("defaults") or {}, spec.get("nodeSelector"))
        for one in context.state.of("ciliumnodeconfigs")
        if (one["metadata"].get("namespace") or context.cilium.namespace) == context.cilium.namespace
        for spec in (one.get("spec") or {},)
    ]
    if not objects:
        return
    nodes = {name_of(node): node["metadata"].get("labels") or {} for node in context.state.nodes}
    selected = selected_nodes(objects, nodes)
    namespace = context.cilium.namespace
    for name, (override, chosen) in selected.items():
        subject = Subject("CiliumNodeConfig", name, namespace)
        yield _override(context, subject, override, chosen)
        for key, value in sorted(override.defaults.items()):
            reason = invalid(key, value, context.cilium.version).get(AGENT)
            if reason:
                where = f"the agents of {len(chosen)} Nodes" if chosen else "an agent that it selects"
                yield Finding(
                    "cilium-config-value-invalid",
                    subject,
                    f"{key}: {shown(value)} in CiliumNodeConfig {name}: {where} will not start with it ({reason})",
                    {
                        "key": key,
                        "value": value,
                        "nodes": list(chosen[:_MOST_SHOWN]),
                        "reason": reason,
                        "stops": [AGENT],
                    },
                )
    for conflict in conflicts(selected):
        yield Finding(
            "cilium-node-config-conflict",
            Subject("CiliumNodeConfig", conflict.loser, namespace),
            f"{conflict.key} of {_nodes(conflict.nodes)} is {shown(conflict.losing_value)} in {conflict.loser} and "
            f"{shown(conflict.winning_value)} in {conflict.winner}, whose name comes later and wins",
            {
                "key": conflict.key,
                "winner": conflict.winner,
                "values": {conflict.loser: conflict.losing_value, conflict.winner: conflict.winning_value},
                "nodes": list(conflict.nodes[:_MOST_SHOWN]),
                "count": len(conflict.nodes),
            },
        )


def _override(context: Context, subject: Subject, override: NodeOverride, chosen: tuple[str, ...]) -> Finding:
    config = context.cilium.config or {}
    changed = {
        key: {"node_config": value, "cilium_config": config.get(key)}
        for key, value in sorted(override.defaults.items())
    }
    keys = ", ".join(list(changed)[:_MOST_SHOWN])
    return Finding(
        "cilium-node-config-override",
        subject,
        f"{subject.name} sets {keys} for {_nodes(chosen)}",
        {"keys": changed, "nodes": list(chosen[:_MOST_SHOWN]), "count": len(chosen)},
    )


def _nodes(names: tuple[str, ...]) -> str:
    if not names:
        return "no Node"
    if len(names) == 1:
        return f"Node {names[0]}"
    return f"{len(names)} Nodes ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
