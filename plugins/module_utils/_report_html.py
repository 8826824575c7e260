# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit as one HTML file: no request leaves it, it prints, and it reads well without JavaScript."""

from __future__ import annotations

import html
import json
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._report_map import block_map, outside
from ansible_collections.podnet.upkeep.plugins.module_utils._report_page import page

Document = Mapping[str, t.Any]
FindingDict = Mapping[str, t.Any]
_SEVERITIES = ("critical", "warning", "info")
# longer tables start closed, and evidence of so many subjects is left to the JSON report
_OPEN_ROWS = 25
_MOST_EVIDENCE = 500
_NAMES_IN_A_COMMAND = 10
_NAMES_OUTSIDE = 12


def _e(value: object) -> str:
    return html.escape(str(value), quote=True)


def _tag(severity: str) -> str:
    return f'<span class="tag {_e(severity)}">{_e(severity)}</span>'


def render(document: Document) -> str:
    """The report. Every text that comes from the cluster is escaped."""
    sections = (
        _header(document),
        _cards(document),
        _navigation(document),
        _pools(document),
        '<h2 id="findings">Findings</h2>',
        '<input id="filter" type="search" hidden placeholder="Show only findings and Nodes with these words" '
        'aria-label="Filter findings and Nodes">',
        _findings(document),
        _unknown(document),
        _settings(document),
        _nodes(document),
        '<footer class="muted small">Written by podnet.upkeep.audit_info. It only read the cluster. The JSON report has '
        "everything that is shown here.</footer>",
    )
    return page("Pod network audit", "\n".join(section for section in sections if section))


def _header(document: Document) -> str:
    model = document["ipam_model"]
    return (
        "<h1>Pod network audit</h1>"
        f'<div class="muted">Taken at {_e(document["taken_at"])} &middot; Kubernetes {_e(document["server_version"] or "unknown")}'
        f" &middot; IPAM model <b>{_e(model['name'])}</b></div>"
        f'<p class="muted">{_e(model["description"])} <span class="small">Evidence: {_e(model["evidence"])}.</span></p>'
    )


def _cards(document: Document) -> str:
    summary = document["summary"]
    cards = [(severity, summary[severity], severity) for severity in _SEVERITIES]
    if summary["unknown"]:
        cards.append(("warning", summary["unknown"], "unknown"))
    cards.append(("", summary["nodes"], "Nodes"))
    for pool in document["pools"]:
        scarce = "critical" if not pool["free"] else ""
        cards.append((scarce, pool["free"], f"free {pool['family']} blocks of {pool['capacity']}"))
    made = "".join(
        f'<div class="card {"zero" if not number and style in _SEVERITIES and text == style else style}">'
        f"<b>{number}</b>{_e(text)}</div>"
        for style, number, text in cards
    )
    return f'<div class="cards">{made}</div>'


def _navigation(document: Document) -> str:
    links = [("#pools", "Pools")] if document["pools"] else []
    links += [("#findings", "Findings"), ("#settings", "Allocator"), ("#nodes", "Nodes")]
    return "<nav>" + "".join(f'<a href="{target}">{text}</a>' for target, text in links) + "</nav>"


# -- pools ---------------------------------------------------------------------------------------------------------------


def _pools(document: Document) -> str:
    if not document["pools"]:
        return ""
    return '<h2 id="pools">Blocks of the cluster CIDR</h2>' + "".join(
        _pool(document, pool) for pool in document["pools"]
    )


