# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Restart the pods of a DaemonSet one node at a time: delete by uid, wait for the new pod, look at the cluster, go on."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    InputError,
    RefusedError,
    UpkeepError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_readiness import (
    EndpointReadiness,
    words_about,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.health_baseline import is_ready as node_is_ready
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_pods import (
    WaitSettings,
    Workload,
    find_workload,
    give_up_on,
    is_old,
    node_of,
    pods_of,
    second_after,
    troubled,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_status import pod_trouble
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for

_MOST_NAMED = 5


class RestartStoppedError(UpkeepError):
    """The restart stopped between two nodes or at one of them; the same command goes on with what is left."""

    def __init__(
        self, message: str, done: Sequence[str], left: Sequence[str], cause: UpkeepError | None = None
    ) -> None:
        super().__init__(message)
        self._done, self._left, self._cause = list(done), list(left), cause

    def details(self) -> dict[str, t.Any]:
        inner = self._cause.details() if self._cause else {}
        return {**inner, "restarted_nodes": self._done, "remaining_nodes": self._left}


@dataclass(frozen=True)
class NodePlan:
    """Pods to delete, in order; ``without`` are Nodes that were asked for and have none."""

    workload: JsonObject
    pods: Sequence[JsonObject]
    old: Sequence[JsonObject]
    without: Sequence[str]


class NodeByNode:
    """``between`` is called after each node (health gate); ``may_continue`` before each: in words why not, or empty."""

    def __init__(
        self,
        client: KubeClient,
        what: Workload,
        settings: WaitSettings,
        *,
        between: Callable[[], None] | None = None,
        may_continue: Callable[[], str] | None = None,
        endpoints: EndpointReadiness | None = None,
    ) -> None:
        self._client = client
        self._what = what
        self._settings = settings
        self._between = between or (lambda: None)
        self._may_continue = may_continue or (lambda: "")
        self._endpoints = endpoints

    def plan(self, nodes: Sequence[str]) -> NodePlan:
        """Old pods of ``nodes`` in that order, of all nodes where it is empty.

        Raises InputError for a Node that is not there, RefusedError for one that is not Ready: no pod would start there.
        """
        workload = find_workload(self._client, self._what)
        pods = pods_of(self._client, self._what, workload)
        by_node = {node_of(pod): pod for pod in pods if node_of(pod)}
        chosen = list(dict.fromkeys(nodes)) or sorted(by_node)
        old = [by_node[name] for name in chosen if name in by_node and is_old(by_node[name], self._what.newer_than)]
        known = {str(one["metadata"]["name"]): one for one in self._client.list("/api/v1/nodes")}
        missing = [name for name in nodes if name not in known]
        if missing:
            raise InputError(f"nodes: there is no Node {', '.join(missing[:_MOST_NAMED])}; name Nodes of the cluster.")
        down = [node_of(pod) for pod in old if not node_is_ready(known.get(node_of(pod)) or {})]
        if down:
            raise RefusedError(
                f"Nodes {', '.join(down[:_MOST_NAMED])} are not Ready, so a pod that is deleted there would not come back; "
                "leave them out, or mend them first."
            )
        without = [name for name in nodes if name not in by_node]
        return NodePlan(workload, pods, old, without)

    def run(self, plan: NodePlan) -> list[str]:
        """Restart the pods of the plan; names of the nodes. Raises RestartStoppedError."""
        done: list[str] = []
        for position, pod in enumerate(plan.old, start=1):
            node = node_of(pod)
            left = [node_of(one) for one in plan.old[len(done) :]]
            reason = self._may_continue()
            if reason:
                raise RestartStoppedError(f"Stopped before node {node}: {reason}", done, left)
            try:
                self._restart(pod, f"node {node} ({position} of {len(plan.old)})")
                done.append(node)
                self._between()
            except UpkeepError as error:
                left = [node_of(one) for one in plan.old[len(done) :]]
                words = f"Stopped at node {node}, after {len(done)} of {len(plan.old)}: {error}"
                raise RestartStoppedError(words, done, left, error) from error
        return done

    def _restart(self, pod: JsonObject, where: str) -> None:
        what, node = self._what, node_of(pod)
        before = self._endpoints.ready_on(node) if self._endpoints else {}
        second_after(self._client, what, self._settings.clock)
        metadata = pod["metadata"]
        try:
            self._client.delete(f"/api/v1/namespaces/{what.namespace}/pods/{metadata['name']}", uid=metadata["uid"])
        except ApiError as error:
            if error.status not in (404, 409):  # it is gone already, or another pod has its name
                raise
        self._wait(f"{what.words} has a new Ready pod on {where}", lambda: self._new_pod(node, metadata["uid"], where))
        if self._endpoints and before:
            self._wait(f"the endpoints of {where} are ready again", lambda: self._ready_again(node, before, where))

    def _wait(self, words: str, probe: Callable[[], bool | Pending]) -> None:
        settings = self._settings
        wait_for(
            words, probe, timeout=settings.timeout, interval=0.5, clock=settings.clock, heartbeat=settings.heartbeat
        )

    def _new_pod(self, node: str, old_uid: str, where: str) -> bool | Pending:
        workload = find_workload(self._client, self._what)
        here = [pod for pod in pods_of(self._client, self._what, workload) if node_of(pod) == node]
        new = [pod for pod in here if pod["metadata"]["uid"] != old_uid]
        if any(not pod_trouble(pod) for pod in new):
            return True
        trouble = troubled(new)
        give_up_on(trouble, self._what, self._settings.max_restarts)
        state = "; ".join(f"{one['pod']}: {one['trouble']}" for one in trouble) or "no new pod yet"
        self._settings.progress(f"{where}: {state}")
        return Pending(state)

    def _ready_again(self, node: str, before: t.Mapping[str, str], where: str) -> bool | Pending:
        waits = self._endpoints.not_ready(node, before) if self._endpoints else {}
        if not waits:
            return True
        self._settings.progress(f"{where}: {words_about(waits)}")
        return Pending(words_about(waits))
