# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The proof that a Node which was registered anew is as it must be, before it gets pods again."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import HostReport
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import node_checks
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_agents import NetworkAgents
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_cidr_validation import faults
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import DEPENDENTS
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import get_node
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for


@dataclass(frozen=True)
class Check:
    """One rule, and what is wrong by it; nothing is when ``problem`` is empty."""

    name: str
    problem: str

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form for results."""
        return {"check": self.name, "ok": not self.problem, "problem": self.problem}


class VerificationError(UpkeepError):
    """The Node is not as it must be."""

    def __init__(self, message: str, checks: Sequence[Check]) -> None:
        super().__init__(message)
        self.checks = list(checks)

    def details(self) -> dict[str, t.Any]:
        return {"checks": [check.to_dict() for check in self.checks]}


class Verification:
    """The verification of one Node. ``report`` is what was read on its host after its pods had started, or None."""

    def __init__(
        self,
        client: KubeClient,
        image: BeforeImage,
        allocator: AllocatorSettings,
        *,
        report: HostReport | None = None,
        in_service: bool = False,
        timeout: float = 120.0,
        clock: Clock | None = None,
        heartbeat: Callable[[], None] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._image = image
        self._allocator = allocator
        self._report = report
        self._in_service = in_service
        self._timeout = timeout
        self._clock = clock or Clock()
        self._heartbeat = heartbeat
        self._progress = progress or (lambda line: None)
        self._agents = NetworkAgents(client, image.name)

    def checks(self) -> list[Check]:
        """Every rule as things are now. Raises InputError without the Node, ApiError."""
        image, name = self._image, self._image.name
        node = get_node(self._client, name)
        pods = self._client.list("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={name}"})
        live = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        found = {
            "identity": node_checks.identity(image, node),
            "ready": node_checks.readiness(node),
            "network-available": node_checks.network_available(node),
            "pod-cidrs": "; ".join(faults(node, self._client.list("/api/v1/nodes"), self._allocator)),
            "cordon": node_checks.cordon(node, in_service=self._in_service),
            "lease": node_checks.lease(node, self._dependent("lease")),
            "csi-node": node_checks.csi_node(image, node, self._dependent("csinode")),
            "metadata": node_checks.metadata(image, node),
            "resources": node_checks.resources(image, node),
            "network-agents": node_checks.agents(node, live),
            "cni-books": self._agents.other_books(node),
            "pod-addresses": node_checks.pod_addresses(node, live),
            "daemonsets": node_checks.daemonsets(image, live, self._existing_daemonsets()),
            "events": node_checks.events(node, live, self._events()),
        }
        if self._report is not None:
            found["host-network"] = node_checks.host_network(node, self._report)
        return [Check(rule, problem) for rule, problem in found.items()]

    def run(self) -> list[Check]:
        """Wait until every rule holds. Raises VerificationError naming those that do not, ApiError."""
        last: list[Check] = []

        def probe() -> list[Check] | Pending:
            last[:] = self.checks()
            wrong = "; ".join(f"{check.name}: {check.problem}" for check in last if check.problem)
            if wrong:
                self._progress(f"{self._image.name}: {wrong}")
            return Pending(wrong) if wrong else list(last)

        try:
            return wait_for(
                f"Node {self._image.name} is as it must be",
                probe,
                timeout=self._timeout,
                clock=self._clock,
                heartbeat=self._heartbeat,
            )
        except WaitTimeoutError as error:
            raise VerificationError(str(error), last) from error

    def _dependent(self, kind: str) -> JsonObject | None:
        return self._client.find(DEPENDENTS[kind].format(name=self._image.name))

    def _existing_daemonsets(self) -> list[str]:
        listed = self._client.list("/apis/apps/v1/daemonsets")
        return [f"{one['metadata']['namespace']}/{one['metadata']['name']}" for one in listed]

    def _events(self) -> list[JsonObject]:
        return [
            event
            for reason in node_checks.EVENT_REASONS
            for event in self._client.list("/api/v1/events", params={"fieldSelector": f"reason={reason}"})
        ]
