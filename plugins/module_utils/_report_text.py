# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit for terminals and for tickets: short lines, and Markdown."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

Document = Mapping[str, t.Any]
# a flood of one kind must not hide the others
_SHOWN_OF_A_KIND = 5
_WIDEST_LINE = 200


def headline(document: Document) -> str:
    """One line: how bad it is."""
    summary = document["summary"]
    counts = ", ".join(f"{summary[severity]} {severity}" for severity in ("critical", "warning", "info"))
    unknown = f", {summary['unknown']} unknown" if summary["unknown"] else ""
    return f"{summary['nodes']} {'Node' if summary['nodes'] == 1 else 'Nodes'}: {counts}{unknown}"


def pool_line(pool: Mapping[str, t.Any]) -> str:
    """Use of one pool in one line."""
    line = f"{pool['cluster_cidr']} (/{pool['node_mask_size']}): {pool['used']} of {pool['capacity']} blocks used"
    if pool["reserved_by_service_ranges"]:
        line += f" ({pool['reserved_by_service_ranges']} by the service range)"
    line += f", {pool['free']} free"
    return line + (f", waiting Nodes: {pool['waiting_nodes']}" if pool["waiting_nodes"] else "")


def summary_lines(document: Document, report_paths: Mapping[str, str] | None = None) -> list[str]:
    """Lines for the terminal: headline, pools, critical and warning findings, what to do, where the reports are."""
    lines = [headline(document)]
    lines += [f"pool {pool_line(pool)}" for pool in document["pools"]]
    lines.append(f"settings: {document['allocator']['source']}; IPAM model: {document['ipam_model']['name']}")
    urgent = [one for one in document["findings"] if one["severity"] != "info" and one["id"] != "data-missing"]
    lines += _finding_lines(urgent)
    # the server's own words, in brackets, are in the reports
    lines += [f"UNKNOWN   {resource}: {why.split(' (')[0]}" for resource, why in sorted(document["unknown"].items())]
    lines += _what_to_do(document, urgent)
    lines += [f"{_REPORTS[option]}: {path}" for option, path in (report_paths or {}).items()]
    return [line if len(line) <= _WIDEST_LINE else f"{line[: _WIDEST_LINE - 3]}..." for line in lines]


_REPORTS = {
    "output_path": "JSON report",
    "report_html": "HTML report",
    "report_markdown": "Markdown report",
    "save_state": "saved state",
}


def _finding_lines(findings: Sequence[Mapping[str, t.Any]]) -> Iterator[str]:
    width = max((len(finding["id"]) for finding in findings), default=0)
    total = Counter((finding["severity"], finding["id"]) for finding in findings)
    shown: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        kind = (finding["severity"], finding["id"])
        shown[kind] += 1
        if shown[kind] <= _SHOWN_OF_A_KIND:
            yield f"{kind[0].upper():8}  {kind[1]:{width}}  {finding['summary']}"
        elif shown[kind] == total[kind]:
            yield f"{'':8}  {'':{width}}  ... and {total[kind] - _SHOWN_OF_A_KIND} more {kind[1]}"


def _what_to_do(document: Document, urgent: Sequence[Mapping[str, t.Any]]) -> list[str]:
    playbooks = sorted({finding["remedy"]["playbook"] for finding in urgent if finding["remedy"]["command"]})
    if playbooks:
        return [
            f"plan the repair (writes nothing): ansible-playbook -i INVENTORY {playbook} --check --diff"
            for playbook in playbooks
        ]
    if urgent:
        return ["no playbook mends this: the report says for each finding what to do"]
    if document["unknown"]:
        judged = (
            "not everything was judged" if document["ipam_model"]["name"] != "unknown" else "pod CIDRs were not judged"
        )
        return [f"{judged}: what is unknown has to be readable first (the rules are in the findings data-missing)"]
    if document["ipam_model"]["name"] == "unknown":
        return ["pod CIDRs were not judged: it is not known here what they should be (see the option allocator)"]
    return ["nothing to mend"]


# -- Markdown ----------------------------------------------------------------------------------------------------------


def _cell(text: object) -> str:
    """A text that stays in its table cell and stays text."""
    escaped = str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "\\`")
    return " ".join(escaped.split())


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return [*lines, *("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows), ""]


def markdown(document: Document) -> str:
    """The whole report as Markdown."""
    model, allocator = document["ipam_model"], document["allocator"]
    lines = [
        "# Pod network audit",
        "",
        f"Taken at {document['taken_at']}, Kubernetes {document['server_version']}.",
        "",
    ]
    lines += [f"**{headline(document)}**", ""]
    lines += [f"IPAM model: {_cell(model['name'])} ({_cell(model['evidence'])}). {model['description']}", ""]
    lines += [f"Settings of the allocator from {_cell(allocator['source'])}.", ""]
    if document["pools"]:
        keys = ("family", "cluster_cidr", "node_mask_size", "capacity", "used", "reserved_by_service_ranges", "free")
        head = ("family", "cluster CIDR", "block", "blocks", "used", "of them service range", "free")
        lines += ["## Pools", "", *_table(head, [[pool[key] for key in keys] for pool in document["pools"]])]
    lines += ["## Findings", ""]
    if not document["findings"]:
        lines += ["None.", ""]
    for finding in document["findings"]:
        lines += _finding(finding)
    rows = [
        (
            node["name"],
            ", ".join(node["pod_cidrs"]) or "none",
            node["ready"],
            node["severity"],
            ", ".join(node["findings"]),
        )
        for node in document["nodes"]
    ]
    lines += ["## Nodes", "", *_table(("Node", "podCIDRs", "Ready", "state", "findings"), rows)]
    if document["unknown"]:
        lines += ["## Unknown", "", *_table(("what", "why"), sorted(document["unknown"].items()))]
    return "\n".join(lines)


def _finding(finding: Mapping[str, t.Any]) -> list[str]:
    lines = [
        f"### {finding['severity']}: {_cell(finding['summary'])}",
        "",
        f"`{finding['id']}`: {finding['meaning']}",
        "",
    ]
    lines += [f"- Why it matters: {finding['why']}", f"- Verify by hand: `{finding['verify']}`"]
    lines += [f"- Remedy: {finding['remedy']['text']}"]
    if finding["remedy"]["command"]:
        lines.append(f"- `{finding['remedy']['command']}`")
    return [*lines, ""]
