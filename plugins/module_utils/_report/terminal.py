# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit for terminals: about ten lines, worst first."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._report import label_filter
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import (
    Document,
    cilium_pool_line,
    cilium_pools,
    collection_line,
    comparison_line,
    endpoint_line,
    forecast_line,
    headline,
    identity_line,
    missing,
    next_steps,
    part_of,
    pool_line,
    pools_decide,
)

# kinds of findings that have a line of their own
_KINDS = 6
_UNKNOWN = 2
_POOLS = 2
_WIDEST_LINE = 200
# the files that an audit writes, by the option that names them
REPORT_NAMES: t.Final = {
    "output_path": "JSON",
    "report_html": "HTML",
    "report_markdown": "Markdown",
    "report_prometheus": "Prometheus",
    "report_junit": "JUnit",
    "save_state": "saved state",
}


def summary_lines(document: Document, report_paths: Mapping[str, str] | None = None) -> list[str]:
    """Lines for the terminal.

    How bad it is, one line for each kind of critical and warning finding, what is unknown, what is left of pools and
    identities, what changed, what to do, where the reports are. Lines are cut at 200 characters, but for paths.
    """
    # what is unknown has lines of its own
    urgent = [one for one in document["findings"] if one["severity"] != "info" and one["id"] != "data-missing"]
    lines = [headline(document), *_finding_lines(urgent), *_unknown_lines(missing(document))]
    if pools_decide(document):
        lines += [f"pool {pool_line(pool)}" for pool in document["pools"]]
    scarce = sorted(cilium_pools(document), key=lambda pool: (pool.get("free") is None, pool.get("free") or 0))
    lines += [f"Cilium pool {cilium_pool_line(pool)}" for pool in scarce[:_POOLS]]
    if len(scarce) > _POOLS:
        lines.append(f"... and {len(scarce) - _POOLS} more Cilium pools with more free")
    for name, text in (
        ("identities", identity_line(document)),
        ("identity GC", collection_line(document)),
        ("forecast", forecast_line(document)),
        ("endpoints", endpoint_line(document)),
    ):
        if text:
            lines.append(f"{name}: {text}")
    if simulated := part_of(document, "label_filter"):
        lines += label_filter.lines(simulated)
    lines.append(f"settings: {document['allocator']['source']}; IPAM model: {document['ipam_model']['name']}")
    if changes := comparison_line(document):
        lines.append(f"compared: {changes}")
    lines += next_steps(document, urgent)
    lines = [_cut(line) for line in lines]
    if report_paths:
        written = (f"{REPORT_NAMES.get(option, option)} {path}" for option, path in report_paths.items())
        lines.append(f"reports: {', '.join(written)}")
    return lines


def _cut(line: str) -> str:
    """One line of at most 200 characters."""
    line = " ".join(line.splitlines())
    return line if len(line) <= _WIDEST_LINE else f"{line[: _WIDEST_LINE - 3]}..."


def _finding_lines(findings: Sequence[Mapping[str, t.Any]]) -> Iterator[str]:
    kinds: dict[tuple[str, str], list[Mapping[str, t.Any]]] = {}
    for finding in findings:
        kinds.setdefault((finding["severity"], finding["id"]), []).append(finding)
    shown = list(kinds.items())[:_KINDS]
    width = max((len(identifier) for (_severity, identifier), _found in shown), default=0)
    count = max((len(str(len(found))) for _kind, found in shown), default=0)
    for (severity, identifier), found in shown:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        # the count of the others stays readable however long the first sentence is
        start = f"{severity.upper():8}  {identifier:{width}}  {len(found):{count}}x  "
        room = _WIDEST_LINE - len(start) - len(more)
        text = str(found[0]["summary"])
        yield start + (text if len(text) <= room else f"{text[: room - 3]}...") + more
    rest = list(kinds.items())[_KINDS:]
    if rest:
        of_rest = [finding for _kind, found in rest for finding in found]
        counts = ", ".join(
            f"{sum(1 for one in of_rest if one['severity'] == severity)} {severity}"
            for severity in ("critical", "warning")
            if any(one["severity"] == severity for one in of_rest)
        )
        yield f"{'':8}  ... and {len(rest)} more kinds of findings: {counts}"


def _unknown_lines(unknown: Mapping[str, str]) -> list[str]:
    """What could not be read; the server's own words, in brackets, are in the reports."""
    if len(unknown) <= _UNKNOWN:
        return [f"UNKNOWN   {resource}: {why.split(' (')[0]}" for resource, why in unknown.items()]
    return [f"UNKNOWN   {len(unknown)} kinds of objects: {', '.join(unknown)}"]
