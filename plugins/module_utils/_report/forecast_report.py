# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The forecast for terminals, as Markdown and as one HTML file."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import Block, Chapter, Paragraph, table
from ansible_collections.podnet.upkeep.plugins.module_utils._report.whole import whole_html, whole_markdown

Document = Mapping[str, t.Any]
_MOST_ROWS = 100
_LINES_OF_NODES = 3
_TITLE = "Capacity forecast"
_METHOD = (
    "Growth is the median of the slopes between all pairs of points (Theil and Sen); its range holds in 95 of 100 cases. Days are "
    "what is free divided by the growth. What has too short a history, or one that contradicts itself, is unknown."
)


def forecast_lines(document: Document) -> list[str]:
    """Lines for the terminal: what ends first comes first."""
    lines = [f"{_when(one)}  {one['title']}: {_free(one)}; {one['sentence']}" for one in document["resources"]]
    nodes = document["node_addresses"]
    for one in nodes["soonest"][:_LINES_OF_NODES]:
        lines.append(f"{_when(one)}  {one['title']}: {_free(one)}; {one['sentence']}")
    lines.append(f"{'':>12}  {_nodes_sentence(nodes)}")
    if document["identities_single_state"]:
        lines.append(f"identities by the present state alone: {single_sentence(document['identities_single_state'])}")
    for one in document["what_if"]:
        first, *more = one["sentences"]
        lines.append(f"what if: {_verdict(one)}: {first}")
        lines += [f"         {sentence}" for sentence in more]
    if document["churn"]:
        lines.append(f"churn: {churn_sentence(document['churn'])}")
    lines += [f"unknown: {name}: {why}" for name, why in sorted(document["unknown"].items())]
    return lines


def _when(one: Mapping[str, t.Any]) -> str:
    if one["days"] is not None:
        return f"{one['days']:>7,.1f} days"
    return f"{'no end' if one['verdict'] in ('growing', 'steady', 'shrinking') else 'unknown':>12}"


def _free(one: Mapping[str, t.Any]) -> str:
    if one["free"] is None:
        return "free unknown"
    return f"{one['free']:,} of {one['capacity']:,} free" if one["capacity"] is not None else f"{one['free']:,} free"


_IN_WORDS: t.Final = {
    "too-short": "with too short a history",
    "contradictory": "with a history that contradicts itself",
}


def _nodes_sentence(nodes: Mapping[str, t.Any]) -> str:
    if not nodes["nodes_known"]:
        return f"pod addresses of Nodes: not known of any of {nodes['nodes']} Nodes"
    verdicts = ", ".join(f"{count:,} {_IN_WORDS.get(name, name)}" for name, count in nodes["verdicts"].items())
    return f"pod addresses of {nodes['nodes_known']} of {nodes['nodes']} Nodes: {verdicts}"


def _verdict(one: Mapping[str, t.Any]) -> str:
    word = {True: "yes", False: "no"}.get(one["possible"])
    return f"{one['question']} {word} ({one['allocator']})" if word else f"{one['question']} ({one['allocator']})"


def _answer_line(one: Mapping[str, t.Any]) -> str:
    return f"{_verdict(one)}: {'; '.join(one['sentences'])}"


def single_sentence(single: Mapping[str, t.Any]) -> str:
    """What an audit says without a history: by when the identities that exist were created."""
    end = f"full at {single['exhausted_at']}" if single["exhausted_at"] else "no end in sight"
    return f"{single['per_hour']:g} an hour, {end} ({single['basis']})"


def churn_sentence(churn: Mapping[str, t.Any]) -> str:
    """What the range of identities stands, in one sentence."""
    kind = "asked about" if churn["assumed"] else "measured"
    start = (
        f"{churn['per_hour']:,.0f} new identities an hour ({kind}); {churn['sustainable_per_hour']:,.0f} can go on, as an "
        f"unused one exists for {churn['life_hours']:.3g} h"
    )
    if churn["sustainable"]:
        end = f"so about {churn['steady']:,} of {churn['capacity']:,} would be there in the long run"
    else:
        latest = churn["full_after_hours_latest"]
        earliest = churn["full_after_hours_earliest"]
        until = " or more" if latest is None else "" if f"{latest:.2g}" == f"{earliest:.2g}" else f" to {latest:.2g}"
        span = f"{earliest:.2g}{until}"
        end = f"so the range is full after {span} h: {churn['limit']}"
    doubt = "" if churn["collects"] else "; this assumes that unused identities are collected, which they are not now"
    return f"{start}; {end}{doubt}"


def _chapters(document: Document) -> Iterator[Chapter]:
    head = ("Resource", "Capacity", "Free", "Waiting", "Days", "Earliest", "Latest", "When", "What it rests on")
    keys = ("title", "capacity", "free", "waiting", "days", "days_earliest", "days_latest", "exhausted_at", "sentence")

    def rows(found: t.Any) -> list[list[t.Any]]:
        return [
            ["" if one[key] is None and key.startswith(("days", "exh")) else one[key] for key in keys] for one in found
        ]

    yield Chapter(
        "resources",
        "What runs out when",
        [Paragraph(_METHOD), table("Resources", head, rows(document["resources"]), _MOST_ROWS)],
    )
    nodes = document["node_addresses"]
    blocks: list[Block] = [Paragraph(f"{_nodes_sentence(nodes)}.")]
    if nodes["soonest"]:
        blocks.append(table("Nodes that run out first", head, rows(nodes["soonest"]), _MOST_ROWS))
    yield Chapter("node_addresses", "Addresses of Nodes", blocks)
    made: list[Block] = []
    for one in document["what_if"]:
        made.append(Paragraph(f"{_answer_line(one)}."))
        if one["pools"]:
            columns = list(one["pools"][0])
            cells = [[row[key] for key in columns] for row in one["pools"]]
            made.append(table("Pools then", columns, cells, _MOST_ROWS))
    if document["identities_single_state"]:
        text = single_sentence(document["identities_single_state"])
        made.append(Paragraph(f"Identities by the present state alone: {text}."))
    if document["churn"]:
        made.append(Paragraph(f"{churn_sentence(document['churn'])}."))
    yield Chapter("what_if", "What if", made or [Paragraph("Nothing could be thought through.")])
    sources = [
        [one["name"], one["kind"], one["points"], one["first"], one["last"]] for one in document["history"]["sources"]
    ]
    yield Chapter(
        "history",
        "History",
        [table("Read from", ("Source", "Kind", "Points", "First", "Last"), sources, _MOST_ROWS)]
        if sources
        else [Paragraph("No history was given.")],
    )
    if document["unknown"]:
        unknown = table("Not foretold", ("What", "Why"), sorted(document["unknown"].items()), _MOST_ROWS)
        yield Chapter("unknown", "Unknown", [unknown])


def forecast_markdown(document: Document) -> str:
    """The whole forecast as Markdown."""
    return whole_markdown(_TITLE, f"State of {document['taken_at']}.", _chapters(document))


def forecast_html(document: Document) -> str:
    """The whole forecast as one HTML file, which loads nothing from elsewhere."""
    return whole_html(_TITLE, f"State of {document['taken_at']}", _chapters(document))
