# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Drain one node as kubectl does, and say for each pod what became of it.

Evictions run in parallel, each with the uid of the pod that was seen. HTTP 429 is asked again until the time is over
and its cause is kept (which PodDisruptionBudget, how many healthy pods it needs). The node's pods are listed anew in
every round, so pods that appear meanwhile are found, and the drain ends only when a fresh list holds none to remove.
Sources: kubectl pkg/drain/drain.go, kubernetes pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

import concurrent.futures
import datetime
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.disruption_budgets import (
    ambiguous_pods,
    describe_budget,
    exhausted_budgets,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    FilterOptions,
    PodDecision,
    decide,
    refusal_lines,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.volumes import attached_volumes
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

_MORE_THAN_ONE_BUDGET = "more than one PodDisruptionBudget"
_ROUND = 1.0


@dataclass(frozen=True)
class DrainOptions:
    """Times in seconds. ``grace_period`` None leaves each pod its own; ``pod_selector`` is a label selector string."""

    filters: FilterOptions = field(default_factory=FilterOptions)
    pod_selector: str = ""
    grace_period: int | None = None
    disable_eviction: bool = False
    timeout: float = 300.0
    retry_interval: float = 5.0
    parallel_evictions: int = 10
    wait_for_volumes: bool = True


@dataclass
class PodOutcome:
    """What became of one pod: ``planned``, ``kept``, ``waiting``, ``terminating``, ``gone`` or ``failed``, and why."""

    decision: PodDecision
    result: str = "planned"
    detail: str = ""
    seconds: float = 0.0

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
            "seconds": round(self.seconds, 1),
        }


class DrainError(UpkeepError):
    """The drain did not end as it must; ``outcomes`` says what became of each pod."""

    def __init__(self, message: str, outcomes: Sequence[PodOutcome] = ()) -> None:
        super().__init__(message)
        self.outcomes = list(outcomes)

    def details(self) -> dict[str, t.Any]:
        return {"pods": [outcome.to_dict() for outcome in self.outcomes]}


@dataclass(frozen=True)
class DrainPlan:
    """Decisions about all pods of a node as they are now, and sentences about budgets that allow no disruption now."""

    decisions: list[PodDecision]
    pods: list[JsonObject]
    exhausted: list[str] = field(default_factory=list)

    @property
    def removals(self) -> list[PodDecision]:
        """The pods that have to go."""
        return [decision for decision in self.decisions if decision.action == "remove"]

    def outcomes(self) -> list[PodOutcome]:
        """The plan in the form of results."""
        return [PodOutcome(decision, "kept" if decision.action == "keep" else "planned") for decision in self.decisions]


