"""One way through the playbook on which one thing after the other happens: each at its step, and each only once.

A leg of it kills the command, or breaks something around it. Where the command has ended by that, it is given again, and
goes on to the step of the next leg. So a whole matrix needs one cluster and little more than one run.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from testbed import Testbed

from .holds import Hold
from .interruptions import CONTROLLER, Kill, arm
from .playbook import PlaybookRun
from .rolling_scene import Scene, at_host
from .stepped_run import Step, StepEvent, SteppedRun

Act = Callable[[Testbed, str], object]
_MEANWHILE = 2.0  # seconds


@dataclass(frozen=True)
class Fault:
    """`begin` as a step starts; `meanwhile` two seconds later, `afterwards` when the run has ended.

    While one `lasts`, the next fault has to wait for another run; a kill comes when it is over.
    """

    name: str
    begin: Act
    meanwhile: Act | None = None
    afterwards: Act | None = None
    lasts: bool = False


@dataclass(frozen=True)
class Leg:
    """What happens at one step: a kill of the command there, a kill while it waits there (`hold`), or a fault.

    At its `time` in one run, for a step that a run comes to more than once.
    """

    step: Step
    what: Kill | Hold | Fault
    tree: bool = False
    time: int = 1

    def is_at(self, step: Step, time: int) -> bool:
        """Whether a run that begins a step for that time is at this one."""
        return step == self.step and time >= self.time

    def __str__(self) -> str:
        name = f"kill, {self.what.place}" if isinstance(self.what, Kill) else self.what.name
        how = "" if isinstance(self.what, Fault) else f", {'everything' if self.tree else 'main process'}"
        again = "" if self.time == 1 else f" (time {self.time})"
        return f"{self.step}{again}: {name}{how}"


@dataclass
class _Turn:
    """One run of the command: what has happened in it, and what has to be mended behind it."""

    fired: list[Leg] = field(default_factory=list)
    begun: Counter[Step] = field(default_factory=Counter)
    cleanup: list[Callable[[], object]] = field(default_factory=list)
    mending: threading.Thread | None = None
    lasting: Callable[[], object] | None = None

    def mend(self) -> None:
        """What was to be mended at the end of the run is so now."""
        if self.lasting is not None:
            self.cleanup.remove(self.lasting)
            self.lasting()
            self.lasting = None


class Journey:
    """Legs in the order of their steps, at one host. `told` has a line for each run of the command."""

    def __init__(self, scene: Scene, legs: Iterable[Leg], host: str = "h1", **variables: Any) -> None:
        self._scene = scene
        self._waiting = list(legs)
        self._host = host
        self._variables = variables
        self.told: list[str] = []

    def go(self) -> None:
        """Give the command until everything has happened and it has come to its good end."""
        left = 2 * len(self._waiting) + 2
        while True:
            assert left > 0, f"the command does not come to its end:\n{self}"
            left -= 1
            turn = _Turn()
            before = time.monotonic()
            done = self._run(turn)
            words = ", ".join(str(leg) for leg in turn.fired) or "nothing"
            line = f"{time.monotonic() - before:.0f} s, ended with {done.returncode} after: {words}"
            if done.returncode != 0 and done.failure:
                line += f": {done.failure}"
            print(line, flush=True)
            self.told.append(line)
            self._judge(turn, done)
            if done.returncode == 0 and not self._waiting:
                return

    def __str__(self) -> str:
        return "\n".join(self.told)

    def _run(self, turn: _Turn) -> PlaybookRun:
        def handle(run: SteppedRun, event: StepEvent, host: str) -> None:
            self._see(turn, run, event, host)

        run = self._scene.start(at_host([*self._scene.testbed.hosts, CONTROLLER], handle), **self._variables)
        try:
            return run.finish()
        finally:
            if turn.mending is not None:
                turn.mending.join()
            for act in reversed(turn.cleanup):
                act()

    def _see(self, turn: _Turn, run: SteppedRun, event: StepEvent, host: str) -> None:
        if run.killed_at is not None or host != self._host:
            return
        last = turn.fired[-1] if turn.fired else None
        if event.kind == "start":
            turn.begun[event.step] += 1
        if event.kind == "end" and last is not None and event.step == last.step:
            if isinstance(last.what, Kill):
                run.kill(tree=last.tree)  # before its n-th write it has ended
            assert not isinstance(last.what, Hold), f"{last}: the step did not wait, nothing was proved\n{self}"
        elif event.kind == "start" and self._waiting and self._waiting[0].is_at(event.step, turn.begun[event.step]):
            if turn.lasting is not None and isinstance(self._waiting[0].what, Fault):
                return
            turn.mend()
            leg = self._waiting.pop(0)
            turn.fired.append(leg)
            self._fire(turn, run, leg)

    def _fire(self, turn: _Turn, run: SteppedRun, leg: Leg) -> None:
        testbed = self._scene.testbed
        if isinstance(leg.what, Kill):
            followers = arm(replace(leg.what, tree=leg.tree), run, testbed)
            turn.cleanup += [follower.stop for follower in followers]
        elif isinstance(leg.what, Hold):
            hold = leg.what
            turn.cleanup.append(lambda: hold.end(testbed, self._host))
            hold.begin(testbed, self._host)
            run.later(hold.seconds, lambda: run.kill(tree=leg.tree))
        else:
            fault = leg.what
            if turn.mending is not None:
                turn.mending.join()
            if fault.afterwards is not None:
                mend = functools.partial(fault.afterwards, testbed, self._host)
                turn.cleanup.append(mend)
                turn.lasting = mend if fault.lasts else None
            fault.begin(testbed, self._host)
            if fault.meanwhile is not None:
                turn.mending = threading.Thread(target=self._mend, args=(fault.meanwhile,))
                turn.mending.start()

    def _mend(self, act: Act) -> None:
        time.sleep(_MEANWHILE)
        act(self._scene.testbed, self._host)

    def _judge(self, turn: _Turn, done: PlaybookRun) -> None:
        where = f"{self}\n{done.output}"
        killed = bool(turn.fired) and not isinstance(turn.fired[-1].what, Fault)
        if killed:
            assert done.returncode == -9, f"the kill came too late\n{where}"
            return
        assert "Traceback" not in done.output, where
        if done.returncode != 0:
            assert turn.fired, f"the run failed although nothing happened\n{where}"
            assert "ame command again" in done.flat_output, where
