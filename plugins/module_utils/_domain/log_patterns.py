# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which lines of logs and messages of events matter.

A line is kept or dropped by substring search only, so logs of millions of lines cost little more than reading them.
"""

from __future__ import annotations

import re

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.component_log_texts import COMPONENT_TEXTS
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_pattern import LogPattern
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.sandbox_texts import SANDBOX_TEXTS

__all__ = ["PATTERNS", "LogPattern", "matching", "node_named"]

PATTERNS: tuple[LogPattern, ...] = (*COMPONENT_TEXTS, *SANDBOX_TEXTS)

_NAME = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
# lines name a Node as node="x", nodeName=x, "node":"x", "node":{"name":"x"}, for node: x:, error syncing 'x',
# of the "x" node, node "x" pod cidr
_NODE = re.compile(
    rf"""\bnode(?:Name)?\\?["']?\s*[:=]\s*(?:\{{\\?"name\\?":\s*)?\\?["']?(?P<key>{_NAME})"""
    rf"""|error\ syncing\ \\?['"](?P<sync>{_NAME})"""
    rf"""|of\ the\ \\?["'](?P<quoted>{_NAME})\\?["']\ node"""
    rf"""|\bnode\ \\?["'](?P<bare>{_NAME})\\?["']""",
    re.VERBOSE,
)


def matching(text: str) -> LogPattern | None:
    """The pattern of a log line or of an event's message; None when it does not matter."""
    for pattern in PATTERNS:
        if pattern.text in text and pattern.matches(text):
            return pattern
    return None


def node_named(text: str) -> str:
    """The Node that a line of a cluster-wide component is about; empty when it names none."""
    found = _NODE.search(text)
    return "" if found is None else next(filter(None, found.groups()))
