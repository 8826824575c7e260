# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The report of a rehearsal: in a few lines, as Markdown, and as one HTML file."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically
from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import (
    Block,
    Cell,
    Chapter,
    Facts,
    Paragraph,
    Table,
    cell,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._report.files import as_json
from ansible_collections.podnet.upkeep.plugins.module_utils._report.whole import whole_html, whole_markdown

Document = Mapping[str, t.Any]
_TITLE: t.Final = "Rehearsal"
_MOST_ROWS: t.Final = 200


def _table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[t.Any]]) -> Table:
    shown: list[list[Cell]] = [[cell(value) for value in row] for row in rows[:_MOST_ROWS]]
    return Table(caption, columns, shown, max(0, len(rows) - _MOST_ROWS))


def _rows(entries: Sequence[Document], *keys: str) -> list[list[t.Any]]:
    return [[one.get(key) for key in keys] for one in entries]


def _findings(caption: str, entries: Sequence[Document]) -> Table:
    rows = [[one["severity"], one["id"], one["subject"]["name"], one["summary"]] for one in entries]
    return _table(caption, ("severity", "finding", "about", "what was found"), rows)


def _left_out(entries: Sequence[Document]) -> list[Block]:
    """Findings that are new only because this is a rehearsal, with the reason; nothing where there are none."""
    if not entries:
        return []
    rows = [[one["severity"], one["id"], one["subject"]["name"], one["summary"], one["reason"]] for one in entries]
    columns = ("severity", "finding", "about", "what was found", "why it is left out")
    return [
        Paragraph(
            "The findings below are new as well, but only because this is a rehearsal. They are left out of the numbers above."
        ),
        _table("Left out", columns, rows),
    ]


def _sentences(texts: Sequence[str], otherwise: str) -> list[Block]:
    return [Paragraph(text) for text in texts] or [Paragraph(otherwise)]


def _chapters(document: Document) -> Iterator[Chapter]:
    yield Chapter("outcome", "Outcome", [Paragraph(line) for line in rehearsal_lines(document)])
    yield Chapter(
        "not_proven",
        "What this rehearsal cannot prove",
        [Paragraph(text) for text in document["not_proven"]],
    )
    yield Chapter(
        "said",
        "What is not as in the cluster",
        [
            *_sentences(document["said"], "Everything that the snapshot holds was loaded."),
            *(
                [_findings("Findings of the snapshot that the loaded cluster does not have", document["findings_lost"])]
                if document["findings_lost"]
                else []
            ),
            *(
                [_findings("Findings that only the loaded cluster has", document["findings_made_up"])]
                if document["findings_made_up"]
                else []
            ),
        ],
    )
    yield Chapter("refusals", "Refusals", _sentences(document["refusals"], "No rule said no."))
    budgets: list[Block] = []
    if document["blocked_budgets"]:
        blocked = _rows(document["blocked_budgets"], "namespace", "name", "pods", "healthy", "healthy_needed")
        head = ("namespace", "budget", "pods", "healthy", "healthy needed")
        budgets.append(_table("PodDisruptionBudgets that let no pod go as the cluster is now", head, blocked))
    if document["blocked_pods"]:
        held = _rows(document["blocked_pods"], "node", "namespace", "pod", "budget", "result", "detail", "seconds")
        columns = ("Node", "namespace", "pod", "budget", "result", "why", "seconds")
        budgets.append(_table("Pods that held a drain up", columns, held))
    yield Chapter("budgets", "Disruption budgets and drains", budgets or [Paragraph("Nothing held a drain up.")])
    if document["failures"]:
        rows = _rows(document["failures"], "host", "task", "message")
        yield Chapter("failures", "Failures", [_table("Tasks that failed", ("host", "task", "message"), rows)])
    yield Chapter("plan", "The plan", _sentences(document["plan"], "The playbook showed no plan."))
    times: list[Block] = []
    if document["nodes"]:
        times.append(
            _table("By Node", ("Node", "seconds", "outcome"), _rows(document["nodes"], "node", "seconds", "outcome"))
        )
    rows = _rows(document["steps"], "step", "times", "seconds", "longest")
    times.append(_table("By step", ("step", "times", "seconds in all", "longest"), rows))
    times.append(_table("Before the playbook", ("step", "seconds"), _rows(document["timings"], "step", "seconds")))
    yield Chapter("times", "Times", times)
    compared = document["comparison"]
    if compared is None:
        yield Chapter("audit", "Last audit", [Paragraph("There is none.")])
        return
    summary = [
        (severity, f"{document['before'][severity]} before, {document['after'][severity]} after")
        for severity in ("critical", "warning", "info")
    ]
    yield Chapter(
        "audit",
        "Last audit",
        [
            Facts(summary),
            _findings("Gone", compared["gone"]),
            _findings("New", compared["new"]),
            Paragraph(f"{compared['still']} findings are still there."),
            *_left_out(compared["left_out"]),
        ],
    )


