# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The threads that work on one batch: a pace, an end, and a stop that all of them hear."""

from __future__ import annotations

import threading
import typing as t
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_pace import Pace
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

Item = t.TypeVar("Item")
Outcome = t.TypeVar("Outcome")
#: Seconds between two questions whether the run may go on while a batch is under way.
LISTEN = 0.5


class WorkBatch(t.Generic[Item, Outcome]):
    """``act`` does one item and answers with its outcome and, where the whole run has to stop, a sentence."""

    def __init__(
        self,
        items: Sequence[Item],
        act: Callable[[Item], tuple[Outcome, str]],
        pace: Pace,
        clock: Clock,
        seconds: float,
    ) -> None:
        """No other item is begun ``seconds`` after now; the first one always is."""
        self._waiting = deque(items)
        self._act = act
        self._pace = pace
        self._clock = clock
        self._end = clock.now() + seconds
        self._stopped = threading.Event()
        self.outcomes: list[Outcome] = []
        self.surprise = ""

    def run(self, workers: ThreadPoolExecutor, count: int, may_go_on: Callable[[], str | None]) -> str:
        """Work with up to ``count`` threads; why the run has to stop, or an empty text.

        ``may_go_on`` is asked every half second; what it raises is raised when all threads have ended.
        """
        futures = [workers.submit(self._work) for _number in range(min(count, len(self._waiting)))]
        reason = ""
        try:
            while not reason and wait(futures, timeout=LISTEN).not_done:
                reason = may_go_on() or ""
        finally:
            self._stopped.set()
            wait(futures)
        for future in futures:
            future.result()
        return self.surprise or reason

    @property
    def left(self) -> list[Item]:
        """Items that were not begun, in their order."""
        return list(self._waiting)

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                item = self._waiting.popleft()
            except IndexError:
                return
            self._pace.wait()
            if self._stopped.is_set() or (self.outcomes and self._clock.now() > self._end):
                self._waiting.appendleft(item)
                return
            outcome, surprise = self._act(item)
            self.outcomes.append(outcome)
            if surprise:
                self.surprise = self.surprise or surprise
                self._stopped.set()
