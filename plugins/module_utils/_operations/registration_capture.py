# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The first step of a re-registration: compare host and Node, and save what the Node is, or find where to go on."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.host_readiness import (
    HostQuestion,
    HostSteps,
    prepare,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_base import NodeStep, Outcome
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import condition, new_node
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    get_node,
    is_unschedulable,
    node_path,
    set_unschedulable,
    uid_of,
)


class Capture(NodeStep):
    """The step ``captured``."""

    def capture(self, host: HostQuestion | None = None) -> Outcome:
        """Write the before-image, unless there is one already (then this is a resumption and it is kept).

        With ``host``, first make sure that it is the Node's machine. Chosen podCIDRs are judged here, while nothing is
        changed. Raises RefusedError when the host is another machine, when the file is about another cluster or an older
        Node, or when chosen podCIDRs are not fit; InputError without such a Node.
        """
        image = self._store.load(self._name)
        if image is not None:
            return self._go_on(image, host)
        node = get_node(self._client, self._name)
        steps = self._host_steps(node, host, kubelet_runs=condition(node, "Ready").get("status") == "True")
        image = self._new_image(node)
        self._require_fit_choice(image)
        path = before_image.path_of(self._options.state_dir, self._name)
        if not self._check_mode:
            self._store.save(image)
        actions = [f"save the before-image of Node {self._name} to {path}"]
        return Outcome(True, image, node, actions, drain_uid=image.uid, host=steps)

    def _go_on(self, image: BeforeImage, host: HostQuestion | None) -> Outcome:
        self._require_same_cluster(image)
        node = self._client.find(node_path(self._name))
        self._require_expected(image, node)
        steps = self._host_steps(image.node, host, kubelet_runs=False)
        if not image.reached("deleting"):
            self._require_fit_choice(image)
        elif node is not None and not is_unschedulable(node):
            self._require_current(node)
        actions: list[str] = []
        drain_uid = uid_of(node) if node is not None and not image.reached("precreating") else ""
        if node is not None and uid_of(node) not in (image.uid, image.new_uid):
            actions = self._take_hold_of(image, node)
        if not self._check_mode:  # one of the two places may be behind, or another machine's folder
            self._store.save(image)
        return Outcome(bool(actions), image, node, actions, actions, drain_uid=drain_uid, host=steps)

    def _require_current(self, node: JsonObject) -> None:
        """A Node in service whose file nobody needs any more must not be given back what it was long ago."""
        if not self._store.is_current(self._name):
            raise RefusedError(
                f"Node {self._name} (uid {uid_of(node)}) is in service, and the journal of the run does not know that it was "
                "begun: another machine has brought it back. Compare its labels with "
                f"{before_image.path_of(self._options.state_dir, self._name)}, then move that file away."
            )

    def _take_hold_of(self, image: BeforeImage, node: JsonObject) -> list[str]:
        """Somebody has registered the Node that we deleted: its own kubelet, when the host was started again, or a person.

        It has lost everything, so it gets no pods until this run has come to it. Returns what was done.
        """
        self._require_same_machine(image, node)
        if image.new_uid:
            raise RefusedError(
                f"The new Node {self._name} (uid {image.new_uid}) has uid {uid_of(node)} now: somebody else deletes or "
                "registers it. Find out who; when it is as it should be, move "
                f"{before_image.path_of(self._options.state_dir, self._name)} away."
            )
        if is_unschedulable(node):
            return []
        if not self._check_mode:
            set_unschedulable(self._client, node, True)
        return [f"cordon Node {self._name}, which was registered while it was out (uid {uid_of(node)})"]

    @staticmethod
    def _host_steps(node: JsonObject, host: HostQuestion | None, *, kubelet_runs: bool) -> HostSteps | None:
        return prepare(node, host, kubelet_runs=kubelet_runs) if host is not None else None

    def _require_fit_choice(self, image: BeforeImage) -> None:
        chosen = self._options.chosen(image)
        if self._options.keep_pod_cidrs and not chosen:
            raise RefusedError(f"Node {self._name} has no podCIDRs that could be kept; choose some for it.")
        if chosen and self._options.by_kubelet and self._options.allocator.allocate_node_cidrs:
            raise RefusedError(
                f"Node {self._name} cannot get the podCIDRs that were chosen for it: its kubelet is to create it without any, "
                "and an allocator runs that would give it others; let it be created before its kubelet starts."
            )
        found = _faults_of_texts(chosen) or (self._faults(new_node(image, chosen)) if chosen else [])
        if found:
            raise RefusedError(
                f"pod_cidrs: {', '.join(chosen)} cannot be given to Node {self._name}: {'; '.join(found)}.", found
            )


def _faults_of_texts(chosen: Sequence[str]) -> list[str]:
    """What the API would refuse at creation, when the old Node is gone already."""
    found = []
    networks = []
    for text in chosen:
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError as error:
            found.append(f"'{text}' is no block: {error}")
    if len({network.version for network in networks}) < len(networks):
        found.append("a Node has at most one of each family")
    return found
