# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A simulated label filter as a report of its own."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._report.label_filter import filter_chapter
from ansible_collections.podnet.upkeep.plugins.module_utils._report.whole import whole_html, whole_markdown
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import Part

_TITLE = "Simulated label filter"


def html(part: Part, taken_at: str, origin: str) -> str:
    """The simulation as an HTML file of its own."""
    return whole_html(_TITLE, f"{origin}, {taken_at}", filter(None, [filter_chapter(part)]))


def markdown(part: Part, taken_at: str, origin: str) -> str:
    """The simulation as Markdown."""
    return whole_markdown(_TITLE, f"{origin}, {taken_at}", filter(None, [filter_chapter(part)]))
