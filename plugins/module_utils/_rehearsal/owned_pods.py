# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Pods by what owns them, and the parts of a pod that workloads and pods have in common."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, ClusterState, Object
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.stored_objects import MARK

#: Of each kind of owner that controllers of Kubernetes know. What others own stays as it is when it is evicted.
API_VERSIONS: t.Final[Mapping[str, str]] = {
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "Node": "v1",
    "Pod": "v1",
}
FOREIGN: t.Final = f"{MARK}/v1"
IMAGE: t.Final = f"{MARK}/nothing-runs"
_OF_CONTROLLERS: t.Final = (
    *("controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name"),
    *("apps.kubernetes.io/pod-index", "batch.kubernetes.io/job-completion-index"),
)


@dataclass
class Group:
    """The pods of one owner."""

    kind: str
    namespace: str
    name: str
    uid: str
    pods: list[Object] = field(default_factory=list)

    @property
    def live(self) -> list[Object]:
        """Those that have not ended and are not on their way out."""
        return [
            pod
            for pod in self.pods
            if (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES
            and not pod["metadata"].get("deletionTimestamp")
        ]

    def labels(self, *without: str) -> dict[str, str]:
        """Labels that all of its pods have, apart from those that controllers give and from ``without``."""
        pods = self.live or self.pods
        if not pods:
            return {}
        first = pods[0]["metadata"].get("labels") or {}
        found = {key: value for key, value in first.items() if key not in (*_OF_CONTROLLERS, *without)}
        for pod in pods[1:]:
            labels = pod["metadata"].get("labels") or {}
            found = {key: value for key, value in found.items() if labels.get(key) == value}
        return found


def groups(state: ClusterState) -> list[Group]:
    """The pods of the state by the owner that controls them."""
    found: dict[str, Group] = {}
    for pod in state.of("pods"):
        for owner in pod["metadata"].get("ownerReferences") or ():
            if owner.get("controller") and owner.get("kind") in API_VERSIONS and owner["kind"] != "Node":
                namespace = str(pod["metadata"].get("namespace") or "")
                group = found.setdefault(
                    str(owner["uid"]), Group(str(owner["kind"]), namespace, str(owner["name"]), str(owner["uid"]))
                )
                group.pods.append(pod)
                break
    return list(found.values())


def tolerated(taints: Sequence[Mapping[str, t.Any]]) -> list[Object]:
    """Tolerations of exactly these taints."""
    return [
        {"key": taint["key"], "operator": "Exists", **({"effect": taint["effect"]} if taint.get("effect") else {})}
        for taint in taints
    ]


def with_images(place: Mapping[str, t.Any]) -> Object:
    """The spec of a pod or template with an image for each container, and with one where there is none."""
    containers = [{**one, "image": one.get("image") or IMAGE} for one in place.get("containers") or ()]
    return {**place, "containers": containers or [{"name": "main", "image": IMAGE}]}
