# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What maintenance of an etcd is about to do, and how its members are, for people."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Plan, in_words
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Picture, alarms_in_words

Section = dict[str, t.Any]


def lines_of(picture: Picture) -> str:
    """A line for each member, for the diff."""
    rows = []
    for member in picture.members:
        size = in_words(member.status.size) if member.status else "unknown"
        in_use = in_words(member.status.in_use) if member.status else "unknown"
        rows.append(f"{member.title}: {size}, {in_use} in use\n")
    rows.append(f"alarms: {alarms_in_words(picture.alarms or (), picture) or 'none'}\n")
    return "".join(rows)


def lines_after(picture: Picture, chosen: Plan) -> str:
    """The same as it will be when all is done that is planned."""
    rows = []
    for member in picture.members:
        size = in_words(member.status.size) if member.status else "unknown"
        in_use = in_words(member.status.in_use) if member.status else "unknown"
        due = member.identifier in chosen.defragment
        less = " or less, after compaction" if chosen.compact_to else ""
        rows.append(f"{member.title}: about {in_use}{less}\n" if due else f"{member.title}: {size}, {in_use} in use\n")
    raised = "" if chosen.disarm else alarms_in_words(picture.alarms or (), picture)
    rows.append(f"alarms: {raised or 'none'}\n")
    return "".join(rows)


def plan_section(picture: Picture, chosen: Plan) -> Section:
    """What is to be done, for people; members by name."""
    return {
        "compact_to": chosen.compact_to,
        "defragment": [picture.named(one) for one in chosen.defragment],
        "disarm": chosen.disarm,
        "reasons": dict(chosen.reasons),
    }