def _pool(document: Document, pool: Mapping[str, t.Any]) -> str:
    reserved = 100 * pool["reserved_by_service_ranges"] / pool["capacity"]
    used = 100 * pool["used"] / pool["capacity"] - reserved
    waiting = pool["waiting_nodes"]
    facts = f"{pool['used']} of {pool['capacity']} used, <b>{pool['free']} free</b>"
    if waiting:
        facts += (
            f' <span class="tag critical">{waiting} {"Node waits" if waiting == 1 else "Nodes wait"} for a block</span>'
        )
    lost = outside(document, pool)
    more = f" and {len(lost) - _NAMES_OUTSIDE} more" if len(lost) > _NAMES_OUTSIDE else ""
    beside = (
        f'<p class="small"><span class="tag critical">outside</span> {_e(", ".join(lost[:_NAMES_OUTSIDE]))}{more}</p>'
        if lost
        else ""
    )
    return (
        f'<div class="panel"><div class="head"><h3>{_e(pool["cluster_cidr"])}</h3><span class="muted">{_e(pool["family"])}, '
        f"one /{_e(pool['node_mask_size'])} block for each Node</span><span class=count>{facts}</span></div>"
        f'<svg class="share" viewBox="0 0 1000 9" role="img" aria-label="Share of used blocks">'
        f'<rect class="free" width="1000" height="9" rx="4"/><rect class="used" width="{10 * used:.1f}" height="9" rx="4"/>'
        f'<rect class="reserved" x="{10 * used:.1f}" width="{10 * reserved:.1f}" height="9"/></svg>'
        f"{block_map(document, pool)}{beside}</div>"
    )


# -- findings ------------------------------------------------------------------------------------------------------------


def _findings(document: Document) -> str:
    groups: dict[tuple[str, str], list[FindingDict]] = {}
    for finding in document["findings"]:
        groups.setdefault((finding["severity"], finding["id"]), []).append(finding)
    if groups:
        return "".join(_group(findings) for findings in groups.values())
    if document["ipam_model"]["name"] == "unknown":
        return '<div class="panel">None, but podCIDRs of Nodes were not judged: the IPAM model is not known.</div>'
    return '<div class="panel"><span class="tag ok">none</span> Everything that was checked is in order.</div>'


def _group(findings: Sequence[FindingDict]) -> str:
    """Findings of one kind: what it means and what mends it once, then a row for each subject."""
    first = findings[0]
    count = len(findings)
    rows = "".join(_row(finding, with_evidence=count <= _MOST_EVIDENCE) for finding in findings)
    table = f'<div class="scroll"><table><thead><tr><th>About<th>What was found</tr></thead><tbody>{rows}</tbody></table></div>'
    if count > _OPEN_ROWS:
        table = f"<details><summary>{count} findings</summary>{table}</details>"
    return (
        f'<section class="panel group {_e(first["severity"])}" id="{_e(first["severity"])}-{_e(first["id"])}">'
        f'<div class="head">{_tag(first["severity"])}<h3>{_e(first["title"])}</h3><code>{_e(first["id"])}</code>'
        f'<span class="count muted">{count if count > 1 else ""}</span></div>'
        f"<p>{_e(first['meaning'])} {_e(first['why'])}</p>{table}"
        f"<dl><dt>Verify by hand</dt><dd><pre>{_e(_verify(findings))}</pre></dd>"
        f"<dt>Remedy</dt><dd>{_e(first['remedy']['text'])}{_command(findings)}</dd></dl></section>"
    )


def _verify(findings: Sequence[FindingDict]) -> str:
    """The command of the only subject, else that of the catalogue, one line for each part."""
    text = findings[0]["verify"] if len(findings) == 1 else findings[0]["verify_of_kind"]
    return "\n".join(str(text).split("; "))


def _command(findings: Sequence[FindingDict]) -> str:
    """One command for all Nodes of the group; without names where they are many, which means: all that need it."""
    remedy = findings[0]["remedy"]
    if not remedy["command"]:
        return ""
    names = sorted({finding["subject"]["name"] for finding in findings})
    command = f"ansible-playbook -i INVENTORY {remedy['playbook']}"
    if len(names) <= _NAMES_IN_A_COMMAND:
        command += f" -e '{json.dumps({'reassign_pod_cidrs_nodes': names})}'"
    return f'<pre>{_e(command)}</pre><span class="muted small">Add --check --diff to see the plan first; it writes nothing.</span>'


