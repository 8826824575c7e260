# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The result of a stress test of identities for terminals and as Markdown."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words
from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import (
    Chapter,
    Facts,
    Paragraph,
    cell,
    words_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markdown import chapter_lines

Document = Mapping[str, t.Any]


def stress_lines(document: Document) -> list[str]:
    """What was measured, in a few lines."""
    allocation, recovery = document["allocation"], document["recovery"]
    lines = [
        f"{allocation.get('identities', 0)} of {document['identities_wanted']} identities were made for "
        f"{document['pods_created']} pods in {_seconds(allocation.get('seconds'))} "
        f"({_rate(allocation.get('per_second'))}); a pod waited {_seconds(allocation.get('wait_median_seconds'))}, 95 percent of "
        f"them at most {_seconds(allocation.get('wait_95_percent_seconds'))}"
    ]
    if allocation.get("missing"):
        lines.append(f"{allocation['missing']} pods got no identity in time")
    if allocation.get("duplicates"):
        lines.append(f"{allocation['duplicates']} identities had the labels of another one that was there")
    if allocation.get("collected_early"):
        lines.append(
            f"{allocation['collected_early']} identities were collected although their pods were there: no endpoint named them"
        )
    if recovery:
        expected = recovery["expected_seconds"]
        end = (
            f"all were gone after {_seconds(recovery['seconds'])}"
            if recovery["recovered"]
            else f"{recovery['identities_left']} are still there"
        )
        lines.append(
            f"{end}; by the settings of the collection that takes {words(expected['usual'])}, and {words(expected['longest'])} at "
            f"most; {recovery['collected']} deletions were seen ({_rate(recovery['collected_per_second'])})"
        )
    lines.append("the namespace of the test is gone" if document["clean"] else document["left"])
    if document["stopped"]:
        lines.append(f"the test stopped early: {document['stopped']}")
    return lines


def _seconds(value: t.Any) -> str:
    return "an unknown time" if value is None else f"{value:,.1f} s"


def _rate(value: t.Any) -> str:
    return "rate unknown" if value is None else f"{value:,.1f} a second"


def stress_markdown(document: Document) -> str:
    """The whole result as Markdown."""
    lines = ["# Stress test of identities", "", f"Cluster {document['server']}, {document['started']}.", ""]
    chapters = [Chapter("summary", "Summary", [Paragraph(f"{line}.") for line in stress_lines(document)])]
    for key, title in (("allocation", "Allocation"), ("recovery", "Recovery"), ("plan", "Plan")):
        rows = [(words_of(name), cell(value)) for name, value in (document.get(key) or {}).items()]
        chapters.append(Chapter(key, title, [Facts(rows)] if rows else [Paragraph("Nothing was measured.")]))
    for one in chapters:
        lines += chapter_lines(one)
    return "\n".join(lines).rstrip() + "\n"
