"""The faults that can hit a run, and the steps in which each can."""

from __future__ import annotations

from collections import Counter

from . import faults
from .interruptions import every_loud_step, loud_steps, reaches_cluster
from .journey import Fault, Leg
from .static_pods import wait_controllers
from .stepped_run import Step

API = Fault(
    "api-server",
    lambda testbed, _host: faults.kill_api_server(testbed),
    meanwhile=lambda testbed, _host: faults.start_api_server(testbed),
    afterwards=wait_controllers,
)
CONTROLLERS = Fault(
    "controller-manager",
    lambda testbed, _host: faults.restart_controller_manager(testbed),
    afterwards=wait_controllers,
)
REBOOT = Fault("reboot", faults.reboot, afterwards=faults.wait_up, lasts=True)
SSH = Fault("sshd", faults.stop_ssh, afterwards=faults.start_ssh, lasts=True)
LINK = Fault("link", faults.cut_link, afterwards=faults.mend_link, lasts=True)
FAULTS = (API, CONTROLLERS, REBOOT, SSH, LINK)


def steps_of_fault(fault: Fault) -> list[Step]:
    """The steps that it can hit, in their order. The host matters from the first step that looks at it."""
    steps = loud_steps()
    if fault in (API, CONTROLLERS):
        return [step for step in steps if reaches_cluster(step)]
    on_host = [step for step in steps if not reaches_cluster(step)]
    return steps[steps.index(on_host[0]) :] if fault is REBOOT else on_host


def legs_of_fault(fault: Fault) -> list[Leg]:
    """The fault in each of these steps, each time that one run comes to it."""
    steps = set(steps_of_fault(fault))
    times: Counter[Step] = Counter()
    legs = []
    for step in every_loud_step():
        times[step] += 1
        if step in steps:
            legs.append(Leg(step, fault, time=times[step]))
    return legs
