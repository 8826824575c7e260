# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of log lines of controller-manager, CNI and kubelets: each text that matters once, with the Nodes it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import recent
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import counted, first, listed
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import INFO
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_pattern import (
    ASSIGNMENT_FAILED,
    NO_POD_CIDR,
    POOL_EXHAUSTED,
    LogPattern,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_patterns import matching, node_named
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment

# over as soon as the Node has its podCIDRs
_OVER_WITH_POD_CIDRS = frozenset({POOL_EXHAUSTED, ASSIGNMENT_FAILED, NO_POD_CIDR})
# the last bytes of a line say nothing that its first ones do not
_LENGTH = 300


@dataclass
class Group:
    """All lines of one pattern: how many, of which Nodes and pods, the latest, and whether any has a time."""

    pattern: LogPattern
    count: int = 0
    nodes: set[str] = field(default_factory=set)
    pods: set[str] = field(default_factory=set)
    last: str = ""
    example: str = ""

    def add(self, line: Object, node: str) -> None:
        """One more line."""
        self.count += 1
        if node:
            self.nodes.add(node)
        self.pods.add(f"{line.get('namespace', '')}/{line.get('pod', '')}")
        if str(line.get("time") or "") >= self.last:
            self.last = str(line.get("time") or "")
            self.example = str(line.get("text") or "").strip()[:_LENGTH]


def groups(context: Context) -> dict[str, Group]:
    """{pattern: its lines} that still count: of the last hour or without a time, not of an earlier Node, not over."""
    births = recent.node_births(context)
    found: dict[str, Group] = {}
    for line in context.state.of("logs"):
        text = str(line.get("text") or "")
        pattern = matching(text)
        if pattern is None:
            continue
        node = node_named(text)
        node = node if node in births else str(line.get("node") or "")
        if _counts(context, pattern, line, node, births.get(node)):
            found.setdefault(pattern.id, Group(pattern)).add(line, node if node in births else "")
    return found


def _counts(context: Context, pattern: LogPattern, line: Object, node: str, born: object) -> bool:
    seen = moment(str(line.get("time") or ""))
    if line.get("time") and not recent.is_recent(context, seen):
        return False
    # both have a time zone; a Node without a time of birth says nothing
    if seen is not None and born is not None and str(seen) < str(born):
        return False
    return not (pattern.cause in _OVER_WITH_POD_CIDRS and context.node_cidrs.get(node))


def check(context: Context) -> Iterator[Finding]:
    """One finding for each pattern."""
    for identifier, group in sorted(groups(context).items()):
        about = f" about {counted(len(group.nodes), 'Node')} ({listed(group.nodes)})" if group.nodes else ""
        when = f", last at {group.last}" if group.last else ", at times that the log does not say"
        yield Finding(
            "component-log-trouble",
            Subject("Log", identifier),
            f"{group.pattern.meaning} {counted(group.count, 'line')} of {group.pattern.component}{about}{when}",
            {
                "cause": group.pattern.cause,
                "component": group.pattern.component,
                "lines": group.count,
                "nodes": first(group.nodes),
                "count": len(group.nodes),
                "pods": first(group.pods),
                "example": group.example,
            },
            "" if group.last else INFO,
        )
