# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Polling with a deadline: the only place of the operations that waits."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, WaitTimeoutError

Value = t.TypeVar("Value")


@dataclass(frozen=True)
class Pending:
    """The answer of a probe that has to wait on; ``state`` says what it saw, for the time-out sentence."""

    state: str


@dataclass(frozen=True)
class Clock:
    """Monotonic time and sleep in seconds; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def wait_for(
    what: str,
    probe: Callable[[], Value | Pending],
    *,
    timeout: float,
    interval: float = 1.0,
    clock: Clock | None = None,
    heartbeat: Callable[[], None] | None = None,
) -> Value:
    """Call ``probe`` every ``interval`` seconds until it answers with something else than Pending; that answer.

    ``heartbeat`` is called before every probe; it keeps the lock of the run and decides itself how often it writes.
    An API server that restarts meanwhile (no answer, 429, 502 to 504) is waited for as well. Raises WaitTimeoutError
    naming ``what`` and the state last seen; other errors of the probe and of the heartbeat are passed on.
    """
    clock = clock or Clock()
    start = clock.now()
    while True:
        try:
            if heartbeat is not None:
                heartbeat()
            answer = probe()
        except ApiError as error:
            if not error.transient:
                raise
            answer = Pending(str(error))
        if not isinstance(answer, Pending):
            return answer
        elapsed = clock.now() - start
        if elapsed >= timeout:
            raise WaitTimeoutError(
                f"Not within {timeout:g} seconds: {what} ({answer.state}).", waited_for=what, seconds=elapsed
            )
        clock.sleep(min(interval, max(0.05, timeout - elapsed)))
