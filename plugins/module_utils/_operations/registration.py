# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One Node out of the cluster and in again, losing nothing: captured, deleted, precreated, registered, restored.

Why these steps (kubernetes, pkg/kubelet/kubelet_node_status.go; pkg/controller/podgc; pkg/controller/garbagecollector):
podCIDRs are set once, so only a new Node object can get others; a kubelet creates its Node only when it starts; a Node
that the kubelet creates is schedulable and has lost what administrators had put on it, so the new Node is created here,
cordoned and with all of it, before the kubelet starts; Lease and CSINode of the old uid must be gone by then, because
a late garbage collection would take the new ones away.
"""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_base import (
    NodeStep,
    Outcome,
    RegistrationOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_capture import Capture
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_deletion import Deletion
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_takeover import Takeover
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    get_node,
    is_unschedulable,
    node_path,
    set_unschedulable,
    uid_of,
)

__all__ = ["NodeStep", "Outcome", "Registration", "RegistrationOptions"]


class Registration(Capture, Deletion, Takeover):
    """The re-registration of one Node."""

    def complete(self) -> Outcome:
        """Put the before-image aside: the re-registration is over, or was given up before anything was deleted.

        With the option ``uncordon``, first make the Node schedulable, if it was so when it was captured. Raises RefusedError
        when neither is the case.
        """
        image = self._store.load(self._name)
        if image is None and self._check_mode:
            image = self._new_image(get_node(self._client, self._name))
        if image is None:
            raise InputError(f"name: there is no before-image of Node {self._name} in {self._options.state_dir}.")
        node = self._client.find(node_path(self._name))
        untouched = image.step == "captured" and node is not None and uid_of(node) == image.uid
        if not image.reached("restored") and not untouched and not self._check_mode:
            raise RefusedError(
                f"The re-registration of Node {self._name} has only reached '{image.step}', so it is not complete."
            )
        actions = ["put the before-image aside"]
        ours = node is not None and uid_of(node) in (image.uid, image.new_uid)
        if (
            node is not None
            and ours
            and self._options.uncordon
            and not image.was_unschedulable
            and is_unschedulable(node)
        ):
            actions.insert(0, f"make Node {self._name} schedulable, as it was before")
            if not self._check_mode:
                node, _changed = set_unschedulable(self._client, node, False)
        if not self._check_mode:
            self._store.complete(image)
        return Outcome(True, image, node, actions)
