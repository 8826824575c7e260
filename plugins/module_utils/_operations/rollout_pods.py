# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a restart of a workload is about: which workload, how to wait, its pods, how old they are, and why they fail.

Which pods are too old is judged by the times that the API server wrote. Those have whole seconds: a pod of the very second
of a change counts as older, and no restart is begun in that second, so that its pods count as younger.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import is_finished
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_status import (
    DAEMON_SET,
    RolloutError,
    number,
    path_of,
    pod_trouble,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.server_clock import server_time
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

MOST_NAMED = 5


@dataclass(frozen=True)
class Workload:
    """Which workload; ``newer_than`` is the moment after which its pods must have been created, None restarts them all."""

    kind: str
    namespace: str
    name: str
    newer_than: datetime.datetime | None = None

    @property
    def path(self) -> str:
        """API path."""
        return path_of(self.kind, self.namespace, self.name)

    @property
    def words(self) -> str:
        """For sentences."""
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass
class WaitSettings:
    """How to wait: seconds, what to call meanwhile, and how often a container may fail before waiting is given up.

    ``leader_lease``: a program may be Ready while it waits to lead, and exit when it does. So a new holder of this Lease has
    to lead for ``settle_seconds``; without a name nobody is waited for.
    """

    timeout: float = 600.0
    max_restarts: int = 3
    leader_lease: str = ""
    settle_seconds: float = 15.0
    clock: Clock = field(default_factory=Clock)
    heartbeat: Callable[[], None] | None = None
    progress: Callable[[str], None] = lambda line: None


def is_old(pod: t.Mapping[str, t.Any], newer_than: datetime.datetime | None) -> bool:
    """Whether a pod has to be restarted: always without a moment; one without a time is taken for old."""
    created = moment(pod["metadata"].get("creationTimestamp"))
    return newer_than is None or created is None or created <= newer_than


def find_workload(client: KubeClient, what: Workload) -> JsonObject:
    """The object. Raises InputError when there is none, ApiError."""
    found = client.find(what.path)
    if found is None:
        raise InputError(f"name: there is no {what.words}; name one that is there.")
    return found


def pods_of(client: KubeClient, what: Workload, workload: JsonObject) -> list[JsonObject]:
    """Its pods that are neither finished nor going, in the order of their Nodes and names. Raises ApiError."""
    selector = (workload.get("spec") or {}).get("selector") or {}
    path = f"/api/v1/namespaces/{what.namespace}/pods"
    found = []
    for pod in client.list(path, params={"labelSelector": _selector_text(selector)}):
        owners = [one for one in pod["metadata"].get("ownerReferences") or [] if one.get("controller")]
        other = what.kind == DAEMON_SET and [one.get("uid") for one in owners] != [workload["metadata"]["uid"]]
        if not other and not is_finished(pod) and not pod["metadata"].get("deletionTimestamp"):
            found.append(pod)
    return sorted(found, key=lambda pod: (node_of(pod), str(pod["metadata"]["name"])))


def node_of(pod: t.Mapping[str, t.Any]) -> str:
    """Its Node; empty while it has none."""
    return str((pod.get("spec") or {}).get("nodeName") or "")


def _selector_text(selector: t.Mapping[str, t.Any]) -> str:
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or []:
        key, operator, values = one["key"], one["operator"], ",".join(one.get("values") or [])
        parts.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(operator, f"!{key}")
        )
    return ",".join(parts)


def second_after(client: KubeClient, what: Workload, clock: Clock) -> datetime.datetime:
    """Now by the API server's clock, in a later second than ``newer_than``: it is waited for where it is near."""
    while True:
        now = server_time(client, what.namespace)
        if what.newer_than is None or now.replace(microsecond=0) > what.newer_than:
            return now
        if now + datetime.timedelta(seconds=5) < what.newer_than:
            raise InputError(
                f"newer_than: {what.newer_than.isoformat()} is still to come by the clock of the API server "
                f"({now.isoformat()}); give a moment of the past."
            )
        clock.sleep(0.3)


def troubled(pods: Sequence[JsonObject]) -> list[dict[str, t.Any]]:
    """Pods that are not Ready, each with its Node, the reason, and how often its containers failed."""
    found = []
    for pod in pods:
        trouble = pod_trouble(pod)
        if trouble:
            status = pod.get("status") or {}
            failed = [
                number(one.get("restartCount"))
                for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
                if ((one.get("state") or {}).get("waiting") or {}).get("reason") == "CrashLoopBackOff"
            ]
            name = str(pod["metadata"]["name"])
            found.append({"pod": name, "node": node_of(pod), "trouble": trouble, "restarts": max(failed, default=0)})
    return found


def give_up_on(trouble: Sequence[t.Mapping[str, t.Any]], what: Workload, max_restarts: int) -> None:
    """Raise RolloutError where a container has failed so often that it will not start by itself (0: never give up)."""
    failing = [one for one in trouble if max_restarts and one["restarts"] >= max_restarts]
    if failing:
        names = ", ".join(str(one["pod"]) for one in failing[:MOST_NAMED])
        raise RolloutError(
            f"{what.words} does not start with what it has now: {names} failed {failing[0]['restarts']} times; see "
            f"kubectl -n {what.namespace} logs {failing[0]['pod']}. Pods that were not replaced yet go on as before.",
            failing,
        )
