# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The stress test itself: pods that need an identity each, how fast they get it, and how long until all is as before.

Whatever happens, a failure, a signal, the switch stop, a lost lock, the namespace of the test is deleted before the run ends.
Only a process that is killed leaves it behind; then the next run, or ``state: absent``, finds it by its marks.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import (
    StressObjects,
    namespace_object,
    namespace_of,
    new_run,
    pod_object,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_plan import StressOptions, StressPlan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_watch import IdentityWatch, SeenIdentity
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

_WORKERS = 8
#: How much longer than the collection promises is waited for it, by default.
_PATIENCE = 1.25
_TICK = 0.25


@dataclass
class StressResult:
    """What was measured. ``stopped`` says why the test ended early; ``clean`` whether the namespace is gone."""

    run: str
    namespace: str
    wanted: int
    pods: int = 0
    seconds: float = 0.0
    allocation: dict[str, t.Any] = field(default_factory=dict)
    recovery: dict[str, t.Any] = field(default_factory=dict)
    stopped: str = ""
    clean: bool = False
    left: str = ""

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "run": self.run,
            "namespace": self.namespace,
            "identities_wanted": self.wanted,
            "pods_created": self.pods,
            "seconds": round(self.seconds, 2),
            "allocation": self.allocation,
            "recovery": self.recovery,
            "stopped": self.stopped,
            "clean": self.clean,
            "left": self.left,
        }


