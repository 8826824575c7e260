# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the control plane: who leads, whether it stays, aggregated APIs, versions."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import controller_manager_loop, leader_leases
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import counted, first, listed
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import CRITICAL
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import is_controller_manager
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, condition, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
# Lease -> what is reported when nobody renews it; that of the cilium-operator belongs to the checks of identities
_STALE = {
    "kube-controller-manager": "controller-manager-lease-stale",
    "kube-scheduler": "scheduler-lease-stale",
}
# kubelets may be so many minor versions older than the API server: three since 1.28, two before
_OLDER, _OLDER_BEFORE, _SINCE = 3, 2, (1, 28)
# kubernetes/kubernetes 127792, mended in 1.31.4
_DUPLICATES = ((1, 31, 0), (1, 31, 3))

Version: t.TypeAlias = tuple[int, int, int]


def check(context: Context) -> Iterator[Finding]:
    """Nothing is said about what could not be read, or what a managed control plane does not show."""
    yield from _stale_leases(context)
    yield from controller_manager_loop.check(context)
    yield from _api_services(context)
    yield from _skew(context)
    yield from _duplicates(context)


def section(context: Context) -> dict[str, t.Any] | None:
    """{"leases": [...], "api_services": [...]}: each part is None where it could not be read.

    Only APIServices that another server answers for are listed.
    """
    state = context.state
    leases = [one.to_dict() for one in leader_leases.leader_leases(context)] if state.knows("leases") else None
    services = [_api_service(one) for one in _aggregated(context)] if state.knows("apiservices") else None
    return {"leases": leases, "api_services": services}


def _stale_leases(context: Context) -> Iterator[Finding]:
    for lease in leader_leases.leader_leases(context):
        if lease.stale and lease.name in _STALE:
            age = lease.age(lease.renewed) or 0.0
            yield Finding(
                _STALE[lease.name],
                Subject("Lease", lease.name, "kube-system"),
                f"Nobody leads {lease.name}: {lease.holder or 'its last leader'} renewed the Lease {words(age)} ago",
                lease.to_dict(),
            )


def _aggregated(context: Context) -> list[Object]:
    services = context.state.of("apiservices")
    return sorted((one for one in services if (one.get("spec") or {}).get("service")), key=name_of)


def _api_service(obj: Object) -> dict[str, t.Any]:
    conditions = (obj.get("status") or {}).get("conditions") or ()
    found: Object = next((one for one in conditions if one.get("type") == "Available"), {})
    return {
        "name": name_of(obj),
        "available": condition(obj, "Available"),
        "reason": str(found.get("reason") or ""),
        "message": str(found.get("message") or "")[:300],
    }


def _api_services(context: Context) -> Iterator[Finding]:
    for obj in _aggregated(context):
        one = _api_service(obj)
        if one["available"] == "True":
            continue
        service = obj["spec"]["service"]
        behind = f"{service.get('namespace', '')}/{service.get('name', '')}"
        yield Finding(
            "api-service-unavailable",
            Subject("APIService", one["name"]),
            f"APIService {one['name']} (Service {behind}) is not available: "
            + (one["reason"] or "it has not said whether it is"),
            {**one, "service": behind},
        )


def version(text: str | None) -> Version | None:
    """Version of a text such as v1.31.2, v1.29.4-eks-1 or an image's tag; None when it has none."""
    found = _VERSION.search(text or "")
    return None if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))


def _skew(context: Context) -> Iterator[Finding]:
    server = version(context.state.server_version)
    if server is None:
        return
    allowed = _OLDER if server[:2] >= _SINCE else _OLDER_BEFORE
    newer, older = {}, {}
    for node in context.state.nodes:
        text = str(((node.get("status") or {}).get("nodeInfo") or {}).get("kubeletVersion") or "")
        found = version(text)
        if found is None or found[0] != server[0]:
            continue
        if found[1] > server[1]:
            newer[name_of(node)] = text
        elif server[1] - found[1] > allowed:
            older[name_of(node)] = text
    parts = [
        f"{counted(len(nodes), 'kubelet')} {word}: {', '.join(sorted(set(nodes.values()))[:3])} on {listed(nodes)}"
        for nodes, word in ((newer, "newer than the API server"), (older, f"more than {allowed} minor versions older"))
        if nodes
    ]
    if parts:
        nodes = {**newer, **older}
        yield Finding(
            "kubelet-version-skew",
            Subject("Nodes", "kubelets"),
            f"The API server is {context.state.server_version}; {'; '.join(parts)}",
            {
                "server_version": context.state.server_version,
                "nodes": {name: nodes[name] for name in first(nodes)},
                "count": len(nodes),
            },
        )


def _duplicates(context: Context) -> Iterator[Finding]:
    if context.allocator.allocate_node_cidrs is False or not context.ipam_model.node_spec_is_truth:
        return
    running = _controller_manager_version(context)
    if running is None or not _DUPLICATES[0] <= running <= _DUPLICATES[1]:
        return
    held = [name_of(node) for node in context.state.nodes if node["metadata"].get("finalizers")]
    text = f"kube-controller-manager is {'.'.join(map(str, running))}"
    if held:
        text += f", and {counted(len(held), 'Node has', 'Nodes have')} finalizers: {listed(held)}"
    yield Finding(
        "controller-manager-duplicates-cidrs",
        Subject("Cluster", "cluster"),
        text,
        {"version": ".".join(map(str, running)), "nodes_with_finalizers": first(held), "count": len(held)},
        CRITICAL if held else "",
    )


def _controller_manager_version(context: Context) -> Version | None:
    """By the tag of its image, else that of the API server, which is mostly the same release."""
    for pod in context.state.marked_pods:
        if is_controller_manager(pod):
            for container in (pod.get("spec") or {}).get("containers") or ():
                tag = str(container.get("image") or "").split("@", maxsplit=1)[0].rpartition(":")[2]
                if (found := version(tag)) is not None:
                    return found
    return version(context.state.server_version)
