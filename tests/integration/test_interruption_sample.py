"""A few interruptions of the whole matrix together, on the way of one Node.

Every day the same ones, so that what fails has come with the change; `make test-long` adds others, each time different
ones, to the whole matrix. `PODNET_INTERRUPTIONS_SEED` gives all of them another seed, or repeats one that has failed.
"""

from __future__ import annotations

import os
import random

import pytest

from harness.breakages import API, CONTROLLERS, FAULTS, LINK, steps_of_fault
from harness.holds import HOLDS, step_of_wait
from harness.interruptions import Kill, loud_steps, places_of
from harness.journey import Fault, Journey, Leg
from harness.rolling_scene import Scene
from harness.safety_rules import times_out

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

SEED = "PODNET_INTERRUPTIONS_SEED"
SEED_OF_EVERY_DAY = 13


def sample(seed: int) -> list[Leg]:
    """Two kills anywhere, one inside a wait, and a fault, in the order of their steps and never two at the same.

    Cutting the link is left out: that takes half a minute each time, until it is noticed.
    """
    chance = random.Random(seed)
    steps = loud_steps()
    legs: dict[int, Leg] = {}
    fault = chance.choice([one for one in FAULTS if one is not LINK])
    step = chance.choice(steps_of_fault(fault))
    legs[steps.index(step)] = Leg(step, fault)
    hold = chance.choice([one for one in HOLDS if steps.index(step_of_wait(one)) not in legs])
    legs[steps.index(step_of_wait(hold))] = Leg(step_of_wait(hold), hold, chance.random() < 0.5)
    for index in chance.sample([index for index in range(len(steps)) if index not in legs], 2):
        place = chance.choice(["start", *places_of(steps[index])])
        legs[index] = Leg(steps[index], Kill(steps[index], place, "h1"), chance.random() < 0.5)
    return [legs[index] for index in sorted(legs)]


def restarts_controllers(legs: list[Leg]) -> bool:
    """Whether the controller-manager is started anew, or ends without its API server.

    While a Node is out of range it would not stay up, and no run would go on, as test_controller_manager_that_exits says.
    """
    return any(isinstance(leg.what, Fault) and leg.what in (API, CONTROLLERS) for leg in legs)


@pytest.mark.parametrize(
    "others", [False, *(pytest.param(True, marks=pytest.mark.long, id=f"others-{number}") for number in range(4))]
)
def test_interrupted_again_and_again(capsys: pytest.CaptureFixture[str], others: bool) -> None:
    """Each time the same command again at once: nothing is lost, no rule is broken, and nothing shows of it in the end."""
    seed = random.SystemRandom().randrange(1_000_000) if others else SEED_OF_EVERY_DAY
    seed = int(os.environ.get(SEED) or seed)
    with capsys.disabled():
        print(f"{SEED}={seed} repeats this")
    legs = sample(seed)
    with Scene.up("sample") as scene:
        if restarts_controllers(legs):
            scene.spread_workload()
            chosen = {"reassign_pod_cidrs_nodes": ["h1"], "reassign_pod_cidrs_even_if_healthy": True}
        else:
            scene.drift("h1")
            chosen = {}
        beside = scene.uids()["h2"]
        journey = Journey(scene, legs, **chosen)
        with scene.safe() as watch:
            journey.go()
        assert scene.uids()["h2"] == beside
        assert 1 <= times_out(watch.sights, "h1") <= len(journey.told)
        assert times_out(watch.sights, "h2") == 0
        scene.wait_healthy()
