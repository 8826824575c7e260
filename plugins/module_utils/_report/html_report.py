# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit as one HTML file: no request leaves it, it prints, and it reads well without JavaScript."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._report import charts, html_findings, html_nodes
from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import Chapter
from ansible_collections.podnet.upkeep.plugins.module_utils._report.chapters import chapters
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markup import chapter, escaped
from ansible_collections.podnet.upkeep.plugins.module_utils._report.page import page
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import (
    SEVERITIES,
    Document,
    cilium_line,
    missing,
    number,
    part_of,
    percent,
    pools_decide,
)

# what a reader wants to see before the findings
_FIRST = ("comparison",)


def render(document: Document) -> str:
    """The report. Every text that comes from the cluster is escaped."""
    made = chapters(document)
    anchors = html_findings.anchors(document)
    identities = part_of(document, "identities") or {}
    drawings = {"identities": charts.use_bar(identities) + charts.history_chart(identities, document["taken_at"])}
    first = "".join(chapter(one, anchors, drawings) for one in made if one.key in _FIRST)
    rest = "".join(chapter(one, anchors, drawings) for one in made if one.key not in _FIRST)
    sections = (
        _header(document),
        _cards(document),
        _navigation(document, made),
        first,
        html_nodes.pools(document),
        '<h2 id="findings">Findings</h2>',
        '<input id="filter" type="search" hidden placeholder="Show only findings and Nodes with these words" '
        'aria-label="Filter findings and Nodes"><div id="filtered" class="small muted" role="status"></div>',
        html_findings.findings(document),
        html_nodes.unknown(document),
        rest,
        html_nodes.settings(document),
        html_nodes.nodes(document),
        '<footer class="muted small">Written by podnet.upkeep.audit_info. It only read the cluster. The JSON report has '
        "everything that is shown here.</footer>",
    )
    return page("Pod network audit", "\n".join(section for section in sections if section))


def _header(document: Document) -> str:
    model = document["ipam_model"]
    cilium = cilium_line(document)
    return (
        "<h1>Pod network audit</h1>"
        f'<div class="muted">Taken at {escaped(document["taken_at"])} &middot; Kubernetes {escaped(document["server_version"] or "unknown")}'
        f" &middot; IPAM model <b>{escaped(model['name'])}</b>{' &middot; ' + escaped(cilium) if cilium else ''}</div>"
        f'<p class="muted">{escaped(model["description"])} <span class="small">Evidence: {escaped(model["evidence"])}.</span></p>'
    )


def _cards(document: Document) -> str:
    summary = document["summary"]
    cards = [(severity, number(summary[severity]), severity) for severity in SEVERITIES]
    if lacking := missing(document):
        cards.append(("warning", number(len(lacking)), "unknown"))
    cards.append(("", number(summary["nodes"]), "Nodes"))
    for pool in document["pools"] if pools_decide(document) else ():
        scarce = "critical" if not pool["free"] else ""
        cards.append((scarce, number(pool["free"]), f"free {pool['family']} blocks of {number(pool['capacity'])}"))
    identities = part_of(document, "identities")
    if identities and identities.get("used") is not None:
        capacity = (part_of(identities, "range") or {}).get("capacity")
        text = f"identities of {number(capacity)}{percent(identities['used'], capacity)}"
        cards.append(("critical" if identities.get("free") == 0 else "", number(identities["used"]), text))
    endpoints = part_of(document, "endpoints")
    if endpoints and endpoints.get("count") is not None:
        cards.append(("", number(endpoints["count"]), "endpoints"))
    made = "".join(
        f'<li class="card {"zero" if value == "0" and text == style else style}"><b>{value}</b>{escaped(text)}</li>'
        for style, value, text in cards
    )
    return f'<ul class="cards">{made}</ul>'


def _navigation(document: Document, made: Sequence[Chapter]) -> str:
    links = [(one.key, one.title) for one in made if one.key in _FIRST]
    if document["pools"]:
        links.append(("pools", "Pools"))
    links.append(("findings", "Findings"))
    if document["unknown"]:
        links.append(("unknown", "Unknown"))
    links += [(one.key, one.title) for one in made if one.key not in _FIRST]
    links += [("settings", "Allocator"), ("nodes", "Nodes")]
    inner = "".join(f'<a href="#{escaped(target)}">{escaped(text)}</a>' for target, text in links)
    return f'<nav aria-label="Parts of this report">{inner}</nav>'
