# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which pods have ended and may be deleted, and why each other one is kept. Rules only, without any I/O.

What ends a pod: its containers did (Succeeded, Failed), the kubelet evicted it or refused to start it, or the control plane
marked it as Failed. Kubernetes keeps such pods until 12,500 of them are there (--terminated-pod-gc-threshold of
kube-controller-manager), or until their owner goes.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment, words
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    controller_of,
    is_finished,
    is_mirror,
)

Pod = Mapping[str, t.Any]
#: Controllers whose ended pods are mere leftovers: each has made, or will make, another pod in place of it.
REPLACING = ("DaemonSet", "ReplicaSet", "ReplicationController", "StatefulSet")
# why a pod that has ended is kept; each is a key of the counts
JOB, BARE, OTHER, MIRROR = "job", "bare", "other-controller", "mirror"
YOUNG, AGELESS, FINALIZERS, RUNNING, TERMINATING = (
    "young",
    "unknown-age",
    "finalizers",
    "container-running",
    "terminating",
)
ELSEWHERE, OTHER_REASON = "other-namespace", "other-reason"


@dataclass(frozen=True)
class PodRules:
    """What a user allows. Times in seconds; an empty tuple is no limit, but for ``include_controllers``.

    ``include_controllers``: kinds of further controllers whose ended pods may go, such as Workflow.
    """

    min_age: float = 3600.0
    namespaces: tuple[str, ...] = ()
    excluded_namespaces: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    include_job_pods: bool = False
    include_bare_pods: bool = False
    include_controllers: tuple[str, ...] = ()

    def in_scope(self, namespace: str) -> bool:
        """Whether pods of this namespace are looked at."""
        return namespace not in self.excluded_namespaces and (not self.namespaces or namespace in self.namespaces)


@dataclass(frozen=True)
class PodVerdict:
    """``kept`` is empty for a pod that may be deleted; else the key of the rule that keeps it. ``words`` says it."""

    kept: str
    reason: str
    words: str


def reason_of(pod: Pod) -> str:
    """Why it has ended, in one word: Evicted, Terminated, OOMKilled, Error, Completed, ... or else its phase."""
    status = pod.get("status") or {}
    if status.get("reason"):
        return str(status["reason"])
    for condition in status.get("conditions") or ():
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return str(condition.get("reason") or "DisruptionTarget")
    ended = [one for one in _terminated(status) if one.get("exitCode")]
    for one in ended or _terminated(status):
        if one.get("reason"):
            return str(one["reason"])
    return str(status.get("phase") or "unknown")


def finished_at(pod: Pod) -> datetime.datetime | None:
    """When the last of its containers ended; else its conditions, its start or its creation. None when nothing tells.

    Times before its creation, such as the zero time of a container that nobody saw ending, count for nothing.
    """
    status, metadata = pod.get("status") or {}, pod.get("metadata") or {}
    created = moment(metadata.get("creationTimestamp"))
    in_order: tuple[Iterable[str | None], ...] = (
        [one.get("finishedAt") for one in _terminated(status)],
        [one.get("lastTransitionTime") for one in status.get("conditions") or ()],
        [status.get("startTime")],
        [metadata.get("creationTimestamp")],
    )
    for texts in in_order:
        times = [
            found
            for text in texts
            if (found := moment(text)) is not None and (created is None or found >= created - _TOLERANCE)
        ]
        if times:
            return max(times)
    return None


_TOLERANCE = datetime.timedelta(minutes=1)
_STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


def _terminated(status: Mapping[str, t.Any]) -> list[Mapping[str, t.Any]]:
    states = [(one.get("state") or {}) for key in _STATUSES for one in status.get(key) or ()]
    return [state["terminated"] for state in states if state.get("terminated")]


def judge(pod: Pod, rules: PodRules, now: datetime.datetime) -> PodVerdict | None:
    """The verdict about a pod that has ended; None for one that has not. ``now`` is the API server's time."""
    if not is_finished(pod):
        return None
    reason = reason_of(pod)
    kept, why = _kept(pod, rules, reason, now)
    if kept:
        return PodVerdict(kept, reason, why)
    ended = finished_at(pod)
    since = f" {words((now - ended).total_seconds())} ago" if ended is not None else ""
    phase = (pod.get("status") or {}).get("phase")
    controller = controller_of(pod)
    owner = f"{controller.get('kind')} {controller.get('name')}" if controller else "no controller"
    return PodVerdict("", reason, f"{phase} ({reason}){since}, of {owner}")


def _kept(pod: Pod, rules: PodRules, reason: str, now: datetime.datetime) -> tuple[str, str]:
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    if not rules.in_scope(str(metadata.get("namespace") or "")):
        return ELSEWHERE, "its namespace is left out"
    if metadata.get("deletionTimestamp"):
        return TERMINATING, "it is being deleted already"
    if metadata.get("finalizers"):
        return FINALIZERS, f"its finalizers ({', '.join(metadata['finalizers'])}) say that somebody still needs it"
    if is_mirror(pod):
        return MIRROR, "it shows a static pod of a kubelet, which would write it again"
    kept, why = _kept_for_owner(pod, rules)
    if kept:
        return kept, why
    if rules.reasons and reason not in rules.reasons:
        return OTHER_REASON, f"its reason is {reason}"
    running = [str(one.get("name")) for key in _STATUSES for one in status.get(key) or () if _runs(one)]
    if running:
        return RUNNING, f"no kubelet has said that its container {running[0]} ended: its Node may be cut off"
    ended = finished_at(pod)
    if ended is None:
        return AGELESS, "nothing tells when it ended"
    age = (now - ended).total_seconds()
    if age < rules.min_age:
        return YOUNG, f"it ended {words(age)} ago"
    return "", ""


def _runs(status: Mapping[str, t.Any]) -> bool:
    return (status.get("state") or {}).get("running") is not None


def _kept_for_owner(pod: Pod, rules: PodRules) -> tuple[str, str]:
    controller = controller_of(pod)
    if controller is None:
        return (
            ("", "") if rules.include_bare_pods else (BARE, "no controller has made it, so it may be somebody's result")
        )
    kind, group = str(controller.get("kind")), str(controller.get("apiVersion") or "").rpartition("/")[0]
    if kind in rules.include_controllers or (kind in REPLACING and group in ("", "apps")):
        return "", ""
    if kind == "Job" and group in ("", "batch"):
        return ("", "") if rules.include_job_pods else (JOB, f"it is the history of Job {controller.get('name')}")
    return OTHER, f"what {kind} {controller.get('name')} needs of it is not known"


def stuck_terminating(pod: Pod, after: float, now: datetime.datetime) -> float | None:
    """Seconds by which a pod outlives the end of its grace period, when that is longer than ``after``; else None."""
    metadata = pod.get("metadata") or {}
    due = moment(metadata.get("deletionTimestamp"))  # the moment at which its grace period ends
    late = None if due is None else (now - due).total_seconds()
    return late if late is not None and late > after else None
