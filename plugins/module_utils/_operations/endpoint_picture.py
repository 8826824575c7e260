# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""All that the clean-up of CiliumEndpoints looks at, read once, and of endpoints only those whole that may be dead.

Pods are read before endpoints: an endpoint whose pod is younger than the list of pods is young itself, and is proved again
before anything happens to it.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections import Counter
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.endpoint_states import BAD, PASSING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.endpoint_view import key_of
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.live import LiveOptions, collect
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import collected, collecting
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import dead_endpoints
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.dead_endpoints import (
    EndpointRules,
    Surroundings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.object_times import (
    clock_of_server,
    last_written,
    read_pages,
)

ENDPOINTS = "/apis/cilium.io/v2/ciliumendpoints"
_RESOURCES = (
    *("nodes", "daemonsets", "configmaps", "leases", "deployments", "clusterroles"),
    *("ciliumnodes", "ciliumendpointslices", "pods"),
)
_NEEDED = ("nodes", "pods", "ciliumnodes")


class Unready(t.NamedTuple):
    """An endpoint in a state that should pass; ``written`` is the last write, since when it is in it at the latest."""

    namespace: str
    name: str
    address: str
    state: str
    written: datetime.datetime | None


@dataclasses.dataclass(frozen=True)
class EndpointPicture:
    """``suspects``: whole endpoints that do not clearly live. ``identities``: {identity: endpoints that name it}.

    ``pods`` are pruned, by (namespace, name).
    """

    context: Context
    now: datetime.datetime
    served: bool
    count: int
    suspects: list[JsonObject]
    unready: list[Unready]
    identities: Mapping[int, int]
    around: Surroundings
    pods: Mapping[tuple[str, str], Mapping[str, t.Any]]

    def pod(self, endpoint: Mapping[str, t.Any]) -> Mapping[str, t.Any] | None:
        """The pod of this name, as the list had it."""
        namespace, name, _uid = dead_endpoints.pod_of(endpoint)
        return self.pods.get((namespace, name))


def read_picture(client: KubeClient, rules: EndpointRules, *, ask_agents: bool = False) -> EndpointPicture:
    """Read the cluster. Raises RefusedError where pods, Nodes or CiliumNodes cannot be read completely, ApiError."""
    now = clock_of_server(client)
    state = collect(client, LiveOptions(resources=_RESOURCES, agents=ask_agents, metrics=False))
    missing = [f"{name}: {state.unknown[name]}" for name in _NEEDED if name in state.unknown]
    if missing:
        raise RefusedError(
            f"Nothing is judged, because the picture is not complete ({'; '.join(missing)}): what is not seen would look gone."
        )
    pods = {key_of(pod): pod for pod in state.of("pods")}
    around = Surroundings(
        frozenset(str(one["metadata"]["name"]) for one in state.of("nodes")),
        frozenset(str(one["metadata"]["name"]) for one in state.of("ciliumnodes")),
        frozenset(
            str(one["pod"])
            for answer in state.of("agents")
            for one in answer.get("endpoints") or ()
            if one.get("pod") and one.get("state") not in ("disconnecting", "disconnected")
        ),
    )
    seen = _Endpoints(pods, around, rules, now)
    served = read_pages(client, ENDPOINTS, seen, kind="CiliumEndpoint", api_version="cilium.io/v2")
    resources = {**state.resources, "ciliumendpoints": collected(seen.pruned)}
    whole = dataclasses.replace(state, resources=resources)
    return EndpointPicture(
        Context(whole), now, served, seen.count, seen.suspects, seen.unready, seen.identities, around, pods
    )


class _Endpoints:
    """Judges each endpoint as it comes."""

    def __init__(
        self,
        pods: Mapping[tuple[str, str], Mapping[str, t.Any]],
        around: Surroundings,
        rules: EndpointRules,
        now: datetime.datetime,
    ) -> None:
        self._pods = pods
        self._around = around
        self._rules = rules
        self._now = now
        self.restart()

    def restart(self) -> None:
        self.count = 0
        self.suspects: list[JsonObject] = []
        self.unready: list[Unready] = []
        self.identities: Counter[int] = Counter()
        self.pruned = collecting("ciliumendpoints")

    def take(self, obj: JsonObject) -> None:
        self.count += 1
        self.pruned.append(prune("ciliumendpoints", obj))
        status = obj.get("status") or {}
        identity = (status.get("identity") or {}).get("id")
        if identity:
            self.identities[identity] += 1
        namespace, name, _uid = dead_endpoints.pod_of(obj)
        verdict = dead_endpoints.judge(obj, self._pods.get((namespace, name)), self._around, self._rules, self._now)
        if verdict is not None:
            self.suspects.append(obj)
        elif status.get("state") in (*BAD, *PASSING):
            address = str((status.get("networking") or {}).get("node") or "")
            self.unready.append(Unready(*key_of(obj), address, str(status["state"]), last_written(obj)))
