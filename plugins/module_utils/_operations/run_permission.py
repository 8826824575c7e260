# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether a run may go on: asked often, answered from the cluster at most once a second."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

#: Seconds for which an answer is good; the switch ``stop`` is heard that late.
_EVERY = 1.0


class RunPermission:
    """Call it between steps: it renews the Lease and says why the run has to stop, or nothing.

    It stops for the switch ``stop``, the end of the window, and a journal that is deleted, damaged or of another run.
    """

    def __init__(self, client: KubeClient, options: RunOptions, *, clock: Clock | None = None) -> None:
        """``options`` need name, namespace, holder and lease_seconds."""
        self._clock = clock or Clock()
        self._run = MaintenanceRun(client, options, clock=self._clock)
        self._next = float("-inf")
        self._reason = ""

    def __call__(self) -> str:
        """Why to stop; empty when there is no reason. Raises LeaseLostError, WaitTimeoutError, ApiError."""
        if not self._reason and self._clock.now() >= self._next:
            self._reason = str(self._run.checkpoint()["reason"])
            self._next = self._clock.now() + _EVERY
        return self._reason
