# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The deletion of the captured Node, and the wait until everything that belonged to it is gone."""

from __future__ import annotations

import dataclasses

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.node_metadata import restorable
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    is_daemonset_pod,
    is_finished,
    is_mirror,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_base import (
    ATTEMPTS,
    NodeStep,
    Outcome,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import (
    DEPENDENTS,
    belongs_to,
    owners,
    reference,
    summary,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    is_unschedulable,
    node_path,
    uid_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for


class Deletion(NodeStep):
    """The step ``deleted``."""

    def delete(self) -> Outcome:
        """Delete the Node that was captured, and wait until everything that belonged to it is gone.

        The kubelet must be stopped. Pods that are still bound (of DaemonSets, mirrors) are deleted at once and by uid:
        left alone, a quick re-registration would keep them with their old addresses. A Node that its own kubelet has
        registered meanwhile, because the host was started again, is deleted in the same way. Raises RefusedError when
        the Node is neither, is not cordoned or not drained; WaitTimeoutError when something stays.
        """
        image = self._image()
        node = self._client.find(node_path(self._name))
        self._require_expected(image, node)
        if image.reached("precreating") and (node is None or uid_of(node) != image.uid):
            return Outcome(False, image, node, [])
        actions: list[str] = []
        if node is not None:
            if uid_of(node) != image.uid:
                self._require_same_machine(image, node)
            actions.append(f"delete Node {self._name} with uid {uid_of(node)}")
            if not self._check_mode:  # else the steps before, which drain, have only been planned as well
                image = self._delete_as_seen(image, node)
        bound = [pod for pod in self._bound_pods() if not self._check_mode or is_daemonset_pod(pod) or is_mirror(pod)]
        actions += [f"delete pod {reference(pod)} that is bound to the deleted Node" for pod in bound]
        if not self._check_mode:
            for pod in bound:
                self._delete_pod(pod)
            self._wait_until_gone(image, {image.uid, uid_of(node or {})} - {""})
            image = self._at(image, "deleted")
        return Outcome(bool(actions), image, None, actions, before=summary(image.node), after="")

    def _delete_as_seen(self, image: BeforeImage, node: JsonObject) -> BeforeImage:
        """Delete exactly the version that was looked at; what was changed since the capture comes back with the new Node."""
        uid = uid_of(node)
        for _attempt in range(ATTEMPTS):
            self._require_drained(node)
            if uid == image.uid:
                image = self._with_later_changes(image, node)
            image = self._at(image, "deleting")
            try:
                self._client.delete(
                    node_path(self._name), uid=uid, resource_version=node["metadata"]["resourceVersion"]
                )
                return image
            except ApiError as error:
                if error.status == 404:
                    return image
                if error.status != 409:
                    raise
            found = self._client.find(node_path(self._name))
            if found is None:
                return image
            if uid_of(found) != uid:
                raise RefusedError(
                    f"Node {self._name} is no longer the one that was looked at (uid {uid}); nothing was deleted."
                )
            node = found
        raise RefusedError(
            f"Node {self._name} was changed by others {ATTEMPTS} times while it was to be deleted; nothing was deleted."
        )

    def _with_later_changes(self, image: BeforeImage, node: JsonObject) -> BeforeImage:
        """The image with labels, annotations and taints as they are now: people may have changed them during the drain."""
        if restorable(node) == restorable(image.node):
            return image
        kept = image.node
        now = {
            **kept,
            "metadata": {
                **kept["metadata"],
                **{key: node["metadata"].get(key) or {} for key in ("labels", "annotations")},
            },
            "spec": {**(kept.get("spec") or {}), "taints": (node.get("spec") or {}).get("taints") or []},
        }
        changed = dataclasses.replace(image, node=now)
        self._store.save(changed)
        return changed

    def _require_drained(self, node: JsonObject) -> None:
        if not is_unschedulable(node):
            raise RefusedError(f"Node {self._name} is not cordoned, so it is not deleted; drain it first.")
        left = [
            reference(pod)
            for pod in self._bound_pods()
            if not (is_daemonset_pod(pod) or is_mirror(pod) or is_finished(pod))
        ]
        if left:
            raise RefusedError(
                f"Node {self._name} still runs {len(left)} pods ({', '.join(left[:5])}), so it is not deleted; "
                "drain it first.",
                left,
            )

    def _delete_pod(self, pod: JsonObject) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        try:
            self._client.delete(path, uid=uid_of(pod), grace_period_seconds=0)
        except ApiError as error:
            if error.status not in (404, 409):  # gone, or replaced by a pod of the same name elsewhere
                raise

    def _wait_until_gone(self, image: BeforeImage, uids: set[str]) -> None:
        def probe() -> bool | Pending:
            remains = []
            node = self._client.find(node_path(self._name))
            if node is not None and uid_of(node) in uids:
                finalizers = (node.get("metadata") or {}).get("finalizers") or []
                remains.append("the Node" + (f" (finalizers {', '.join(finalizers)})" if finalizers else ""))
            for kind, path in DEPENDENTS.items():
                found = self._client.find(path.format(name=self._name))
                if found is not None and (belongs_to(found, image) or owners(found) & uids):
                    remains.append(f"its {kind}")
            pods = self._bound_pods()
            remains += [f"pod {reference(pod)}" for pod in pods[:3]]
            for pod in pods:  # a DaemonSet may have bound one more in the moment before the Node went
                self._delete_pod(pod)
            self._progress(f"{self._name}: remains {', '.join(remains) or 'nothing'}")
            return Pending(f"there is still {', '.join(remains)}") if remains else True

        wait_for(
            f"Node {self._name} and everything that belonged to its uid {image.uid} are gone",
            probe,
            timeout=self._options.delete_timeout,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )
