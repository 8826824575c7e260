# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a report is made of, whatever it is written in: paragraphs, facts and tables in titled chapters."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_LONGEST_TEXT = 600


@dataclass(frozen=True)
class FindingIds:
    """Ids of findings: HTML links them to their place."""

    ids: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.ids)


Cell: t.TypeAlias = "str | int | float | FindingIds"


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names with their values."""

    rows: Sequence[tuple[str, Cell]]


@dataclass(frozen=True)
class Table:
    """Rows below column names. ``left_out`` rows are not here, only in the JSON report."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    left_out: int = 0


Block: t.TypeAlias = "Paragraph | Facts | Table"


@dataclass(frozen=True)
class Chapter:
    """One titled part of a report; ``key`` is its anchor and the key of the document it comes from."""

    key: str
    title: str
    blocks: Sequence[Block] = field(default_factory=tuple)


def words_of(key: object) -> str:
    """A key of the document as a label: ``without_pod`` is ``Without pod``."""
    text = str(key).replace("_", " ").strip() or "without a name"
    return text[:1].upper() + text[1:]


def cell(value: t.Any) -> Cell:
    """Any value of the document as the content of a table cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return round(value, 1 if abs(value) >= 10 else 3)
    if isinstance(value, int):
        return value
    if isinstance(value, (list, tuple)) and all(not isinstance(one, (Mapping, list, tuple)) for one in value):
        text = ", ".join(str(cell(one)) for one in value) or "none"
    elif isinstance(value, Mapping) and all(not isinstance(one, (Mapping, list, tuple)) for one in value.values()):
        text = ", ".join(f"{name} {cell(one)}" for name, one in value.items()) or "none"
    elif isinstance(value, (Mapping, list, tuple)):
        text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    else:
        text = str(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 3]}..."


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[t.Any]], most: int) -> Table:
    """A table of at most ``most`` rows, which says how many more there are."""
    kept = [tuple(one if isinstance(one, FindingIds) else cell(one) for one in row) for row in rows[:most]]
    return Table(caption, tuple(columns), kept, max(0, len(rows) - most))


def blocks_of(value: Mapping[str, t.Any], most: int, without: Sequence[str] = ()) -> list[Block]:
    """Everything in a part of the document: facts for plain values, a table for each list of mappings or mapping.

    So that what a check adds to its part is in the reports before anybody draws it nicely. Keys in ``without`` are
    shown elsewhere.
    """
    facts: list[tuple[str, Cell]] = []
    tables: list[Block] = []
    for key, one in value.items():
        if key in without:
            continue
        if isinstance(one, Mapping) and one and all(isinstance(row, Mapping) for row in one.values()):
            named = [{"name": name, **row} for name, row in one.items()]
            tables.append(_table_of_mappings(words_of(key), named, most))
        elif isinstance(one, Mapping) and one:
            inner = {name: found for name, found in one.items() if not _is_table(found)}
            if inner:
                rows = [(words_of(name), found) for name, found in inner.items()]
                tables.append(table(words_of(key), ("What", "Value"), rows, most))
            for name in (name for name in one if name not in inner):
                tables.append(_table_of_mappings(f"{words_of(key)}: {name}", one[name], most))
        elif _is_table(one):
            tables.append(_table_of_mappings(words_of(key), one, most))
        else:
            facts.append((words_of(key), cell(one)))
    return [*([Facts(facts)] if facts else []), *tables]


def _is_table(value: t.Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _table_of_mappings(caption: str, rows: Sequence[Mapping[str, t.Any]], most: int) -> Table:
    keys = list(dict.fromkeys(key for row in rows[:most] for key in row))
    return table(caption, [words_of(key) for key in keys], [[row.get(key) for key in keys] for row in rows], most)
