# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What was healthy before a run: workloads, disruption budgets, Nodes, and which critical findings there were already.

Only what was healthy counts later: a run must not make the cluster worse, and cannot make it better than it was.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Object = Mapping[str, t.Any]
#: Kind and path of the workloads that are looked at.
WORKLOADS: tuple[tuple[str, str], ...] = (
    ("Deployment", "/apis/apps/v1/deployments"),
    ("StatefulSet", "/apis/apps/v1/statefulsets"),
    ("DaemonSet", "/apis/apps/v1/daemonsets"),
)
BUDGETS = "/apis/policy/v1/poddisruptionbudgets"


@dataclass(frozen=True)
class Baseline:
    """Workloads by ``kind namespace/name`` with their uid, budgets by ``namespace/name`` with the disruptions that they
    allowed, Nodes that were Ready, and critical findings as ``id subject``."""

    workloads: Mapping[str, str] = field(default_factory=dict)
    budgets: Mapping[str, int] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form, which the next call takes."""
        return {
            "workloads": dict(self.workloads),
            "budgets": dict(self.budgets),
            "nodes": list(self.nodes),
            "critical": list(self.critical),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, t.Any]) -> Baseline:
        """The baseline of its JSON form; ValueError, TypeError or AttributeError when it is none."""
        return cls(
            workloads={str(key): str(uid) for key, uid in content["workloads"].items()},
            budgets={str(key): int(value) for key, value in content["budgets"].items()},
            nodes=tuple(str(name) for name in content["nodes"]),
            critical=tuple(str(name) for name in content["critical"]),
        )


def key_of(kind: str, workload: Object) -> str:
    """``kind namespace/name``."""
    return f"{kind} {name_of(workload)}"


def name_of(obj: Object) -> str:
    """``namespace/name``."""
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"


def wanted_and_ready(kind: str, workload: Object) -> tuple[int, int]:
    """How many pods the workload wants now, and how many of them are ready."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if kind == "DaemonSet":
        return int(status.get("desiredNumberScheduled") or 0), int(status.get("numberReady") or 0)
    wanted = spec.get("replicas")
    return 1 if wanted is None else int(wanted), int(status.get("readyReplicas") or 0)


def what_is_wrong(kind: str, workload: Object) -> str:
    """In words what a workload lacks; empty when it is healthy."""
    wanted, ready = wanted_and_ready(kind, workload)
    status = workload.get("status") or {}
    if int(status.get("observedGeneration") or 0) < int((workload.get("metadata") or {}).get("generation") or 0):
        return "its controller has not looked at it yet"
    return f"{ready} of {wanted} pods are ready" if ready < wanted else ""


def allowed(budget: Object) -> int:
    """Disruptions that the budget allows now."""
    return int((budget.get("status") or {}).get("disruptionsAllowed") or 0)


def is_ready(node: Object) -> bool:
    """Whether the Node is Ready."""
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def baseline_of(
    workloads: Mapping[str, Iterable[Object]],
    budgets: Iterable[Object],
    nodes: Iterable[Object],
    critical: Iterable[str],
) -> Baseline:
    """What is healthy among these objects; ``workloads`` by kind."""
    return Baseline(
        workloads={
            key_of(kind, one): str(one["metadata"].get("uid") or "")
            for kind, listed in workloads.items()
            for one in listed
            if not what_is_wrong(kind, one)
        },
        budgets={name_of(one): allowed(one) for one in budgets if allowed(one) > 0},
        nodes=tuple(str(one["metadata"]["name"]) for one in nodes if is_ready(one)),
        critical=tuple(sorted(critical)),
    )


def degradations(
    baseline: Baseline,
    workloads: Mapping[str, Iterable[Object]],
    budgets: Iterable[Object],
    nodes: Iterable[Object],
) -> list[str]:
    """What was healthy and is not any more, a sentence part each. What was deleted or replaced meanwhile is left out."""
    found = []
    for kind, listed in workloads.items():
        for one in listed:
            if baseline.workloads.get(key_of(kind, one)) == str(one["metadata"].get("uid") or ""):
                problem = what_is_wrong(kind, one)
                found += [f"{key_of(kind, one)}: {problem}"] if problem else []
    for one in budgets:
        before = baseline.budgets.get(name_of(one), 0)
        status = one.get("status") or {}
        healthy, needed = int(status.get("currentHealthy") or 0), int(status.get("desiredHealthy") or 0)
        expected = int(status.get("expectedPods") or 0)
        # that of a workload which was scaled down may allow none for good, but what it protects has to be there
        if before and (healthy < needed or (not allowed(one) and healthy < expected)):
            found.append(
                f"PodDisruptionBudget {name_of(one)}: {healthy} of {needed} needed pods are healthy, allows {allowed(one)} "
                f"disruptions, {before} before"
            )
    for one in nodes:
        name = str(one["metadata"]["name"])
        if name in baseline.nodes and not is_ready(one):
            found.append(f"Node {name} is not Ready")
    return found
