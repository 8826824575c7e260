"""A few interruptions of the whole matrix for every day: other ones each time, on the way of one Node.

`PODNET_INTERRUPTIONS_SEED` repeats those of a run that has failed. The whole matrix belongs to `make test-long`.
"""

from __future__ import annotations

import os
import random

import pytest

from harness.breakages import FAULTS, LINK, steps_of_fault
from harness.holds import HOLDS, step_of_wait
from harness.interruptions import Kill, loud_steps, places_of
from harness.journey import Journey, Leg
from harness.rolling_scene import Scene
from harness.safety_rules import times_out

pytestmark = [pytest.mark.testbed, pytest.mark.hosts]

SEED = "PODNET_INTERRUPTIONS_SEED"


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


def test_interrupted_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Each time the same command again at once: nothing is lost, no rule is broken, and nothing shows of it in the end."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(1_000_000))
    with capsys.disabled():
        print(f"{SEED}={seed} repeats this")
    with Scene.up("sample") as scene:
        scene.drift("h1")
        others = scene.uids()["h2"]
        journey = Journey(scene, sample(seed))
        with scene.safe() as watch:
            journey.go()
        assert scene.uids()["h2"] == others
        assert 1 <= times_out(watch.sights, "h1") <= len(journey.told)
        assert times_out(watch.sights, "h2") == 0
        scene.wait_healthy()
