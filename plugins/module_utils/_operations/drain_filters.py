# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which pods of a node a drain removes, leaves alone or must not touch: kubectl's rules, without any I/O.

Source of the rules: kubectl pkg/drain/filters.go (0.36). The filters run in this order and stop at the first that
keeps a pod: skip-deleted, DaemonSet, mirror, local storage, unreplicated. One thing differs on purpose: kubectl forgets
two warnings as soon as a later filter runs ("deleting Pods with local storage", and that the DaemonSet of a pod is not
found); here they stay as the reason.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

DAEMONSET_FATAL = "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"
DAEMONSET_WARNING = "ignoring DaemonSet-managed Pods"
LOCAL_STORAGE_FATAL = "Pods with local storage (use --delete-emptydir-data to override)"
LOCAL_STORAGE_WARNING = "deleting Pods with local storage"
UNMANAGED_FATAL = "Pods that declare no controller (use --force to override)"
UNMANAGED_WARNING = "deleting Pods that declare no controller"
DAEMONSET_API_VERSION = "apps/v1"
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"

Action = t.Literal["remove", "keep", "refuse"]
Pod = Mapping[str, t.Any]
DaemonSetExists = Callable[[str, str], bool]


@dataclass(frozen=True)
class FilterOptions:
    """The options of ``kubectl drain`` that decide about pods; the timeout is in seconds, and 0 turns it off."""

    ignore_daemonsets: bool = False
    delete_emptydir_data: bool = False
    force: bool = False
    skip_wait_for_delete_timeout: int = 0


@dataclass(frozen=True)
class PodDecision:
    """What happens to one pod and why (``reason`` is empty for an ordinary pod)."""

    namespace: str
    name: str
    uid: str
    action: Action
    reason: str = ""

    @property
    def reference(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


def controller_of(pod: Pod) -> Mapping[str, t.Any] | None:
    """The owner reference with ``controller: true``; other owners do not count as a controller."""
    for owner in (pod.get("metadata") or {}).get("ownerReferences") or []:
        if owner.get("controller"):
            return t.cast(Mapping[str, t.Any], owner)
    return None


def is_finished(pod: Pod) -> bool:
    """Whether the pod ran to its end (phase Succeeded or Failed)."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_mirror(pod: Pod) -> bool:
    """Whether the pod only shows a static pod of the kubelet."""
    return MIRROR_ANNOTATION in ((pod.get("metadata") or {}).get("annotations") or {})


def is_daemonset_pod(pod: Pod) -> bool:
    """Whether a DaemonSet of Kubernetes controls the pod; kinds of other groups with that name (OpenKruise) do not count."""
    controller = controller_of(pod) or {}
    version = controller.get("apiVersion") or DAEMONSET_API_VERSION  # only objects that were cut have none
    return controller.get("kind") == "DaemonSet" and version == DAEMONSET_API_VERSION


def has_local_storage(pod: Pod) -> bool:
    """Whether the pod has an emptyDir volume of any medium; hostPath and local volumes do not count."""
    return any(volume.get("emptyDir") is not None for volume in (pod.get("spec") or {}).get("volumes") or [])


def decide(
    pod: Pod, options: FilterOptions, *, daemonset_exists: DaemonSetExists, now: datetime.datetime
) -> PodDecision:
    """Run one pod through all filters. ``daemonset_exists(namespace, name)`` looks a DaemonSet up."""
    metadata = pod.get("metadata") or {}
    namespace, name, uid = (str(metadata.get(key) or "") for key in ("namespace", "name", "uid"))
    reason = ""
    for rule in (_skip_deleted, _daemonset, _mirror, _local_storage, _unreplicated):
        action, message = rule(pod, options, daemonset_exists, now)
        if action != "remove":
            return PodDecision(namespace, name, uid, action, message)
        reason = message or reason
    return PodDecision(namespace, name, uid, "remove", reason)


def refusal_lines(decisions: Iterable[PodDecision]) -> list[str]:
    """kubectl's error lines for refused pods: ``cannot delete <message>: ns/pod, ns/pod``."""
    by_message: dict[str, list[str]] = {}
    for decision in decisions:
        if decision.action == "refuse":
            by_message.setdefault(decision.reason or "unexpected error", []).append(decision.reference)
    return [f"cannot delete {message}: {', '.join(pods)}" for message, pods in by_message.items()]


def warning_lines(decisions: Iterable[PodDecision]) -> list[str]:
    """kubectl's warnings about pods that a drain removes or leaves on the node: ``<message>: ns/pod, ns/pod``."""
    by_message: dict[str, list[str]] = {}
    for decision in decisions:
        if decision.reason and (decision.action == "remove" or decision.reason == DAEMONSET_WARNING):
            by_message.setdefault(decision.reason, []).append(decision.reference)
    return [f"{message}: {', '.join(pods)}" for message, pods in by_message.items()]


_Verdict = tuple[Action, str]


def _skip_deleted(
    pod: Pod, options: FilterOptions, daemonset_exists: DaemonSetExists, now: datetime.datetime
) -> _Verdict:
    stamp = (pod.get("metadata") or {}).get("deletionTimestamp")
    if options.skip_wait_for_delete_timeout > 0 and stamp:
        deleted = datetime.datetime.fromisoformat(str(stamp).replace("Z", "+00:00"))
        if int((now - deleted).total_seconds()) > options.skip_wait_for_delete_timeout:
            return "keep", f"should have been gone at {stamp}"
    return "remove", ""


def _daemonset(pod: Pod, options: FilterOptions, daemonset_exists: DaemonSetExists, now: datetime.datetime) -> _Verdict:
    controller = controller_of(pod)
    if controller is None or not is_daemonset_pod(pod) or is_finished(pod):
        return "remove", ""
    name = str(controller.get("name") or "")
    if not daemonset_exists(str((pod.get("metadata") or {}).get("namespace") or ""), name):
        message = f'daemonsets.apps "{name}" not found'
        return ("remove", message) if options.force else ("refuse", message)
    if not options.ignore_daemonsets:
        return "refuse", DAEMONSET_FATAL
    return "keep", DAEMONSET_WARNING


def _mirror(pod: Pod, options: FilterOptions, daemonset_exists: DaemonSetExists, now: datetime.datetime) -> _Verdict:
    return ("keep", "mirror Pod") if is_mirror(pod) else ("remove", "")


def _local_storage(
    pod: Pod, options: FilterOptions, daemonset_exists: DaemonSetExists, now: datetime.datetime
) -> _Verdict:
    if not has_local_storage(pod) or is_finished(pod):
        return "remove", ""
    if not options.delete_emptydir_data:
        return "refuse", LOCAL_STORAGE_FATAL
    return "remove", LOCAL_STORAGE_WARNING


def _unreplicated(
    pod: Pod, options: FilterOptions, daemonset_exists: DaemonSetExists, now: datetime.datetime
) -> _Verdict:
    if is_finished(pod) or controller_of(pod) is not None:
        return "remove", ""
    return ("remove", UNMANAGED_WARNING) if options.force else ("refuse", UNMANAGED_FATAL)
