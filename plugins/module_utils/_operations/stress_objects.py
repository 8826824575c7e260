# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a stress test leaves in a cluster, how it is known as ours, and how it is taken away.

A namespace of its own, with a random name, two labels and an annotation that repeats the run; pods in it with the label of the
run. Only what has all marks is deleted, by its uid, and a namespace only when nobody else's pods are in it. Identities are not
deleted: the cilium-operator collects them, as it does those of every pod.
"""

from __future__ import annotations

import json
import re
import secrets
import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

PREFIX = "podnet-upkeep-stress-"
LABEL = "podnet-upkeep-stress"
MANAGED_BY = {"app.kubernetes.io/managed-by": "podnet.upkeep"}
ANNOTATION = "podnet.upkeep/identity-stress"
IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
NAMESPACE_LABEL = "io.kubernetes.pod.namespace"
_NAME: t.Final = re.compile(rf"^{PREFIX}([0-9a-f]{{10}})$")
_WORKERS = 8
_CHUNK = 100


class StressLeftError(UpkeepError):
    """Something of ours could not be taken away; the sentence says what is left and what to do."""


def new_run() -> str:
    """The random name of a run."""
    return secrets.token_hex(5)


def namespace_of(run: str) -> str:
    """The namespace of a run."""
    return f"{PREFIX}{run}"


def namespace_object(run: str, started: str, holder: str) -> JsonObject:
    """The namespace with all its marks."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": namespace_of(run),
            "labels": {**MANAGED_BY, LABEL: run},
            "annotations": {ANNOTATION: json.dumps({"run": run, "started": started, "holder": holder})},
        },
    }


