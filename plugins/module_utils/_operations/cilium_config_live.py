# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which values of cilium-config the programs really run with: by the operator's log, else by when their pods started."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_in_force import (
    is_same,
    options_in_log,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import AGENT, OPERATOR, owners
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import Release
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import is_finished
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import is_ready
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_pods import is_old, node_of
from ansible_collections.podnet.upkeep.plugins.module_utils._plain_text import read_text

SELECTORS: Mapping[str, str] = {OPERATOR: "io.cilium/app=operator", AGENT: "k8s-app=cilium"}
_LOG_BYTES = 512 * 1024  # options are printed first: 250 lines of an operator have 35 KiB
_LOG_SECONDS = 15.0
_MOST = 10


@dataclass(frozen=True)
class WantedValues:
    """What is to be in force: texts of cilium-config (None: the key is not there), since when, in which release."""

    values: Mapping[str, str | None]
    changed_at: str
    release: Release | None


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
        ours = {key: value for key, value in wanted.values.items() if OPERATOR in owners(key, wanted.release)}
        return [self._operator_pod(pod, ours, wanted) for pod in pods_with(self._client, self._namespace, OPERATOR)]

    def agents(self, wanted: WantedValues) -> dict[str, t.Any]:
        """How many agents there are, and how many of them have started before the change."""
        pods = pods_with(self._client, self._namespace, AGENT)
        old = [node_of(pod) for pod in pods if is_old(pod, _time(wanted.changed_at))]
        not_ready = [node_of(pod) for pod in pods if not is_ready(pod)]
        return {
            "count": len(pods),
            "older": len(old),
            "older_on": old[:_MOST],
            "not_ready": len(not_ready),
            "in_force": not old and not not_ready,
        }

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

    def _running(self, pod: str, keys: Sequence[str]) -> tuple[dict[str, str], str]:
        """(values that its log names, why the log could not be read)."""
        if not keys:
            return {}, ""
        path = f"/api/v1/namespaces/{self._namespace}/pods/{pod}/log"
        params = {"container": "cilium-operator", "limitBytes": _LOG_BYTES}
        try:
            text, _cut = read_text(self._client, path, params, timeout=_LOG_SECONDS, limit_bytes=_LOG_BYTES)
        except ApiError as error:
            return {}, error.server_message or str(error)
        return options_in_log(text, keys), ""


def _time(text: str) -> datetime.datetime | None:
    return moment(text)
