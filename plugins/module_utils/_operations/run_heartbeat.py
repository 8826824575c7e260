# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Keep the lock of a run while an operation waits."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

#: A Lease is renewed when this part of its time is over, so that a few failed tries lose nothing.
_PART = 5


class Heartbeat:
    """Call it as often as you like: it renews the Lease at the first call, and then at most every fifth of its time."""

    def __init__(self, lease: RunLease, *, clock: Clock | None = None) -> None:
        self._lease = lease
        self._clock = clock or Clock()
        self._renewed = float("-inf")
        self._next = float("-inf")

    def __call__(self) -> None:
        """Renew when it is due. An API server that does not answer is no reason to stop before the Lease may be expired.

        Raises LeaseLostError when the Lease is not ours any more, WaitTimeoutError at the first call, ApiError.
        """
        now = self._clock.now()
        if self._renewed == float("-inf"):
            self._lease.renew()
        elif now < self._next:
            return
        else:
            try:
                self._lease.renew(patience=0)
            except ApiError as error:
                if not error.transient or now - self._renewed >= self._lease.seconds:
                    raise
                return
        self._note(now)

    def prove(self) -> None:
        """Renew whether it is due or not: what comes next acts on a host, which no API server guards.

        Raises LeaseLostError when the Lease is not ours any more, WaitTimeoutError, ApiError.
        """
        self._lease.renew()
        self._note(self._clock.now())

    def _note(self, now: float) -> None:
        self._renewed = now
        self._next = now + self._lease.seconds / _PART
