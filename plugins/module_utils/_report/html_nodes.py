# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Pools, Nodes, settings of the allocator and what is unknown, as HTML."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._report.block_map import block_map, outside
from ansible_collections.podnet.upkeep.plugins.module_utils._report.blocks import cell
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markup import escaped, facts, sortable, tag
from ansible_collections.podnet.upkeep.plugins.module_utils._report.words import (
    SEVERITIES,
    Document,
    deletions,
    missing,
    node_addresses,
    number,
    pools_decide,
)

_NAMES_OUTSIDE = 12
_KINDS_OF_NODES = 50
# characters of rows of Nodes
_ROOM = 1_350_000


def pools(document: Document) -> str:
    """Every pool of the cluster CIDR with its map; empty where there is none."""
    if not document["pools"]:
        return ""
    note = (
        ""
        if pools_decide(document)
        else '<p class="muted">The CNI of this cluster keeps its own books: pods get no addresses from these blocks.</p>'
    )
    inner = "".join(_pool(document, pool) for pool in document["pools"])
    return f'<h2 id="pools">Blocks of the cluster CIDR</h2>{note}{inner}'


def _pool(document: Document, pool: Mapping[str, t.Any]) -> str:
    capacity = max(1, pool["capacity"])
    reserved = 100 * pool["reserved_by_service_ranges"] / capacity
    used = 100 * pool["used"] / capacity - reserved
    waiting = pool["waiting_nodes"]
    said = f"{number(pool['used'])} of {number(pool['capacity'])} used, <b>{number(pool['free'])} free</b>"
    decides = pools_decide(document)
    if waiting and decides:
        said += f' <span class="tag critical">{number(waiting)} {"Node waits" if waiting == 1 else "Nodes wait"} for a block</span>'
    lost = outside(document, pool)
    more = f" and {len(lost) - _NAMES_OUTSIDE} more" if len(lost) > _NAMES_OUTSIDE else ""
    beside = (
        f'<p class="small"><span class="tag {"critical" if decides else "info"}">outside</span> {escaped(", ".join(lost[:_NAMES_OUTSIDE]))}{more}</p>'
        if lost
        else ""
    )
    return (
        f'<div class="panel"><div class="head"><h3>{escaped(pool["cluster_cidr"])}</h3><span class="muted">{escaped(pool["family"])}, '
        f'one /{escaped(pool["node_mask_size"])} block for each Node</span><span class="count">{said}</span></div>'
        f'<svg viewBox="0 0 1000 9" role="img" aria-label="Share of used blocks: {used + reserved:.0f} percent">'
        f'<rect class="free" width="1000" height="9" rx="4"/><rect class="used" width="{10 * used:.1f}" height="9" rx="4"/>'
        f'<rect class="reserved" x="{10 * used:.1f}" width="{10 * reserved:.1f}" height="9"/></svg>'
        f"{block_map(document, pool)}{beside}</div>"
    )


def unknown(document: Document) -> str:
    """What could not be read; empty where everything could."""
    if not document["unknown"]:
        return ""
    lacking = missing(document)
    rows = [
        f'<tr><th scope="row">{escaped(resource)}</th><td>{escaped(reason)}</td><td>{"yes" if resource in lacking else "no"}</td></tr>'
        for resource, reason in sorted(document["unknown"].items(), key=lambda one: (one[0] not in lacking, one[0]))
    ]
    made = sortable("What could not be read", (("What", False), ("Why", False), ("Matters here", False)), rows)
    return (
        '<h2 id="unknown">Unknown</h2><div class="panel"><p>This could not be read. What depends on it is neither fine nor '
        f"faulty.</p>{made}</div>"
    )


def settings(document: Document) -> str:
    """The allocator's settings with their source."""
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
    shown = ((name, escaped(value)) for name, value in rows if known or name != "Node mask sizes")
    return f'<h2 id="settings">Settings of the allocator</h2><div class="panel">{facts(shown)}</div>'


# -- Nodes ---------------------------------------------------------------------------------------------------------------


def _sort_key(node: Mapping[str, t.Any]) -> tuple[int, str]:
    return (*SEVERITIES, "ok").index(node["severity"]), node["name"]


def nodes(document: Document) -> str:
    """All Nodes that fit, worst first; columns that no Node has a value for are left out."""
    providers = any(one.get("provider") is not None for one in document["nodes"])
    addresses = node_addresses(document)
    heads: list[tuple[str, bool]] = [("Node", False), ("podCIDRs", False), ("Ready", False), ("Pods", True)]
    heads += [("Free addresses", True)] if addresses else []
    heads += [*([("Provider", False)] if providers else []), ("State", False)]
    room, rows = _ROOM, []
    for node in sorted(document["nodes"], key=_sort_key):
        beside = _addresses(addresses.get(node["name"])) if addresses else ""
        if providers:
            beside += f"<td>{escaped('?' if node.get('provider') is None else cell(node['provider']))}</td>"
        row = _node(node, beside)
        room -= len(row)
        if room < 0:
            break
        rows.append(row)
    made = sortable("Nodes, worst first", heads, rows, len(document["nodes"]) - len(rows))
    return f'<h2 id="nodes">Nodes</h2>{_deletions(document)}<div class="panel">{made}</div>'


def _deletions(document: Document) -> str:
    """What deleting a Node does, once for all Nodes of a kind."""
    rows = [
        f'<tr><th scope="row">{escaped(provider)}</th><td class="n">{number(count)}</td><td>{escaped(text)}</td></tr>'
        for provider, count, text in deletions(document)
    ]
    if not rows:
        return ""
    heads = (("Provider", False), ("Nodes", True), ("If a Node is deleted", False))
    made = sortable("What deleting a Node does", heads, rows[:_KINDS_OF_NODES], max(0, len(rows) - _KINDS_OF_NODES))
    return f'<div class="panel">{made}</div>'


def _node(node: Mapping[str, t.Any], beside: str) -> str:
    cidrs = " ".join(f"<code>{escaped(text)}</code>" for text in node["pod_cidrs"]) or '<span class="muted">none</span>'
    cordoned = ' <span class="muted small">cordoned</span>' if node["unschedulable"] else ""
    ids = f'<br><span class="small muted">{escaped(", ".join(node["findings"]))}</span>' if node["findings"] else ""
    pods = "?" if node["pods"] is None else node["pods"]
    return (
        f'<tr data-f=""><th scope="row">{escaped(node["name"])}{cordoned}</th><td>{cidrs}</td><td>{escaped(node["ready"])}</td>'
        f'<td class="n">{escaped(pods)}</td>{beside}<td>{tag(node["severity"])}{ids}</td></tr>'
    )


def _addresses(value: Mapping[str, t.Any] | None) -> str:
    if value is None:
        return '<td class="n">?</td>'
    return f'<td class="n">{escaped(cell(value.get("free")))} of {escaped(cell(value.get("capacity")))}</td>'
