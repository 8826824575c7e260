# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A simulated label filter as a report of its own."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._report.label_filter import filter_chapter
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markdown import chapter_lines
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markup import chapter, escaped
from ansible_collections.podnet.upkeep.plugins.module_utils._report.page import page
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import Part


def html(part: Part, taken_at: str, origin: str) -> str:
    """The simulation as an HTML file of its own."""
    made = filter_chapter(part)
    body = f'<h1>Simulated label filter</h1><div class="muted">{escaped(origin)}, {escaped(taken_at)}</div>'
    return page("Simulated label filter", body + (chapter(made, {}, {}) if made else ""))


def markdown(part: Part, taken_at: str, origin: str) -> str:
    """The simulation as Markdown."""
    made = filter_chapter(part)
    head = ["# Simulated label filter", "", f"{origin}, {taken_at}", ""]
    return "\n".join([*head, *(chapter_lines(made) if made else ())]).rstrip() + "\n"
