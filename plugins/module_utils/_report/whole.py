# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A report of its own that consists of chapters: as Markdown, and as one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import Chapter
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markdown import chapter_lines
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markup import chapter, escaped
from ansible_collections.podnet.upkeep.plugins.module_utils._report.page import page


def whole_markdown(title: str, below: str, chapters: Iterable[Chapter]) -> str:
    """The report as Markdown; ``below`` is the line below the title."""
    lines = [f"# {title}", "", below, ""]
    for one in chapters:
        lines += chapter_lines(one)
    return "\n".join(lines).rstrip() + "\n"


def whole_html(title: str, below: str, chapters: Iterable[Chapter], *, links: bool = False) -> str:
    """The report as HTML; ``links``: with links to its chapters in front."""
    made = list(chapters)
    body = [f"<h1>{escaped(title)}</h1>", f'<div class="muted">{escaped(below)}</div>']
    if links:
        to_chapters = "".join(f'<a href="#{escaped(one.key)}">{escaped(one.title)}</a>' for one in made)
        body.append(f'<nav aria-label="Parts of this report">{to_chapters}</nav>')
    body += [chapter(one, {}, {}) for one in made]
    return page(title, "\n".join(body))
