# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Set the marks of many identities, at the pace of the run, and take marks of ours away again."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    Candidate,
    DeletionLimits,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_pace import Pace
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_marks import mark, unmark
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

_LISTEN = 0.5


@dataclass
class Marked:
    """``candidates`` as they are after their marks, in the order in which they were given. ``ended``: by the clock."""

    candidates: list[Candidate] = field(default_factory=list)
    spared: list[tuple[Candidate, str]] = field(default_factory=list)
    stopped: str = ""
    ended: float = 0.0


class Marking:
    """One run over the identities of one plan."""

    def __init__(
        self,
        client: KubeClient,
        limits: DeletionLimits,
        *,
        heartbeat: Callable[[], str | None],
        progress: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._client = client
        self._limits = limits
        self._heartbeat = heartbeat
        self._progress = progress
        self._clock = clock
        self._pace = Pace(limits.rate, clock)

    def run(self, candidates: Sequence[Candidate], now: datetime.datetime | None) -> Marked:
        """Mark them with the time ``now``; without one take their marks away. What goes wrong is in the result."""
        queue = deque(candidates)
        written: dict[str, JsonObject | str] = {}
        failures: list[UpkeepError] = []
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                self._pace.wait()
                if stop.is_set():
                    return
                try:
                    one = queue.popleft()
                except IndexError:
                    return
                try:
                    if now is None:
                        written[one.uid] = unmark(self._client, one.path, one.data)
                    else:
                        written[one.uid] = mark(self._client, one.path, one.data, now)
                except UpkeepError as error:
                    failures.append(error)
                    stop.set()

        result = Marked()
        if candidates:
            with ThreadPoolExecutor(self._limits.concurrency, thread_name_prefix="marking") as pool:
                futures = [pool.submit(work) for _number in range(min(self._limits.concurrency, len(candidates)))]
                while wait(futures, timeout=_LISTEN).not_done and not result.stopped:
                    result.stopped = self._listen()
                    self._progress(f"{len(written)} of {len(candidates)} marks written")
                if result.stopped:
                    stop.set()
            for future in futures:
                future.result()
        result.stopped = result.stopped or next((str(one) for one in failures), "")
        result.ended = self._clock.now()
        for one in candidates:
            answer = written.get(one.uid)
            if isinstance(answer, str):
                result.spared.append((one, answer))
            elif answer is not None:
                version = str(answer["metadata"]["resourceVersion"])
                result.candidates.append(
                    dataclasses.replace(one, resource_version=version, data={**one.data, **answer})
                )
        return result

    def _listen(self) -> str:
        try:
            return self._heartbeat() or ""
        except UpkeepError as error:
            return str(error)
