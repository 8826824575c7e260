# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether a kubelet is silent: since when by what the API server has stored, and whether it stays so while we look.

A kubelet renews its Lease every quarter of the Lease's time and writes its Node's status; both go on while the Node is
not Ready for another reason, such as a container runtime that does not run. So a Node that is not Ready is not gone
(kubernetes: pkg/kubelet/util/nodelease.go, pkg/controller/nodelifecycle).
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import last_write
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import node_path, uid_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

#: A kubelet's Lease is valid for so many seconds when it does not say otherwise.
LEASE_SECONDS = 40
_POLL = 1.0


def lease_path(node_name: str) -> str:
    """Where the kubelet of a Node keeps its Lease."""
    return f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{node_name}"


@dataclass(frozen=True)
class Signs:
    """The last signs of life: ``ready`` is the status of the condition Ready, ``beats`` what a living kubelet moves.

    ``since`` is the later one of: Ready changed, the Lease was written (by the API server's clock); None when neither
    is known. ``reported`` says whether a kubelet has ever reported about this Node.
    """

    uid: str
    ready: str
    since: datetime.datetime | None
    beats: tuple[str, ...]
    lease_seconds: float
    reported: bool

    def seconds(self, now: datetime.datetime) -> float:
        """For how long it has been silent."""
        return (now - self.since).total_seconds() if self.since is not None else 0.0


def signs_of(node: Mapping[str, t.Any], lease: Mapping[str, t.Any] | None) -> Signs:
    """Signs of life of one Node and its kubelet's Lease."""
    status = node.get("status") or {}
    conditions = status.get("conditions") or ()
    ready: Mapping[str, t.Any] = next((one for one in conditions if one.get("type") == "Ready"), {})
    spec = (lease or {}).get("spec") or {}
    times = [moment(str(ready.get("lastTransitionTime") or ""))]
    if lease is not None and spec.get("renewTime"):
        times.append(last_write(lease))
    known = [one for one in times if one is not None]
    return Signs(
        uid=uid_of(node),
        ready=str(ready.get("status") or "Unknown"),
        since=max(known) if known else None,
        beats=(
            str(spec.get("renewTime") or ""),
            str((status.get("nodeInfo") or {}).get("bootID") or ""),
            *(str(one.get("lastHeartbeatTime") or "") for one in conditions),
        ),
        lease_seconds=float(spec.get("leaseDurationSeconds") or LEASE_SECONDS),
        reported=bool(ready) and str(ready.get("reason")) != "NodeStatusNeverUpdated",
    )


def read(client: KubeClient, name: str) -> tuple[JsonObject, Signs] | None:
    """The Node and its signs of life; None when there is no such Node. Raises ApiError."""
    node = client.find(node_path(name))
    return None if node is None else (node, signs_of(node, client.find(lease_path(name))))


def came_back(first: Signs, now: Signs) -> str:
    """What shows that the kubelet lives after all; empty when nothing does."""
    if now.uid != first.uid:
        return f"it was registered again (uid {now.uid})"
    if now.ready == "True":
        return "it is Ready again"
    if now.beats[0] != first.beats[0]:
        return f"its kubelet renews its Lease (at {now.beats[0]})"
    if now.beats != first.beats:
        return "its kubelet writes its status"
    return ""


def watch(
    client: KubeClient,
    first: Mapping[str, Signs],
    settle_seconds: float,
    *,
    clock: Clock | None = None,
    heartbeat: Callable[[], None] | None = None,
) -> dict[str, str]:
    """Look at these Nodes again until each was silent for a whole time of its Lease, and at least ``settle_seconds``.

    The answer names those whose kubelet lives, or that are gone, with what shows it. Raises ApiError.
    """
    clock = clock or Clock()
    found: dict[str, str] = {}
    if not first:
        return found
    start = clock.now()
    longest = max(settle_seconds, *(one.lease_seconds for one in first.values()))
    while True:
        if heartbeat is not None:
            heartbeat()
        for name in _silent(first, found):
            seen = read(client, name)
            reason = "it is gone" if seen is None else came_back(first[name], seen[1])
            if reason:
                found[name] = reason
        left = longest - (clock.now() - start)
        if left <= 0 or not _silent(first, found):
            return found
        clock.sleep(min(_POLL if longest < 2 * LEASE_SECONDS else 2 * _POLL, left))


def _silent(first: Mapping[str, Signs], found: Mapping[str, str]) -> Sequence[str]:
    return [name for name in first if name not in found]
