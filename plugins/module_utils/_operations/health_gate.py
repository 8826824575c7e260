# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The gate between two nodes: goes on only when the cluster is as healthy as before the run."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Collection, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings, Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.health_baseline import (
    BUDGETS,
    WORKLOADS,
    Baseline,
    baseline_of,
    degradations,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

_INTERVAL = 2.0
_MOST = 5


class HealthError(UpkeepError):
    """The cluster is not as healthy as it was."""

    def __init__(self, message: str, problems: Sequence[str]) -> None:
        super().__init__(message)
        self.problems = list(problems)

    def details(self) -> dict[str, t.Any]:
        return {"problems": self.problems}


class HealthGate:
    """Health of the whole cluster, compared with a baseline."""

    def __init__(
        self,
        client: KubeClient,
        settings: AuditSettings,
        *,
        ignore: Collection[str] = (),
        clock: Clock | None = None,
        heartbeat: Callable[[], None] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """``ignore``: ``kind namespace/name`` of workloads and names of Nodes that nobody waits for."""
        self._client = client
        self._settings = settings
        self._ignore = frozenset(ignore)
        self._clock = clock or Clock()
        self._heartbeat = heartbeat
        self._progress = progress or (lambda line: None)

    def capture(self) -> Baseline:
        """What is healthy now. Raises ApiError."""
        return baseline_of(self._workloads(), self._client.list(BUDGETS), self._nodes(), self._critical())

    def problems(self, baseline: Baseline) -> list[str]:
        """What was healthy and is not now; new critical findings only when nothing else is wrong. Raises ApiError."""
        found = [
            one
            for one in degradations(baseline, self._workloads(), self._client.list(BUDGETS), self._nodes())
            if not any(one.startswith((f"{name}:", f"Node {name} ")) for name in self._ignore)
        ]
        if found:
            return found
        return [f"new critical finding {one}" for one in sorted(self._critical() - set(baseline.critical))]

    def wait(self, baseline: Baseline, timeout: float) -> None:
        """Wait until nothing is worse than before. Raises HealthError naming what is, ApiError."""
        last: list[str] = []

        def probe() -> bool | Pending:
            last[:] = self.problems(baseline)
            if last:
                self._progress(f"waits until the cluster has recovered: {_some(last)}")
            return Pending(_some(last)) if last else True

        try:
            wait_for(
                "the cluster is as healthy as before the run",
                probe,
                timeout=timeout,
                interval=_INTERVAL,
                clock=self._clock,
                heartbeat=self._heartbeat,
            )
        except WaitTimeoutError as error:
            raise HealthError(str(error), last) from error

    def pause(self, seconds: float) -> None:
        """Let time pass, and keep the lock of the run meanwhile. Raises LeaseLostError."""
        end = self._clock.now() + seconds
        while (left := end - self._clock.now()) > 0:
            self._progress(f"pauses for {left:.0f} more seconds")
            if self._heartbeat is not None:
                self._heartbeat()
            self._clock.sleep(min(1.0, left))

    def _workloads(self) -> dict[str, list[JsonObject]]:
        return {kind: self._client.list(path) for kind, path in WORKLOADS}

    def _nodes(self) -> list[JsonObject]:
        return self._client.list("/api/v1/nodes")

    def _critical(self) -> set[str]:
        findings = run_checks(Context(live.collect(self._client), self._settings))
        return {f"{one.id} {one.subject.kind} {one.subject.name}" for one in findings if one.severity == "critical"}


def _some(problems: Sequence[str]) -> str:
    more = f"; and {len(problems) - _MOST} more" if len(problems) > _MOST else ""
    return "; ".join(problems[:_MOST]) + more