class StressRun:
    """One test by one plan."""

    def __init__(
        self,
        client: KubeClient,
        plan: StressPlan,
        options: StressOptions,
        *,
        holder: str = "",
        wait_recovery: bool = True,
        heartbeat: Callable[[], str] | None = None,
        progress: Callable[[str], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """``heartbeat`` keeps the lock and answers why to stop; it may raise UpkeepError."""
        self._client = client
        self._plan = plan
        self._options = options
        self._holder = holder
        self._wait_recovery = wait_recovery
        self._ask = heartbeat or (lambda: "")
        self._progress = progress or (lambda line: None)
        self._clock = clock or Clock()
        self._created: dict[str, float] = {}

    def run(self) -> StressResult:
        """Create, measure, delete, wait. What goes wrong is in the result; a signal is passed on after the clean-up."""
        run = new_run()
        result = StressResult(run, namespace_of(run), self._options.identities)
        begun = self._clock.now()
        with IdentityWatch(self._client, result.namespace, self._plan.label_key, clock=self._clock) as watch:
            try:
                self._load(result, watch)
            except UpkeepError as error:
                result.stopped = str(error)
            finally:
                # with a signal under way, too
                gone = self._clean(result)
            result.pods = len(self._created)
            result.allocation = self._allocation(watch, gone)
            if result.clean and self._wait_recovery:
                self._recover(result, watch, gone)
            if watch.problem:
                result.allocation["watch_problem"] = watch.problem
        result.seconds = self._clock.now() - begun
        return result

    # -- load ----------------------------------------------------------------------------------------------------

    def _load(self, result: StressResult, watch: IdentityWatch) -> None:
        started = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        self._client.create("/api/v1/namespaces", namespace_object(result.run, started, self._holder))
        account = f"/api/v1/namespaces/{result.namespace}/serviceaccounts/default"
        wait_for(
            f"namespace {result.namespace} has its service account",
            lambda: self._client.find(account) or Pending("there is none"),
            timeout=60,
            interval=0.2,
            clock=self._clock,
            heartbeat=self._keep,
        )
        self._create_pods(result)
        end = self._clock.now() + self._options.allocation_timeout
        while len({one.value for one in watch.identities.values() if one.value}) < result.wanted:
            self._keep()
            if self._clock.now() > end:
                return
            self._progress(f"{len(watch.present())} of {result.wanted} identities are there")
            self._clock.sleep(_TICK)

    def _create_pods(self, result: StressResult) -> None:
        options = self._options
        place: dict[str, t.Any] = {"tolerations": [dict(one) for one in options.tolerations]}
        if options.node_selector:
            place["nodeSelector"] = dict(options.node_selector)
        path = f"/api/v1/namespaces/{result.namespace}/pods"

        def create(number: int) -> None:
            pod = pod_object(result.run, number, self._plan.label_key, options.image, place)
            # the identity may be there before the answer is
            value = pod["metadata"]["labels"][self._plan.label_key]
            self._created[value] = self._clock.now()
            try:
                self._client.create(path, pod)
            except ApiError as error:
                if error.status:  # refused; without an answer nobody knows
                    del self._created[value]
                raise

        begun = self._clock.now()
        batch = max(1, min(50, int(options.rate)))
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="stress") as workers:
            for start in range(0, result.wanted, batch):
                self._keep()
                due = begun + start / options.rate
                while (left := due - self._clock.now()) > 0:
                    self._clock.sleep(min(left, _TICK))
                    self._keep()
                list(workers.map(create, range(start, min(start + batch, result.wanted))))
                self._progress(f"{min(start + batch, result.wanted)} of {result.wanted} pods are created")

    def _keep(self) -> None:
        """Keep the lock. Raises RefusedError when the run is to stop."""
        reason = self._ask()
        if reason:
            raise RefusedError(reason)

    # -- clean-up ------------------------------------------------------------------------------------------------

    def _clean(self, result: StressResult) -> float:
        """Delete the namespace, without asking whether the run may go on; when its pods were deleted."""
        objects = StressObjects(self._client, clock=self._clock, progress=self._progress)
        began = self._clock.now()
        try:
            found = self._client.find(f"/api/v1/namespaces/{result.namespace}")
            if found is not None:
                objects.remove([found])
            result.clean = True
        except UpkeepError as error:
            result.left = f"{error} What is left is in namespace {result.namespace}; run this again with state: absent."
        return began

    # -- numbers -------------------------------------------------------------------------------------------------

    def _allocation(self, watch: IdentityWatch, gone: float) -> dict[str, t.Any]:
        """How fast identities came. ``collected_early`` were deleted although their pods were there."""
        first: dict[str, float] = {}
        seen = list(watch.identities.values())
        for one in seen:
            if one.value in self._created:
                first[one.value] = min(first.get(one.value, one.created), one.created)
        waits = sorted(max(0.0, came - self._created[value]) for value, came in first.items())
        times = sorted(first.values())
        span = times[-1] - times[0] if len(times) > 1 else 0.0
        early = sum(1 for one in seen if one.deleted is not None and one.deleted < gone)
        return {
            "identities": len(first),
            "missing": len(self._created) - len(first),
            "duplicates": len(_overlapping(seen)),
            "collected_early": early,
            "per_second": round((len(times) - 1) / span, 2) if span > 0 else None,
            "seconds": round(times[-1] - min(self._created.values()), 2) if times else None,
            "wait_median_seconds": _quantile(waits, 0.5),
            "wait_95_percent_seconds": _quantile(waits, 0.95),
            "wait_longest_seconds": _quantile(waits, 1.0),
        }

    def _recover(self, result: StressResult, watch: IdentityWatch, gone: float) -> None:
        """Wait until the operator has collected them all, and say how fast it was."""
        longest = self._plan.times.longest.total_seconds()
        patience = self._options.recovery_timeout or _PATIENCE * longest + 60
        objects = StressObjects(self._client, clock=self._clock)
        stopped = result.stopped
        try:
            while (there := watch.present()) and self._clock.now() < gone + patience and not stopped:
                stopped = self._ask()
                self._progress(f"{len(there)} identities wait for the collection of the cilium-operator")
                self._clock.sleep(_TICK)
            # what the watch has missed
            mine = set(objects.identities_of(result.namespace)) if there or watch.problem else set()
        except UpkeepError as error:
            stopped, mine = stopped or str(error), {""}
        result.stopped = result.stopped or stopped
        deleted = sorted(
            one.deleted for one in watch.identities.values() if one.deleted is not None and one.deleted >= gone
        )
        marked = sorted(
            one.marked for one in watch.identities.values() if one.marked is not None and one.marked >= gone
        )
        span = deleted[-1] - deleted[0] if len(deleted) > 1 else 0.0
        result.recovery = {
            "recovered": not mine,
            "identities_left": len(mine - {""}),
            "seconds": round(deleted[-1] - gone, 2) if deleted and not mine else None,
            "first_mark_seconds": round(marked[0] - gone, 2) if marked else None,
            "first_deletion_seconds": round(deleted[0] - gone, 2) if deleted else None,
            "collected": len(deleted),
            "collected_per_second": round((len(deleted) - 1) / span, 2) if span > 0 else None,
            "expected_seconds": {
                "usual": self._plan.times.usual.total_seconds(),
                "longest": longest,
            },
            "in_time": None if mine or not deleted else deleted[-1] - gone <= longest + 30,
        }


def _overlapping(seen: Sequence[SeenIdentity]) -> list[SeenIdentity]:
    """Identities with labels for which there was another one at the same time."""
    found = []
    by_value: dict[str, SeenIdentity] = {}
    for one in sorted(seen, key=lambda each: each.created):
        earlier = by_value.get(one.value)
        if earlier is not None and (earlier.deleted is None or earlier.deleted > one.created):
            found.append(one)
        by_value[one.value] = one
    return found


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which this share of an ascending list lies; None of an empty one."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
