# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of CiliumEndpoints; each part is in a file of its own (endpoint_*.py)."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    endpoint_pods,
    endpoint_slices,
    endpoint_states,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding


def check(context: Context) -> Iterator[Finding]:
    """Every endpoint-* finding and pod-without-endpoint; none where there is no Cilium."""
    if not context.cilium.installed:
        return
    yield from endpoint_states.check(context)
    yield from endpoint_pods.check(context)
    yield from endpoint_slices.check(context)


def section(context: Context) -> dict[str, t.Any] | None:
    """Numbers of endpoints: all, by state, by Node (an empty name: Node not known), without pod; pods without endpoint.

    None without Cilium or where endpoints are unknown; a part is null where pods are.
    """
    if not context.cilium.installed or not context.state.knows("ciliumendpoints"):
        return None
    by_node: dict[str, Counter[str]] = {}
    states: Counter[str] = Counter()
    for (node, state), count in Counter((one.node, one.state) for one in of(context).endpoints).items():
        by_node.setdefault(node, Counter())[state] = count
        states[state] += count
    without = endpoint_pods.without_pod(context)
    lacking = endpoint_pods.pods_without_endpoint(context)
    return {
        "count": len(context.state.of("ciliumendpoints")),
        "states": dict(sorted(states.items())),
        "nodes": [
            {"node": node, "endpoints": sum(found.values()), "states": dict(sorted(found.items()))}
            for node, found in sorted(by_node.items())
        ],
        "without_pod": None if without is None else len(without),
        "pods_without_endpoint": None if lacking is None else sum(len(pods) for pods in lacking.values()),
    }
