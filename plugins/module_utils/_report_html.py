# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The audit as one HTML file: no request leaves it, it prints, and it reads well without JavaScript."""

from __future__ import annotations

import html
import ipaddress
import json
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import BlockPool, parse_network, parse_networks

Document = Mapping[str, t.Any]
# a map with more cells than this says nothing to the eye
_LARGEST_MAP = 1024

_STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--text:#1d2330;--muted:#5d6678;--line:#dde1e8;--critical:#c62f2f;
--warning:#b56a00;--info:#2f6fbf;--ok:#2c8a4b;--free:#e6eaf0;--code:#f0f2f6}
@media (prefers-color-scheme:dark){:root{--bg:#14171c;--card:#1d2128;--text:#e7eaf0;--muted:#99a2b3;--line:#323843;
--critical:#ff7b7b;--warning:#f0b04f;--info:#7db4f5;--ok:#63cc85;--free:#2a303a;--code:#262b34}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 12px}
.muted{color:var(--muted)}.cards{display:flex;flex-wrap:wrap;gap:12px;margin:20px 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 18px;min-width:120px}
.card b{display:block;font-size:28px;line-height:1.2}.critical b,.tag.critical{color:var(--critical)}
.warning b,.tag.warning{color:var(--warning)}.info b,.tag.info{color:var(--info)}.tag.ok{color:var(--ok)}
.tag{font-weight:600}.panel{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 20px;margin:0 0 14px}
.map{display:flex;flex-wrap:wrap;gap:2px;margin:12px 0 8px}.map span{width:14px;height:14px;border-radius:3px;background:var(--free)}
.map .used{background:var(--info)}.map .odd{background:var(--critical)}.map .reserved{background:var(--warning)}
.key span{display:inline-block;width:11px;height:11px;border-radius:2px;margin:0 5px 0 14px}
.bar{height:10px;border-radius:5px;background:var(--free);overflow:hidden;margin:10px 0}.bar i{display:block;height:100%;background:var(--info)}
table{width:100%;border-collapse:collapse;background:var(--card);border:1px solid var(--line);border-radius:10px;overflow:hidden}
th,td{text-align:left;padding:7px 12px;border-bottom:1px solid var(--line);vertical-align:top}th{color:var(--muted);font-weight:600}
code,pre{font:13px/1.45 ui-monospace,monospace;background:var(--code);border-radius:5px}code{padding:1px 5px;overflow-wrap:anywhere}
pre{padding:10px 12px;white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0}
details.finding{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--line);border-radius:8px;margin:0 0 10px;padding:10px 16px}
details.critical{border-left-color:var(--critical)}details.warning{border-left-color:var(--warning)}details.info{border-left-color:var(--info)}
summary{cursor:pointer}dl{display:grid;grid-template-columns:130px 1fr;gap:6px 14px;margin:12px 0 4px}dt{color:var(--muted)}dd{margin:0;min-width:0}
input{width:100%;padding:9px 12px;border:1px solid var(--line);border-radius:8px;background:var(--card);color:inherit;font:inherit;margin-bottom:12px}
@media print{body{background:#fff}input{display:none}details{break-inside:avoid}}
"""

_SCRIPT = """
const box=document.getElementById('filter');box.hidden=false;
box.addEventListener('input',()=>{const w=box.value.toLowerCase();
for(const e of document.querySelectorAll('[data-text]'))e.hidden=!e.dataset.text.toLowerCase().includes(w);});
"""


def _e(value: object) -> str:
    return html.escape(str(value), quote=True)


def render(document: Document) -> str:
    """The report. Every text that comes from the cluster is escaped."""
    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width,initial-scale=1'>",
        f"<title>Pod network audit</title><style>{_STYLE}</style></head><body><main>",
        "<h1>Pod network audit</h1>",
        f"<div class='muted'>Taken at {_e(document['taken_at'])} &middot; Kubernetes {_e(document['server_version'])} &middot; "
        f"IPAM model <b>{_e(document['ipam_model']['name'])}</b> ({_e(document['ipam_model']['evidence'])})</div>",
        _cards(document),
        *_pools(document),
        _settings(document),
        *_findings(document),
        *_nodes(document),
        *_unknown(document),
        f"</main><script>{_SCRIPT}</script></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _cards(document: Document) -> str:
    summary = document["summary"]
    cards = [
        f"<div class='card {severity}'><b>{summary[severity]}</b>{severity}</div>"
        for severity in ("critical", "warning", "info")
    ]
    cards.append(f"<div class='card'><b>{summary['nodes']}</b>Nodes</div>")
    if summary["unknown"]:
        cards.append(f"<div class='card warning'><b>{summary['unknown']}</b>unknown</div>")
    return f"<div class='cards'>{''.join(cards)}</div>"


def _pools(document: Document) -> list[str]:
    if not document["pools"]:
        return []
    parts = ["<h2>Blocks of the cluster CIDR</h2>"]
    for pool in document["pools"]:
        share = 100 * pool["used"] / pool["capacity"]
        waiting = (
            f", <b class='tag critical'>waiting Nodes: {pool['waiting_nodes']}</b>" if pool["waiting_nodes"] else ""
        )
        parts.append(
            f"<div class='panel'><b>{_e(pool['cluster_cidr'])}</b> in /{pool['node_mask_size']} blocks: "
            f"{pool['used']} of {pool['capacity']} used, <b>{pool['free']} free</b>{waiting}"
            f"<div class='bar'><i style='width:{share:.1f}%'></i></div>{_map(document, pool)}</div>"
        )
    return parts


def _map(document: Document, pool: Mapping[str, t.Any]) -> str:
    if pool["capacity"] > _LARGEST_MAP:
        return "<div class='muted'>The pool is too large for a map of its blocks.</div>"
    services = parse_networks(",".join(document["allocator"]["service_ranges"]))
    blocks = BlockPool(parse_network(pool["cluster_cidr"]), pool["node_mask_size"], services)
    cells: list[tuple[str, str]] = [("", "free")] * blocks.capacity
    for first, last in blocks.occupied(()):
        for index in range(first, last + 1):
            cells[index] = ("reserved", "service range")
    for node in document["nodes"]:
        for text in node["pod_cidrs"]:
            network = parse_network(text)
            touched = blocks.indices(network)
            if touched is None:
                continue
            kind = "odd" if network.prefixlen != blocks.mask_size else "used"
            for index in range(touched[0], touched[1] + 1):
                cells[index] = (kind, f"{node['name']} {text}")
    spans = "".join(
        f"<span class='{kind}' title='{_e(blocks.block(index))}: {_e(text)}'></span>"
        for index, (kind, text) in enumerate(cells)
    )
    key = (
        "<div class='key muted'><span style='background:var(--info)'></span>Node"
        "<span style='background:var(--critical)'></span>Node with another block size"
        "<span style='background:var(--warning)'></span>service range<span style='background:var(--free)'></span>free</div>"
    )
    return f"<div class='map'>{spans}</div>{key}"


def _settings(document: Document) -> str:
    allocator = document["allocator"]
    state = {True: "allocates podCIDRs", False: "does not allocate podCIDRs", None: "is not visible"}
    words = state[allocator["allocate_node_cidrs"]]
    cidrs = ", ".join(allocator["cluster_cidrs"]) or "unknown"
    ranges = ", ".join(allocator["service_ranges"]) or "unknown"
    return (
        f"<div class='panel'>kube-controller-manager <b>{words}</b>. Cluster CIDR <code>{_e(cidrs)}</code>, "
        f"service range <code>{_e(ranges)}</code>. <span class='muted'>Source: {_e(allocator['source'])}</span></div>"
    )


def _findings(document: Document) -> list[str]:
    parts = [
        "<h2>Findings</h2>",
        "<input id='filter' hidden placeholder='Show only findings and Nodes that contain ...'>",
    ]
    if not document["findings"]:
        parts.append(
            "<div class='panel'><span class='tag ok'>None.</span> Everything that was checked is in order.</div>"
        )
    for number, finding in enumerate(document["findings"]):
        remedy = finding["remedy"]
        command = f"<pre>{_e(remedy['command'])}</pre>" if remedy["command"] else ""
        evidence = json.dumps(finding["evidence"], indent=1, sort_keys=True)
        # the first ones are open: a report with thousands of open findings cannot be read
        opened = " open" if number < 5 and finding["severity"] != "info" else ""
        parts.append(
            f"<details class='finding {finding['severity']}'{opened} data-text='{_e(finding['id'])} {_e(finding['summary'])}'>"
            f"<summary><span class='tag {finding['severity']}'>{finding['severity']}</span> {_e(finding['summary'])} "
            f"<code>{_e(finding['id'])}</code></summary><dl><dt>Meaning</dt><dd>{_e(finding['meaning'])}</dd>"
            f"<dt>Why it matters</dt><dd>{_e(finding['why'])}</dd><dt>Verify</dt><dd><pre>{_e(finding['verify'])}</pre></dd>"
            f"<dt>Remedy</dt><dd>{_e(remedy['text'])}{command}</dd>"
            f"<dt>Evidence</dt><dd><details><summary class='muted'>show</summary><pre>{_e(evidence)}</pre></details></dd></dl></details>"
        )
    return parts


def _sort_key(node: Mapping[str, t.Any]) -> tuple[int, str]:
    order = ("critical", "warning", "info", "ok")
    return order.index(node["severity"]), node["name"]


def _nodes(document: Document) -> list[str]:
    parts = ["<h2>Nodes</h2><table><thead><tr><th>Node<th>podCIDRs<th>Ready<th>State</tr></thead><tbody>"]
    for node in sorted(document["nodes"], key=_sort_key):
        cidrs = " ".join(f"<code>{_e(ipaddress.ip_network(text))}</code>" for text in node["pod_cidrs"])
        cordoned = " <span class='muted'>cordoned</span>" if node["unschedulable"] else ""
        parts.append(
            f"<tr data-text='{_e(node['name'])}'><td>{_e(node['name'])}{cordoned}<td>{cidrs or 'none'}<td>{_e(node['ready'])}"
            f"<td><span class='tag {node['severity']}'>{node['severity']}</span></tr>"
        )
    return [*parts, "</tbody></table>"]


def _unknown(document: Document) -> list[str]:
    if not document["unknown"]:
        return []
    rows = "".join(f"<li><b>{_e(name)}</b>: {_e(reason)}</li>" for name, reason in document["unknown"].items())
    return [f"<h2>Unknown</h2><div class='panel'><ul>{rows}</ul></div>"]
