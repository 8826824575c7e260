# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One audit in sentences: the lines that terminal, Markdown and HTML share. What is not known is said to be so."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Mapping

Document = Mapping[str, t.Any]
Part = Mapping[str, t.Any]
SEVERITIES = ("critical", "warning", "info")
_STATES = 5


def part_of(document: Document, key: str) -> Part | None:
    """A part of the document that is a mapping; None where the audit has none."""
    found = document.get(key)
    return found if isinstance(found, Mapping) else None


def rows_of(value: t.Any) -> list[Mapping[str, t.Any]]:
    """Those elements of a list that are mappings; nothing where it is no list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, (list, tuple)) else []


def cilium_pools(document: Document) -> list[Mapping[str, t.Any]]:
    """Pools that Cilium cuts Nodes' blocks from."""
    return rows_of(document.get("cilium_pools"))


def node_addresses(document: Document) -> dict[str, Mapping[str, t.Any]]:
    """{Node: capacity, used and free of its pod addresses}, for those of which it is known."""
    return {node["name"]: node["addresses"] for node in document["nodes"] if isinstance(node.get("addresses"), Mapping)}


def deletions(document: Document) -> list[tuple[str, int, str]]:
    """(provider, how many Nodes, what happens when such a Node is deleted), where no page about the IPAM model says it."""
    if part_of(document, "ipam_report"):
        return []
    counted = Counter(
        (str(node.get("provider") or "unknown"), str(node["if_deleted"]))
        for node in document["nodes"]
        if node.get("if_deleted")
    )
    return [(provider, count, text) for (provider, text), count in sorted(counted.items())]


def missing(document: Document) -> dict[str, str]:
    """{what could not be read and matters here: why}: a cluster without Cilium misses none of its objects."""
    named = {one["subject"]["name"] for one in document["findings"] if one["id"] == "data-missing"}
    return {resource: str(why) for resource, why in sorted(document["unknown"].items()) if resource in named}


def number(value: t.Any) -> str:
    """A count for people: ``65,279``; ``unknown`` for None."""
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def percent(part: t.Any, whole: t.Any) -> str:
    """`` (12.3%)``, or nothing where a number is missing or the whole is empty."""
    known = isinstance(part, (int, float)) and isinstance(whole, (int, float)) and whole > 0
    return f" ({100 * part / whole:.1f}%)" if known else ""


def about(subject: Mapping[str, t.Any]) -> str:
    """``namespace/name`` of a subject."""
    return f"{subject['namespace']}/{subject['name']}" if subject.get("namespace") else str(subject["name"])


def headline(document: Document) -> str:
    """One line: how bad it is."""
    summary = document["summary"]
    counts = ", ".join(f"{summary[severity]} {severity}" for severity in SEVERITIES)
    unknown = f", {len(lacking)} unknown" if (lacking := missing(document)) else ""
    nodes = "Node" if summary["nodes"] == 1 else "Nodes"
    return f"{number(summary['nodes'])} {nodes}: {counts}{unknown}"


def pools_decide(document: Document) -> bool:
    """Whether pods get their addresses from the pools of the cluster CIDR: not where the CNI keeps its own books."""
    return not any(one["id"] == "ipam-model-not-node-spec" for one in document["findings"])


def pool_line(pool: Mapping[str, t.Any]) -> str:
    """Use of one pool of the cluster CIDR in one line."""
    line = f"{pool['cluster_cidr']} (/{pool['node_mask_size']}): {pool['used']} of {pool['capacity']} blocks used"
    if pool["reserved_by_service_ranges"]:
        line += f" ({pool['reserved_by_service_ranges']} by the service range)"
    line += f", {pool['free']} free"
    return line + (f", waiting Nodes: {pool['waiting_nodes']}" if pool["waiting_nodes"] else "")


def cilium_pool_line(pool: Mapping[str, t.Any]) -> str:
    """Use of one pool of Cilium in one line."""
    mask = f" (/{pool['mask_size']})" if pool.get("mask_size") is not None else ""
    return (
        f"{pool.get('pool') or 'cluster-pool'} {pool.get('cidr') or 'of an unknown range'}{mask}: "
        f"{number(pool.get('used'))} of {number(pool.get('capacity'))} used, {number(pool.get('free'))} free"
    )


