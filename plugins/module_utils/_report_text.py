# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit for terminals and for tickets: short lines, and Markdown."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

Document = Mapping[str, t.Any]


def headline(document: Document) -> str:
    """One line: how bad it is."""
    summary = document["summary"]
    counts = ", ".join(f"{summary[severity]} {severity}" for severity in ("critical", "warning", "info"))
    return f"{summary['nodes']} Nodes: {counts}"


def summary_lines(document: Document, *, shown: int = 30) -> list[str]:
    """Lines for the terminal: headline, pools, and one line for each critical or warning finding."""
    lines = [headline(document)]
    for pool in document["pools"]:
        lines.append(
            f"pool {pool['cluster_cidr']} (/{pool['node_mask_size']}): {pool['used']} of {pool['capacity']} blocks used, "
            f"{pool['free']} free" + (f", waiting Nodes: {pool['waiting_nodes']}" if pool["waiting_nodes"] else "")
        )
    lines.append(f"settings from {document['allocator']['source']}; IPAM model {document['ipam_model']['name']}")
    urgent = [finding for finding in document["findings"] if finding["severity"] != "info"]
    width = max((len(finding["id"]) for finding in urgent[:shown]), default=0)
    for finding in urgent[:shown]:
        lines.append(f"{finding['severity'].upper():8} {finding['id']:{width}}  {finding['summary']}")
    if len(urgent) > shown:
        lines.append(f"... and {len(urgent) - shown} more in the report")
    if any(finding["remedy"]["variables"] for finding in urgent):
        lines.append("plan the repair (writes nothing):")
        lines.append("  ansible-playbook -i INVENTORY podnet.upkeep.reassign_pod_cidrs --check --diff")
    elif not urgent and document["ipam_model"]["name"] == "unknown":
        lines.append("what pod CIDRs should be is not visible here: state it with the option allocator")
    elif not urgent:
        lines.append("nothing to mend")
    return lines


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def markdown(document: Document) -> str:
    """The whole report as Markdown."""
    lines = [
        "# Pod network audit",
        "",
        f"Taken at {document['taken_at']}, Kubernetes {document['server_version']}.",
        "",
    ]
    lines += [headline(document) + ".", ""]
    if document["pools"]:
        lines += ["## Pools", "", "| cluster CIDR | block | capacity | used | free |", "|---|---|---|---|---|"]
        for pool in document["pools"]:
            keys = ("cluster_cidr", "node_mask_size", "capacity", "used", "free")
            lines.append("| " + " | ".join(_cell(pool[key]) for key in keys) + " |")
        lines.append("")
    lines += [f"Settings from {document['allocator']['source']}; IPAM model {document['ipam_model']['name']}.", ""]
    lines += ["## Findings", ""]
    if not document["findings"]:
        lines += ["None.", ""]
    for finding in document["findings"]:
        lines += [f"### {finding['severity']}: {finding['summary']}", "", f"`{finding['id']}` {finding['meaning']}", ""]
        lines += [f"- Why it matters: {finding['why']}", f"- Verify: `{finding['verify']}`"]
        lines += [f"- Remedy: {finding['remedy']['text']}"]
        if finding["remedy"]["command"]:
            lines.append(f"- `{finding['remedy']['command']}`")
        lines.append("")
    lines += ["## Nodes", "", "| Node | podCIDRs | Ready | state |", "|---|---|---|---|"]
    for node in document["nodes"]:
        cells = (node["name"], ", ".join(node["pod_cidrs"]) or "none", node["ready"], node["severity"])
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    if document["unknown"]:
        lines += ["", "## Unknown", ""]
        lines += [f"- {name}: {reason}" for name, reason in document["unknown"].items()]
    return "\n".join(lines) + "\n"
