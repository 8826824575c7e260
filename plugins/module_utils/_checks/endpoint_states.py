# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the state of endpoints: stuck, without labels, of a Node that nobody knows."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject

_SHOWN = 10
# states of the CRD's enumeration that say that something does not work
BAD = ("waiting-for-identity", "not-ready", "invalid", "disconnecting", "disconnected")
# states on the way; they are a matter only when an agent's log says that they last
PASSING = ("creating", "waiting-to-regenerate", "regenerating", "restoring")
_INIT_IDENTITY = 5
# an endpoint gets its identity and its first policy within seconds
_SETTLED_SECONDS = 120
# from this share of a Node's endpoints on, and at least so many, the Node as a whole is ill
_GRAVE_SHARE, _GRAVE_COUNT = 0.5, 5


@dataclass(frozen=True)
class Stuck:
    """One endpoint: ``since`` is known from the agent's log; else it is empty, and ``created`` is the earliest moment."""

    name: str
    state: str
    since: str
    created: str


def check(context: Context) -> Iterator[Finding]:
    """One finding for each Node and kind."""
    if context.state.knows("ciliumendpoints"):
        yield from _states(context)
        yield from _init(context)
        if context.state.knows("nodes"):
            yield from _unknown_nodes(context)


def _since(context: Context) -> dict[str, tuple[str, str]]:
    """{namespace/pod: (state, since when)} of the endpoints whose agent's own log tells it (`_domain/agent_answers`)."""
    found: dict[str, tuple[str, str]] = {}
    for answer in context.state.of("agents"):
        for endpoint in map(_mapping, answer.get("endpoints") or ()):
            name, state, since = endpoint.get("pod"), endpoint.get("state"), endpoint.get("since")
            if name and state and since:
                found[str(name)] = (str(state), str(since))
    return found


def _mapping(value: t.Any) -> dict[str, t.Any]:
    """What an agent answers is not validated: anything but an object counts as an empty one."""
    return value if isinstance(value, dict) else {}


def _states(context: Context) -> Iterator[Finding]:
    limit = of(context).older_than(_SETTLED_SECONDS)
    logged = _since(context)
    endpoints = of(context).endpoints
    totals = Counter(endpoint.node for endpoint in endpoints)
    stuck: dict[str, list[Stuck]] = {}
    for endpoint in endpoints:
        node, state = endpoint.node, endpoint.state
        if state == "ready":
            continue
        name, created = endpoint.name, endpoint.created
        known, since = logged.get(name, ("", ""))
        since = since if known == state else ""
        # without a log nothing tells how long: a bad state counts when the endpoint itself is old enough
        lasting = since < limit if since else state in BAD and bool(created) and created < limit
        if lasting and (state in BAD or state in PASSING):
            stuck.setdefault(node, []).append(Stuck(name, state, since, created))
    for node, found in sorted(stuck.items()):
        yield _of_node(node, found, totals[node])


def _of_node(node: str, found: list[Stuck], total: int) -> Finding:
    counts = Counter(one.state for one in found)
    ordered = sorted(found, key=lambda one: (one.since or one.created, one.name))
    first = ordered[0]
    where = f"of Node {node}" if node else "whose Node is not known"
    when = f"since {first.since}" if first.since else f"at the longest since {first.created}"
    words = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    return Finding(
        "endpoint-state-bad",
        Subject("Node", node) if node else Subject("Cluster", "cluster"),
        f"{len(found)} of {total} endpoints {where} are not ready ({words}), for example {first.name}: {first.state} {when}",
        {
            "count": len(found),
            "endpoints_of_the_node": total,
            "states": dict(sorted(counts.items())),
            "endpoints": [
                {"endpoint": one.name, "state": one.state, "since": one.since or None, "created": one.created}
                for one in ordered[:_SHOWN]
            ],
        },
        CRITICAL if len(found) >= _GRAVE_COUNT and len(found) >= _GRAVE_SHARE * total else "",
    )


def _init(context: Context) -> Iterator[Finding]:
    limit = of(context).older_than(_SETTLED_SECONDS)
    found: dict[str, list[str]] = {}
    for endpoint in of(context).endpoints:
        if endpoint.identity == _INIT_IDENTITY and endpoint.created and endpoint.created < limit:
            found.setdefault(endpoint.node, []).append(endpoint.name)
    for node, endpoints in sorted(found.items()):
        shown = sorted(endpoints)
        where = f"of Node {node}" if node else "whose Node is not known"
        yield Finding(
            "endpoint-identity-init",
            Subject("Node", node) if node else Subject("Cluster", "cluster"),
            f"{len(shown)} endpoints {where} keep the identity reserved:init, for example {shown[0]}",
            {"count": len(shown), "endpoints": shown[:_SHOWN]},
        )


def _unknown_nodes(context: Context) -> Iterator[Finding]:
    """One finding for all of them: after a change of all Nodes' addresses it would be one for each Node."""
    known = bool(context.cilium.node_names_by_address)
    found: dict[str, list[str]] = {}
    for endpoint in of(context).endpoints if known else ():
        if endpoint.address and not endpoint.node:
            found.setdefault(endpoint.address, []).append(endpoint.name)
    if not found:
        return
    count = sum(len(one) for one in found.values())
    rows: list[dict[str, t.Any]] = [
        {"address": address, "endpoints": len(endpoints), "example": min(endpoints)}
        for address, endpoints in sorted(found.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    ]
    yield Finding(
        "endpoint-node-unknown",
        Subject("Cluster", "cluster"),
        f"{count} endpoints name {len(found)} addresses that no Node has, for example {rows[0]['example']} with "
        f"{rows[0]['address']}",
        {"count": count, "addresses": len(found), "by_address": rows[:_SHOWN]},
    )
