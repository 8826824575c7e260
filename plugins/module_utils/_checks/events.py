# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of events, log lines and objects left behind by Nodes, of the CNI's ranges and of addresses for pods."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    allocation_events,
    cni_network,
    log_lines,
    node_capacity,
    stale_objects,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding

_OWN: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    node_capacity.check,
    cni_network.check,
    stale_objects.check,
    allocation_events.check,
    log_lines.check,
)


def check(context: Context) -> Iterator[Finding]:
    """All findings of these subjects, but for failures of sandboxes: the findings of all subjects explain those."""
    for one in _OWN:
        yield from one(context)
