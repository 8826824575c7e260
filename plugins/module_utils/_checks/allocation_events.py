# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the allocator's events about Nodes: CIDRNotAvailable and CIDRAssignmentFailed.

The events are of type Normal, and one CIDRAssignmentFailed comes also where a block was given out twice and one taken back:
the Node decides, not the event. A Node that has its podCIDRs now is fine (kubernetes 1.36, measured).
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import recent
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import counted, first, listed
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import UNKNOWN

NOT_AVAILABLE, FAILED = "CIDRNotAvailable", "CIDRAssignmentFailed"
_ALLOCATOR = Subject("Allocator", "of podCIDRs")


def check(context: Context) -> Iterator[Finding]:
    """One finding for each cause, with all Nodes it concerns."""
    refused = _nodes_without(context, NOT_AVAILABLE)
    failed = {name: event for name, event in _nodes_without(context, FAILED).items() if name not in refused}
    if not context.ipam_model.node_spec_is_truth:
        if refused and context.ipam_model.name != UNKNOWN:
            yield _noise(context, refused)
        return
    if refused:
        yield _refused(context, refused)
    if failed:
        yield Finding(
            "cidr-assignment-failed",
            _ALLOCATOR,
            f"The allocator had a block for {counted(len(failed), 'Node')} and could not write it: {listed(failed)}",
            _evidence(failed),
        )


def _nodes_without(context: Context, reason: str) -> dict[str, Object]:
    """{Node that has no podCIDR: its latest event of this reason}; events about an earlier Node do not count."""
    births = recent.node_births(context)
    found: dict[str, Object] = {}
    for event in recent.events(context, reason):
        involved = event.get("involvedObject") or {}
        name, seen = str(involved.get("name") or ""), recent.last_seen(event)
        if involved.get("kind") != "Node" or name not in births or context.node_cidrs[name] or seen is None:
            continue
        born = births[name]
        if born is not None and seen < born:
            continue
        other = recent.last_seen(found[name]) if name in found else None
        if other is None or seen > other:
            found[name] = event
    return found


def _evidence(events: dict[str, Object]) -> dict[str, t.Any]:
    latest = max(events.values(), key=lambda event: str(recent.last_seen(event)))
    return {
        "nodes": first(events),
        "count": len(events),
        "last_event": {"time": str(recent.last_seen(latest)), "message": str(latest.get("message") or "")},
    }


def _refused(context: Context, events: dict[str, Object]) -> Finding:
    """The allocator says that it has no block; whether that is so by the Nodes' podCIDRs tells the cause."""
    who = f"The allocator finds no block for {counted(len(events), 'Node')} ({listed(events)})"
    pools = context.pool_summaries()
    exhausted = [pool for pool in pools if pool["free"] <= 0]
    evidence = {**_evidence(events), "pools": pools}
    if not pools:
        return Finding(
            "cidr-not-available",
            _ALLOCATOR,
            f"{who}; its range is not known, so neither is why",
            {**evidence, "cause": None},
        )
    if not exhausted:
        free = ", ".join(f"{pool['free']} of {pool['capacity']} blocks of {pool['cluster_cidr']}" for pool in pools)
        return Finding("cidr-blocks-leaked", _ALLOCATOR, f"{who}, but no Node holds {free}", evidence)
    taken = ", ".join(f"all {pool['capacity']} blocks of {pool['cluster_cidr']}" for pool in exhausted)
    text = f"{who}: {taken} are taken"
    reserved = sum(pool["reserved_by_service_ranges"] for pool in exhausted)
    if reserved:
        text += f", {reserved} of them by the service range"
    if len(pools) > len(exhausted):
        text += "; one family without blocks stops both"
    return Finding("cidr-not-available", _ALLOCATOR, text, {**evidence, "cause": "pod-cidr-pool-exhausted"})


def _noise(context: Context, events: dict[str, Object]) -> Finding:
    return Finding(
        "cidr-events-are-noise",
        _ALLOCATOR,
        f"The allocator reports {NOT_AVAILABLE} for {counted(len(events), 'Node')}, and the model {context.ipam_model.name} "
        "does not use podCIDRs of Nodes",
        {**_evidence(events), "ipam_model": context.ipam_model.name},
    )
