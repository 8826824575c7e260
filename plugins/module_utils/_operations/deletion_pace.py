# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Spread requests evenly over time, and hold all of them back when the server says so."""

from __future__ import annotations

import threading

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

#: A wait for something else (a proof, a slow answer) is made up for with at most this many seconds' worth of requests.
_CATCH_UP = 1.0


class Pace:
    """Call ``wait`` before each request, from any thread.

    In any stretch of T seconds at most rate * (T + 1) requests pass.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        """``rate`` in requests per second; 0 means no limit."""
        self._interval = 1 / rate if rate else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock.now()
        self._closed_until = float("-inf")

    def wait(self) -> None:
        """Sleep until the next request is due."""
        with self._lock:
            now = self._clock.now()
            due = max(now, self._closed_until)
            if self._interval:
                self._next = max(self._next, now - _CATCH_UP)
                due = max(due, self._next)
                self._next += self._interval
        if due > now:
            self._clock.sleep(due - now)

    def hold(self, seconds: float) -> None:
        """Let nobody begin a request for this long."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock.now() + seconds)
