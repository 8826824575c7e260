# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which PodDisruptionBudgets stand in the way of which pods, read from the objects alone.

Source of the rules and the wording: kubernetes pkg/registry/core/pod/storage/eviction.go (1.36).
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Object = Mapping[str, t.Any]
Verdict = t.Literal["accepted", "waits", "fails"]

_MOST_DISRUPTED_PODS = 2000


@dataclass(frozen=True)
class EvictionAnswer:
    """What the eviction API would answer now: ``waits`` is HTTP 429, ``fails`` HTTP 403 or 500, and ``words`` why."""

    verdict: Verdict
    words: str = ""
    budget: Object | None = None


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


def is_ready(pod: Object) -> bool:
    """Whether the condition Ready is True; a PodDisruptionBudget counts such pods as healthy."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def eviction_answer(pod: Object, budgets: Iterable[Object]) -> EvictionAnswer:
    """The answer to an eviction of ``pod`` under the ``budgets`` of the cluster as they are."""
    covering = [] if is_exempt(pod) else budgets_of(pod, budgets)
    if not covering:
        return EvictionAnswer("accepted")
    if len(covering) > 1:
        names = ", ".join(sorted(_name(budget) for budget in covering))
        return EvictionAnswer("fails", f"it is covered by {len(covering)} PodDisruptionBudgets ({names})")
    (budget,) = covering
    status = budget.get("status") or {}
    if not is_ready(pod):
        healthy, needed = int(status.get("currentHealthy") or 0), int(status.get("desiredHealthy") or 0)
        always = (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        if always or healthy >= needed > 0:
            return EvictionAnswer("accepted")
    return _answer_of(budget, status)


def _answer_of(budget: Object, status: Object) -> EvictionAnswer:
    if int(status.get("observedGeneration") or 0) < int((budget.get("metadata") or {}).get("generation") or 0):
        return EvictionAnswer(
            "waits", f"The disruption budget {_name(budget)} is still being processed by the server.", budget
        )
    allowed = int(status.get("disruptionsAllowed") or 0)
    if allowed < 0:
        return EvictionAnswer("fails", "pdb disruptions allowed is negative", budget)
    if len(status.get("disruptedPods") or {}) > _MOST_DISRUPTED_PODS:
        return EvictionAnswer(
            "fails", "DisruptedPods map too big - too many evictions not confirmed by PDB controller", budget
        )
    if allowed:
        return EvictionAnswer("accepted", budget=budget)
    return EvictionAnswer("waits", _why_none_is_allowed(budget, status), budget)


def _why_none_is_allowed(budget: Object, status: Object) -> str:
    condition: Object = next(
        (one for one in status.get("conditions") or () if one.get("type") == "DisruptionAllowed"), {}
    )
    told = condition.get("status") == "False" and bool(condition.get("message"))
    healthy, needed = int(status.get("currentHealthy") or 0), int(status.get("desiredHealthy") or 0)
    name = _name(budget)
    if told and condition.get("reason") == "SyncFailed":
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it failed sync: "
            f"{condition['message']}"
        )
    if healthy <= needed:
        return f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
    if told:
        return (
            f"The disruption budget {name} does not allow evicting pods currently ({condition.get('reason')}): "
            f"{condition['message']}"
        )
    return f"The disruption budget {name} does not allow evicting pods currently"


def ambiguous_pods(pods: Sequence[Object], budgets: Sequence[Object]) -> list[str]:
    """One sentence for each pod under two or more budgets: its eviction always fails with HTTP 500."""
    sentences = []
    for pod in pods:
        matching = [] if is_exempt(pod) else budgets_of(pod, budgets)
        if len(matching) > 1:
            metadata = pod.get("metadata") or {}
            names = ", ".join(sorted(_name(budget) for budget in matching))
            sentences.append(
                f"pod {metadata.get('namespace')}/{metadata.get('name')} is covered by {len(matching)} "
                f"PodDisruptionBudgets ({names}), and the eviction API refuses such a pod for ever: "
                "change their selectors so that one budget covers it"
            )
    return sentences


def exhausted_budgets(pods: Sequence[Object], budgets: Sequence[Object]) -> list[Object]:
    """The budgets that forbid the eviction of one of the pods now."""
    found: dict[str, Object] = {}
    for pod in pods:
        answer = eviction_answer(pod, budgets)
        if answer.verdict == "waits" and answer.budget is not None:
            found[str((answer.budget.get("metadata") or {}).get("uid"))] = answer.budget
    return list(found.values())


def _name(budget: Object) -> str:
    return str((budget.get("metadata") or {}).get("name"))
