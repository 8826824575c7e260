# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A picture of a pool: which Node holds which block. Inline SVG, readable without colours by its titles."""

from __future__ import annotations

import html
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool, parse_network, parse_networks

Document = Mapping[str, t.Any]
_WIDTH = 1000
_AXIS = 150
# up to so many blocks there is room for the names of Nodes
_NAMED = 64
# more cells than _MOST_CELLS say nothing to the eye: a larger pool is drawn in _CELLS, of several blocks each
_MOST_CELLS = 1024
_CELLS = 512
_TITLES = 3
# what is odd about a cell is a sign in it, not its colour only
_GLYPHS = {"shared": "!", "odd": "?", "reserved": "s"}


@dataclass
class _Cell:
    """One cell: how many of its blocks are taken, by whom, and what is odd about it."""

    holders: list[tuple[str, str]] = field(default_factory=list)
    taken: int = 0
    reserved: int = 0
    odd: bool = False
    shared: bool = False

    @property
    def kind(self) -> str:
        if self.shared:
            return "shared"
        if self.odd:
            return "odd"
        if self.taken:
            return "used"
        return "reserved" if self.reserved else "free"


def block_map(document: Document, pool: Mapping[str, t.Any]) -> str:
    """The map of one pool of the document, with its key."""
    services = parse_networks(",".join(document["allocator"]["service_ranges"]))
    blocks = BlockPool(parse_network(pool["cluster_cidr"]), pool["node_mask_size"], services)
    per_cell = 1 if blocks.capacity <= _MOST_CELLS else blocks.capacity // _CELLS
    cells = _cells(document, blocks, per_cell)
    return _draw(blocks, cells, per_cell) + _key(cells, per_cell)


def outside(document: Document, pool: Mapping[str, t.Any]) -> list[str]:
    """``Node podCIDR`` of those of the pool's family that the map cannot show."""
    blocks = BlockPool(parse_network(pool["cluster_cidr"]), pool["node_mask_size"])
    found = []
    for node in document["nodes"]:
        for text in node["pod_cidrs"]:
            network = parse_network(text)
            if network.version == blocks.cluster.version and not blocks.touches(network):
                found.append(f"{node['name']} {text}")
    return found


def _cells(document: Document, blocks: BlockPool, per_cell: int) -> list[_Cell]:
    cells = [_Cell() for _index in range(blocks.capacity // per_cell)]
    for first, last in blocks.occupied(()):
        for index in range(first // per_cell, last // per_cell + 1):
            part = min(last, (index + 1) * per_cell - 1) - max(first, index * per_cell) + 1
            cells[index].reserved += part
    owner: dict[int, str] = {}
    for node in document["nodes"]:
        for text in node["pod_cidrs"]:
            network = parse_network(text)
            touched = blocks.indices(network)
            if touched is None:
                continue
            odd = network.prefixlen != blocks.mask_size
            for index in range(touched[0] // per_cell, touched[1] // per_cell + 1):
                cells[index].holders.append((node["name"], text))
                cells[index].odd |= odd
            if touched[1] - touched[0] > blocks.capacity // 2 and per_cell > 1:
                continue  # one Node on most of a huge pool: its cells are odd anyway
            for index in range(touched[0], touched[1] + 1):
                cell = cells[index // per_cell]
                if index in owner and owner[index] != node["name"]:
                    cell.shared = True
                else:
                    cell.taken += 1
                owner[index] = node["name"]
    return cells


def _draw(blocks: BlockPool, cells: list[_Cell], per_cell: int) -> str:
    named = len(cells) <= _NAMED
    columns = min(len(cells), 8 if named else 32)
    rows = -(-len(cells) // columns)
    width = (_WIDTH - _AXIS) / columns
    height = 30.0 if named else min(width, 24.0)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {rows * height:.0f}" role="img" aria-label="Blocks of {blocks.cluster}">']
    for row in range(rows):
        start = blocks.block(row * columns * per_cell).network_address
        parts.append(f'<text x="0" y="{row * height + height / 2 + 4:.1f}">{start}</text>')
    for index, cell in enumerate(cells):
        x, y = _AXIS + (index % columns) * width, (index // columns) * height
        parts.append(
            f'<rect class="{cell.kind}" x="{x + 1:.1f}" y="{y + 1:.1f}" width="{width - 2:.1f}" height="{height - 2:.1f}" rx="3"'
            f"{_opacity(cell, per_cell)}><title>{html.escape(_title(blocks, index, cell, per_cell))}</title></rect>"
        )
        glyph = _GLYPHS.get(cell.kind)
        if glyph and not named:
            parts.append(f'<text class="name mid" x="{x + width / 2:.1f}" y="{y + height / 2 + 4:.1f}">{glyph}</text>')
        if named:
            label, style = _label(cell, int((width - 10) / 6.7))
            parts.append(
                f'<text class="{style}" x="{x + 6:.1f}" y="{y + height / 2 + 4:.1f}">{html.escape(label)}</text>'
            )
    return "".join(parts) + "</svg>"


def _opacity(cell: _Cell, per_cell: int) -> str:
    """Where a cell is many blocks, the stronger its colour, the more of them are taken."""
    if per_cell == 1 or cell.kind != "used":
        return ""
    return f' fill-opacity="{0.25 + 0.75 * min(1.0, cell.taken / per_cell):.2f}"'


def _title(blocks: BlockPool, index: int, cell: _Cell, per_cell: int) -> str:
    first = blocks.block(index * per_cell)
    place = str(first) if per_cell == 1 else f"{first} and {per_cell - 1} more blocks"
    if cell.holders:
        names = ", ".join(f"{name} ({text})" for name, text in cell.holders[:_TITLES])
        more = f" and {len(cell.holders) - _TITLES} more" if len(cell.holders) > _TITLES else ""
        return f"{place}: {names}{more}"
    return f"{place}: {'service range' if cell.reserved else 'free'}"


def _label(cell: _Cell, room: int) -> tuple[str, str]:
    names = list(dict.fromkeys(name for name, _text in cell.holders))
    if not names:
        return ("service" if cell.reserved else ""), "dark"
    text = names[0] if len(names) == 1 else f"{names[0]} +{len(names) - 1}"
    return (text if len(text) <= room else f"{text[: max(1, room - 1)]}\u2026"), "name"


def _key(cells: list[_Cell], per_cell: int) -> str:
    words = {
        "used": "held by a Node",
        "shared": "held by several Nodes",
        "odd": "podCIDR of another size",
        "reserved": "service range",
        "free": "free",
    }
    present = {cell.kind for cell in cells}
    items = [
        f'<span><i class="{kind}">{_GLYPHS.get(kind, "")}</i>{text}</span>'
        for kind, text in words.items()
        if kind in present
    ]
    if per_cell > 1:
        items.append(
            f"<span>each cell stands for {per_cell} blocks; the stronger its colour, the more are taken</span>"
        )
    return f'<div class="key">{"".join(items)}</div>'
