"""Kills of ansible-playbook at exact places: at a task's start, after the n-th write of a task, at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from testbed import Testbed

from .api_requests import RequestFollower
from .role_steps import QUIET, steps_of
from .rolling_scene import OPERATOR, ROLE, Scene, assert_succeeded, at_host
from .stepped_run import Step, StepEvent, SteppedRun

#: A place in a step: its start, its end, or (a number) after that write of it.
Place = str | int
CONTROLLER = "localhost"
_MOST_WRITES = 8
_HOOK = "hook.yml"
_INTO_A_COMMAND = 0.15  # seconds; commands on hosts take 0.2 to 1


@dataclass(frozen=True)
class Kill:
    """`kill -9` when `host` is at `place` of `step`; with `tree` of everything, else of the main process alone."""

    step: Step
    place: Place
    host: str
    tree: bool = False

    def __str__(self) -> str:
        return f"{self.step}, {self.place}, {self.host}, {'everything' if self.tree else 'main process'}"


def loud_steps() -> list[Step]:
    """Tasks that reach the cluster or a host. Between two of them nothing changes, so their ends are all boundaries.

    A file that is included twice counts once: the first time is the one that is interrupted.
    """
    return list(dict.fromkeys(every_loud_step()))


def every_loud_step() -> list[Step]:
    """The same with each time that a file is included. No scene has task files of its own."""
    return [step for step in steps_of(ROLE, "main.yml") if step.action not in QUIET and step.file != _HOOK]


def loud_steps_of_controller() -> list[Step]:
    """The same of the plays on the controller, before and after the Nodes."""
    plan, report = steps_of(ROLE, "plan.yml"), steps_of(ROLE, "report.yml")
    return [step for step in [*plan, *report] if step.action not in QUIET]


def reaches_cluster(step: Step) -> bool:
    """Whether the step is a module of this collection: it speaks to the API server."""
    return step.action.startswith("podnet.upkeep.")


def places_of(step: Step) -> list[Place]:
    """Where a step can be interrupted; of its writes some may not happen.

    Its start is the end of the one before: what is between two of them decides and changes nothing.
    """
    return [*range(1, _MOST_WRITES + 1 if reaches_cluster(step) else 2), "end"]


def arm(kill: Kill, run: SteppedRun, testbed: Testbed) -> list[RequestFollower]:
    """Kill the run when it is at that place of the step that it starts now; who follows its requests has to be stopped.

    A kill at the end of a step, or in a step that ends before its n-th write, is for who sees that end.
    """

    def now() -> None:
        run.kill(tree=kill.tree)

    if kill.place == "start":
        now()
    elif isinstance(kill.place, int) and reaches_cluster(kill.step):
        return [RequestFollower(testbed.audit_log, OPERATOR, kill.place, now)]
    elif isinstance(kill.place, int):
        run.later(_INTO_A_COMMAND, now)
    return []


class Killer:
    """Starts the command of a scene and kills it; `kills` says where that was."""

    def __init__(self, scene: Scene, **variables: Any) -> None:
        """`variables` of the playbook, beside those of the scene."""
        self._scene = scene
        self._variables = variables
        self.kills: list[str] = []

    def everywhere(self, *targets: tuple[Step, str]) -> None:
        """Kill at every place of each (step, host) in turn, going on with the same command, until a run ends well.

        After a kill the step may be done, and is not reached any more; then it is the next one's turn.
        """
        waiting = [[Kill(step, place, host) for place in places_of(step)] for step, host in targets]
        first, host = targets[0]
        waiting[0].insert(0, Kill(first, "start", host))
        while True:
            number = len(self.kills)
            armed = [Kill(one[0].step, one[0].place, one[0].host, bool(number % 2)) for one in waiting if one]
            hit = self.run_until(*armed)
            if hit is None:
                return
            while waiting[0] == [] or (waiting[0][0].step, waiting[0][0].host) != (hit.step, hit.host):
                del waiting[0]
            done = waiting[0].pop(0)
            if done.place != hit.place:
                waiting[0].clear()

    def run_until(self, *kills: Kill) -> Kill | None:
        """Run the command until the first of the kills that it reaches; None when it came to its (good) end first.

        Returns that kill, with the place "end" when the step ended before its n-th write.
        """
        hit: list[Kill] = []
        followers: list[RequestFollower] = []

        def handle(run: SteppedRun, event: StepEvent, host: str) -> None:
            for kill in kills:
                if run.killed_at is None and kill.step == event.step and kill.host == host:
                    if event.kind == "start" and kill.place != "end":
                        hit.append(kill)
                        followers.extend(arm(kill, run, self._scene.testbed))
                    elif event.kind == "end":
                        hit.append(Kill(kill.step, "end", kill.host, kill.tree))
                        run.kill(tree=kill.tree)

        run = self._scene.start(at_host([*self._scene.testbed.hosts, CONTROLLER], handle), **self._variables)
        done = run.finish()
        for follower in followers:
            follower.stop()
        if run.killed_at is None:
            assert_succeeded(done)
            return None
        assert done.returncode == -9
        print(hit[-1], flush=True)
        self.kills.append(str(hit[-1]))
        return hit[-1]
