# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a drain would do, before it does anything: decisions about all pods, refusals, and budgets in the way."""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, JsonObjects, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.disruption_budgets import (
    Object,
    ambiguous_pods,
    describe_budget,
    eviction_answer,
    exhausted_budgets,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    FilterOptions,
    PodDecision,
    decide,
    refusal_lines,
    warning_lines,
)

#: The words of the API about a budget that has too few healthy pods.
NUMBERS = re.compile(r"needs (?P<needed>\d+) healthy pods and has (?P<healthy>\d+) currently")

_BUDGETS = "/apis/policy/v1/poddisruptionbudgets"
_ATTACHMENTS = "/apis/storage.k8s.io/v1/volumeattachments"


@dataclass(frozen=True)
class DrainOptions:
    """Times in seconds. ``grace_period`` None leaves each pod its own; ``pod_selector`` is a label selector string."""

    filters: FilterOptions = field(default_factory=FilterOptions)
    pod_selector: str = ""
    grace_period: int | None = None
    disable_eviction: bool = False
    timeout: float = 300.0
    retry_interval: float = 5.0
    parallel: int = 10
    wait_for_volumes: bool = True


@dataclass
class PodOutcome:
    """What became of one pod: ``planned``, ``kept``, ``waiting``, ``terminating``, ``gone`` or ``failed``, and why.

    ``budget`` is the PodDisruptionBudget that the pod waits or has waited for, with its numbers.
    """

    decision: PodDecision
    result: str = "planned"
    detail: str = ""
    seconds: float = 0.0
    budget: dict[str, t.Any] | None = None

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form for results."""
        return {
            "namespace": self.decision.namespace,
            "name": self.decision.name,
            "uid": self.decision.uid,
            "action": self.decision.action,
            "reason": self.decision.reason,
            "result": self.result,
            "detail": self.detail,
            "budget": self.budget,
            "seconds": round(self.seconds, 1),
        }


class DrainRefusedError(RefusedError):
    """The node must not be drained under these options; ``outcomes`` holds the decision about each pod."""

    def __init__(self, message: str, reasons: Sequence[str], outcomes: Sequence[PodOutcome]) -> None:
        super().__init__(message, reasons)
        self.outcomes = list(outcomes)

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "pods": [outcome.to_dict() for outcome in self.outcomes]}


@dataclass(frozen=True)
class DrainPlan:
    """Decisions about all pods of a node as they are now, and sentences about budgets that allow no disruption now."""

    decisions: list[PodDecision]
    pods: list[JsonObject]
    exhausted: list[str] = field(default_factory=list)
    budgets: JsonObjects = field(default_factory=list)

    @property
    def removals(self) -> list[PodDecision]:
        """The pods that have to go."""
        return [decision for decision in self.decisions if decision.action == "remove"]

    @property
    def warnings(self) -> list[str]:
        """kubectl's warnings, one line for each message."""
        return warning_lines(self.decisions)

    def outcomes(self) -> list[PodOutcome]:
        """The plan in the form of results, each with what would hold it up now."""
        found = []
        for decision, pod in zip(self.decisions, self.pods, strict=True):
            outcome = PodOutcome(decision, "kept" if decision.action == "keep" else "planned")
            if decision.action == "remove":
                answer = eviction_answer(pod, self.budgets)
                if answer.verdict != "accepted":
                    words = answer.words if answer.budget is None else with_numbers(answer.words, answer.budget)
                    outcome.detail = answered(answer.verdict == "waits", words)
                if answer.verdict == "waits" and answer.budget is not None:
                    outcome.budget = budget_numbers(answer.budget)
            found.append(outcome)
        return sorted(found, key=lambda outcome: outcome.decision.reference)


class PodReader:
    """The pods of one node and what the filters say about them."""

    def __init__(self, client: KubeClient, node_name: str, options: DrainOptions) -> None:
        self._client = client
        self._node_name = node_name
        self._options = options
        self._daemonsets: dict[tuple[str, str], bool] = {}

    def read(self) -> tuple[list[JsonObject], list[PodDecision]]:
        """Pods and decisions in the same order. Raises InputError for a pod_selector that is none, ApiError."""
        pods = self._pods()
        now = datetime.datetime.now(datetime.timezone.utc)
        filters = self._options.filters
        return pods, [decide(pod, filters, daemonset_exists=self._daemonset_exists, now=now) for pod in pods]

    def _pods(self) -> list[JsonObject]:
        params = {"fieldSelector": f"spec.nodeName={self._node_name}"}
        if self._options.pod_selector:
            params["labelSelector"] = self._options.pod_selector
        try:
            return self._client.list("/api/v1/pods", params=params)
        except ApiError as error:
            if error.status != 400 or not self._options.pod_selector:
                raise
            raise InputError(
                f"pod_selector: '{self._options.pod_selector}' is no label selector ({error.server_message}); "
                "write it as for `kubectl get pods -l`, for example app=web,tier!=cache."
            ) from error

    def _daemonset_exists(self, namespace: str, name: str) -> bool:
        key = (namespace, name)
        if key not in self._daemonsets:
            found = self._client.find(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}")
            self._daemonsets[key] = found is not None
        return self._daemonsets[key]


def make_plan(client: KubeClient, node_name: str, options: DrainOptions, reader: PodReader) -> DrainPlan:
    """Decide about the pods that are on the node now; nothing is written, not even as a dry run.

    Raises DrainRefusedError with kubectl's lines when a pod must not be removed under these options, or when a pod is
    under several budgets (its eviction would fail for ever); InputError, ApiError.
    """
    pods, decisions = reader.read()
    reasons = refusal_lines(decisions)
    leaving = [pod for pod, decision in zip(pods, decisions, strict=True) if decision.action == "remove"]
    budgets = [] if options.disable_eviction else client.list(_BUDGETS)
    reasons += ambiguous_pods(leaving, budgets)
    exhausted = [describe_budget(budget) for budget in exhausted_budgets(leaving, budgets)]
    plan = DrainPlan(decisions, pods, exhausted, budgets)
    if reasons:
        raise DrainRefusedError(f"Node {node_name} cannot be drained: {'; '.join(reasons)}.", reasons, plan.outcomes())
    if options.wait_for_volumes:
        client.get(_ATTACHMENTS, {"limit": 1})  # a permission that is missing shows before the first pod goes
    return plan


def answered(waits: bool, words: str) -> str:
    """What an answer of the eviction API means for a pod, in words."""
    return f"{'waits' if waits else 'is not evicted'}: {words.rstrip('.')}"


def budget_numbers(budget: Object) -> dict[str, t.Any]:
    """Name of a budget, how many healthy pods it needs and how many there are."""
    status = budget.get("status") or {}
    return {
        "name": str((budget.get("metadata") or {}).get("name")),
        "healthy_needed": int(status.get("desiredHealthy") or 0),
        "healthy": int(status.get("currentHealthy") or 0),
    }


def with_numbers(words: str, budget: Object) -> str:
    """The API's words about a budget, with its numbers and what went wrong with it, where they lack them.

    A budget whose pods cannot be counted is "still being processed" for ever; its condition says why.
    """
    if NUMBERS.search(words):
        return words
    numbers = budget_numbers(budget)
    remark = f"{numbers['healthy_needed']} healthy pods needed, {numbers['healthy']} there"
    for condition in (budget.get("status") or {}).get("conditions") or ():
        message = str(condition.get("message") or "")
        if condition.get("reason") == "SyncFailed" and message not in words:
            remark += f"; {message}"
    return f"{words.rstrip('.')} ({remark})"
