# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which PodDisruptionBudgets stand in the way of which pods, read from the objects alone."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

Object = Mapping[str, t.Any]


def selector_matches(selector: Mapping[str, t.Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects ``labels``: none selects nothing, an empty one everything (policy/v1)."""
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    return all(_expression_matches(expression, labels) for expression in selector.get("matchExpressions") or [])


def _expression_matches(expression: Mapping[str, t.Any], labels: Mapping[str, str]) -> bool:
    key, operator, values = expression.get("key"), expression.get("operator"), expression.get("values") or []
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if operator == "In":
        return labels.get(str(key)) in values
    if operator == "NotIn":
        return labels.get(str(key)) not in values
    return False


def budgets_of(pod: Object, budgets: Iterable[Object]) -> list[Object]:
    """The budgets of the pod's namespace whose selector matches it."""
    metadata = pod.get("metadata") or {}
    labels = metadata.get("labels") or {}
    return [
        budget
        for budget in budgets
        if (budget.get("metadata") or {}).get("namespace") == metadata.get("namespace")
        and selector_matches((budget.get("spec") or {}).get("selector"), labels)
    ]


def is_exempt(pod: Object) -> bool:
    """Whether the eviction API asks no budget: Pending, finished and terminating pods (registry/core/pod/storage)."""
    phase = (pod.get("status") or {}).get("phase")
    terminating = bool((pod.get("metadata") or {}).get("deletionTimestamp"))
    return terminating or phase in ("Pending", "Succeeded", "Failed")


def describe_budget(budget: Object) -> str:
    """``ns/name (allows 0 disruptions now: 3 healthy pods, 3 needed)``."""
    metadata, status = budget.get("metadata") or {}, budget.get("status") or {}
    return (
        f"{metadata.get('namespace')}/{metadata.get('name')} (allows {status.get('disruptionsAllowed', 0)} disruptions "
        f"now: {status.get('currentHealthy', 0)} healthy pods, {status.get('desiredHealthy', 0)} needed)"
    )


def ambiguous_pods(pods: Sequence[Object], budgets: Sequence[Object]) -> list[str]:
    """One sentence for each pod under two or more budgets: its eviction always fails with HTTP 500."""
    sentences = []
    for pod in pods:
        matching = [] if is_exempt(pod) else budgets_of(pod, budgets)
        if len(matching) > 1:
            metadata = pod.get("metadata") or {}
            names = ", ".join(sorted(str((budget.get("metadata") or {}).get("name")) for budget in matching))
            sentences.append(
                f"pod {metadata.get('namespace')}/{metadata.get('name')} is covered by {len(matching)} "
                f"PodDisruptionBudgets ({names}), and the eviction API refuses such a pod for ever: "
                "change their selectors so that one budget covers it"
            )
    return sentences


def exhausted_budgets(pods: Sequence[Object], budgets: Sequence[Object]) -> list[Object]:
    """The budgets that cover one of the pods and allow no disruption now (budgets without pods are left out)."""
    found: dict[str, Object] = {}
    for pod in pods:
        for budget in [] if is_exempt(pod) else budgets_of(pod, budgets):
            status = budget.get("status") or {}
            if int(status.get("disruptionsAllowed") or 0) == 0 and int(status.get("expectedPods") or 0) > 0:
                found[str((budget.get("metadata") or {}).get("uid"))] = budget
    return list(found.values())