def rehearsal_lines(document: Document) -> list[str]:
    """The rehearsal in a few lines for a terminal."""
    counts = document["counts"]
    what = ", ".join(
        f"{counts[key]} {key}" for key in ("nodes", "pods", "ciliumidentities", "ciliumendpoints") if counts.get(key)
    )
    lines = [f"{document['playbook']} on a copy with {what}: {document['outcome']} after {document['seconds']} s."]
    if document["nodes"]:
        times = [one["seconds"] for one in document["nodes"]]
        each = f"{len(times)} Nodes, {sum(times) / len(times):.1f} s each, {max(times):.1f} s the longest."
        lines.append(each if len(times) > 1 else f"1 Node, {times[0]:.1f} s.")
    lines += [f"REFUSED: {text}" for text in document["refusals"][:5]]
    for one in document["blocked_budgets"][:5]:
        lines.append(
            f"BUDGET: {one['namespace']}/{one['name']} lets no pod go: {one['healthy']} of {one['healthy_needed']} needed are healthy."
        )
    held = [one for one in document["blocked_pods"] if one["result"] != "gone"]
    lines += [f"DRAIN: {one['namespace']}/{one['pod']} stays on {one['node']}: {one['detail']}" for one in held[:5]]
    if document["outcome"] != "completed" and document["failures"]:
        lines.append(f"FAILED: {document['failures'][-1]['message']}")
    if document["after"] is not None:
        before, after = document["before"], document["after"]
        lines.append(
            f"Audit: {before['critical']} critical and {before['warning']} warning before, {after['critical']} and {after['warning']} after."
        )
    if document["comparison"] is not None:
        left_out = [(one["id"], one["reason"]) for one in document["comparison"]["left_out"]]
        lines += [f"LEFT OUT: {left_out.count(one)} new {one[0]}: {one[1]}" for one in dict.fromkeys(left_out)]
    return lines


def rehearsal_markdown(document: Document) -> str:
    """The whole report as Markdown."""
    return whole_markdown(_title(document), f"Begun at {document['time']}.", _chapters(document))


def rehearsal_html(document: Document) -> str:
    """The whole report as one HTML file, which loads nothing from elsewhere."""
    return whole_html(_title(document), f"Begun at {document['time']}", _chapters(document), links=True)


def _title(document: Document) -> str:
    return f"{_TITLE} of {document['playbook']}"


_WRITERS: t.Final[Mapping[str, Callable[[Document], str]]] = {
    "output_path": as_json,
    "report_html": rehearsal_html,
    "report_markdown": rehearsal_markdown,
}


def write_rehearsal(options: Mapping[str, t.Any], document: Document) -> dict[str, str]:
    """Write every report that an option names; {option: full path}. Raises InputError naming the option."""
    return {
        option: write_atomically(options[option], make(document).encode("utf-8", "replace"), option)
        for option, make in _WRITERS.items()
        if options[option]
    }
