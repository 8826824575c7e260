# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Remove one Node whose machine is really gone, so that its pods, volumes and blocks become free in the right order.

The control plane does the work, told by the taint node.kubernetes.io/out-of-service: the taint eviction controller deletes
pods that do not tolerate it, podgc deletes them for good because nobody else can, and the attach-detach controller detaches
their volumes without waiting six minutes for an unmount (kubernetes: pkg/controller/podgc/gc_controller.go gcTerminating,
pkg/controller/volume/attachdetach/reconciler). No pod is force-deleted here. The Node goes last: it is what keeps a
StatefulSet's pod from being started a second time.
"""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.tolerations import OUT_OF_SERVICE, stays_under
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import node_silence
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.node_silence import Signs
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.removal_plan import TAINT, bound_pods
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    get_node,
    node_path,
    require_uid,
    uid_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.volumes import attached_volumes
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

_ATTEMPTS = 5
#: Objects that belong to a Node by owner reference: {in words: path with the Node's name}.
_DEPENDENTS: Mapping[str, str] = {
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}",
    "CSINode": "/apis/storage.k8s.io/v1/csinodes/{name}",
    "CiliumNode": "/apis/cilium.io/v2/ciliumnodes/{name}",
}


@dataclass(frozen=True)
class ActOptions:
    """Times in seconds. ``state_dir``: where the Node object is kept; empty keeps it nowhere."""

    state_dir: str = ""
    release_timeout: float = 300.0
    delete_timeout: float = 180.0


@dataclass(frozen=True)
class Removed:
    """What was done: one line for each act, and the file with the Node object (empty without one)."""

    actions: list[str] = field(default_factory=list)
    saved_to: str = ""


class NodeRemoval:
    """The removal of one Node that was planned a moment ago."""

    def __init__(
        self,
        client: KubeClient,
        name: str,
        uid: str,
        options: ActOptions,
        *,
        clock: Clock | None = None,
        heartbeat: Callable[[], None] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """``uid`` is that of the plan; another Node of the name is never touched."""
        self._client = client
        self._name = name
        self._uid = uid
        self._options = options
        self._clock = clock or Clock()
        self._heartbeat = heartbeat
        self._progress = progress or (lambda line: None)

    def run(self) -> Removed:
        """Taint, wait, delete, wait.

        Raises RefusedError when the kubelet comes back before the Node is deleted (our taint is taken back then),
        WaitTimeoutError when pods or volumes stay (the taint stays: the same command goes on), ApiError.
        """
        node, first = self._signs()
        require_uid(node, self._uid)
        saved_to = self._save(node)
        actions = [f"saved the Node object to {saved_to}"] if saved_to else []
        node, tainted = self._taint(node)
        if tainted:
            actions.append(f"tainted Node {self._name} with {OUT_OF_SERVICE}")
        try:
            self._wait_until_released(first)
        except _CameBackError as error:
            self._take_taint_back()
            raise RefusedError(
                f"Node {self._name} is not gone: {error}. It was not deleted, and the taint {OUT_OF_SERVICE} was taken "
                "back; pods that it had evicted were started elsewhere."
            ) from error
        actions.append("the control plane has removed its pods and detached their volumes")
        self._delete()
        actions.append(f"deleted Node {self._name} with uid {self._uid}")
        self._wait_until_gone()
        return Removed(actions, saved_to)

    # -- steps ---------------------------------------------------------------------------------------------------

    def _save(self, node: JsonObject) -> str:
        if not self._options.state_dir:
            return ""
        folder = os.path.abspath(os.path.expanduser(self._options.state_dir))
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise InputError(f"state_dir: {folder} cannot be created: {error.strerror or error}.") from error
        path = os.path.join(folder, f"{self._name}-{self._uid}.json")
        if os.path.exists(path):
            return path  # written before the taint, by a run that did not end
        return write_atomically(path, json.dumps(node, indent=2, sort_keys=True).encode() + b"\n", "state_dir", 0o600)

    def _taint(self, node: JsonObject) -> tuple[JsonObject, bool]:
        for _attempt in range(_ATTEMPTS):
            require_uid(node, self._uid)
            taints = list((node.get("spec") or {}).get("taints") or [])
            if any(one.get("key") == OUT_OF_SERVICE and one.get("effect") == TAINT["effect"] for one in taints):
                return node, False
            try:
                return self._patch_taints(node, [*taints, dict(TAINT)]), True
            except ApiError as error:
                if error.status != 409:
                    raise
            node = get_node(self._client, self._name)
        raise RefusedError(f"Node {self._name} is changed by others again and again, so it lives; nothing was deleted.")

    def _take_taint_back(self) -> None:
        for _attempt in range(_ATTEMPTS):
            node = self._client.find(node_path(self._name))
            if node is None or uid_of(node) != self._uid:
                return
            taints = list((node.get("spec") or {}).get("taints") or [])
            kept = [
                one for one in taints if one != TAINT and {**one, "timeAdded": None} != {**TAINT, "timeAdded": None}
            ]
            if len(kept) == len(taints):
                return
            try:
                self._patch_taints(node, kept)
                return
            except ApiError as error:
                if error.status != 409:
                    raise
        raise RefusedError(
            f"Node {self._name} lives, but the taint {OUT_OF_SERVICE} could not be taken back, because others write to the "
            f"Node: remove it with `kubectl taint node {self._name} {OUT_OF_SERVICE}-`."
        )

    def _patch_taints(self, node: JsonObject, taints: list[t.Any]) -> JsonObject:
        guard = {"uid": self._uid, "resourceVersion": node["metadata"]["resourceVersion"]}
        return self._client.patch(node_path(self._name), {"metadata": guard, "spec": {"taints": taints}})

    def _wait_until_released(self, first: Signs) -> None:
        def probe() -> bool | Pending:
            _node, signs = self._signs()
            back = node_silence.came_back(first, signs)
            if back:
                raise _CameBackError(back)
            pods = [pod for pod in bound_pods(self._client, self._name) if not stays_under(pod, TAINT)]
            remains = [f"pod {_describe(pod)}" for pod in pods[:3]]
            if not pods:
                remains = [f"volume {one}" for one in attached_volumes(self._client, self._name)[:5]]
            self._progress(f"{self._name}: waits for {', '.join(remains) or 'nothing'}")
            more = f" and {len(pods) - 3} more pods" if len(pods) > 3 else ""
            return Pending(f"there is still {', '.join(remains)}{more}") if remains else True

        wait_for(
            f"the control plane has removed the pods of Node {self._name} and detached its volumes; it stays tainted with "
            f"{OUT_OF_SERVICE}, and the same command goes on",
            probe,
            timeout=self._options.release_timeout,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )

    def _delete(self) -> None:
        try:
            self._client.delete(node_path(self._name), uid=self._uid)
        except ApiError as error:
            if error.status == 409:
                raise RefusedError(
                    f"Node {self._name} is not the one that was planned (uid {self._uid}) any more; it was not deleted."
                ) from error
            if error.status != 404:
                raise

    def _wait_until_gone(self) -> None:
        def probe() -> bool | Pending:
            remains = []
            node = self._client.find(node_path(self._name))
            if node is not None and uid_of(node) == self._uid:
                finalizers = (node.get("metadata") or {}).get("finalizers") or []
                remains.append("the Node" + (f" (finalizers {', '.join(finalizers)})" if finalizers else ""))
            for kind, path in _DEPENDENTS.items():
                found = self._client.find(path.format(name=self._name))
                if found is not None and self._uid in _owners(found):
                    remains.append(f"its {kind}")
            if node is None:
                remains += [f"pod {_describe(pod)}" for pod in bound_pods(self._client, self._name)[:3]]
            return Pending(f"there is still {', '.join(remains)}") if remains else True

        wait_for(
            f"Node {self._name} and what belonged to its uid {self._uid} are gone",
            probe,
            timeout=self._options.delete_timeout,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )

    def _signs(self) -> tuple[Object, Signs]:
        seen = node_silence.read(self._client, self._name)
        if seen is None:
            raise RefusedError(
                f"Node {self._name} was deleted by somebody else meanwhile; look what became of its pods."
            )
        return seen


class _CameBackError(Exception):
    """The kubelet lives after all; the text says what shows it."""


def _describe(pod: Mapping[str, t.Any]) -> str:
    metadata = pod["metadata"]
    finalizers = metadata.get("finalizers") or []
    return f"{metadata.get('namespace')}/{name_of(pod)}" + (
        f" (finalizers {', '.join(finalizers)})" if finalizers else ""
    )


def _owners(obj: Mapping[str, t.Any]) -> set[str]:
    return {str(owner.get("uid")) for owner in (obj.get("metadata") or {}).get("ownerReferences") or []}
