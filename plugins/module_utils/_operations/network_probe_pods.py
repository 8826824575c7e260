# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Pods of the network probe: how they look, how one waits for them, and that they are always removed.

They are bound by ``nodeName``, so neither the scheduler nor a cordon is in the way, carry the label
``app.kubernetes.io/managed-by=podnet.upkeep``, and end by themselves.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, UpkeepError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import addresses_of, is_ready
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import uid_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

MANAGED_BY = {"app.kubernetes.io/managed-by": "podnet.upkeep"}
Value = t.TypeVar("Value")
_PROBED_NODE = "podnet.upkeep/probed-node"
_PULL_FAILURES = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"}
)


class ProbeError(UpkeepError):
    """The node's pod network does not work; ``details_of_probe`` says what was tried."""

    def __init__(self, message: str, details_of_probe: Mapping[str, t.Any] | None = None) -> None:
        super().__init__(message)
        self.details_of_probe = dict(details_of_probe or {})

    def details(self) -> dict[str, t.Any]:
        return self.details_of_probe


class ProbePods:
    """The pods of one probe. Use it with ``with``: whatever happens, they are gone in the end."""

    def __init__(
        self,
        client: KubeClient,
        probed_node: str,
        image: str,
        *,
        namespace: str,
        timeout: float,
        clock: Clock,
        heartbeat: Callable[[], None] | None = None,
    ) -> None:
        self._client = client
        self._probed_node = probed_node
        self._image = image
        self._timeout = timeout
        self._clock = clock
        self._heartbeat = heartbeat
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._made: list[JsonObject] = []

    def __enter__(self) -> ProbePods:
        """Pods of this node that a killed run left behind go first."""
        selector = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
        for pod in self._client.list(self._path, params={"labelSelector": selector}):
            if (pod["metadata"].get("annotations") or {}).get(_PROBED_NODE) == self._probed_node:
                self.remove(pod)
        return self

    def __exit__(self, *_exception: object) -> None:
        for pod in list(self._made):
            self.remove(pod)

    def start(self, name: str, node_name: str, arguments: Sequence[str]) -> JsonObject:
        """Create a pod on a node. Raises ApiError."""
        pod = self._client.create(self._path, self._manifest(name, node_name, arguments))
        self._made.append(pod)
        return pod

    def try_start(self, name: str, node_name: str) -> None:
        """Let admission and quotas judge such a pod, as a dry run. Raises ApiError."""
        self._client.create(self._path, self._manifest(name, node_name, ()), dry_run=True)

    def remove(self, pod: JsonObject) -> None:
        """Delete a pod at once; one that is gone is fine. Raises ApiError."""
        try:
            self._client.delete(f"{self._path}/{pod['metadata']['name']}", uid=uid_of(pod), grace_period_seconds=0)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
        self._made = [one for one in self._made if one is not pod]

    def serving(self, server: JsonObject) -> JsonObject:
        """The server as soon as it is Ready and has addresses. Raises ProbeError."""

        def probe() -> JsonObject | Pending:
            pod = self._current(server)
            if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                raise ProbeError(f"The probe server on node {self._probed_node} ended by itself: {last_words(pod)}.")
            return pod if is_ready(pod) and addresses_of(pod) else Pending(_state_of(pod))

        return self._waited(f"the probe pod on node {self._probed_node} runs", probe)

    def ended(self, pods: Sequence[JsonObject]) -> list[JsonObject]:
        """The clients as soon as all of them have ended, in the same order. Raises ProbeError."""

        def probe() -> list[JsonObject] | Pending:
            now = [self._current(pod) for pod in pods]
            running = [pod for pod in now if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
            return Pending(_state_of(running[0])) if running else now

        nodes = sorted({str(pod["spec"]["nodeName"]) for pod in pods})
        return self._waited(f"the probe clients on node {', '.join(nodes)} end", probe)

    # -- internals -----------------------------------------------------------------------------------------------

    def _current(self, pod: JsonObject) -> JsonObject:
        now = self._client.get(f"{self._path}/{pod['metadata']['name']}")
        for status in (now.get("status") or {}).get("containerStatuses") or []:
            waiting = (status.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _PULL_FAILURES:
                node_name = (now.get("spec") or {}).get("nodeName")
                raise ProbeError(
                    f"image: the probe image {self._image} cannot start on node {node_name} "
                    f"({waiting.get('reason')}: {waiting.get('message', '')}); "
                    "name an image that the nodes have or can pull."
                )
        return now

    def _waited(self, what: str, probe: Callable[[], Value | Pending]) -> Value:
        try:
            return wait_for(
                what, probe, timeout=self._timeout, interval=0.5, clock=self._clock, heartbeat=self._heartbeat
            )
        except WaitTimeoutError as error:
            raise ProbeError(str(error)) from error

    def _manifest(self, name: str, node_name: str, arguments: Sequence[str]) -> JsonObject:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": {**MANAGED_BY, "app.kubernetes.io/name": "network-probe"},
                "annotations": {_PROBED_NODE: self._probed_node},
            },
            "spec": {
                "nodeName": node_name,
                "restartPolicy": "Never",
                "activeDeadlineSeconds": int(self._timeout * 2) + 60,
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "tolerations": [{"operator": "Exists"}],
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65534,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "probe",
                        "image": self._image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": list(arguments),
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        }


def _state_of(pod: Mapping[str, t.Any]) -> str:
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": ")
    return str(status.get("message") or status.get("reason") or f"phase {status.get('phase', 'Pending')}")


def last_words(pod: Mapping[str, t.Any]) -> str:
    """How a pod ended: exit code and the end of its output."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if ended:
            words = str(ended.get("message") or ended.get("reason") or "").strip().replace("\n", " ")
            return f"exit code {ended.get('exitCode')}" + (f", {words[-200:]}" if words else "")
    return _state_of(pod)
