# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether a new pod gets an identity: a pod with a label of its own is made, watched, and deleted again.

Where the label is part of identities, the pod needs a new number. Where a label filter leaves it out, it shares one that is
there, and the answer says so.
"""

from __future__ import annotations

import secrets
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rollout_status import pod_trouble
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

LABEL = "podnet-upkeep-probe"
_IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
_ENDPOINT = "/apis/cilium.io/v2/namespaces/{namespace}/ciliumendpoints/{name}"
_FIRST = 256  # lower ones are reserved; 5 is what an endpoint has while it waits
_LABEL_OF_IDENTITIES = "io.kubernetes.pod.namespace"


@dataclass(frozen=True)
class ProbePod:
    """What the pod is made of. ``node`` is bound without the scheduler; empty lets it choose."""

    namespace: str
    image: str
    node: str = ""


class IdentityProbe:
    """One probe at a time; nothing stays behind but the identity, which the operator collects."""

    def __init__(
        self,
        client: KubeClient,
        what: ProbePod,
        *,
        timeout: float,
        clock: Clock | None = None,
        heartbeat: Callable[[], None] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._what = what
        self._timeout = timeout
        self._clock = clock or Clock()
        self._heartbeat = heartbeat
        self._progress = progress or (lambda line: None)

    def run(self) -> dict[str, t.Any]:
        """{identity, new: whether it was made for this pod, seconds}. Raises WaitTimeoutError, ApiError."""
        value = secrets.token_hex(5)
        path = f"/api/v1/namespaces/{self._what.namespace}/pods"
        pod = self._client.create(path, self._pod(value))
        start = self._clock.now()
        try:
            identity, new = wait_for(
                f"pod {self._what.namespace}/{pod['metadata']['name']} has an identity",
                lambda: self._identity(pod, value),
                timeout=self._timeout,
                clock=self._clock,
                heartbeat=self._heartbeat,
            )
        finally:
            self._delete(f"{path}/{pod['metadata']['name']}", pod["metadata"]["uid"])
        return {"identity": identity, "new": new, "seconds": round(self._clock.now() - start, 1)}

    def _pod(self, value: str) -> JsonObject:
        what = self._what
        container = {
            "name": "probe",
            "image": what.image,
            "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": True,
                "runAsUser": 65535,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
        spec: JsonObject = {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "activeDeadlineSeconds": int(self._timeout) + 60,  # should nobody be left to delete it
            "containers": [container],
        }
        if what.node:
            spec["nodeName"] = what.node
        metadata = {"name": f"{LABEL}-{value}", "namespace": what.namespace, "labels": {LABEL: value}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def _identity(self, pod: JsonObject, value: str) -> tuple[int, bool] | Pending:
        """By its endpoint, which the agent writes; or by an identity with its label, which an operator that manages writes."""
        name, namespace = pod["metadata"]["name"], self._what.namespace
        endpoint = self._client.find(_ENDPOINT.format(namespace=namespace, name=name))
        status = (endpoint or {}).get("status") or {}
        number = int((status.get("identity") or {}).get("id") or 0)
        made = self._made_for(value)
        if made is not None:
            return made, True
        if number >= _FIRST:
            return number, False
        now = self._client.find(f"/api/v1/namespaces/{namespace}/pods/{name}") or {}
        state = f"its endpoint is {status.get('state') or 'not there'}, the pod {pod_trouble(now) or 'Ready'}"
        self._progress(f"probe {namespace}/{name}: {state}")
        return Pending(state)

    def _made_for(self, value: str) -> int | None:
        selector = f"{_LABEL_OF_IDENTITIES}={self._what.namespace}"
        for one in self._client.list(_IDENTITIES, params={"labelSelector": selector}):
            if (one.get("security-labels") or {}).get(f"k8s:{LABEL}") == value:
                return int(one["metadata"]["name"])
        return None

    def _delete(self, path: str, uid: str) -> None:
        try:
            self._client.delete(path, uid=uid, grace_period_seconds=0)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
