"""`kill -9` of ansible-playbook anywhere: the same command again finishes, and nothing shows that there was a kill.

Killed is at the start and the end of every task that reaches the cluster or a host, after each of its writes to the
API, and in the middle of every wait; in turn the main process alone, whose workers go on while the next run begins, and
all processes. An observer watches every Node meanwhile. The whole matrix belongs to `make test-long`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from harness.holds import HOLDS, Hold
from harness.interruptions import (
    CONTROLLER,
    Kill,
    Killer,
    loud_steps,
    loud_steps_of_controller,
    pairs,
)
from harness.role_steps import QUIET, rescue_steps_of
from harness.rolling_scene import ROLE, Scene, Scenes, assert_succeeded, at_host
from harness.safety_rules import times_out
from harness.stepped_run import Step, StepEvent, SteppedRun

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

SEED = 5
KILLS_A_DAY = 4
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


def kill_and_go_on(scene: Scene, *targets: tuple[Step, str]) -> list[str]:
    """Kill the command at every place of the targets, going on with it each time, until it has ended well."""
    killer = Killer(scene)
    with scene.safe() as watch:
        before = scene.uids()
        killer.everywhere(*targets)
    after = scene.uids()
    assert all(before[host] != after[host] for host in before), "a Node was not registered anew"
    assert {host: times_out(watch.sights, host) for host in before} == dict.fromkeys(before, 1)
    scene.wait_healthy()
    return killer.kills


def sample() -> list[Kill]:
    """Places anywhere in a Node's turn, in their order: a later one can still be reached after an earlier kill."""
    steps = loud_steps()
    chosen = sorted(random.Random(SEED).sample(range(len(steps)), KILLS_A_DAY))
    places = random.Random(SEED)
    return [
        Kill(steps[index], places.choice(["start", 1, 2, 3]), "h1", tree=bool(number % 2))
        for number, index in enumerate(chosen)
    ]


@pytest.mark.long
def test_killed_again_and_again(scene: Scene) -> None:
    """A sample for every day: kills at four places of one turn, and each time the same command again at once."""
    scene.drift("h1")
    killer = Killer(scene)
    with scene.safe() as watch:
        others = scene.uids()["h2"]
        for kill in sample():
            assert killer.run_until(kill) is not None, f"not reached after {killer.kills}: {kill}"
        assert_succeeded(scene.run())
    assert scene.uids()["h2"] == others
    assert {host: times_out(watch.sights, host) for host in ("h1", "h2")} == {"h1": 1, "h2": 0}
    scene.wait_healthy()


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
@pytest.mark.parametrize(
    ("first", "second"), pairs(loud_steps()), ids=lambda step: f"{step.file.removesuffix('.yml')}-{step.task}"
)
def test_killed_at_every_place_of_a_step(
    scene: Scene, first: Step, second: Step, record_property: pytest.RecordProperty
) -> None:
    """Both Nodes have drifted. One step is interrupted while the first is out, another one while the second is."""
    scene.drift("h1", "h2")
    kills = kill_and_go_on(scene, (first, "h1"), (second, "h2"))
    record_property("kills", len(kills))
    assert {kill.partition(",")[0] for kill in kills} == {str(first), str(second)}


@pytest.mark.long
def test_killed_at_every_place_of_the_controllers_steps(scene: Scene, record_property: pytest.RecordProperty) -> None:
    """Before the first Node is out, and after the last one is back."""
    scene.drift("h1", "h2")
    kills = kill_and_go_on(scene, *((step, CONTROLLER) for step in loud_steps_of_controller()))
    record_property("kills", len(kills))
    assert len(kills) > 2 * len(loud_steps_of_controller())


@pytest.mark.long
@pytest.mark.parametrize("tree", [False, True], ids=["main-process", "everything"])
@pytest.mark.parametrize("hold", HOLDS, ids=lambda hold: hold.name)
def test_killed_inside_a_wait(scene: Scene, hold: Hold, tree: bool) -> None:
    """What the step waits for is held back, so that it really waits when it is killed; then it may come."""
    scene.drift("h1")

    def handle(run: SteppedRun, event: StepEvent, host: str) -> None:
        if event.step.task.startswith(hold.task) and host == "h1":
            assert event.kind == "start", "the step did not wait: nothing was proved"
            hold.begin(scene.testbed, "h1")
            run.later(hold.seconds, lambda: run.kill(tree=tree))

    with scene.safe() as watch:
        run = scene.start(at_host(["h1", "h2", CONTROLLER], handle))
        try:
            assert run.finish().returncode == -9
        finally:
            hold.end(scene.testbed, "h1")
        assert run.killed_at is not None and run.killed_at.step.task.startswith(hold.task)
        assert_succeeded(scene.run())
    assert times_out(watch.sights, "h1") == 1
    scene.wait_healthy()


@pytest.mark.long
@pytest.mark.parametrize("step", RESCUE, ids=lambda step: f"{step.file.removesuffix('.yml')}-{step.task}")
def test_killed_while_a_failed_drain_is_undone(scene: Scene, step: Step) -> None:
    """The drain fails, and the run is killed while it puts things back."""
    scene.drift("h1")
    eviction = next(hold for hold in HOLDS if hold.name == "eviction")

    def handle(run: SteppedRun, event: StepEvent, host: str) -> None:
        if event.kind == "start" and event.step.task == eviction.task:
            eviction.begin(scene.testbed, "h1")
        elif event.kind == "start" and event.step == step and host == "h1":
            run.kill(tree=True)

    with scene.safe() as watch:
        run = scene.start(at_host(["h1", "h2", CONTROLLER], handle), reassign_pod_cidrs_drain_timeout=4)
        assert run.finish().returncode == -9
        eviction.end(scene.testbed, "h1")
        assert_succeeded(scene.run())
    assert 1 <= times_out(watch.sights, "h1") <= 2
    assert times_out(watch.sights, "h2") == 0
    scene.wait_healthy()
