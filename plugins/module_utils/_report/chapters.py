# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The chapters of a report beside findings, pools and Nodes; each is absent where the audit has no such part."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import (
    Block,
    Chapter,
    Facts,
    FindingIds,
    Paragraph,
    blocks_of,
    table,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._report.label_filter import filter_chapter
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import (
    Document,
    about,
    cilium_line,
    cilium_pools,
    collection_line,
    comparison_line,
    endpoint_line,
    forecast_line,
    identity_line,
    number,
    part_of,
    rows_of,
)

# longer tables are cut; the JSON report has all
_MOST_ROWS = 200
_LONG_CHANGES = 500


def chapters(document: Document) -> list[Chapter]:
    """Chapters in their order: what changed, how to decide, the model, Cilium, agents, kvstore, what else there is."""
    made = (
        _comparison(document),
        _decision_path(document),
        _model(document),
        _identities(document),
        filter_chapter(part_of(document, "label_filter")),
        _cilium_pools(document),
        _endpoints(document),
        _plain(document, "control_plane", "Control plane"),
        _plain(document, "agents", "Cilium agents"),
        _kvstore(document),
    )
    return [one for one in made if one is not None]


def _plain(document: Document, key: str, title: str, without: Sequence[str] = ()) -> Chapter | None:
    found = part_of(document, key)
    blocks = blocks_of(found, _MOST_ROWS, without) if found else []
    return Chapter(key, title, blocks) if blocks else None


def _kvstore(document: Document) -> Chapter | None:
    if (part_of(document, "kvstore") or {}).get("used") is False:
        return Chapter("kvstore", "Key-value store", [Paragraph("Cilium of this cluster uses none.")])
    return _plain(document, "kvstore", "Key-value store")


def _comparison(document: Document) -> Chapter | None:
    comparison = part_of(document, "comparison")
    if comparison is None:
        return None
    blocks: list[Block] = [Paragraph(f"{comparison_line(document)}.")]
    for key, words in (("not_readable_now", "now"), ("not_readable_before", "then")):
        if comparison.get(key):
            blocks.append(
                Paragraph(
                    f"Not readable {words}, but in the other audit: {', '.join(comparison[key])}. What depends on it cannot be compared."
                )
            )
    for key, caption in (("new", "New findings"), ("gone", "Findings that are gone")):
        rows = [
            (
                one["severity"],
                FindingIds((one["id"],)),
                f"{one['subject']['kind']} {about(one['subject'])}",
                one["summary"],
            )
            for one in rows_of(comparison[key])
        ]
        if rows:
            blocks.append(table(caption, ("Severity", "Finding", "About", "What was found"), rows, _LONG_CHANGES))
    return Chapter("comparison", "Compared with the older audit", blocks)


def _decision_path(document: Document) -> Chapter | None:
    rows = [
        (
            step.get("step"),
            step.get("question"),
            step.get("answer"),
            step.get("then") or "",
            FindingIds(tuple(str(one) for one in step.get("findings") or ())),
        )
        for step in rows_of(document.get("decision_path"))
    ]
    if not rows:
        return None
    return Chapter(
        "decision_path",
        "Decision path",
        [table("The questions of the flowchart, answered for this cluster", ("Step", "Question", "Answer", "What to do", "Findings"), rows, _MOST_ROWS)],
    )  # fmt: skip


def _model(document: Document) -> Chapter | None:
    report = part_of(document, "ipam_report")
    if report is None:
        return None
    blocks: list[Block] = [Paragraph(str(text)) for text in report.get("paragraphs") or ()]
    found = part_of(report, "table")
    if found and found.get("rows"):
        blocks.append(
            table("Our IPAM model", [str(one) for one in found.get("columns") or ()], found["rows"], _MOST_ROWS)
        )
    blocks += blocks_of(report, _MOST_ROWS, ("title", "paragraphs", "table"))
    return Chapter("ipam_report", str(report.get("title") or "Our IPAM model"), blocks)


def _lines(rows: Sequence[tuple[str, str]]) -> Iterator[Block]:
    known = [(name, text) for name, text in rows if text]
    if known:
        yield Facts(known)


def _identities(document: Document) -> Chapter | None:
    identities = part_of(document, "identities")
    if identities is None:
        return None
    span = part_of(identities, "range") or {}
    blocks: list[Block] = list(
        _lines(
            (
                ("Cilium", cilium_line(document)),
                ("Use", identity_line(document)),
                ("Range", _range(span)),
                ("Garbage collection", collection_line(document)),
                ("Forecast", _forecast(document)),
            )
        )
    )
    reasons = (part_of(identities, "gc") or {}).get("reasons") or ()
    blocks += [Paragraph(f"Garbage collection: {one}") for one in reasons[1:]]
    if classes := part_of(identities, "classes"):
        blocks.append(table("Identities by class", ("Class", "Identities"), list(classes.items()), _MOST_ROWS))
    shown = ("range", "used", "free", "classes", "gc", "history", "forecast")
    blocks += blocks_of(identities, _MOST_ROWS, shown)
    return Chapter("identities", "Security identities", blocks)


def _range(span: Mapping[str, t.Any]) -> str:
    if span.get("minimum") is None or span.get("maximum") is None:
        return ""
    cluster = f", cluster id {span['cluster_id']}" if span.get("cluster_id") is not None else ""
    return f"{span['minimum']} to {span['maximum']}, {number(span.get('capacity'))} numbers{cluster}"


def _forecast(document: Document) -> str:
    basis = (part_of(part_of(document, "identities") or {}, "forecast") or {}).get("basis")
    words = forecast_line(document)
    return f"{words} ({basis})" if words and basis else words or str(basis or "")


def _cilium_pools(document: Document) -> Chapter | None:
    pools = cilium_pools(document)
    keys = ("pool", "family", "cidr", "mask_size", "capacity", "used", "free")
    blocks: list[Block] = []
    if pools:
        heads = ("Pool", "Family", "CIDR", "Block", "Blocks", "Used", "Free")
        blocks.append(table("Pools of Cilium", heads, [[pool.get(key) for key in keys] for pool in pools], _MOST_ROWS))
    return Chapter("cilium_pools", "Pools of Cilium", blocks) if blocks else None


def _endpoints(document: Document) -> Chapter | None:
    endpoints = part_of(document, "endpoints")
    if endpoints is None:
        return None
    blocks: list[Block] = list(_lines((("Endpoints", endpoint_line(document)),)))
    states = part_of(endpoints, "states") or {}
    if states:
        blocks.append(table("Endpoints by state", ("State", "Endpoints"), list(states.items()), _MOST_ROWS))
    blocks += blocks_of(endpoints, _MOST_ROWS, ("count", "states", "without_pod", "pods_without_endpoint"))
    return Chapter("endpoints", "Endpoints", blocks)
