# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Pieces of markup: whatever text goes in, it stays text."""

from __future__ import annotations

import html
import typing as t
from collections.abc import Collection, Iterable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import (
    Block,
    Cell,
    Chapter,
    Facts,
    FindingIds,
    Paragraph,
    Table,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import number

# longer tables start closed
OPEN_ROWS = 25


def escaped(value: object) -> str:
    """Text for elements and for attributes in quotes."""
    return html.escape(str(value), quote=True)


def tag(severity: str) -> str:
    """A severity as a label; it is a word, so that its colour says nothing more."""
    return f'<span class="tag {escaped(severity)}">{escaped(severity)}</span>'


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names with values that are markup already."""
    return "<dl>" + "".join(f"<dt>{escaped(name)}</dt><dd>{value}</dd>" for name, value in rows) + "</dl>"


def sortable(caption: str, columns: Sequence[tuple[str, bool]], rows: Sequence[str], left_out: int = 0) -> str:
    """A table that a script makes sortable. ``columns``: name, and whether it holds numbers; ``rows`` are markup.

    ``left_out``: so many further rows are in the JSON report only, which is said below the table.
    """
    heads = "".join(
        f'<th scope="col" class="n">{escaped(name)}</th>' if numeric else f'<th scope="col">{escaped(name)}</th>'
        for name, numeric in columns
    )
    more = (
        f'<p class="small muted">{len(rows)} of {len(rows) + left_out} rows are shown; the JSON report has all.</p>'
        if left_out
        else ""
    )
    # two columns with a number far from its name are hard to read
    style = "sortable slim" if [numeric for _name, numeric in columns] == [False, True] else "sortable"
    return (
        f'<div class="scroll"><table class="{style}"><caption>{escaped(caption)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>{more}"
    )


def folded(summary: str, markup: str, count: int) -> str:
    """Long markup behind one line that opens it."""
    return f"<details><summary>{escaped(summary)}</summary>{markup}</details>" if count > OPEN_ROWS else markup


def chapter(
    made: Chapter, anchors: Mapping[str, str], drawings: Mapping[str, str], closed: Collection[str] = ()
) -> str:
    """A chapter as a section. ``anchors``: where findings stand, by id; ``drawings``: markup shown first, by key."""
    inner = drawings.get(made.key, "") + "".join(_block(one, anchors) for one in made.blocks)
    if made.key in closed:
        inner = f"<details><summary>show</summary>{inner}</details>"
    return f'<section><h2 id="{escaped(made.key)}">{escaped(made.title)}</h2><div class="panel">{inner}</div></section>'


def _block(block: Block, anchors: Mapping[str, str]) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{escaped(block.text)}</p>"
    if isinstance(block, Facts):
        return facts((name, _cell(value, anchors)) for name, value in block.rows)
    return _table(block, anchors)


def _table(block: Table, anchors: Mapping[str, str]) -> str:
    numeric = [
        bool(block.rows) and all(isinstance(row[index], (int, float)) or row[index] == "unknown" for row in block.rows)
        for index in range(len(block.columns))
    ]
    rows = [
        "<tr>"
        + "".join(_column(value, anchors, is_number) for value, is_number in zip(row, numeric, strict=False))
        + "</tr>"
        for row in block.rows
    ]
    made = sortable(block.caption, list(zip(block.columns, numeric, strict=True)), rows, block.left_out)
    return folded(f"{block.caption}: {len(rows) + block.left_out} rows", made, len(rows))


def _column(value: Cell, anchors: Mapping[str, str], numeric: bool) -> str:
    style = ' class="n"' if numeric else ""
    shown = number(value) if numeric and not isinstance(value, FindingIds) else _cell(value, anchors)
    return f"<td{style}>{shown}</td>"


def _cell(value: Cell, anchors: Mapping[str, str]) -> str:
    if isinstance(value, FindingIds):
        return ", ".join(_link(one, anchors) for one in value.ids) or '<span class="muted">none</span>'
    return escaped(value)


def _link(identifier: str, anchors: Mapping[str, str]) -> str:
    place: t.Final = anchors.get(identifier)
    text = f"<code>{escaped(identifier)}</code>"
    return f'<a href="#{escaped(place)}">{text}</a>' if place else text
