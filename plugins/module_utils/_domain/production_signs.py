# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Signs that a cluster is used for real, by what can be counted in it. One of them is enough to ask twice."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass

#: More than this is no cluster that was made for a test.
MOST_NODES, MOST_NAMESPACES, MOST_PODS = 10, 10, 100
MOST_DAYS = 30.0
_NAME: t.Final = re.compile(r"(?:^|[^a-z])(?:prod|prd|production|live)(?:[^a-z]|$)", re.IGNORECASE)
_SHOWN = 5


@dataclass(frozen=True)
class ClusterFacts:
    """What was counted; None is what could not be read. ``namespaces`` and ``pods`` are those of users, not of the system.

    ``names`` are all names of the cluster as a whole: of its server, of the mesh.
    """

    nodes: int | None
    oldest_node_days: float | None
    namespaces: Sequence[str] | None
    oldest_namespace_days: float | None
    pods: int | None
    names: Sequence[str] = ()


def signs(facts: ClusterFacts) -> list[str]:
    """What makes it look like production, in words; what could not be read is a sign too."""
    found = [
        f"{what} could not be read"
        for what, value in (("nodes", facts.nodes), ("namespaces", facts.namespaces), ("pods", facts.pods))
        if value is None
    ]
    if facts.nodes is not None and facts.nodes > MOST_NODES:
        found.append(f"it has {facts.nodes} Nodes, more than {MOST_NODES}")
    if facts.pods is not None and facts.pods > MOST_PODS:
        found.append(f"{facts.pods} pods run outside of the namespaces of the system, more than {MOST_PODS}")
    if facts.namespaces is not None and len(facts.namespaces) > MOST_NAMESPACES:
        found.append(f"it has {len(facts.namespaces)} namespaces of users, more than {MOST_NAMESPACES}")
    for what, days in (("Node", facts.oldest_node_days), ("namespace of users", facts.oldest_namespace_days)):
        if days is not None and days > MOST_DAYS:
            found.append(f"its oldest {what} is {days:.0f} days old, more than {MOST_DAYS:.0f}")
    named = [name for name in (*facts.names, *(facts.namespaces or ())) if _NAME.search(name)]
    if named:
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        found.append(f"a name says so: {', '.join(named[:_SHOWN])}{more}")
    return found
