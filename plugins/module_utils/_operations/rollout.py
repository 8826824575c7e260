# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Restart a Deployment or DaemonSet as ``kubectl rollout restart`` does, and wait as ``kubectl rollout status`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_pods import (
    MOST_NAMED,
    WaitSettings,
    Workload,
    find_workload,
    give_up_on,
    is_old,
    pods_of,
    second_after,
    troubled,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_status import (
    RESTARTED_AT,
    is_on_delete,
    restart_patch,
    wanted_pods,
    what_is_missing,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for

_ATTEMPTS = 20


@dataclass(frozen=True)
class RolloutPlan:
    """``restart``: whether the template is to be changed; ``old`` are the pods that have to go, ``why`` says what is done."""

    workload: JsonObject
    pods: Sequence[JsonObject]
    old: Sequence[JsonObject]
    restart: bool
    why: str


class Rollout:
    """All pods of a workload at the pace of its own update strategy."""

    def __init__(self, client: KubeClient, what: Workload, settings: WaitSettings) -> None:
        self._client = client
        self._what = what
        self._settings = settings
        self._replaced: frozenset[str] = frozenset()

    def plan(self) -> RolloutPlan:
        """What would be done. Raises InputError, RefusedError (paused, or OnDelete), ApiError."""
        what = self._what
        workload = find_workload(self._client, what)
        pods = pods_of(self._client, what, workload)
        old = [pod for pod in pods if is_old(pod, what.newer_than)]
        if not wanted_pods(what.kind, workload):
            return RolloutPlan(workload, pods, [], restart=False, why="it has no pods")
        if not old:
            return RolloutPlan(workload, pods, [], restart=False, why="all of its pods are younger")
        if is_on_delete(what.kind, workload):
            raise RefusedError(
                f"{what.words} has the update strategy OnDelete, so a change of its template restarts nothing; use "
                "method: node_by_node."
            )
        if (workload.get("spec") or {}).get("paused"):
            raise RefusedError(
                f"{what.words} is paused, so it would not restart; resume it first (kubectl rollout resume)."
            )
        if self._is_under_way(workload):
            return RolloutPlan(workload, pods, old, restart=False, why="its pods are being restarted already")
        return RolloutPlan(workload, pods, old, restart=True, why=f"{len(old)} of its {len(pods)} pods are older")

    def run(self, plan: RolloutPlan) -> JsonObject:
        """Restart where the plan says so, and wait; the workload in the end.

        Raises RefusedError when somebody changed it meanwhile, RolloutError when its pods cannot start, WaitTimeoutError.
        """
        # a pod that has failed for long is a reason to restart, and not one to give up
        self._replaced = frozenset(str(pod["metadata"]["uid"]) for pod in plan.old)
        held_by = self._lease()[0]
        if plan.restart:
            self._restart(plan.workload)
        workload = self.wait()
        if plan.restart or plan.old:
            self._wait_for_leader(held_by if plan.restart else "")
        return workload

    def wait(self) -> JsonObject:
        """Wait until it is rolled out. Raises RolloutError, WaitTimeoutError."""
        settings = self._settings
        return wait_for(
            f"{self._what.words} is rolled out",
            self._probe,
            timeout=settings.timeout,
            clock=settings.clock,
            heartbeat=settings.heartbeat,
        )

    def _wait_for_leader(self, not_this: str) -> None:
        """Wait until a holder other than ``not_this`` leads long enough, all pods being Ready."""
        settings = self._settings
        if not settings.leader_lease:
            return

        def probe() -> bool | Pending:
            workload = find_workload(self._client, self._what)
            trouble = troubled(pods_of(self._client, self._what, workload))
            give_up_on(trouble, self._what, settings.max_restarts)
            if trouble:
                return self._pending("; ".join(f"{one['pod']}: {one['trouble']}" for one in trouble[:MOST_NAMED]))
            holder, seconds = self._lease()
            if not holder:
                return self._pending(f"nobody holds the Lease {settings.leader_lease}")
            if holder == not_this:
                return self._pending("the leader of before the restart holds the Lease")
            return seconds >= settings.settle_seconds or self._pending(f"{holder} has led for {seconds:.0f} s")

        wait_for(
            f"a pod of {self._what.words} leads for {settings.settle_seconds:g} seconds",
            probe,
            timeout=settings.timeout,
            clock=settings.clock,
            heartbeat=settings.heartbeat,
        )

    def _lease(self) -> tuple[str, float]:
        """(holder, seconds for which it has led by its own clock)."""
        if not self._settings.leader_lease:
            return "", 0.0
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self._what.namespace}/leases/{self._settings.leader_lease}"
        spec = (self._client.find(path) or {}).get("spec") or {}
        acquired, renewed = moment(spec.get("acquireTime")), moment(spec.get("renewTime"))
        led = (renewed - acquired).total_seconds() if acquired is not None and renewed is not None else 0.0
        return str(spec.get("holderIdentity") or ""), led

    def _pending(self, words: str) -> Pending:
        self._settings.progress(f"{self._what.words}: {words}")
        return Pending(words)

    def _is_under_way(self, workload: JsonObject) -> bool:
        """Whether a restart after ``newer_than`` was begun, by us before an interruption or by somebody else."""
        template = (workload["spec"].get("template") or {}).get("metadata") or {}
        begun = moment((template.get("annotations") or {}).get(RESTARTED_AT))
        return self._what.newer_than is not None and begun is not None and begun > self._what.newer_than

    def _restart(self, workload: JsonObject) -> None:
        now = second_after(self._client, self._what, self._settings.clock)
        for _attempt in range(_ATTEMPTS):
            try:
                self._client.patch(self._what.path, restart_patch(workload, now))
                return
            except ApiError as error:
                if error.status != 409:
                    raise
            # a status was written meanwhile; a template that somebody changed is another matter
            seen, workload = workload, find_workload(self._client, self._what)
            if any(workload["metadata"].get(key) != seen["metadata"].get(key) for key in ("uid", "generation")):
                raise RefusedError(
                    f"{self._what.words} was changed by somebody else meanwhile; look at it, and repeat the command."
                )
        raise RefusedError(
            f"{self._what.words} changes all the time, so it could not be restarted; repeat the command."
        )

    def _probe(self) -> JsonObject | Pending:
        workload = find_workload(self._client, self._what)
        missing = what_is_missing(self._what.kind, workload)
        if not missing:
            return workload
        pods = pods_of(self._client, self._what, workload)
        trouble = troubled([pod for pod in pods if pod["metadata"]["uid"] not in self._replaced])
        give_up_on(trouble, self._what, self._settings.max_restarts)
        named = "".join(f"; {one['pod']}: {one['trouble']}" for one in trouble[:MOST_NAMED])
        self._settings.progress(f"{self._what.words}: {missing}{named}")
        return Pending(missing + named)
