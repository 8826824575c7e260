# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""All agents that were asked, read once for every check of them, and how findings about many of them are put."""

from __future__ import annotations

import datetime
import typing as t
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_metrics import AGENT
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_status import Agent
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.prometheus_text import values

SHOWN = 10
# where more Nodes than these have one fault, it is one fault of the cluster and one finding
MOST_FINDINGS = 50
# the read agents of an audit, as long as there is one
_READ: weakref.WeakKeyDictionary[Context, list[Agent]] = weakref.WeakKeyDictionary()


def agents_of(context: Context) -> list[Agent]:
    """Every agent that was asked, in the order of Nodes; empty when none was."""
    if context not in _READ:
        entries = [Agent(entry) for entry in context.state.of("agents")]
        _READ[context] = sorted(entries, key=lambda one: (one.node, one.pod))
    return _READ[context]


def answering(context: Context) -> list[Agent]:
    """Those that gave their status."""
    return [one for one in agents_of(context) if one.answered]


def agent_samples(context: Context, metric: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """(Node, labels, value) of one metric of all agents whose metrics were read."""
    for entry in context.state.of("metrics"):
        if entry.get("component") == AGENT:
            for labels, value in values(entry.get("samples") or {}, metric):
                yield str(entry.get("node") or entry.get("pod") or ""), labels, value


def daemon_set(context: Context) -> Subject:
    """The agents as one object."""
    return Subject("DaemonSet", "cilium", context.cilium.namespace)


def nodes_in_words(names: t.Collection[str]) -> str:
    """``Node a``, ``Nodes a, b``, or the first few and a count."""
    ordered = sorted(names)
    if len(ordered) == 1:
        return f"Node {ordered[0]}"
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return f"{len(ordered)} Nodes ({', '.join(ordered[:SHOWN])}{more})"


@dataclass(frozen=True)
class OnNode:
    """What a finding says about one Node."""

    summary: str
    evidence: Mapping[str, t.Any]
    level: str = ""


def spread(context: Context, identifier: str, rows: Mapping[str, OnNode], fault: str) -> Iterator[Finding]:
    """One finding for each Node; one for all together, with ``fault`` as its sentence, where they are very many."""
    if len(rows) <= MOST_FINDINGS:
        for node, one in sorted(rows.items()):
            yield Finding(identifier, Subject("Node", node), one.summary, one.evidence, one.level)
        return
    ordered = sorted(rows.items())
    levels = {one.level for one in rows.values()}
    yield Finding(
        identifier,
        daemon_set(context),
        f"{fault} on {len(rows)} Nodes, for example: {ordered[0][1].summary}",
        {
            "count": len(rows),
            "nodes": [node for node, _one in ordered[:SHOWN]],
            "example": dict(ordered[0][1].evidence),
        },
        levels.pop() if len(levels) == 1 else "",
    )


def time_in_words(moment: datetime.datetime | None) -> str:
    """RFC 3339, or empty."""
    return moment.isoformat().replace("+00:00", "Z") if moment else ""
