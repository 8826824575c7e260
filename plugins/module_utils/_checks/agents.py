# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of answers of Cilium agents: who answers, who is well, which controllers and endpoints are stuck."""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import agents_capacity, agents_drift
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.agents_view import (
    SHOWN,
    OnNode,
    agents_of,
    answering,
    daemon_set,
    nodes_in_words,
    spread,
    time_in_words,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_status import (
    OK,
    Agent,
    AgentEndpoint,
    Controller,
)

# one or two failures in a row are retried and ordinary
_FAILURES = 3
_RESOLVE_IDENTITY = "resolve-identity"
# an endpoint is ready within seconds; regeneration of many takes minutes
_STUCK = datetime.timedelta(minutes=5)


def check(context: Context) -> Iterator[Finding]:
    """Everything that agents say about themselves; nothing when none was asked."""
    yield from _silent(context)
    yield from _unwell(context)
    yield from _controllers(context)
    yield from _stuck_endpoints(context)
    yield from agents_capacity.check(context)
    yield from agents_drift.check(context)


def section(context: Context) -> dict[str, t.Any] | None:
    """How many agents were asked, how many answered, and which controllers fail how often; None when none was asked."""
    agents = agents_of(context)
    if not agents:
        return None
    families: Counter[str] = Counter(one.family for agent in agents for one in agent.failing)
    return {
        "asked": len(agents),
        "answered": sum(1 for one in agents if one.answered and not one.error),
        "versions": dict(sorted(Counter(one.version for one in agents if one.version).items())),
        "failing_controllers": dict(sorted(families.items())),
    }


def _silent(context: Context) -> Iterator[Finding]:
    """By what went wrong: one broken way to the kubelets makes thousands of agents silent."""
    silent = [one for one in agents_of(context) if one.error]
    if not silent:
        return
    nodes = {one.node for one in silent}
    causes = Counter(one.error.replace(one.pod, "POD") for one in silent)
    asked = len(agents_of(context))
    yield Finding(
        "agent-silent",
        daemon_set(context),
        f"{len(silent)} of {asked} agents did not answer, or not to everything: {nodes_in_words(nodes)}",
        {
            "count": len(silent),
            "asked": asked,
            "nodes": sorted(nodes)[:SHOWN],
            "causes": [{"error": error, "agents": number} for error, number in causes.most_common(SHOWN)],
        },
    )


def _unwell(context: Context) -> Iterator[Finding]:
    unwell: dict[str, OnNode] = {}
    cut_off: dict[str, OnNode] = {}
    for agent in answering(context):
        state, message = agent.state("cilium")
        hanging = sorted(agent.stale)
        if (state and state != OK) or hanging:
            words = f"says of itself {state}: {message}" if state != OK else f"cannot tell about {', '.join(hanging)}"
            evidence = {"pod": agent.pod, "state": state, "message": message, "hanging_probes": dict(agent.stale)}
            unwell[agent.node] = OnNode(f"The agent of Node {agent.node} {words}", evidence)
        state, message = agent.state("kubernetes")
        if state and state not in (OK, "Disabled"):
            said = f": {message}" if message else ""
            cut_off[agent.node] = OnNode(
                f"The agent of Node {agent.node} has no good connection to the Kubernetes API ({state}{said})",
                {"pod": agent.pod, "state": state, "message": message},
            )
    yield from spread(context, "agent-unwell", unwell, "Agents are not well")
    yield from spread(context, "agent-kubernetes-unreachable", cut_off, "Agents cannot reach the Kubernetes API")


def _controllers(context: Context) -> Iterator[Finding]:
    """resolve-identity has findings of its own (agents_capacity knows what its messages mean)."""
    failing: dict[str, list[tuple[Agent, Controller]]] = {}
    for agent in answering(context):
        for one in agent.failing:
            if one.failures >= _FAILURES and not agents_capacity.names_a_limit(one.message):
                failing.setdefault(one.family, []).append((agent, one))
    for family, found in sorted(failing.items()):
        identifier = "agent-identity-unresolved" if family == _RESOLVE_IDENTITY else "agent-controller-failing"
        nodes = {agent.node for agent, _one in found}
        worst_agent, worst = max(found, key=lambda pair: (pair[1].failures, pair[0].node))
        yield Finding(
            identifier,
            daemon_set(context),
            f"Controller {family} fails on {nodes_in_words(nodes)}, on {worst_agent.node} {worst.failures} times in a "
            f"row: {worst.message or 'without a message'}",
            {
                "controller": family,
                "count": len(found),
                "nodes": sorted(nodes)[:SHOWN],
                "message": worst.message,
                "failures_in_a_row": worst.failures,
                "last_failure": time_in_words(worst.failed_at),
                "last_success": time_in_words(worst.succeeded_at),
            },
        )


def _stuck_endpoints(context: Context) -> Iterator[Finding]:
    rows: dict[str, OnNode] = {}
    for agent in agents_of(context):
        stuck = [one for one in agent.endpoints or () if not one.settled and _waits(context, one) >= _STUCK]
        if not stuck:
            continue
        stuck.sort(key=lambda one: (-_waits(context, one).total_seconds(), one.id))
        first = stuck[0]
        number = f"{len(stuck)} endpoints" if len(stuck) > 1 else "1 endpoint"
        minutes = int(_waits(context, first).total_seconds() // 60)
        about = first.pod or f"endpoint {first.id}"
        rows[agent.node] = OnNode(
            f"Node {agent.node} has {number} that are not ready, {about} in state {first.state} for {minutes} minutes",
            {
                "count": len(stuck),
                "states": dict(sorted(Counter(one.state for one in stuck).items())),
                "endpoints": [
                    {
                        "id": one.id,
                        "pod": one.pod,
                        "state": one.state,
                        "since": time_in_words(one.since),
                        "message": one.message,
                    }
                    for one in stuck[:SHOWN]
                ],
            },
        )
    yield from spread(context, "agent-endpoint-stuck", rows, "Endpoints are not ready for long")


def _waits(context: Context, endpoint: AgentEndpoint) -> datetime.timedelta:
    """How long it has been in its state at least; its log may not reach back to the beginning."""
    return context.state.taken_at - endpoint.since if endpoint.since else datetime.timedelta()
