# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which pods of a cluster have ended and may go, what that frees, and the proof before each batch."""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.agents import collect_agents
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.live import LiveOptions, collect
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import is_agent, prune_pod
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import stale_pods
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import is_finished
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.fresh_objects import fresh_objects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import Candidate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.object_times import clock_of_server, read_pages
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stale_pod_addresses import (
    AddressEvidence,
    addresses_of,
    freed_addresses,
    key_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stale_pods import PodRules

_PODS = "/api/v1/pods"
_ENDPOINTS = "/apis/cilium.io/v2/ciliumendpoints"


@dataclass(frozen=True)
class StalePodOptions:
    """``label_selector`` limits the pods; ``ask_agents``: ask Cilium's agents which addresses they hold.

    ``stuck_after``: seconds after the end of its grace period from which on a pod is reported as stuck.
    """

    rules: PodRules
    label_selector: str = ""
    ask_agents: bool = False
    stuck_after: float = 300.0


@dataclass
class StalePodPlan:
    """``ended``: pods in scope that have ended. ``kept``: {rule: how many it keeps}; ``by_reason``: of the candidates."""

    candidates: list[Candidate]
    ended: int
    kept: Counter[str]
    by_reason: Counter[str]
    stuck: list[dict[str, t.Any]]
    frees_addresses: dict[str, t.Any] = field(default_factory=dict)


class StalePodCleanup:
    """Plans once, and proves each batch by what the API server says this moment."""

    def __init__(self, client: KubeClient, options: StalePodOptions, *, concurrency: int = 8) -> None:
        self._client = client
        self._options = options
        self._concurrency = concurrency

    def plan(self) -> StalePodPlan:
        """Read all pods and judge them. Raises InputError for a selector that is none, ApiError."""
        now = clock_of_server(self._client)
        chosen = self._chosen()
        seen = _Pods(self._options, now, chosen)
        if not read_pages(self._client, _PODS, seen, kind="Pod", api_version="v1"):
            raise InputError(f"host: {self._client.host} serves no pods, so it is no API server of Kubernetes.")
        plan = seen.plan
        plan.candidates.sort(key=lambda one: (one.namespace, one.name))
        stale = [one.data for one in plan.candidates]
        plan.frees_addresses = freed_addresses(stale, self._evidence(stale, seen))
        return plan

    def prove(self, batch: Sequence[Candidate]) -> dict[str, str]:
        """{uid: why it is spared}: each pod is read again and judged by the same rules. Raises ApiError."""
        now = clock_of_server(self._client)
        found = fresh_objects(self._client, [one.path for one in batch], self._concurrency)
        spared = {}
        for one in batch:
            pod = found[one.path]
            if pod is None:
                continue  # gone already: the deletion says so
            if pod["metadata"].get("uid") != one.uid:
                spared[one.uid] = "another pod has this name now"
                continue
            verdict = stale_pods.judge(pod, self._options.rules, now)
            if verdict is None:
                spared[one.uid] = f"it is {(pod.get('status') or {}).get('phase')} now"
            elif verdict.kept:
                spared[one.uid] = verdict.words
        return spared

    def _chosen(self) -> set[str] | None:
        selector = self._options.label_selector
        if not selector:
            return None
        try:
            found = self._client.list(_PODS, params={"labelSelector": selector})
        except ApiError as error:
            if error.status != 400:
                raise
            raise InputError(
                f"label_selector: {selector} is no label selector ({error.server_message}); write for example app=web."
            ) from error
        return {str(pod["metadata"]["uid"]) for pod in found}

    def _evidence(self, stale: Sequence[JsonObject], seen: _Pods) -> AddressEvidence:
        state = collect(self._client, LiveOptions(resources=("nodes", "daemonsets", "configmaps")))
        context = Context(state)
        model = context.ipam_model.name
        if not stale or not context.cilium.installed:
            return AddressEvidence(model, seen.in_use)
        endpoints = _Endpoints({key_of(pod) for pod in stale})
        try:
            read_pages(self._client, _ENDPOINTS, endpoints, kind="CiliumEndpoint", api_version="cilium.io/v2")
        except ApiError as error:
            if error.status != 403:
                raise
        allocations = None
        if self._options.ask_agents:
            nodes = {(pod.get("spec") or {}).get("nodeName") for pod in stale}
            agents = [pod for pod in seen.agents if pod["spec"].get("nodeName") in nodes]
            answers = collect_agents(self._client, agents, namespace=context.cilium.namespace)
            allocations = {str(one["node"]): one["status"]["ipam"]["allocations"] for one in answers if "status" in one}
        return AddressEvidence(model, seen.in_use, frozenset(endpoints.found), allocations)


class _Pods:
    """Judges each pod as it comes: whole it keeps only the candidates, of running ones their addresses."""

    def __init__(self, options: StalePodOptions, now: datetime.datetime, chosen: set[str] | None) -> None:
        self._options = options
        self._now = now
        self._chosen = chosen
        self.restart()

    def restart(self) -> None:
        self.plan = StalePodPlan([], 0, Counter(), Counter(), [])
        self.in_use: dict[str, str] = {}
        self.agents: list[JsonObject] = []

    def take(self, obj: JsonObject) -> None:
        if not is_finished(obj):
            self.in_use.update(dict.fromkeys(addresses_of(obj), "/".join(key_of(obj))))
            if self._options.ask_agents and is_agent(obj):
                self.agents.append(prune_pod(obj))
        metadata, rules = obj["metadata"], self._options.rules
        chosen = self._chosen is None or metadata["uid"] in self._chosen
        if not chosen or not rules.in_scope(str(metadata.get("namespace") or "")):
            return
        late = stale_pods.stuck_terminating(obj, self._options.stuck_after, self._now)
        if late is not None:
            self.plan.stuck.append(_stuck(obj, late))
        verdict = stale_pods.judge(obj, rules, self._now)
        if verdict is None:
            return
        self.plan.ended += 1
        if verdict.kept:
            self.plan.kept[verdict.kept] += 1
            return
        self.plan.by_reason[verdict.reason] += 1
        namespace, name = key_of(obj)
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        self.plan.candidates.append(Candidate.of(obj, path, verdict.words))


class _Endpoints:
    """(namespace, name) of CiliumEndpoints with an address, of these pods only."""

    def __init__(self, wanted: set[tuple[str, str]]) -> None:
        self._wanted = wanted
        self.restart()

    def restart(self) -> None:
        self.found: set[tuple[str, str]] = set()

    def take(self, obj: JsonObject) -> None:
        networking = (obj.get("status") or {}).get("networking") or {}
        if networking.get("addressing") and key_of(obj) in self._wanted:
            self.found.add(key_of(obj))


def _stuck(pod: Mapping[str, t.Any], late: float) -> dict[str, t.Any]:
    finalizers = pod["metadata"].get("finalizers") or []
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    if finalizers:
        advice = f"whoever set its finalizers ({', '.join(finalizers)}) has to take them away"
    elif node:
        advice = f"look at the kubelet of Node {node}; when its machine is gone: podnet.upkeep.remove_unreachable_nodes"
    else:
        advice = "it never had a Node; look at kube-controller-manager, whose podgc deletes such pods"
    return {
        "pod": "/".join(key_of(pod)),
        "node": node,
        "late_seconds": int(late),
        "finalizers": list(finalizers),
        "words": f"should be gone for {words(late)}: {advice}",
    }
