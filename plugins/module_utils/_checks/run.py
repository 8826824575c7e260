# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Runs all checks and puts their result into one document."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    agents,
    cilium_config,
    cilium_ipam,
    control_plane,
    endpoints,
    events,
    host_network,
    identities,
    ipam_models,
    kvstore,
    label_filter,
    node_capacity,
    pod_cidrs,
    pods,
    pool,
    sandbox_failures,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import SEVERITIES
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_path import place_of, walk
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, ordered
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_models import node_notes
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import condition, name_of

_CHECKS = (
    pod_cidrs.check,
    pods.check,
    pool.check_pool,
    pool.check_settings,
    pool.check_unknown,
    cilium_config.check,
    identities.check,
    cilium_ipam.check,
    endpoints.check,
    events.check,
    control_plane.check,
    ipam_models.check,
    agents.check,
    kvstore.check,
    host_network.check,
)


# key of the document -> the part of it that a subject gives
_SECTIONS: t.Final = {
    "cilium": cilium_config.section,
    "identities": identities.section,
    "endpoints": endpoints.section,
    "kvstore": kvstore.section,
    "agents": agents.section,
    "ipam_report": ipam_models.section,
    "control_plane": control_plane.section,
    "host_network": host_network.section,
    "label_filter": label_filter.section,
}


def run_checks(context: Context) -> list[Finding]:
    """All findings, worst first; failures of sandboxes come last of all, because other findings explain them."""
    found = [finding for check in _CHECKS for finding in check(context)]
    return ordered([*found, *sandbox_failures.explain(context, found)])


def document(context: Context) -> dict[str, t.Any]:
    """The whole audit as one JSON document: summary, findings, pools, Nodes, settings, unknowns."""
    findings = run_checks(context)
    cilium_addresses = cilium_ipam.section(context) or {}
    of_blocks = {name: one.to_dict() for name, one in node_capacity.addresses(context).items()}
    nodes = _nodes(context, findings, {**of_blocks, **(cilium_addresses.get("nodes") or {})})
    counts = {severity: sum(1 for one in findings if one.severity == severity) for severity in SEVERITIES}
    # what matters here: the pools of a CNI that does not run are not missed
    unknown = sum(1 for one in findings if one.id == "data-missing")
    model = context.ipam_model
    return {
        "taken_at": context.state.taken_at.isoformat(),
        "server_version": context.state.server_version,
        "origin": context.state.origin,
        "summary": {**counts, "findings": len(findings), "nodes": len(nodes), "unknown": unknown},
        "ipam_model": {"name": model.name, "evidence": model.evidence, "description": model.description},
        "allocator": context.allocator.to_dict(),
        "pools": context.pool_summaries(),
        "nodes": nodes,
        "cilium_pools": cilium_addresses.get("pools"),
        "findings": [{**finding.to_dict(), "place": place_of(finding.id)} for finding in findings],
        "decision_path": walk(context, findings),
        "unknown": dict(context.state.unknown),
        **{key: section(context) for key, section in _SECTIONS.items()},
    }


def _nodes(context: Context, findings: Sequence[Finding], addresses: Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """One row for each Node; ``pods`` (those with an address of the pod network) is None where pods are unknown."""
    notes = node_notes(context)
    ids: dict[str, list[str]] = {}
    worst: dict[str, str] = {}
    for finding in findings:
        if finding.subject.kind == "Node":
            worst.setdefault(finding.subject.name, finding.severity)
            of_node = ids.setdefault(finding.subject.name, [])
            if finding.id not in of_node:
                of_node.append(finding.id)
    pods = Counter(pod["spec"]["nodeName"] for pod, _addresses in context.network_pods)
    return [
        {
            "name": name,
            "pod_cidrs": [str(network) for network in context.node_cidrs[name]],
            "ready": condition(node, "Ready"),
            "unschedulable": bool((node.get("spec") or {}).get("unschedulable", False)),
            "pods": None if "pods" in context.state.unknown else pods[name],
            "severity": worst.get(name, "ok"),
            "findings": ids.get(name, []),
            "addresses": addresses.get(name),
            **notes[name],
        }
        for node in context.state.nodes
        for name in (name_of(node),)
    ]
