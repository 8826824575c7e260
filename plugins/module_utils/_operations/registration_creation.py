# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The new Node: created here before its kubelet starts, or created by the kubelet and taken hold of at once."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage, pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_base import (
    ATTEMPTS,
    NodeStep,
    Outcome,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import (
    adopting_patch,
    machine_of,
    new_node,
    summary,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    is_unschedulable,
    node_path,
    set_unschedulable,
    uid_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for

_NODES = "/api/v1/nodes"
#: How often we look for a Node that a kubelet creates, in seconds: until it is cordoned, pods may be bound to it.
_APPEARANCE = 0.1


class Creation(NodeStep):
    """The step ``precreated``, and what ``registered`` needs of it when the kubelet creates the Node."""

    def precreate(self) -> Outcome:
        """Create the new Node, cordoned and with everything the old one had, and wait for podCIDRs that are fit.

        Where the kubelet has to create it, only note that it may from now on. Raises WaitTimeoutError without podCIDRs
        in time, RefusedError when they are not fit (the Node stays cordoned).
        """
        image = self._image()
        node = self._client.find(node_path(self._name))
        old = node is not None and uid_of(node) == image.uid
        if self._check_mode and old:
            node = None  # the step before would have deleted it
        elif not image.reached("deleting") or old:
            raise RefusedError(f"Node {self._name} has not been deleted yet, so it is not created; use state=deleted.")
        if self._options.by_kubelet:
            return self._leave_to_kubelet(image, node)
        actions: list[str] = []
        warnings: list[str] = []
        wanted = new_node(image, self._options.chosen(image))
        if node is None:
            actions.append(f"create Node {self._name}, cordoned, with its labels, annotations and taints")
            if self._check_mode:
                return Outcome(True, image, None, actions, before=summary(image.node), after=summary(wanted))
            image = self._at(image, "precreating")
            node = self._create(wanted)
        elif not is_unschedulable(node):
            # Created by a kubelet that was started too early: close the window that this opened.
            actions.append(f"cordon Node {self._name}, which somebody registered meanwhile")
            warnings.append(
                f"Node {self._name} was registered schedulable by somebody else before it was created here."
            )
            if not self._check_mode:
                node, _changed = set_unschedulable(self._client, node, True)
        if not self._check_mode:
            image = self._at(image, "precreating", new_uid=uid_of(node))
            node = self._with_fit_pod_cidrs(wanted, node)
            image = self._at(image, "precreated", new_uid=uid_of(node))
        return Outcome(bool(actions), image, node, actions, warnings, before="", after=summary(node))

    def _leave_to_kubelet(self, image: BeforeImage, node: JsonObject | None) -> Outcome:
        wanted = summary(new_node(image, self._options.chosen(image)))
        if node is not None or image.reached("precreating"):
            return Outcome(False, image, node, [], before=wanted, after=wanted)
        actions = [f"cordon and taint Node {self._name} as soon as its kubelet has created it, and restore it"]
        if not self._check_mode:
            image = self._at(image, "precreating")
        return Outcome(True, image, None, actions, before=summary(image.node), after=wanted)

    def _create(self, wanted: JsonObject) -> JsonObject:
        """Create the Node; one that is there already is looked at by the caller as any other."""
        try:
            return self._client.create(_NODES, wanted)
        except ApiError as error:
            found = self._client.find(node_path(self._name)) if error.status == 409 else None
            if found is None:
                raise
        node, _changed = set_unschedulable(self._client, found, True)
        return node

    def _adopt(self, image: BeforeImage) -> BeforeImage:
        """Wait until the kubelet has created the Node, and take hold of it with one write.

        Raises WaitTimeoutError when it does not, RefusedError when it is another machine or the podCIDRs are not fit.
        """

        def appeared() -> JsonObject | Pending:
            node = self._client.find(node_path(self._name))
            return node if node is not None else Pending("its kubelet has not created it")

        node = wait_for(
            f"Node {self._name} appears",
            appeared,
            timeout=self._options.ready_timeout,
            interval=_APPEARANCE,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )
        node = self._hold(image, node)
        image = self._at(image, "precreating", new_uid=uid_of(node))
        self._require_same_machine(image, node)
        node = self._with_fit_pod_cidrs({}, node)
        chosen = self._options.chosen(image)
        if chosen and pod_cidrs_of(node) != chosen:
            self._refuse_unfit(node, [f"chosen were {', '.join(chosen)}"])
        return self._at(image, "precreated", new_uid=uid_of(node))

    def _hold(self, image: BeforeImage, node: JsonObject) -> JsonObject:
        for _attempt in range(ATTEMPTS):
            try:
                return self._client.patch(
                    node_path(self._name), adopting_patch(image, node, self._options.chosen(image))
                )
            except ApiError as error:
                if error.status != 409:
                    raise
                node = self._client.get(node_path(self._name))
        raise RefusedError(f"Node {self._name} was changed by others {ATTEMPTS} times while it was to be cordoned.")

    def _with_fit_pod_cidrs(self, wanted: JsonObject, node: JsonObject) -> JsonObject:
        """The Node with podCIDRs that are fit; one that no kubelet knows yet is created again for others.

        The allocator may give a block that an overlapping Node still uses, because the deletion freed its bit. It hands
        out the next block each time, so a few tries are enough.
        """
        for attempt in range(1, ATTEMPTS + 1):
            node = self._wait_for_pod_cidrs(uid_of(node))
            found = self._faults(node)
            if not found:
                break
            if attempt == ATTEMPTS or machine_of(node) or not wanted or "podCIDRs" in wanted["spec"]:
                self._refuse_unfit(node, found)
            self._progress(f"{self._name}: {', '.join(pod_cidrs_of(node))} is not fit for use, asking for others")
            self._client.delete(node_path(self._name), uid=uid_of(node))
            node = self._client.create(_NODES, wanted)
            self._at(self._image(), "precreating", new_uid=uid_of(node))
        return node

    def _wait_for_pod_cidrs(self, uid: str) -> JsonObject:
        def probe() -> JsonObject | Pending:
            node = self._current(uid)
            if pod_cidrs_of(node):
                return node
            words = self._allocation_events()
            self._progress(f"{self._name}: waits for its podCIDRs, {words}")
            return Pending(words)

        return wait_for(
            f"Node {self._name} gets its podCIDRs",
            probe,
            timeout=self._options.cidr_timeout,
            interval=0.5,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )

    def _allocation_events(self) -> str:
        """What the allocator says about the Node; its events carry type Normal, so only the reason counts."""
        selector = f"involvedObject.kind=Node,involvedObject.name={self._name}"
        events = self._client.list("/api/v1/namespaces/default/events", params={"fieldSelector": selector})
        reasons = {str(event.get("reason")) for event in events}
        if "CIDRNotAvailable" in reasons:
            return "the controller-manager says CIDRNotAvailable: no block is free"
        return "no allocator has answered yet"

    def _current(self, uid: str) -> JsonObject:
        node = self._client.find(node_path(self._name))
        if node is None or uid_of(node) != uid:
            state = "is gone" if node is None else f"has uid {uid_of(node)}"
            raise RefusedError(
                f"The new Node {self._name} (uid {uid}) {state}: somebody else deletes or registers it. "
                "Find out who, then run the same command again."
            )
        return node
