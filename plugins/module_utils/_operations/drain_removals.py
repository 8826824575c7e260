# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Ask for the removal of pods, several at a time, and understand the answers.

Each request carries the uid of the pod that was seen. The caller goes on while answers are outstanding: an eviction may
take half a minute where admission webhooks are slow, and a run's Lease must be renewed meanwhile.
Sources: kubectl pkg/drain/drain.go, kubernetes pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

import concurrent.futures
import re
import types
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import PodDecision
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_plan import (
    NUMBERS,
    DrainOptions,
    answered,
    budget_numbers,
    with_numbers,
)

_LONGEST_PAUSE = 60.0
_BUDGET = re.compile(r"^The disruption budget (?P<name>\S+) ")


@dataclass(frozen=True)
class RemovalAnswer:
    """``accepted``: the pod shuts down. ``again``: ask again after so many seconds; None with a refusal: never."""

    accepted: bool
    detail: str = "is shutting down"
    again: float | None = None
    budget: dict[str, t.Any] | None = None


class Removals:
    """A pool of requests; use it as a context manager. Its end waits for the requests that are under way."""

    def __init__(self, client: KubeClient, options: DrainOptions) -> None:
        self._client = client
        self._options = options
        self._pool = concurrent.futures.ThreadPoolExecutor(max(1, options.parallel))
        self._asked: dict[str, concurrent.futures.Future[RemovalAnswer]] = {}

    def __enter__(self) -> Removals:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def ask(self, decision: PodDecision) -> None:
        """Ask for the removal of this pod, unless that is under way."""
        if decision.uid not in self._asked:
            self._asked[decision.uid] = self._pool.submit(self._remove, decision)

    def answers(self, seconds: float) -> dict[str, RemovalAnswer]:
        """What came back, by uid; waits up to ``seconds`` for all that is under way.

        Raises what a request raised that is no answer of the API server.
        """
        concurrent.futures.wait(self._asked.values(), timeout=seconds)
        done = {uid: future for uid, future in self._asked.items() if future.done()}
        for uid in done:
            del self._asked[uid]
        return {uid: future.result() for uid, future in done.items()}

    def _remove(self, decision: PodDecision) -> RemovalAnswer:
        namespace, name, grace = decision.namespace, decision.name, self._options.grace_period
        try:
            if self._options.disable_eviction:
                path = f"/api/v1/namespaces/{namespace}/pods/{name}"
                self._client.delete(path, uid=decision.uid, grace_period_seconds=grace)
            else:
                self._client.evict(namespace, name, uid=decision.uid, grace_period_seconds=grace)
        except ApiError as error:
            return self._judge(decision, error)
        return RemovalAnswer(True)

    def _judge(self, decision: PodDecision, error: ApiError) -> RemovalAnswer:
        """Ask again where the API may change its mind; the next list shows pods that are gone or replaced."""
        pause = self._options.retry_interval
        if error.status == 429:
            budgets = [str(cause.get("message")) for cause in error.causes if cause.get("reason") == "DisruptionBudget"]
            if budgets:
                words, numbers = self._numbers(decision, budgets[0])
                return RemovalAnswer(False, answered(True, words), pause, numbers)
            busy = f"the API server is busy ({error.server_message or 'HTTP 429'})"
            return RemovalAnswer(False, answered(True, busy), min(max(pause, error.retry_after or 0), _LONGEST_PAUSE))
        words = error.server_message or str(error)
        ending = any(cause.get("reason") == "NamespaceTerminating" for cause in error.causes)
        if error.transient or error.status in (404, 409) or (error.status == 403 and ending):
            return RemovalAnswer(False, answered(True, words), pause)
        return RemovalAnswer(False, answered(False, words))

    def _numbers(self, decision: PodDecision, words: str) -> tuple[str, dict[str, t.Any] | None]:
        """The server's words, with the numbers of the budget where they lack them, and these numbers."""
        found, told = _BUDGET.match(words), NUMBERS.search(words)
        if found and told:
            needed, healthy = int(told["needed"]), int(told["healthy"])
            return words, {"name": found["name"], "healthy_needed": needed, "healthy": healthy}
        if not found:
            return words, None
        path = f"/apis/policy/v1/namespaces/{decision.namespace}/poddisruptionbudgets/{found['name']}"
        try:
            budget = self._client.get(path)
        except ApiError as error:
            return f"{words} (its numbers cannot be read: {error.server_message or error})", None
        return with_numbers(words, budget), budget_numbers(budget)
