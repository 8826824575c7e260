# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit as Markdown, for tickets and wikis."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import (
    Block,
    Chapter,
    Facts,
    Paragraph,
    cell,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._report.chapters import chapters
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import (
    Document,
    about,
    cilium_line,
    deletions,
    headline,
    missing,
    node_addresses,
    pools_decide,
)

# of one kind; the JSON report has all
_MOST_FINDINGS = 500


def markdown(document: Document) -> str:
    """The whole report as Markdown. Texts of the cluster stay text."""
    model, allocator = document["ipam_model"], document["allocator"]
    lines = [
        "# Pod network audit",
        "",
        f"Taken at {document['taken_at']}, Kubernetes {_text(document['server_version'] or 'of unknown version')}.",
        "",
        f"**{headline(document)}**",
        "",
        f"IPAM model: {_text(model['name'])} ({_text(model['evidence'])}). {_text(model['description'])}",
        "",
        f"Settings of the allocator from {_text(allocator['source'])}.",
        "",
    ]
    if cilium := cilium_line(document):
        lines += [f"{_text(cilium)}.", ""]
    made = {chapter.key: chapter for chapter in chapters(document)}
    if compared := made.pop("comparison", None):
        lines += chapter_lines(compared)
    if document["pools"]:
        keys = ("family", "cluster_cidr", "node_mask_size", "capacity", "used", "reserved_by_service_ranges", "free")
        head = ("family", "cluster CIDR", "block", "blocks", "used", "of them service range", "free")
        lines += ["## Pools", ""]
        if not pools_decide(document):
            lines += ["The CNI of this cluster keeps its own books: pods get no addresses from these blocks.", ""]
        lines += [*_table(head, [[pool[key] for key in keys] for pool in document["pools"]])]
    lines += ["## Findings", ""]
    if not document["findings"]:
        lines += ["None.", ""]
    groups: dict[tuple[str, str], list[Mapping[str, t.Any]]] = {}
    for finding in document["findings"]:
        groups.setdefault((finding["severity"], finding["id"]), []).append(finding)
    for findings in groups.values():
        lines += _findings(findings)
    if document["unknown"]:
        lines += ["## Unknown", "", *_unknown(document)]
    for one in made.values():
        lines += chapter_lines(one)
    lines += ["## Nodes", "", *_nodes(document)]
    return "\n".join(lines)


def _text(value: object) -> str:
    """A text that stays in its line and its table cell, and stays text."""
    safe = re.sub(r"([\\|`*\[\]]|_(?!\w)|(?<!\w)_)", r"\\\1", str(value)).replace("<", "&lt;")
    return " ".join(safe.split())


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(_text(one) for one in head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(_text(one) for one in row) + " |" for row in rows), ""]


def _code(text: object) -> str:
    """A command as code: fenced by more backticks than it holds."""
    line = " ".join(str(text).split())
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest else f"{fence}{line}{fence}"


def _findings(findings: Sequence[Mapping[str, t.Any]]) -> Iterator[str]:
    """Findings of one kind: what it means and what mends it once, then a row for each subject."""
    first = findings[0]
    remedy = first["remedy"]
    yield from (
        f"### {first['severity']}: {_text(first['title'])} ({len(findings)})",
        "",
        f"`{first['id']}`: {_text(first['meaning'])} {_text(first['why'])}",
        "",
    )
    rows = [(f"{one['subject']['kind']} {about(one['subject'])}", one["summary"]) for one in findings[:_MOST_FINDINGS]]
    yield from _table(("about", "what was found"), rows)
    if len(findings) > _MOST_FINDINGS:
        yield from (f"{_MOST_FINDINGS} of {len(findings)} are shown; the JSON report has all.", "")
    verify = first["verify"] if len(findings) == 1 else first["verify_of_kind"]
    if first.get("place"):
        yield f"- Place in the decision path: `{first['place']}`"
    yield f"- Verify by hand: {_code(verify)}"
    yield f"- Remedy: {_text(remedy['text'])}"
    if remedy["command"]:
        command = remedy["command"] if len(findings) == 1 else f"ansible-playbook -i INVENTORY {remedy['playbook']}"
        yield f"- Plan of the repair (writes nothing): {_code(command + ' --check --diff')}"
    yield ""


def chapter_lines(chapter: Chapter) -> Iterator[str]:
    """One chapter, whatever report it is of."""
    yield from (f"## {_text(chapter.title)}", "")
    for block in chapter.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield from (_text(block.text), "")
    elif isinstance(block, Facts):
        yield from (f"- {_text(name)}: {_text(value)}" for name, value in block.rows)
        yield ""
    else:
        yield from (f"{_text(block.caption)}:", "", *_table(block.columns, block.rows))
        if block.left_out:
            yield from (f"{len(block.rows)} of {len(block.rows) + block.left_out} rows are shown.", "")


def _unknown(document: Document) -> list[str]:
    lacking = missing(document)
    rows = [(name, why, "yes" if name in lacking else "no") for name, why in sorted(document["unknown"].items())]
    return _table(("what", "why", "matters here"), rows)


def _nodes(document: Document) -> list[str]:
    nodes, addresses = document["nodes"], node_addresses(document)
    providers = any(node.get("provider") is not None for node in nodes)
    rows = [
        [
            node["name"],
            ", ".join(node["pod_cidrs"]) or "none",
            node["ready"],
            node["severity"],
            ", ".join(node["findings"]),
            *([cell(node.get("provider"))] if providers else []),
            *([cell(addresses.get(node["name"], {}).get("free"))] if addresses else []),
        ]
        for node in nodes
    ]
    head = ["Node", "podCIDRs", "Ready", "state", "findings", *(["provider"] if providers else [])]
    if addresses:
        head.append("free addresses")
    made = _table(head, rows)
    if kinds := deletions(document):
        made += ["What deleting a Node does:", "", *_table(("provider", "Nodes", "if a Node is deleted"), kinds)]
    return made
