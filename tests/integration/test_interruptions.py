"""`kill -9` of ansible-playbook anywhere: the same command again finishes, and nothing shows that there was a kill.

Killed is at the start and the end of every task that reaches the cluster or a host, after each of its writes to the
API, and in the middle of every wait; in turn the main process alone, whose workers go on while the next run begins, and
all processes. An observer watches every Node meanwhile. The whole matrix belongs to `make test-long`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.holds import HOLDS, step_of_wait
from harness.interruptions import (
    CONTROLLER,
    Killer,
    loud_steps,
    loud_steps_of_controller,
)
from harness.journey import Journey, Leg
from harness.role_steps import QUIET, rescue_steps_of
from harness.rolling_scene import ROLE, Scene, Scenes, assert_succeeded, at_host
from harness.safety_rules import times_out
from harness.stepped_run import Handler, Step, StepEvent, SteppedRun

Record = Callable[[str, object], None]
pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

PARTS = 3
RESCUE = list(dict.fromkeys(step for step in rescue_steps_of(ROLE, "main.yml") if step.action not in QUIET))


@pytest.fixture(scope="module")
def scenes() -> Iterator[Scenes]:
    """The cluster of this file; a new one after a case that has failed."""
    with Scenes("kills") as scenes:
        yield scenes


@pytest.fixture
def scene(scenes: Scenes) -> Iterator[Scene]:
    """Two hosts that drift again for each case."""
    with scenes.healthy() as scene:
        yield scene


def kill_and_go_on(scene: Scene, *targets: tuple[Step, str], **variables: Any) -> list[str]:
    """Kill the command at every place of the targets, going on with it each time, until it has ended well."""
    killer = Killer(scene, **variables)
    with scene.safe() as watch:
        before = scene.uids()
        killer.everywhere(*targets)
    after = scene.uids()
    assert all(before[host] != after[host] for host in before), "a Node was not registered anew"
    assert {host: times_out(watch.sights, host) for host in before} == dict.fromkeys(before, 1)
    scene.wait_healthy()
    return killer.kills


@pytest.mark.long
def test_an_uninterrupted_run_ends_in_the_state_that_all_others_are_held_to(scene: Scene) -> None:
    """The healthy cluster of the beginning is what a run leaves; the second run changes nothing."""
    scene.drift("h1", "h2")
    with scene.safe():
        assert_succeeded(scene.run())
    scene.wait_healthy()
    again = scene.run()
    assert_succeeded(again)
    assert again.changed == 0


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_every_place_of_every_step(scene: Scene, part: int, record_property: Record) -> None:
    """Both Nodes have drifted: while one is out, and however often it is gone on with, the other one is not begun."""
    steps = part_of(loud_steps(), part)
    scene.drift("h1", "h2")
    # two modules less in each run, where they are not what is interrupted
    gate = any(step.file == "health.yml" for step in steps)
    # a worker that outlives its kill may bring the first Node back, and the gate behind it is not reached any more
    targets = [(step, "h2" if step.file == "health.yml" else "h1") for step in steps]
    kills = kill_and_go_on(scene, *targets, reassign_pod_cidrs_health_gate=gate)
    record_property("kills", len(kills))
    assert {kill.partition(",")[0] for kill in kills} == {str(step).partition(",")[0] for step in steps}


def part_of(steps: list[Step], part: int) -> list[Step]:
    """A part of all steps, so that each case has some minutes."""
    return [step for index, step in enumerate(steps) if index * PARTS // len(steps) == part]


@pytest.mark.long
def test_killed_at_every_place_of_the_controllers_steps(scene: Scene, record_property: Record) -> None:
    """Before the first Node is out, and after the last one is back."""
    scene.drift("h1", "h2")
    kills = kill_and_go_on(scene, *((step, CONTROLLER) for step in loud_steps_of_controller()))
    record_property("kills", len(kills))
    assert len(kills) > len(loud_steps_of_controller())


@pytest.mark.long
@pytest.mark.parametrize("tree", [False, True], ids=["main-process", "everything"])
def test_killed_inside_every_wait(scene: Scene, tree: bool, record_property: Record) -> None:
    """What each step waits for is held back, so that it really waits when it is killed; then it may come."""
    scene.drift("h1")
    journey = Journey(scene, [Leg(step_of_wait(hold), hold, tree) for hold in HOLDS])
    with scene.safe() as watch:
        journey.go()
    record_property("journey", str(journey))
    assert times_out(watch.sights, "h1") == 1
    assert times_out(watch.sights, "h2") == 0
    scene.wait_healthy()


@pytest.mark.long
def test_killed_while_a_failed_drain_is_undone(scene: Scene) -> None:
    """The drain fails, and the run is killed at each step in which it puts things back."""
    scene.drift("h1")
    eviction = next(hold for hold in HOLDS if hold.name == "eviction")
    with scene.safe() as watch:
        eviction.begin(scene.testbed, "h1")
        for step in RESCUE:
            run = scene.start(at_step(step), reassign_pod_cidrs_drain_timeout=4)
            assert run.finish().returncode == -9
            assert run.killed_at is not None and run.killed_at.step == step
        eviction.end(scene.testbed, "h1")
        assert_succeeded(scene.run())
    assert 1 <= times_out(watch.sights, "h1") <= len(RESCUE) + 1
    assert times_out(watch.sights, "h2") == 0
    scene.wait_healthy()


def at_step(step: Step) -> Handler:
    """A handler that kills everything as h1 starts a step."""

    def handle(run: SteppedRun, event: StepEvent, host: str) -> None:
        if event.kind == "start" and event.step == step and host == "h1":
            run.kill(tree=True)

    return at_host(["h1", "h2", CONTROLLER], handle)


@pytest.mark.long
def test_next_node_waits_for_what_the_interrupted_run_has_disturbed(scene: Scene) -> None:
    """Killed while it waits for the cluster behind the first Node: the next run has not forgotten what was healthy."""
    scene.drift("h1", "h2")
    hold = next(hold for hold in HOLDS if hold.name == "health")
    waited: list[float] = []

    def kill(run: SteppedRun, event: StepEvent, _host: str) -> None:
        if event.kind == "start" and event.step == step_of_wait(hold):
            hold.begin(scene.testbed, "h1")
            run.later(hold.seconds, lambda: run.kill(tree=True))

    def look(run: SteppedRun, event: StepEvent, _host: str) -> None:
        if event.step.task == "Wait until everything that was healthy before the interrupted run is so again":
            waited.append(event.at)
            if event.kind == "start":
                run.later(4.0, lambda: hold.end(scene.testbed, "h1"))
        assert event.step.task != "Cordon and drain" or len(waited) == 2, "another Node is taken out too early"

    with scene.safe() as watch:
        assert scene.start(at_host(["h1", "h2", CONTROLLER], kill)).finish().returncode == -9
        done = scene.run(at_host(["h1", "h2", CONTROLLER], look))
        assert_succeeded(done)
    assert waited[1] - waited[0] > 3
    for host in ("h1", "h2"):  # one was finished by the run that was killed
        assert re.search(rf"Node {host}: captured \S+,.* completed \S+Z", done.flat_output), done.output
    assert {host: times_out(watch.sights, host) for host in ("h1", "h2")} == {"h1": 1, "h2": 1}
    scene.wait_healthy()