def _row(finding: FindingDict, *, with_evidence: bool) -> str:
    subject = finding["subject"]
    about = f"{subject['namespace']}/{subject['name']}" if subject["namespace"] else subject["name"]
    words = f"{finding['id']} {finding['severity']} {finding['summary']} {about}".lower()
    evidence = ""
    if with_evidence and finding["evidence"]:
        text = json.dumps(finding["evidence"], indent=1, sort_keys=True, ensure_ascii=False)
        evidence = f"<details><summary>evidence</summary><pre>{_e(text)}</pre></details>"
    return (
        f'<tr data-text="{_e(words)}"><td><span class="muted small">{_e(subject["kind"])}</span><br><b>{_e(about)}</b>'
        f"<td>{_e(finding['summary'])}{evidence}</tr>"
    )


# -- the rest ------------------------------------------------------------------------------------------------------------


def _unknown(document: Document) -> str:
    if not document["unknown"]:
        return ""
    rows = "".join(
        f"<tr><td><b>{_e(resource)}</b><td>{_e(reason)}</tr>"
        for resource, reason in sorted(document["unknown"].items())
    )
    return (
        '<h2 id="unknown">Unknown</h2><div class="panel"><p>This could not be read. What depends on it is neither fine nor '
        f"faulty.</p><table><tbody>{rows}</tbody></table></div>"
    )


def _settings(document: Document) -> str:
    allocator = document["allocator"]
    state = {True: "allocates podCIDRs", False: "does not allocate podCIDRs", None: "unknown"}
    known = bool(allocator["cluster_cidrs"])
    rows = [
        ("Source", allocator["source"]),
        ("kube-controller-manager", state[allocator["allocate_node_cidrs"]]),
        ("Cluster CIDR", ", ".join(allocator["cluster_cidrs"]) or "unknown"),
        ("Node mask sizes", f"IPv4 /{allocator['node_mask_size_ipv4']}, IPv6 /{allocator['node_mask_size_ipv6']}"),
        ("Service ranges", ", ".join(allocator["service_ranges"]) or ("none stated" if known else "unknown")),
        *(("Not valid", problem) for problem in allocator["problems"]),
    ]
    items = "".join(
        f"<dt>{_e(name)}</dt><dd>{_e(value)}</dd>" for name, value in rows if known or name != "Node mask sizes"
    )
    return f'<h2 id="settings">Settings of the allocator</h2><div class="panel"><dl>{items}</dl></div>'


def _sort_key(node: Mapping[str, t.Any]) -> tuple[int, str]:
    return (*_SEVERITIES, "ok").index(node["severity"]), node["name"]


def _nodes(document: Document) -> str:
    rows = "".join(_node(node) for node in sorted(document["nodes"], key=_sort_key))
    return (
        '<h2 id="nodes">Nodes</h2><div class="panel scroll"><table><thead><tr><th>Node<th>podCIDRs<th>Ready<th class="n">Pods'
        f"<th>State</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _node(node: Mapping[str, t.Any]) -> str:
    cidrs = " ".join(f"<code>{_e(text)}</code>" for text in node["pod_cidrs"]) or '<span class="muted">none</span>'
    cordoned = ' <span class="muted small">cordoned</span>' if node["unschedulable"] else ""
    words = " ".join([node["name"], *node["pod_cidrs"], node["severity"], *node["findings"]]).lower()
    ids = f'<br><span class="small muted">{_e(", ".join(node["findings"]))}</span>' if node["findings"] else ""
    pods = "?" if node["pods"] is None else node["pods"]
    return (
        f'<tr data-text="{_e(words)}"><td><b>{_e(node["name"])}</b>{cordoned}<td>{cidrs}<td>{_e(node["ready"])}<td class="n">{pods}'
        f"<td>{_tag(node['severity'])}{ids}</tr>"
    )