def pod_object(run: str, number: int, label_key: str, image: str, place: Mapping[str, t.Any]) -> JsonObject:
    """One pod: it does nothing, may do nothing, and asks for nothing. Its label ``label_key`` is its own."""
    value = f"s{run}-{number}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"stress-{number}", "labels": {**MANAGED_BY, LABEL: run, label_key: value}},
        "spec": {
            **place,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "pause",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def run_of(namespace: Mapping[str, t.Any]) -> str | None:
    """The run whose namespace this is; None when a mark is missing, so that it is not ours for sure."""
    metadata = namespace.get("metadata") or {}
    match = _NAME.match(str(metadata.get("name") or ""))
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if match is None or labels.get(LABEL) != match[1]:
        return None
    if any(labels.get(key) != value for key, value in MANAGED_BY.items()):
        return None
    try:
        noted = json.loads(annotations.get(ANNOTATION) or "{}")
    except ValueError:
        return None
    return match[1] if isinstance(noted, dict) and noted.get("run") == match[1] else None


@dataclass
class Leftovers:
    """What there is of stress tests. ``foreign``: namespaces that have a mark of ours, but not all."""

    namespaces: list[JsonObject] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    identities: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether there is something of ours."""
        return bool(self.namespaces or self.identities)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "namespaces": sorted(one["metadata"]["name"] for one in self.namespaces),
            "foreign_namespaces": sorted(self.foreign),
            "identities": len(self.identities),
        }


class StressObjects:
    """Finds and removes what stress tests have left."""

    def __init__(
        self,
        client: KubeClient,
        *,
        clock: Clock | None = None,
        heartbeat: Callable[[], None] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """``heartbeat`` keeps the lock while something is awaited; it may raise UpkeepError."""
        self._client = client
        self._clock = clock or Clock()
        self._heartbeat = heartbeat or (lambda: None)
        self._progress = progress or (lambda line: None)

    def find(self) -> Leftovers:
        """Everything that has our marks. Raises ApiError."""
        found = Leftovers(identities=self.identities())
        for one in self._client.list("/api/v1/namespaces", params={"labelSelector": LABEL}):
            if run_of(one) is None:
                found.foreign.append(one["metadata"]["name"])
            else:
                found.namespaces.append(one)
        return found

    def identities(self) -> list[str]:
        """Names of identities of pods that were in a namespace of ours, whether it is there or not. Raises ApiError."""
        try:
            found = self._client.list(IDENTITIES, params={"labelSelector": NAMESPACE_LABEL})
        except ApiError as error:
            if error.status == 404:
                return []  # without Cilium there are none
            raise
        return [
            one["metadata"]["name"]
            for one in found
            if _NAME.match(str((one.get("security-labels") or {}).get(f"k8s:{NAMESPACE_LABEL}") or ""))
        ]

    def identities_of(self, namespace: str) -> list[str]:
        """Names of identities of pods of one namespace. Raises ApiError."""
        params = {"labelSelector": f"{NAMESPACE_LABEL}={namespace}"}
        return [one["metadata"]["name"] for one in self._client.list(IDENTITIES, params=params)]

    def remove(self, namespaces: Iterable[JsonObject], *, timeout: float = 180.0) -> int:
        """Delete these namespaces of ours, their pods first, and wait until they are gone; how many pods were deleted.

        Raises StressLeftError where somebody else's pods are in one, or it does not go; ApiError.
        """
        count = 0
        waiting = []
        for namespace in namespaces:
            name, run = namespace["metadata"]["name"], run_of(namespace)
            if run is None:
                raise StressLeftError(f"namespace {name} does not have all marks of a stress test; it is left alone.")
            count += self._remove_pods(name, run)
            if not namespace["metadata"].get("deletionTimestamp"):
                self._delete(f"/api/v1/namespaces/{name}", namespace["metadata"]["uid"])
            waiting.append((name, namespace["metadata"]["uid"]))
        for name, uid in waiting:
            wait_for(
                f"namespace {name} is gone",
                lambda name=name, uid=uid: self._is_gone(name, uid),  # type: ignore[misc]
                timeout=timeout,
                interval=0.5,
                clock=self._clock,
                heartbeat=self._heartbeat,
            )
        return count

    def wait_collected(self, timeout: float) -> int:
        """Wait until no identity of ours is left; how many are left after ``timeout`` seconds. Raises ApiError."""
        end = self._clock.now() + timeout
        while left := len(self.identities()):
            if self._clock.now() >= end:
                break
            self._heartbeat()
            self._progress(f"{left} identities of stress tests wait for the collection of the cilium-operator")
            self._clock.sleep(1.0)
        return left

    # -- internals -----------------------------------------------------------------------------------------------

    def _remove_pods(self, namespace: str, run: str) -> int:
        path = f"/api/v1/namespaces/{namespace}/pods"
        pods = self._client.list(path)
        foreign = [one["metadata"]["name"] for one in pods if (one["metadata"].get("labels") or {}).get(LABEL) != run]
        if foreign:
            shown = ", ".join(foreign[:5])
            raise StressLeftError(
                f"namespace {namespace} has pods that no stress test has made ({shown}); it is left alone. Take them away, then "
                "run this again with state: absent."
            )
        going = [one for one in pods if not one["metadata"].get("deletionTimestamp")]
        self._delete_pods(path, going)
        return len(going)

    def _delete_pods(self, path: str, pods: Sequence[JsonObject]) -> None:
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="stress") as workers:
            for start in range(0, len(pods), _CHUNK):
                some = pods[start : start + _CHUNK]
                list(
                    workers.map(
                        lambda pod: self._delete(f"{path}/{pod['metadata']['name']}", pod["metadata"]["uid"]), some
                    )
                )
                self._progress(f"{start + len(some)} of {len(pods)} pods of the test are deleted")
                self._heartbeat()

    def _delete(self, path: str, uid: str) -> None:
        """Delete exactly this object; that it is gone, or was made anew, is as good."""
        try:
            self._client.delete(path, uid=uid)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def _is_gone(self, name: str, uid: str) -> bool | Pending:
        found = self._client.find(f"/api/v1/namespaces/{name}")
        if found is None or found["metadata"]["uid"] != uid:
            return True
        conditions = (found.get("status") or {}).get("conditions") or ()
        said = next(
            (str(one.get("message")) for one in conditions if one.get("status") == "True"), "it is being deleted"
        )
        return Pending(said)
