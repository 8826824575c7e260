# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which values of cilium-config the programs really run with: by their logs, else by when their pods started.

The log of each pod of the operator is read, and those of a few agents: all of them read the same ConfigMap.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import restarts
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_in_force import (
    is_same,
    options_in_log,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import AGENT, OPERATOR, owners
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_map import ConfigMap
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import is_finished
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import is_ready
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_pods import is_old, node_of
from ansible_collections.podnet.upkeep.plugins.module_utils._plain_text import read_text

SELECTORS: Mapping[str, str] = {OPERATOR: "io.cilium/app=operator", AGENT: "k8s-app=cilium"}
_LOG_BYTES = 512 * 1024  # options are printed first: 250 lines of an operator have 35 KiB
_LOG_SECONDS = 15.0
_MOST = 10
_WRITTEN_WITHIN = datetime.timedelta(seconds=2)


@dataclass(frozen=True)
class WantedValues:
    """What is to be in force: texts of cilium-config (None: the key is not there), since when, in which release.

    ``readers`` is {key: programs that read it}, where that is more than the table of keys tells.
    """

    values: Mapping[str, str | None]
    changed_at: str
    release: Release | None
    readers: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, program: str) -> dict[str, str | None]:
        """The values of the keys that a program reads."""
        return {
            key: value
            for key, value in self.values.items()
            if program in (*owners(key, self.release), *self.readers.get(key, ()))
        }


def pods_with(client: KubeClient, namespace: str, program: str) -> list[JsonObject]:
    """Pods of agent or operator that are neither finished nor going, by Node. Raises ApiError."""
    found = client.list(f"/api/v1/namespaces/{namespace}/pods", params={"labelSelector": SELECTORS[program]})
    live = [pod for pod in found if not is_finished(pod) and not pod["metadata"].get("deletionTimestamp")]
    return sorted(live, key=lambda pod: (node_of(pod), str(pod["metadata"]["name"])))


class ConfigInForce:
    """Asks the programs of one namespace."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    def operator(self, wanted: WantedValues) -> list[dict[str, t.Any]]:
        """Each pod of the operator: whether the values are in force there (None: it cannot be told), and by what it is known."""
        ours = wanted.of(OPERATOR)
        return [self._operator_pod(pod, ours, wanted) for pod in pods_with(self._client, self._namespace, OPERATOR)]

    def agents(self, wanted: WantedValues) -> dict[str, t.Any]:
        """How many agents there are, how many have started before the change, and what a few of them say when they started."""
        pods = pods_with(self._client, self._namespace, AGENT)
        old = [node_of(pod) for pod in pods if is_old(pod, _time(wanted.changed_at))]
        not_ready = [node_of(pod) for pod in pods if not is_ready(pod)]
        ours = {key: value for key, value in wanted.of(AGENT).items() if value is not None}
        fresh = [pod for pod in pods if not is_old(pod, _time(wanted.changed_at))]
        asked = [self._agent(pod, ours, wanted) for pod in _sample(fresh)] if ours else []
        different = [one for one in asked if one["different"]]
        by_log = bool(asked) and all(one["known_by"] == "log" for one in asked)
        return {
            "count": len(pods),
            "older": len(old),
            "older_on": old[:_MOST],
            "not_ready": len(not_ready),
            "asked": asked,
            "known_by": "log" if by_log else "start",
            "in_force": not old and not not_ready and not different,
        }

    def _agent(self, pod: JsonObject, ours: Mapping[str, str], wanted: WantedValues) -> dict[str, t.Any]:
        """What one agent has written when it started. A value of a CiliumNodeConfig for its Node is no difference to tell here."""
        running, why_not = self._running(str(pod["metadata"]["name"]), list(ours), "cilium-agent")
        verdicts = {
            key: is_same(key, AGENT, value, running[key], wanted.release) if key in running else None
            for key, value in ours.items()
        }
        return {
            "node": node_of(pod),
            "running": running,
            "different": sorted(key for key, same in verdicts.items() if same is False),
            "known_by": "log" if all(verdicts.values()) else "start",
            "log_error": why_not,
        }

    def not_read_yet(self, config: ConfigMap, release: Release | None) -> list[str]:
        """Keys that were put back, and that a program has not read which runs since before that. Raises ApiError."""
        restored = config.memory.restored
        readers = restarts(list(restored), config.data, release)
        pods = {
            program: pods_with(self._client, self._namespace, program)
            for program in {one for programs in readers.values() for one in programs}
        }
        found = []
        written = config.restored_at
        for key, time in restored.items():
            asked = _time(time)
            # the ConfigMap was written a moment after the time was asked for; later writes of others tell another one
            limit = (
                None if asked is None else min(asked + _WRITTEN_WITHIN, max(asked, written or asked + _WRITTEN_WITHIN))
            )
            if any(is_old(pod, limit) for program in readers[key] for pod in pods[program]):
                found.append(key)
        return sorted(found)

    def _operator_pod(self, pod: JsonObject, ours: Mapping[str, str | None], wanted: WantedValues) -> dict[str, t.Any]:
        name = str(pod["metadata"]["name"])
        running, why_not = self._running(name, list(ours))
        older = is_old(pod, _time(wanted.changed_at))
        answer: dict[str, t.Any] = {
            "name": name,
            "node": node_of(pod),
            "created": str(pod["metadata"].get("creationTimestamp") or ""),
            "ready": is_ready(pod),
            "older": older,
            "running": running,
            "log_error": why_not,
        }
        verdicts = {
            key: is_same(key, OPERATOR, value, running[key], wanted.release) if key in running else None
            for key, value in ours.items()
            if value is not None
        }
        differ = [key for key, same in verdicts.items() if same is False]
        if differ:
            return {**answer, "in_force": False, "known_by": "log", "different": differ}
        by_log = bool(ours) and len(verdicts) == len(ours) and all(verdicts.values())
        # a key that was taken out, or that no log names, is in force where the pod has started since
        in_force = answer["ready"] and (by_log or not older)
        return {**answer, "in_force": in_force, "known_by": "log" if by_log else "start", "different": []}

    def _running(self, pod: str, keys: Sequence[str], container: str = "cilium-operator") -> tuple[dict[str, str], str]:
        """(values that its log names, why the log could not be read)."""
        if not keys:
            return {}, ""
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        params = {"container": container, "limitBytes": _LOG_BYTES}
        try:
            text, _cut = read_text(self._client, path, params, timeout=_LOG_SECONDS, limit_bytes=_LOG_BYTES)
        except ApiError as error:
            return {}, error.server_message or str(error)
        return options_in_log(text, keys), ""


def _sample(pods: Sequence[JsonObject]) -> list[JsonObject]:
    """The first, the last, and one in the middle."""
    places = sorted({0, len(pods) // 2, len(pods) - 1}) if pods else []
    return [pods[place] for place in places]


def _time(text: str) -> datetime.datetime | None:
    return moment(text)
