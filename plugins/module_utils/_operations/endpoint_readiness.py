# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether the CiliumEndpoints of a node are ready again after its agent was restarted.

Only endpoints that were ready before are waited for, and only while their pod is the same: a restart cannot mend what was
broken before it. They are asked for by the node's pods, of which there are a hundred, and never as a whole list.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import is_finished
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import uid_of

_ENDPOINT = "/apis/cilium.io/v2/namespaces/{namespace}/ciliumendpoints/{name}"
READY = "ready"
_MOST = 5


class EndpointReadiness:
    """The endpoints of one node at a time."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._served: bool | None = None

    def ready_on(self, node: str) -> dict[str, str]:
        """{``namespace/name`` of a pod: its uid} of the node's pods whose endpoint is ready. Raises ApiError."""
        if not self._has_endpoints():
            return {}
        found = {}
        for reference, uid in self._pods(node).items():
            if self._state(reference) == READY:
                found[reference] = uid
        return found

    def not_ready(self, node: str, before: Mapping[str, str]) -> dict[str, str]:
        """{pod: state of its endpoint} of those that were ready before, are still there, and are not ready now."""
        if not before:
            return {}
        pods = self._pods(node)
        states = {one: self._state(one) for one, uid in before.items() if pods.get(one) == uid}
        return {one: state for one, state in states.items() if state != READY}

    def _has_endpoints(self) -> bool:
        if self._served is None:
            try:
                self._served = self._client.find("/apis/cilium.io/v2") is not None
            except ApiError as error:
                if error.status != 403:
                    raise
                self._served = True  # discovery is forbidden: the endpoints themselves answer
        return self._served

    def _pods(self, node: str) -> dict[str, str]:
        found: list[JsonObject] = self._client.list(
            "/api/v1/pods", params={"fieldSelector": f"spec.nodeName={node},status.phase=Running"}
        )
        return {
            f"{pod['metadata']['namespace']}/{pod['metadata']['name']}": uid_of(pod)
            for pod in found
            if not (pod.get("spec") or {}).get("hostNetwork")
            and not is_finished(pod)
            and not pod["metadata"].get("deletionTimestamp")
        }

    def _state(self, reference: str) -> str:
        namespace, _slash, name = reference.partition("/")
        endpoint = self._client.find(_ENDPOINT.format(namespace=namespace, name=name))
        return "missing" if endpoint is None else str((endpoint.get("status") or {}).get("state") or "unknown")


def words_about(states: Mapping[str, str]) -> str:
    """Endpoints that are not ready, for a sentence."""
    named = ", ".join(f"{one} ({state})" for one, state in sorted(states.items())[:_MOST])
    more = f" and {len(states) - _MOST} more" if len(states) > _MOST else ""
    return f"endpoints that are not ready again: {named}{more}" if states else ""