def cilium_line(document: Document) -> str:
    """Version and modes of Cilium in one line; empty without Cilium."""
    cilium = part_of(document, "cilium")
    if cilium is None:
        return ""
    facts = [f"Cilium {cilium.get('version') or 'of unknown version'}"]
    for key, words in (
        ("ipam_mode", "IPAM"),
        ("identity_allocation_mode", "identities"),
        ("identity_management_mode", "managed by"),
        ("operator_ready", "operators ready"),
    ):
        if cilium.get(key):
            facts.append(f"{words} {cilium[key]}")
    return ", ".join(facts)


def identity_line(document: Document) -> str:
    """Use of the range of identities, and the classes that matter, in one line; empty where there is none."""
    identities = part_of(document, "identities")
    if identities is None:
        return ""
    capacity = (part_of(identities, "range") or {}).get("capacity")
    used = identities.get("used")
    line = f"{number(used)} of {number(capacity)} used{percent(used, capacity)}, {number(identities.get('free'))} free"
    classes = part_of(identities, "classes") or {}
    odd = [f"{number(count)} {name}" for name, count in classes.items() if count and name != "in-use"]
    return line + (f"; {', '.join(odd)}" if odd else "")


def collection_line(document: Document) -> str:
    """Verdict on the garbage collection of identities, with its first reason; empty where there is none."""
    verdict = part_of(part_of(document, "identities") or {}, "gc")
    if verdict is None or not verdict.get("verdict"):
        return ""
    reasons = [str(one) for one in verdict.get("reasons") or ()]
    more = f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""
    return str(verdict["verdict"]) + (f": {reasons[0]}{more}" if reasons else "")


def forecast_line(document: Document) -> str:
    """When identities run out; empty where nothing can be said."""
    forecast = part_of(part_of(document, "identities") or {}, "forecast")
    if forecast is None:
        return ""
    rate = forecast.get("per_hour")
    words = f"{rate:.1f} new identities an hour" if isinstance(rate, (int, float)) and rate >= 0.05 else ""
    if forecast.get("exhausted_at"):
        words = f"no identity is left at {forecast['exhausted_at']}" + (f", at {words}" if words else "")
    return words


def endpoint_line(document: Document) -> str:
    """Endpoints by state in one line; empty where there is none."""
    endpoints = part_of(document, "endpoints")
    if endpoints is None:
        return ""
    states = sorted((part_of(endpoints, "states") or {}).items(), key=lambda one: (-(one[1] or 0), str(one[0])))
    words = [f"{number(count)} {state or 'without state'}" for state, count in states[:_STATES]]
    if len(states) > _STATES:
        words.append(f"{number(sum(count or 0 for _state, count in states[_STATES:]))} in other states")
    for key, text in (("without_pod", "without pod"), ("pods_without_endpoint", "pods without endpoint")):
        if endpoints.get(key):
            words.append(f"{number(endpoints[key])} {text}")
    return f"{number(endpoints.get('count'))} in all" + (f"; {', '.join(words)}" if words else "")


def comparison_line(document: Document) -> str:
    """New, gone and still against the older audit; empty without one."""
    comparison = part_of(document, "comparison")
    if comparison is None:
        return ""
    line = f"{len(comparison['new'])} new, {len(comparison['gone'])} gone, {comparison['still']} still"
    blind = comparison.get("not_readable_now") or ()
    also = f"; gone or only not readable now: {', '.join(blind)}" if blind and comparison["gone"] else ""
    return f"{line} since {comparison['with']}{also}"


def next_steps(document: Document, urgent: list[Mapping[str, t.Any]]) -> list[str]:
    """What to do now: commands that plan a repair, or why there is none."""
    playbooks = sorted({finding["remedy"]["playbook"] for finding in urgent if finding["remedy"]["command"]})
    if playbooks:
        return [
            f"plan the repair (writes nothing): ansible-playbook -i INVENTORY {playbook} --check --diff"
            for playbook in playbooks
        ]
    if urgent:
        return ["no playbook mends this: the report says for each finding what to do"]
    judged = document["ipam_model"]["name"] != "unknown"
    if missing(document):
        what = "not everything was judged" if judged else "pod CIDRs were not judged"
        return [f"{what}: what is unknown has to be readable first (the rules are in the findings data-missing)"]
    if not judged:
        return ["pod CIDRs were not judged: it is not known here what they should be (see the option allocator)"]
    return ["nothing to mend"]
