# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which CiliumEndpoints of a cluster are dead, and the proof before each batch."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import dead_endpoints, endpoint_attention
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.dead_endpoints import (
    EndpointRules,
    Surroundings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_collector import (
    HEALTHY,
    EndpointCollection,
    endpoint_collection,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.endpoint_picture import (
    EndpointPicture,
    read_picture,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.fresh_objects import fresh_objects
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import Candidate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.object_times import clock_of_server

_SHOWN = 100
_AGENTS = 5


@dataclass(frozen=True)
class EndpointOptions:
    """``stuck_after``: seconds from which on an unready endpoint is stuck. ``ask_agents``: read their own lists too."""

    rules: EndpointRules
    stuck_after: float = 600.0
    ask_agents: bool = False


@dataclass
class EndpointPlan:
    """``before``: endpoints of the cluster. ``kept``: {rule: how many it keeps}; ``by_reason``: of the candidates."""

    picture: EndpointPicture
    collection: EndpointCollection
    candidates: list[Candidate] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    kept_examples: list[dict[str, str]] = field(default_factory=list)
    by_reason: Counter[str] = field(default_factory=Counter)

    @property
    def before(self) -> int:
        """Endpoints of the cluster."""
        return self.picture.count

    def identities_released(self) -> int:
        """Identities that no CiliumEndpoint names any more once the candidates are gone."""
        left = Counter(self.picture.identities)
        for one in self.candidates:
            left[((one.data.get("status") or {}).get("identity") or {}).get("id") or 0] -= 1
        return sum(1 for number, count in left.items() if number and count == 0)

    def notes(self, rows: Sequence[dict[str, t.Any]]) -> list[str]:
        """What a user has to know beside the numbers."""
        found = []
        if not self.picture.served:
            found.append("The cluster serves no CiliumEndpoints.")
        found += _unasked(self.picture)
        if self.candidates and self.collection.verdict == HEALTHY:
            found.append(
                f"The operator deletes dead endpoints itself ({'; '.join(self.collection.reasons)}), but for those of replaced "
                "pods, which are the garbage collector's; what is deleted here is only gone sooner."
            )
        elif self.candidates:
            found.append(f"The operator does not see to it ({'; '.join(self.collection.reasons)}).")
        waiting = endpoint_attention.waiting_note(rows)
        return [*found, waiting] if waiting else found


class EndpointCleanup:
    """Plans once, and proves each batch by what the API server says this moment."""

    def __init__(self, client: KubeClient, options: EndpointOptions, *, concurrency: int = 8) -> None:
        self._client = client
        self._options = options
        self._concurrency = concurrency
        self._around = Surroundings((), ())

    def plan(self) -> EndpointPlan:
        """Read the cluster and judge its endpoints. Raises RefusedError for an incomplete picture, ApiError."""
        rules = self._options.rules
        picture = read_picture(self._client, rules, ask_agents=self._options.ask_agents)
        collection = endpoint_collection(picture.context.state, picture.context.cilium)
        plan = EndpointPlan(picture, collection)
        # a pruned pod does not tell when it ended
        present = [_pod_path(one) for one in picture.suspects if picture.pod(one) is not None]
        fresh = fresh_objects(self._client, present, self._concurrency)
        for endpoint in picture.suspects:
            pod = fresh.get(_pod_path(endpoint))
            verdict = dead_endpoints.judge(endpoint, pod, picture.around, rules, picture.now)
            if verdict is None or verdict.kept == dead_endpoints.ELSEWHERE:
                continue
            namespace, name = str(endpoint["metadata"]["namespace"]), str(endpoint["metadata"]["name"])
            if verdict.kept:
                plan.kept[verdict.kept] += 1
                if len(plan.kept_examples) < _SHOWN:
                    plan.kept_examples.append({"endpoint": f"{namespace}/{name}", "words": verdict.words})
                continue
            plan.by_reason[verdict.dead] += 1
            path = f"/apis/cilium.io/v2/namespaces/{namespace}/ciliumendpoints/{name}"
            plan.candidates.append(Candidate.of(endpoint, path, verdict.words))
        plan.candidates.sort(key=lambda one: (one.namespace, one.name))
        self._around = picture.around
        return plan

    def prove(self, batch: Sequence[Candidate]) -> dict[str, str]:
        """{uid: why it is spared}: the pod, the Node and the owner of each are read again. Raises ApiError.

        The endpoint itself is guarded by its resourceVersion: an agent that takes it over changes it.
        """
        now = clock_of_server(self._client)
        wanted = [_pod_path(one.data) for one in batch]
        pods = fresh_objects(self._client, wanted, self._concurrency)
        names = {name for one in batch for name in dead_endpoints.cilium_node_owners(one.data)}
        names |= {str((pod.get("spec") or {}).get("nodeName") or "") for pod in pods.values() if pod is not None}
        around = self._fresh_surroundings(names - {""})
        spared = {}
        for one in batch:
            verdict = dead_endpoints.judge(one.data, pods[_pod_path(one.data)], around, self._options.rules, now)
            if verdict is None:
                spared[one.uid] = "its pod lives"
            elif verdict.kept:
                spared[one.uid] = verdict.words
        return spared

    def _fresh_surroundings(self, names: set[str]) -> Surroundings:
        nodes = {name: f"/api/v1/nodes/{name}" for name in names}
        cilium_nodes = {name: f"/apis/cilium.io/v2/ciliumnodes/{name}" for name in names}
        found = fresh_objects(self._client, [*nodes.values(), *cilium_nodes.values()], self._concurrency)
        return Surroundings(
            frozenset(name for name, path in nodes.items() if found[path] is not None),
            frozenset(name for name, path in cilium_nodes.items() if found[path] is not None),
            self._around.agents_have,
        )


def _unasked(picture: EndpointPicture) -> t.Iterator[str]:
    """What the agents that were to be asked did not say."""
    state = picture.context.state
    if "agents" in state.unknown:
        yield f"No agent could be asked: {state.unknown['agents']}."
    failed = [f"{one.get('node')} ({one['error']})" for one in state.of("agents") if one.get("error")]
    if failed:
        more = f" and {len(failed) - _AGENTS} more" if len(failed) > _AGENTS else ""
        yield f"Agents that did not answer: {', '.join(failed[:_AGENTS])}{more}."


def _pod_path(endpoint: JsonObject) -> str:
    namespace, name, _uid = dead_endpoints.pod_of(endpoint)
    return f"/api/v1/namespaces/{namespace}/pods/{name}"
