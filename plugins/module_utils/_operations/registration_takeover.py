# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The kubelet takes its new Node over, and what the Node still lacks is put back."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.node_metadata import difference
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_base import ATTEMPTS, Outcome
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_creation import Creation
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import (
    DEPENDENTS,
    condition,
    is_registering,
    owners,
    parse_time,
    restoring_patch,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import get_node, node_path, uid_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for


class Takeover(Creation):
    """The steps ``registered`` and ``restored``."""

    def register(self) -> Outcome:
        """Wait until the kubelet, which must have been started, has taken its new Node over and is Ready.

        Raises RefusedError when it is another machine or the podCIDRs are not fit, WaitTimeoutError otherwise.
        """
        image = self._image()
        if self._check_mode:
            return Outcome(False, image, self._client.find(node_path(self._name)), [])
        if not image.reached("precreating"):
            raise RefusedError(f"Node {self._name} has not been created yet; use state=precreated first.")
        if self._options.by_kubelet and not image.reached("precreated"):
            image = self._adopt(image)

        def probe() -> JsonObject | Pending:
            node = self._current(image.new_uid)
            self._require_same_machine(image, node)
            missing = self._not_yet_registered(image, node)
            self._progress(f"{self._name}: {'; '.join(missing) or 'registered'}")
            return Pending("; ".join(missing)) if missing else node

        node = wait_for(
            f"the kubelet of node {self._name} registers and is Ready",
            probe,
            timeout=self._options.ready_timeout,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )
        found = self._faults(node)
        if found:
            self._refuse_unfit(node, found)
        return Outcome(False, self._at(image, "registered"), node, [])

    def _not_yet_registered(self, image: BeforeImage, node: JsonObject) -> list[str]:
        missing = []
        ready = condition(node, "Ready")
        if ready.get("status") != "True":
            missing.append(f"not Ready: {ready.get('message') or ready.get('reason') or 'no status yet'}")
        elif parse_time(ready.get("lastHeartbeatTime")) < parse_time(
            (node.get("metadata") or {}).get("creationTimestamp")
        ):
            missing.append("its Ready condition is older than the Node")
        lease = self._client.find(DEPENDENTS["lease"].format(name=self._name))
        if lease is None or image.new_uid not in owners(lease):
            missing.append("no Lease of the new Node")
        if image.csi_drivers:
            csinode = self._client.find(DEPENDENTS["csinode"].format(name=self._name)) or {}
            there = {str(one.get("name")) for one in (csinode.get("spec") or {}).get("drivers") or []}
            gone = [driver for driver in image.csi_drivers if driver not in there]
            missing += [f"CSI driver {driver} is not registered" for driver in gone]
        return missing

    def restore(self) -> Outcome:
        """Wait as :meth:`register` does, if that was not done, and put back what the new Node lacks of the old one.

        These are labels, annotations and taints.
        Keys that it has with another value are left as they are and reported. A Node that is already as it was needs
        no write.
        """
        image = self._image()
        if image.reached("precreating") and not image.reached("registered") and not self._check_mode:
            image = self.register().image
        node = get_node(self._client, self._name)
        if uid_of(node) == image.uid:
            return Outcome(False, image, node, [])
        warnings: list[str] = []
        changed = False
        first = difference(image.node, node)
        actions = [f"restore: {line}" for line in first.lines() if line.endswith("missing")]
        for _attempt in range(ATTEMPTS):
            found = difference(image.node, node)
            warnings = [line for line in found.lines() if not line.endswith("missing")]
            if not (found.missing or is_registering(node)) or self._check_mode:
                break
            try:
                node = self._client.patch(node_path(self._name), restoring_patch(node, found))
                changed = True
            except ApiError as error:
                if error.status != 409:
                    raise
                node = get_node(self._client, self._name)
        else:
            raise RefusedError(f"Node {self._name} was changed by others {ATTEMPTS} times while it was restored.")
        if not self._check_mode:
            image = self._at(image, "restored")
        return Outcome(
            changed or (self._check_mode and first.missing),
            image,
            node,
            actions,
            warnings,
            before=first.lines(),
            after=warnings,
        )
