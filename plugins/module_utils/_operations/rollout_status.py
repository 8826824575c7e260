# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether a Deployment or DaemonSet is rolled out, as ``kubectl rollout status`` judges it.

Source: k8s.io/kubectl pkg/polymorphichelpers/rollout_status.go and objectrestarter.go.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError

Object = Mapping[str, t.Any]
DEPLOYMENT, DAEMON_SET = "Deployment", "DaemonSet"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_RESOURCES: t.Final = {DEPLOYMENT: "deployments", DAEMON_SET: "daemonsets"}
_DEADLINE = "ProgressDeadlineExceeded"


class RolloutError(UpkeepError):
    """The roll-out has failed: waiting would not help. ``details`` has what to look at."""

    def __init__(self, message: str, pods: t.Sequence[Mapping[str, t.Any]] = ()) -> None:
        super().__init__(message)
        self.pods = [dict(one) for one in pods]

    def details(self) -> dict[str, t.Any]:
        return {"pods_not_ready": self.pods}


def path_of(kind: str, namespace: str, name: str) -> str:
    """API path of a workload."""
    return f"/apis/apps/v1/namespaces/{namespace}/{_RESOURCES[kind]}/{name}"


def number(value: t.Any) -> int:
    """A count of a status; absent is 0, as the API leaves zeros out."""
    return int(value or 0)


def wanted_pods(kind: str, workload: Object) -> int:
    """How many pods the workload is to have now."""
    if kind == DAEMON_SET:
        return number((workload.get("status") or {}).get("desiredNumberScheduled"))
    replicas = (workload.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def is_on_delete(kind: str, workload: Object) -> bool:
    """Whether its pods keep running when the template changes, until somebody deletes them."""
    strategy = (workload.get("spec") or {}).get("updateStrategy") or {}
    return kind == DAEMON_SET and strategy.get("type") == "OnDelete"


def what_is_missing(kind: str, workload: Object) -> str:
    """In words what the roll-out waits for; empty when it is complete.

    Raises RolloutError when a Deployment has exceeded its progress deadline.
    """
    metadata, status = workload["metadata"], workload.get("status") or {}
    if number(metadata.get("generation")) > number(status.get("observedGeneration")):
        return "its controller has not seen the change yet"
    if kind == DAEMON_SET:
        return _of_daemon_set(status)
    return _of_deployment(workload, status)


def _of_daemon_set(status: Object) -> str:
    desired, updated = number(status.get("desiredNumberScheduled")), number(status.get("updatedNumberScheduled"))
    if updated < desired:
        return f"{updated} of {desired} pods are updated"
    available = number(status.get("numberAvailable"))
    return f"{available} of {desired} updated pods are available" if available < desired else ""


def _of_deployment(workload: Object, status: Object) -> str:
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("reason") == _DEADLINE:
            raise RolloutError(
                f"Deployment {workload['metadata'].get('namespace')}/{workload['metadata'].get('name')} has exceeded its "
                f"progress deadline: {str(condition.get('message') or '').rstrip('.')}."
            )
    wanted, updated = wanted_pods(DEPLOYMENT, workload), number(status.get("updatedReplicas"))
    if updated < wanted:
        return f"{updated} of {wanted} pods are updated"
    if number(status.get("replicas")) > updated:
        return f"{number(status.get('replicas')) - updated} old pods are still there"
    available = number(status.get("availableReplicas"))
    return f"{available} of {updated} updated pods are available" if available < updated else ""


def restart_patch(workload: Object, now: datetime.datetime) -> dict[str, t.Any]:
    """The merge patch by which ``kubectl rollout restart`` restarts it, for exactly the object that was read."""
    metadata = workload["metadata"]
    stamp = now.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
        "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: stamp}}}},
    }


def pod_trouble(pod: Object) -> str:
    """In words why a pod is not Ready; empty when it is."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return ""
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            restarts = number(container.get("restartCount"))
            again = f" after {restarts} restarts" if restarts else ""
            return f"{waiting['reason']}{again}"
    return str(status.get("reason") or status.get("phase") or "not started")
