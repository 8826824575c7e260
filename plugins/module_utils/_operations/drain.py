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

import typing as t
from collections.abc import Callable, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    PodDecision,
    controller_of,
    refusal_lines,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_plan import (
    DrainOptions,
    DrainPlan,
    DrainRefusedError,
    PodOutcome,
    PodReader,
    make_plan,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_removals import RemovalAnswer, Removals
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.volumes import attached_volumes
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

__all__ = ["Drain", "DrainError", "DrainOptions", "DrainPlan", "DrainRefusedError", "PodOutcome"]

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 1.0
_ANSWERS_WITHIN = 1.0
_MOST_PAUSES_FOR_RETURNING_PODS = 12

Look = tuple[list[JsonObject], list[PodDecision]]


class DrainError(UpkeepError):
    """The drain did not end as it must; ``outcomes`` says what became of each pod."""

    def __init__(
        self, message: str, outcomes: Sequence[PodOutcome] = (), further: t.Mapping[str, t.Any] | None = None
    ) -> None:
        super().__init__(message)
        self.outcomes = list(outcomes)
        self.further = dict(further or {})

    def details(self) -> dict[str, t.Any]:
        return {**self.further, "pods": [outcome.to_dict() for outcome in self.outcomes]}


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
        heartbeat: Callable[[], None] | None = None,
    ) -> None:
        """Nothing is written until :meth:`run`.

        ``progress`` gets a short line in every round, and ``heartbeat`` is called then; both decide themselves how often
        they do something.
        """
        self._client = client
        self._node_name = node_name
        self._options = options
        self._clock = clock or Clock()
        self._progress = progress or (lambda line: None)
        self._heartbeat = heartbeat
        self._reader = PodReader(client, node_name, options)
        self._outcomes: dict[str, PodOutcome] = {}
        self._next_try: dict[str, float] = {}
        self._controllers: dict[str, str] = {}
        self._start = 0.0

    def plan(self) -> DrainPlan:
        """Decide about the pods that are on the node now; see :func:`drain_plan.make_plan` for what it raises."""
        return make_plan(self._client, self._node_name, self._options, self._reader)

    def run(self, guard: Callable[[], None] | None = None) -> list[PodOutcome]:
        """Remove the pods and wait until they are really gone and no volume of theirs is attached any more.

        ``guard`` is called in every round, and what it raises ends the drain. Raises DrainError with the result of each
        pod when the time is over, an eviction fails for good, a pod appears that must not be removed, or a request, the
        guard or the heartbeat fails; that error is its ``__cause__`` then.
        """
        self._start = self._clock.now()
        deadline = self._start + self._options.timeout
        try:
            with Removals(self._client, self._options) as removals:
                self._empty(removals, guard, deadline)
            if self._options.wait_for_volumes:
                self._wait_for_volumes(max(1.0, deadline - self._clock.now()))
        except DrainError:
            raise
        except UpkeepError as error:
            raise DrainError(str(error), self._results(), error.details()) from error
        return self._results()

    # -- steps ---------------------------------------------------------------------------------------------------

    def _empty(self, removals: Removals, guard: Callable[[], None] | None, deadline: float) -> None:
        pause = _FIRST_PAUSE
        while True:
            pods, decisions = self._look(guard, deadline)
            self._note(pods, decisions)
            reasons = refusal_lines(decisions)
            if reasons:
                raise DrainError(f"Node {self._node_name} cannot be drained: {'; '.join(reasons)}.", self._results())
            leaving = [decision for decision in decisions if decision.action == "remove"]
            if not leaving:
                return
            for decision in leaving:
                if self._is_due(decision.uid):
                    removals.ask(decision)
            for uid, answer in removals.answers(_ANSWERS_WITHIN).items():
                self._take(uid, answer)
            self._give_up(leaving, deadline)
            self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _look(self, guard: Callable[[], None] | None, deadline: float) -> Look:
        def probe() -> Look:
            if guard is not None:
                guard()
            return self._reader.read()

        return wait_for(
            f"list of the pods on node {self._node_name}",
            probe,
            timeout=max(1.0, deadline - self._clock.now()),
            clock=self._clock,
            heartbeat=self._heartbeat,
        )

    def _note(self, pods: Sequence[JsonObject], decisions: Sequence[PodDecision]) -> None:
        """Write down what this list shows: pods that are new, shut down, or are gone."""
        present = {decision.uid for decision in decisions}
        for uid, outcome in self._outcomes.items():
            if uid not in present and outcome.result not in ("gone", "kept"):
                outcome.result, outcome.detail = "gone", ""
                outcome.seconds = self._clock.now() - self._start
        for pod, decision in zip(pods, decisions, strict=True):
            if decision.uid not in self._outcomes:
                self._outcomes[decision.uid] = PodOutcome(decision, "waiting")
                self._note_return(pod, decision.uid)
            outcome = self._outcomes[decision.uid]
            outcome.decision = decision
            if decision.action == "keep":
                outcome.result, outcome.detail = "kept", ""
            elif (pod.get("metadata") or {}).get("deletionTimestamp"):
                outcome.result, outcome.detail = "terminating", "is shutting down"
        waiting = [outcome for outcome in self._results() if outcome.result in ("waiting", "terminating", "failed")]
        if waiting:
            leaving = sum(1 for outcome in self._outcomes.values() if outcome.decision.action == "remove")
            self._progress(f"{self._node_name}: {len(waiting)} of {leaving} pods to go: {_why(waiting, most=3)}")

    def _note_return(self, pod: JsonObject, uid: str) -> None:
        """A controller whose pods tolerate the cordon starts them here again: remove those at a walking pace."""
        controller = controller_of(pod)
        if controller is None:
            return
        name = f"{controller.get('kind')} {(pod.get('metadata') or {}).get('namespace')}/{controller.get('name')}"
        before = sum(
            1 for known, other in self._controllers.items() if other == name and self._outcomes[known].result == "gone"
        )
        self._controllers[uid] = name
        if before:
            rounds = min(before, _MOST_PAUSES_FOR_RETURNING_PODS)
            self._next_try[uid] = self._clock.now() + rounds * self._options.retry_interval
            self._outcomes[uid].detail = f"was started on this cordoned node by {name}, {before} of whose pods had gone"

    def _is_due(self, uid: str) -> bool:
        return self._outcomes[uid].result == "waiting" and self._next_try.get(uid, 0.0) <= self._clock.now()

    def _take(self, uid: str, answer: RemovalAnswer) -> None:
        outcome = self._outcomes[uid]
        outcome.budget = answer.budget or outcome.budget
        if outcome.result != "waiting":
            return  # a list has shown meanwhile what became of it
        outcome.detail = answer.detail
        if answer.accepted:
            outcome.result = "terminating"
        elif answer.again is None:
            outcome.result = "failed"
        else:
            self._next_try[uid] = self._clock.now() + answer.again

    def _give_up(self, leaving: Sequence[PodDecision], deadline: float) -> None:
        """Raise DrainError when nothing but failed evictions is left, or the time is over."""
        left = [self._outcomes[decision.uid] for decision in leaving]
        if all(outcome.result == "failed" for outcome in left):
            raise DrainError(f"Node {self._node_name} could not be drained: {_why(left)}.", self._results())
        if self._clock.now() >= deadline:
            raise DrainError(
                f"Node {self._node_name} is not empty after {self._options.timeout:g} seconds: {_why(left)}.",
                self._results(),
            )

    def _wait_for_volumes(self, timeout: float) -> None:
        def probe() -> bool | Pending:
            attached = attached_volumes(self._client, self._node_name)
            if not attached:
                return True
            state = f"still attached: {', '.join(attached)}"
            self._progress(f"{self._node_name}: volumes are {state}")
            return Pending(state)

        wait_for(
            f"volumes of removed pods are detached from node {self._node_name}",
            probe,
            timeout=timeout,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )

    def _results(self) -> list[PodOutcome]:
        return sorted(self._outcomes.values(), key=lambda outcome: outcome.decision.reference)


def _why(outcomes: Sequence[PodOutcome], most: int = 5) -> str:
    words = [
        outcome.decision.reference + (f" {outcome.detail}" if outcome.detail else "") for outcome in outcomes[:most]
    ]
    more = len(outcomes) - most
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")
