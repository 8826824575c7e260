# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of CiliumEndpoints against pods: one without the other, or not the same one."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_addresses import unmanaged
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_placement import foreign_pods, full_name
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.endpoint_view import Endpoint
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, Object

_SHOWN = 10
_SETTLED_SECONDS = 120


def check(context: Context) -> Iterator[Finding]:
    """One finding for each Node and kind; none where pods or endpoints are unknown."""
    if not context.state.knows("ciliumendpoints", "pods"):
        return
    yield from _endpoints(context)
    for node, pods in sorted((pods_without_endpoint(context) or {}).items()):
        names = sorted(full_name(pod) for pod in pods)
        yield Finding(
            "pod-without-endpoint",
            Subject("Node", node),
            f"{len(names)} running pods of Node {node} have no CiliumEndpoint, for example {names[0]}",
            {"count": len(names), "pods": names[:_SHOWN]},
        )


def pods_without_endpoint(context: Context) -> dict[str, list[Object]] | None:
    """{Node: its pods}; None where it cannot be told. Pods of another CNI are cilium-pod-unmanaged, not here."""
    if not of(context).has_endpoints:
        return None
    foreign = {id(pod) for pods in foreign_pods(context).values() for pod in pods}
    found = {}
    for node, pods in unmanaged(context).items():
        own = [pod for pod, _addresses in pods if id(pod) not in foreign]
        if own:
            found[node] = own
    return found


def without_pod(context: Context) -> list[Endpoint] | None:
    """CiliumEndpoints whose pod does not exist; None where pods are unknown. Those younger than two minutes are left out."""
    if not context.state.knows("ciliumendpoints", "pods"):
        return None
    ipam = of(context)
    limit, pods = ipam.older_than(_SETTLED_SECONDS), ipam.pods
    return [
        endpoint
        for endpoint in ipam.endpoints
        if endpoint.key not in pods and not endpoint.is_deleting and endpoint.created < limit and endpoint.of_pod
    ]


def _endpoints(context: Context) -> Iterator[Finding]:
    orphans = without_pod(context) or ()
    yield from _grouped("endpoint-without-pod", [(one, False) for one in orphans], "endpoints {where} have no pod")
    ipam = of(context)
    limit, pods = ipam.older_than(_SETTLED_SECONDS), ipam.pods
    replaced: list[tuple[Endpoint, bool]] = []
    ended: list[tuple[Endpoint, bool]] = []
    for endpoint in ipam.endpoints:
        pod = pods.get(endpoint.key)
        if pod is None or endpoint.is_deleting:
            continue
        owner, uid = endpoint.owner, pod["metadata"].get("uid")
        phase = (pod.get("status") or {}).get("phase")
        if owner and uid and owner != uid:
            created = str(pod["metadata"].get("creationTimestamp") or "")
            replaced.append((endpoint, phase == "Running" and bool(created) and created < limit))
        elif phase in TERMINAL_PHASES:
            ended.append((endpoint, False))
    yield from _grouped(
        "endpoint-of-replaced-pod", replaced, "endpoints {where} belong to an earlier pod of the same name"
    )
    yield from _grouped("endpoint-of-terminal-pod", ended, "endpoints {where} belong to pods that have ended")


def _grouped(identifier: str, found: list[tuple[Endpoint, bool]], text: str) -> Iterator[Finding]:
    """One finding for each Node; critical where one of its endpoints is marked as grave."""
    by_node: dict[str, list[tuple[str, bool]]] = {}
    for endpoint, is_grave in found:
        by_node.setdefault(endpoint.node, []).append((endpoint.name, is_grave))
    for node, entries in sorted(by_node.items()):
        ordered = sorted(entries)
        where = f"of Node {node}" if node else "whose Node is not known"
        grave = sum(1 for _name, one in entries if one)
        evidence: dict[str, t.Any] = {"count": len(ordered), "endpoints": [name for name, _one in ordered[:_SHOWN]]}
        if grave:
            evidence["of_running_pods"] = grave
        yield Finding(
            identifier,
            Subject("Node", node) if node else Subject("Cluster", "cluster"),
            f"{len(ordered)} {text.format(where=where)}, for example {ordered[0][0]}",
            evidence,
            CRITICAL if grave else "",
        )
