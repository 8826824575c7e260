# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Pods of a snapshot as an API server stores them: where they run and how they stand, and nothing of what they do."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import keeps_command_line
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    TERMINAL_PHASES,
    ClusterState,
    Object,
    internal_addresses,
    name_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.owned_pods import (
    API_VERSIONS,
    FOREIGN,
    IMAGE,
    tolerated,
    with_images,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.stored_objects import MARK, stored, with_uid

#: A pod that was stuck in its deletion.
STUCK: t.Final = f"{MARK}/stuck"


class RebuiltPods:
    """Makes the pods of one state; ``time`` is that of objects whose own one is not known."""

    def __init__(self, state: ClusterState, time: str) -> None:
        self._time = time
        self._nodes = {name_of(node): node for node in state.of("nodes")}
        self._placed = {
            (str(one["metadata"].get("namespace")), name_of(one)): one for one in state.of("rehearsal-pods")
        }

    def of(self, pod: Object) -> tuple[str, Object]:
        """(key, object) of a pod."""
        source, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
        metadata = with_uid(
            "Pod", {key: value for key, value in source.items() if key != "ownerReferences"}, self._time
        )
        owners = [with_version(one) for one in source.get("ownerReferences") or ()]
        annotations = {}
        if owners:
            metadata["ownerReferences"] = owners
            if any(one.get("kind") == "Node" for one in owners):
                annotations = {"kubernetes.io/config.mirror": MARK, "kubernetes.io/config.source": "file"}
        if metadata.get("deletionTimestamp"):
            annotations[STUCK] = "true"
            metadata["deletionGracePeriodSeconds"] = 30
        if annotations:
            metadata["annotations"] = annotations
        placed = self._placed.get((str(source.get("namespace")), str(source["name"])))
        whole = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": self._pod_spec(pod, spec, placed),
            "status": self._pod_status(pod, status, str(spec.get("nodeName") or ""), placed),
        }
        return stored("pods", whole)

    def _pod_spec(self, pod: Object, spec: Mapping[str, t.Any], placed: Object | None) -> Object:
        node = self._nodes.get(str(spec.get("nodeName") or ""), {})
        made: Object = {key: value for key, value in (placed or {"spec": {}})["spec"].items() if key != "claims"}
        made.update({key: spec[key] for key in ("nodeName", "serviceAccountName", "hostNetwork") if spec.get(key)})
        if "tolerations" not in made:
            lasting = [
                {"key": f"node.kubernetes.io/{one}", "operator": "Exists"} for one in ("not-ready", "unreachable")
            ]
            evicted = [{**one, "effect": "NoExecute", "tolerationSeconds": 300} for one in lasting]
            made["tolerations"] = [*tolerated((node.get("spec") or {}).get("taints") or ()), *evicted]
        if keeps_command_line(pod):
            made["containers"] = list(spec.get("containers") or ())
        made = with_images(made)
        ports = [
            {"name": name, "protocol": protocol, "containerPort": port}
            for name, protocol, port in spec.get("namedPorts") or ()
        ]
        if ports:
            made["containers"][0] = {**made["containers"][0], "ports": ports}
        if not spec.get("nodeName"):
            # why it was not scheduled is not in the snapshot, so nobody schedules it here
            made["schedulerName"] = f"{MARK}.nobody"
        made.setdefault(
            "restartPolicy", "Always" if (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES else "Never"
        )
        return made

    def _pod_status(self, pod: Object, status: Mapping[str, t.Any], node: str, placed: Object | None) -> Object:
        made = {key: status[key] for key in ("phase", "reason", "startTime", "podIPs") if status.get(key) is not None}
        if made.get("podIPs"):
            made["podIP"] = made["podIPs"][0].get("ip")
        addresses = internal_addresses(self._nodes[node]) if node in self._nodes else []
        if addresses:
            made["hostIP"] = addresses[0]
        runs = status.get("phase") == "Running"
        waiting = status.get("waiting")
        ready = runs and not waiting and (placed is None or bool(placed.get("ready", True)))
        if node:
            said = [("PodScheduled", True), *((kind, ready) for kind in ("Ready", "ContainersReady"))]
            made["conditions"] = [
                {
                    "type": kind,
                    "status": "True" if fine else "False",
                    "lastTransitionTime": status.get("startTime") or self._time,
                }
                for kind, fine in said
            ]
        if waiting or status.get("restarts") is not None or (runs and not keeps_command_line(pod)):
            state = {"waiting": {"reason": waiting}} if waiting else {"running": {"startedAt": status.get("startTime")}}
            made["containerStatuses"] = [
                {
                    "name": "main",
                    "image": IMAGE,
                    "imageID": "",
                    "ready": ready,
                    "restartCount": status.get("restarts") or 0,
                    "state": state,
                }
            ]
        return made


def with_version(owner: Mapping[str, t.Any]) -> Object:
    """An owner with the version of its kind, which a state does not keep."""
    return {"apiVersion": API_VERSIONS.get(str(owner.get("kind")), FOREIGN), **owner}
