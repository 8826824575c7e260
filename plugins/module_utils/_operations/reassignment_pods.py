# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What becomes of the pods that leave a Node while it is out: whether they end in time, and whether they run elsewhere.

Of each Node that is planned its own pods are judged; Nodes and pods of the whole cluster are read once, and only when a
Node has pods that move.
"""

from __future__ import annotations

import functools
import itertools
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import some
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import controller_of, is_finished
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.node_places import (
    addresses_for_pods,
    claims_of,
    takes_pods,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.placement import (
    Room,
    obstacle,
    place,
    room_of,
    uncertain,
)

#: On so many Nodes with most room pods are placed together; any other one is tried for each pod alone.
_ROOMS = 50
_GRACE = 30
# the Job controller takes it away itself as soon as it has counted the pod
_OF_JOBS = "batch.kubernetes.io/job-tracking"


def grace_of(pod: Mapping[str, t.Any], given: int | None = None) -> int:
    """Seconds that a pod has to end: ``given`` by the drain, else its own."""
    if given is not None and given >= 0:
        return given
    value = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    return int(value) if isinstance(value, int) else _GRACE


def ending(
    node_name: str, leaving: Sequence[JsonObject], timeout: float | None, given: int | None
) -> tuple[list[Objection], list[str]]:
    """Objections and warnings about pods that may not have gone when the drain gives up (``timeout``; None: not known)."""
    objections: list[Objection] = []
    warnings: list[str] = []
    held = [f"{_reference(pod)} ({', '.join(found)})" for pod in leaving if (found := _finalizers(pod))]
    if held:
        warnings.append(f"pods with finalizers are gone only when somebody has taken these away: {some(held)}")
    if timeout is None:
        return objections, warnings
    longest = {_reference(pod): grace_of(pod, given) for pod in leaving if grace_of(pod, given) > timeout}
    never = {_reference(pod): least for pod in leaving if (least := _sleeps(pod, given)) > timeout}
    if never:
        reason = (
            f"Node {node_name}: {_seconds(never)} cannot have ended when the drain gives up after {timeout:g} s, because their "
            "preStop hooks sleep for longer; give it more time (reassign_pod_cidrs_drain_timeout), or the pods less "
            "(reassign_pod_cidrs_drain_grace_period)"
        )
        objections.append(Objection("drain-timeout", reason))
    late = {name: seconds for name, seconds in longest.items() if name not in never}
    if late:
        warnings.append(
            f"the drain gives up after {timeout:g} s, and these pods may take longer to end: {_seconds(late)}; give it more "
            "time (reassign_pod_cidrs_drain_timeout)"
        )
    return objections, warnings


class Elsewhere:
    """Where pods of one Node could run while it is out. What it tells is a warning: the scheduler decides."""

    def __init__(self, client: KubeClient, context: Context) -> None:
        self._client = client
        self._context = context
        self._found: dict[str, tuple[str, ...]] = {}

    def warnings(self, node_name: str, leaving: Sequence[JsonObject]) -> list[str]:
        """About pods that leave this Node and that somebody starts again. Raises ApiError."""
        moving = [pod for pod in leaving if controller_of(pod) is not None and not is_finished(pod)]
        if not moving:
            return []
        found = []
        volumes, unread = self._volumes(moving)
        near = [room.copy() for room in self._rooms[:_ROOMS] if room.name != node_name]
        homeless = []
        for pod, there, why in place(moving, near, volumes):
            own = volumes.get(str(pod["metadata"].get("uid")), ())
            if not there and not any(name != node_name for name in self._further(pod, own)):
                more = "; no further Node fits either" if len(self._rooms) > _ROOMS else ""
                homeless.append(f"{_reference(pod)} ({why}{more})")
        if homeless:
            found.append(f"pods that start nowhere else until the Node is back: {some(sorted(homeless))}")
        doubtful = [f"{_reference(pod)} ({', '.join(uncertain(pod))})" for pod in moving if uncertain(pod)]
        if doubtful:
            found.append(f"whether these pods start elsewhere is only known to the scheduler: {some(doubtful)}")
        if unread:
            found.append(f"whether volumes keep these pods on this Node could not be read: {some(unread)}")
        return found

    # -- internals -----------------------------------------------------------------------------------------------

    def _further(self, pod: Mapping[str, t.Any], volumes: Sequence[Object]) -> tuple[str, ...]:
        """Two of the further Nodes on which the pod alone would run. Pods of one controller are taken to be alike."""
        owner = str((controller_of(pod) or {}).get("uid") or "") if not volumes else ""
        if owner in self._found:
            return self._found[owner]
        fitting = (room.name for room in self._rooms[_ROOMS:] if not obstacle(pod, room, [room], volumes))
        found = tuple(itertools.islice(fitting, 2))
        if owner:
            self._found[owner] = found
        return found

    @functools.cached_property
    def _rooms(self) -> list[Room]:
        """Nodes that take pods now, those with most room first."""
        pods: dict[str, list[Object]] = {}
        for pod in self._client.list("/api/v1/pods"):
            if not is_finished(pod):
                pods.setdefault(str((pod.get("spec") or {}).get("nodeName") or ""), []).append(pod)
        rooms = [
            room_of(node, pods.get(name_of(node), ()), addresses_for_pods(node, self._context.ipam_model))
            for node in self._client.list("/api/v1/nodes")
            if takes_pods(node, self._context.ipam_model)
        ]
        return sorted(rooms, key=lambda room: (-room.free.get("cpu", 0), -room.free.get("memory", 0), room.name))

    def _volumes(self, pods: Sequence[JsonObject]) -> tuple[dict[str, list[Object]], list[str]]:
        """PersistentVolumes of each pod by its uid, and pods of which they may not be read."""
        found: dict[str, list[Object]] = {}
        unread = []
        for pod in pods:
            try:
                volumes = [self._volume(str(pod["metadata"].get("namespace")), claim) for claim in claims_of(pod)]
            except ApiError as error:
                if error.status != 403:
                    raise
                unread.append(_reference(pod))
                continue
            bound = [one for one in volumes if one is not None]
            if bound:
                found[str(pod["metadata"].get("uid"))] = bound
        return found, unread

    def _volume(self, namespace: str, claim: str) -> Object | None:
        found = self._client.find(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{claim}")
        name = ((found or {}).get("spec") or {}).get("volumeName")
        return self._client.find(f"/api/v1/persistentvolumes/{name}") if name else None


def _finalizers(pod: Mapping[str, t.Any]) -> list[str]:
    return [one for one in (pod.get("metadata") or {}).get("finalizers") or () if one != _OF_JOBS]


def _sleeps(pod: Mapping[str, t.Any], given: int | None) -> int:
    """Seconds that the pod takes to end at least: the kubelet sleeps for its preStop hooks, as long as its time lasts."""
    hooks = [
        ((one.get("lifecycle") or {}).get("preStop") or {}).get("sleep") or {}
        for one in (pod.get("spec") or {}).get("containers") or ()
    ]
    return min(max((int(one.get("seconds") or 0) for one in hooks), default=0), grace_of(pod, given))


def _seconds(pods: Mapping[str, int]) -> str:
    return some([f"{name} ({seconds} s)" for name, seconds in sorted(pods.items())])


def _reference(pod: Mapping[str, t.Any]) -> str:
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"