class Drain:
    """The drain of one node."""

    def __init__(
        self,
        client: KubeClient,
        node_name: str,
        options: DrainOptions,
        *,
        clock: Clock | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """``progress`` gets a short line whenever something changed; nothing is written until :meth:`run`."""
        self._client = client
        self._node_name = node_name
        self._options = options
        self._clock = clock or Clock()
        self._progress = progress or (lambda line: None)
        self._daemonsets: dict[tuple[str, str], bool] = {}
        self._outcomes: dict[str, PodOutcome] = {}
        self._next_try: dict[str, float] = {}
        self._last_line = ""

    def plan(self) -> DrainPlan:
        """Decide about the pods that are on the node now.

        Raises RefusedError with kubectl's lines when a pod must not be removed under these options, or when a pod is
        under several budgets (its eviction would fail for ever).
        """
        pods = self._pods()
        decisions = self._decide(pods)
        reasons = refusal_lines(decisions)
        leaving = _pods_of(pods, decisions)
        budgets = [] if self._options.disable_eviction else self._client.list("/apis/policy/v1/poddisruptionbudgets")
        reasons += ambiguous_pods(leaving, budgets)
        if reasons:
            raise RefusedError(f"Node {self._node_name} cannot be drained: {'; '.join(reasons)}.", reasons)
        exhausted = [describe_budget(budget) for budget in exhausted_budgets(leaving, budgets)]
        return DrainPlan(decisions, pods, exhausted)

    def run(self) -> list[PodOutcome]:
        """Remove the pods and wait until they are really gone and no volume of theirs is attached any more.

        Raises DrainError with the result of each pod when the time is over, an eviction fails for good, or a pod
        appears that must not be removed.
        """
        start = self._clock.now()
        deadline = start + self._options.timeout
        while True:
            pods = self._listed_within(deadline)
            decisions = self._decide(pods)
            self._note(decisions, start)
            reasons = refusal_lines(decisions)
            if reasons:
                raise DrainError(f"Node {self._node_name} cannot be drained: {'; '.join(reasons)}.", self._results())
            removals = [decision for decision in decisions if decision.action == "remove"]
            if not removals:
                break
            self._remove_due(removals, pods)
            failed = [outcome for outcome in self._results() if outcome.result == "failed"]
            if failed and all(self._outcomes[one.uid].result == "failed" for one in removals):
                raise DrainError(self._sentence("could not be drained", failed), self._results())
            if self._clock.now() >= deadline:
                waiting = [self._outcomes[decision.uid] for decision in removals]
                sentence = self._sentence(f"is not empty after {self._options.timeout:g} seconds", waiting)
                raise DrainError(sentence, self._results())
            self._clock.sleep(_ROUND)
        if self._options.wait_for_volumes:
            self._wait_for_volumes(max(1.0, deadline - self._clock.now()))
        return self._results()

    # -- steps ---------------------------------------------------------------------------------------------------

    def _pods(self) -> list[JsonObject]:
        params = {"fieldSelector": f"spec.nodeName={self._node_name}"}
        if self._options.pod_selector:
            params["labelSelector"] = self._options.pod_selector
        return self._client.list("/api/v1/pods", params=params)

    def _listed_within(self, deadline: float) -> list[JsonObject]:
        left = max(1.0, deadline - self._clock.now())
        return wait_for(f"list of the pods on node {self._node_name}", self._pods, timeout=left, clock=self._clock)

    def _daemonset_exists(self, namespace: str, name: str) -> bool:
        key = (namespace, name)
        if key not in self._daemonsets:
            found = self._client.find(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}")
            self._daemonsets[key] = found is not None
        return self._daemonsets[key]

    def _decide(self, pods: Sequence[JsonObject]) -> list[PodDecision]:
        now = datetime.datetime.now(datetime.UTC)
        return [decide(pod, self._options.filters, daemonset_exists=self._daemonset_exists, now=now) for pod in pods]

    def _note(self, decisions: Sequence[PodDecision], start: float) -> None:
        present = {decision.uid for decision in decisions}
        for decision in decisions:
            outcome = self._outcomes.setdefault(decision.uid, PodOutcome(decision, "waiting"))
            if decision.action == "keep":
                outcome.result = "kept"
        for uid, outcome in self._outcomes.items():
            if uid not in present and outcome.result not in ("gone", "kept"):
                outcome.result, outcome.detail = "gone", ""
                outcome.seconds = self._clock.now() - start
        waiting = [outcome for outcome in self._results() if outcome.result in ("waiting", "terminating")]
        line = f"{self._node_name}: {len(waiting)} pods to go" + (f" ({_why(waiting)})" if waiting else "")
        if line != self._last_line:
            self._last_line = line
            self._progress(line)

    def _remove_due(self, removals: Sequence[PodDecision], pods: Sequence[JsonObject]) -> None:
        terminating = {
            str(pod["metadata"]["uid"]) for pod in pods if (pod.get("metadata") or {}).get("deletionTimestamp")
        }
        due = []
        for decision in removals:
            outcome = self._outcomes[decision.uid]
            if decision.uid in terminating:
                outcome.result, outcome.detail = "terminating", "is shutting down"
            elif outcome.result == "waiting" and self._next_try.get(decision.uid, 0.0) <= self._clock.now():
                due.append(outcome)
        if due:
            with concurrent.futures.ThreadPoolExecutor(self._options.parallel_evictions) as pool:
                list(pool.map(self._remove, due))

    def _remove(self, outcome: PodOutcome) -> None:
        decision = outcome.decision
        try:
            if self._options.disable_eviction:
                self._client.delete(
                    f"/api/v1/namespaces/{decision.namespace}/pods/{decision.name}",
                    uid=decision.uid,
                    grace_period_seconds=self._options.grace_period,
                )
            else:
                self._client.evict(
                    decision.namespace,
                    decision.name,
                    uid=decision.uid,
                    grace_period_seconds=self._options.grace_period,
                )
        except ApiError as error:
            self._judge(outcome, error)
        else:
            outcome.result, outcome.detail = "terminating", "is shutting down"

    def _judge(self, outcome: PodOutcome, error: ApiError) -> None:
        """Keep waiting where the API may change its mind; the next list shows pods that are gone or replaced."""
        waits = error.transient or error.status in (404, 409)
        if error.status == 403 and any(cause.get("reason") == "NamespaceTerminating" for cause in error.causes):
            waits = True
        if error.status == 500 and _MORE_THAN_ONE_BUDGET in error.server_message:
            waits = False
        outcome.detail = _cause(error)
        if waits:
            self._next_try[outcome.decision.uid] = self._clock.now() + self._options.retry_interval
        else:
            outcome.result = "failed"

    def _wait_for_volumes(self, timeout: float) -> None:
        def probe() -> bool | Pending:
            attached = attached_volumes(self._client, self._node_name)
            return Pending(f"still attached: {', '.join(attached)}") if attached else True

        wait_for(
            f"volumes of removed pods are detached from node {self._node_name}",
            probe,
            timeout=timeout,
            clock=self._clock,
        )

    def _results(self) -> list[PodOutcome]:
        return sorted(self._outcomes.values(), key=lambda outcome: outcome.decision.reference)

    def _sentence(self, what: str, outcomes: Sequence[PodOutcome]) -> str:
        return f"Node {self._node_name} {what}: {_why(outcomes)}."


def _why(outcomes: Sequence[PodOutcome], most: int = 5) -> str:
    words = [
        outcome.decision.reference + (f" {outcome.detail}" if outcome.detail else "") for outcome in outcomes[:most]
    ]
    more = len(outcomes) - most
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")


def _cause(error: ApiError) -> str:
    budgets = [str(cause.get("message")) for cause in error.causes if cause.get("reason") == "DisruptionBudget"]
    if error.status == 429 and budgets:
        return f"waits: {' and '.join(words.rstrip('.') for words in budgets)}"
    if error.status == 429:
        return f"waits: the API server is busy ({error.server_message or 'HTTP 429'})"
    return f"is not evicted: {error.server_message or error}"


def _pods_of(pods: Sequence[JsonObject], decisions: Sequence[PodDecision]) -> list[JsonObject]:
    leaving = {decision.uid for decision in decisions if decision.action == "remove"}
    return [pod for pod in pods if str(pod["metadata"]["uid"]) in leaving]
