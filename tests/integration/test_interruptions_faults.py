"""What breaks while a Node is out: the API server, the controller-manager, the host, the way to the host.

The run either outlives it, or stops with words that say how to go on; then the same command again finishes. The end is
that of an undisturbed run, and the observer's rules hold all the time. The matrix belongs to `make test-long`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from harness.breakages import FAULTS, LINK, legs_of_fault
from harness.journey import Fault, Journey
from harness.rolling_scene import Scene, Scenes
from harness.safety_rules import times_out

Record = Callable[[str, object], None]
pytestmark = [pytest.mark.testbed, pytest.mark.hosts, pytest.mark.long]


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


@pytest.mark.parametrize("half", [0, 1], ids=["first-half", "second-half"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_in_every_step(scene: Scene, fault: Fault, half: int, record_property: Record) -> None:
    """One fault in one step after the other, on the way of one Node: in each half of it at every step."""
    legs = legs_of_fault(fault)
    legs = legs[len(legs) // 2 :] if half else legs[: len(legs) // 2]
    scene.spread_workload()
    journey = Journey(
        scene,
        legs,
        reassign_pod_cidrs_nodes=["h1"],
        reassign_pod_cidrs_even_if_healthy=True,
        reassign_pod_cidrs_host_timeout=20 if fault is LINK else 60,  # so long a cut link is waited for each time
    )
    with scene.safe() as watch:
        before = scene.uids()
        journey.go()
    after = scene.uids()
    record_property("faults", len(legs))
    record_property("journey", str(journey))
    assert after["h1"] != before["h1"]
    assert after["h2"] == before["h2"]
    assert 1 <= times_out(watch.sights, "h1") <= len(journey.told)
    scene.wait_healthy()
