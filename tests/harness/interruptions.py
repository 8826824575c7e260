"""Kills of ansible-playbook at exact places: at a task's start, after the n-th write of a task, at its end."""

from __future__ import annotations

from dataclasses import dataclass

from .api_requests import RequestFollower
from .role_steps import QUIET, steps_of
from .rolling_scene import OPERATOR, ROLE, Scene, assert_succeeded, at_host
from .stepped_run import Step, StepEvent, SteppedRun

#: A place in a step: its start, its end, or (a number) after that write of it.
Place = str | int
_MOST_KILLS_IN_A_STEP = 8
_HALFWAY = 0.25  # seconds: into a command on a host, which takes 0.3 to 1


@dataclass(frozen=True)
class Kill:
    """`kill -9` when `host` is at `place` of `step`; with `tree` of everything, else of the main process alone."""

    step: Step
    place: Place
    host: str
    tree: bool

    def __str__(self) -> str:
        return f"{self.step}, {self.place}, {self.host}, {'all' if self.tree else 'main process'}"


def loud_steps() -> list[Step]:
    """Tasks that reach the cluster or a host. Between two of them nothing changes, so their ends are all boundaries."""
    return [step for step in steps_of(ROLE, "main.yml") if step.action not in QUIET]


def loud_steps_of_controller() -> list[Step]:
    """The same of the plays on the controller, before and after the Nodes."""
    plan, report = steps_of(ROLE, "plan.yml"), steps_of(ROLE, "report.yml")
    return [step for step in [*plan, *report] if step.action not in QUIET]


def reaches_cluster(step: Step) -> bool:
    """Whether the step is a module of this collection: it speaks to the API server."""
    return step.action.startswith("podnet.upkeep.")


class Killer:
    """Starts the command of a scene and kills it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.kills: list[str] = []

    def run_until(self, kill: Kill) -> bool:
        """Run the command until it is killed; False when it came to its (good) end first."""
        follower: list[RequestFollower] = []

        def handle(run: SteppedRun, event: StepEvent, host: str) -> None:
            if event.step != kill.step or host != kill.host or run.killed_at:
                return
            if event.kind == "start":
                self._begin(kill, run, follower)
            elif event.outcome != "skipped":
                run.kill(tree=kill.tree)  # its end, or a write that it did not have

        run = self._scene.start(at_host(list(self._scene.testbed.hosts), handle))
        done = run.finish()
        for one in follower:
            one.stop()
        if run.killed_at is None:
            assert_succeeded(done)
            return False
        assert done.returncode == -9
        self.kills.append(str(kill))
        return True

    def _begin(self, kill: Kill, run: SteppedRun, follower: list[RequestFollower]) -> None:
        if kill.place == "start":
            run.kill(tree=kill.tree)
        elif isinstance(kill.place, int) and reaches_cluster(kill.step):
            log = self._scene.testbed.audit_log
            follower.append(RequestFollower(log, OPERATOR, kill.place, lambda: run.kill(tree=kill.tree)))
        elif isinstance(kill.place, int):
            run.kill_later(_HALFWAY * kill.place, tree=kill.tree)

    def kill_everywhere(self, step: Step, host: str, places: Sequence[Place] = ()) -> bool:
        """Kill at the start of a step, after each of its writes, and at its end, each time going on with the same command.

        It ends when the step is not reached any more, because it was done; the run is over then (True).
        """
        for number, place in enumerate(places or places_of(step)):
            if not self.run_until(Kill(step, place, host, tree=bool(number % 2))):
                return True
            if self.ended_early:  # it has no more writes than this
                return not self.run_until(Kill(step, "end", host, tree=True))
        return False
