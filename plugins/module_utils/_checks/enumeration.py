# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Names of many objects for sentences and evidence: the first few and a count."""

from __future__ import annotations

from collections.abc import Collection, Iterable

# sentences and evidence name at most so many: what helps, not everything
SHOWN = 10
# where more objects than these have one fault, it is one fault of the cluster and one finding
MOST_FINDINGS = 50


def listed(names: Collection[str]) -> str:
    """The first names in their order, and how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - SHOWN
    return ", ".join(ordered[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def first(names: Iterable[str]) -> list[str]:
    """The first names in their order, for evidence; say the count beside it."""
    return sorted(names)[:SHOWN]


def counted(number: int, singular: str, plural: str = "") -> str:
    """1 Node, 2 Nodes."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
