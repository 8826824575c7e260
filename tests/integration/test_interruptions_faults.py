"""What breaks while a Node is out: the API server, the controller-manager, the host, the way to the host.

The run either outlives it, or stops with words that say how to go on; then the same command again finishes. The end is
that of an undisturbed run, and the observer's rules hold all the time. The matrix belongs to `make test-long`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from harness import faults
from harness.interruptions import CONTROLLER, loud_steps, reaches_cluster
from harness.rolling_scene import Scene, Scenes, assert_succeeded, at_host
from harness.safety_rules import times_out
from harness.stepped_run import Step, StepEvent, SteppedRun
from testbed import Testbed

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

Act = Callable[[Testbed, str], object]
_API_IS_DOWN = 2.0  # seconds; it takes two more until it is ready again


@dataclass(frozen=True)
class Fault:
    """`begin` as the step starts; `meanwhile` after `_API_IS_DOWN` seconds, `afterwards` when the run has ended."""

    name: str
    begin: Act
    meanwhile: Act | None = None
    afterwards: Act | None = None


API = Fault(
    "api-server", lambda testbed, _host: faults.kill_api_server(testbed), lambda t, _h: faults.start_api_server(t)
)
CONTROLLERS = Fault("controller-manager", lambda testbed, _host: faults.restart_controller_manager(testbed))
REBOOT = Fault("reboot", faults.reboot, afterwards=faults.wait_up)
SSH = Fault("sshd", faults.stop_ssh, afterwards=faults.start_ssh)
LINK = Fault("link", faults.cut_link, afterwards=faults.mend_link)


def matrix() -> list[tuple[Fault, Step]]:
    """Each fault at each step that it can hit. The host matters from the first step that looks at it."""
    steps = loud_steps()
    on_host = [step for step in steps if not reaches_cluster(step)]
    turn = steps[steps.index(on_host[0]) :]
    cases = [(fault, step) for fault in (API, CONTROLLERS) for step in steps if reaches_cluster(step)]
    cases += [(REBOOT, step) for step in turn]
    return cases + [(fault, step) for fault in (SSH, LINK) for step in on_host]


@pytest.fixture(scope="module")
def scenes() -> Iterator[Scenes]:
    """The cluster of this file; a new one after a case that has failed."""
    with Scenes("faults") as scenes:
        yield scenes


@pytest.fixture
def scene(scenes: Scenes) -> Iterator[Scene]:
    """Two hosts; the Node of the first is registered anew for each case although nothing is wrong with it."""
    with scenes.healthy() as scene:
        yield scene


def disturb(scene: Scene, fault: Fault, step: Step) -> None:
    """Run the command with a fault in one step, and once more if it says that this is needed."""
    wanted = {"reassign_pod_cidrs_nodes": ["h1"], "reassign_pod_cidrs_even_if_healthy": True}
    began: list[StepEvent] = []
    mending = threading.Thread(target=lambda: fault.meanwhile and fault.meanwhile(scene.testbed, "h1"))

    def handle(_run: SteppedRun, event: StepEvent, host: str) -> None:
        if event.step == step and host == "h1" and event.kind == "start" and not began:
            began.append(event)
            fault.begin(scene.testbed, "h1")
            timer = threading.Timer(_API_IS_DOWN, mending.start)
            timer.start()

    scene.spread_workload()
    with scene.safe() as watch:
        before = scene.uids()
        done = scene.run(at_host(["h1", "h2", CONTROLLER], handle), **wanted)
        assert began, "the step was not reached: nothing was proved"
        if fault.meanwhile:
            while mending.ident is None:
                threading.Event().wait(0.1)
            mending.join()
        if fault.afterwards:
            fault.afterwards(scene.testbed, "h1")
        assert "Traceback" not in done.output, done.output
        if done.returncode != 0:
            assert "ame command again" in done.flat_output, done.output
            done = scene.run(**wanted)
        assert_succeeded(done)
    after = scene.uids()
    assert after["h1"] != before["h1"]
    assert after["h2"] == before["h2"]
    assert 1 <= times_out(watch.sights, "h1") <= 2
    scene.wait_healthy()


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "step"), matrix(), ids=lambda one: one.name if isinstance(one, Fault) else f"{one.file}-{one.task}"
)
def test_fault_in_a_step(scene: Scene, fault: Fault, step: Step) -> None:
    """One fault in one step."""
    disturb(scene, fault, step)


def test_host_rebooted_while_its_node_is_deleted(scene: Scene) -> None:
    """A sample for every day, at the most dangerous moment: a kubelet that boots now would register by itself."""
    disturb(scene, REBOOT, next(step for step in loud_steps() if step.task.startswith("Create the Node anew")))
