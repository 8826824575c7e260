"""Flags of a copy's processes follow from how large it is: what renews and what waits must not be all that a machine does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.control_plane import ControlPlane
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.plane import NEEDED, PORTS, Plane


def plane(nodes: int) -> Plane:
    """The control plane of a copy with so many Nodes."""
    ports = {use: 20000 + number for number, use in enumerate(PORTS)}
    return Plane("/f", {name: f"/bin/{name}" for name in NEEDED}, ports, AllocatorSettings(), nodes)


@pytest.mark.parametrize(("nodes", "seconds"), [(8, 40), (200, 40), (201, 300), (750, 300), (5000, 2000)])
def test_leases_of_many_nodes_last_longer(nodes: int, seconds: int) -> None:
    """Above 750 Nodes there are ten renewals a second; no Node is out because its Lease is renewed late."""
    made = plane(nodes)
    assert made.lease_seconds == seconds and made.grace > made.lease_seconds
    assert f"--node-lease-duration-seconds={seconds}" in made.command("kwok")
    assert f"--node-monitor-grace-period={made.grace}s" in made.command("kube-controller-manager")
    assert nodes / (made.lease_seconds / 4) <= max(20, nodes / 10)


@pytest.mark.parametrize("name", ["kube-controller-manager", "kube-scheduler"])
@pytest.mark.parametrize(("nodes", "lease", "renewal"), [(8, 15, 10), (5000, 90, 60)])
def test_leaders_are_as_patient_as_their_copy_is_large(name: str, nodes: int, lease: int, renewal: int) -> None:
    """One that cannot renew its Lease in time ends, and nobody would start it again."""
    words = plane(nodes).command(name)
    assert f"--leader-elect-lease-duration={lease}s" in words and f"--leader-elect-renew-deadline={renewal}s" in words


def test_a_controller_manager_that_has_ended_is_no_rehearsal(tmp_path: Path) -> None:
    """Its last words are said; nothing would be collected and no podCIDR be given."""
    there = dataclasses.replace(plane(8), folder=str(tmp_path))
    control_plane = ControlPlane(there, lambda *_words, **_options: (1, "", ""))
    log = Path(control_plane.processes.log_of("kube-controller-manager"))
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("leaderelection lost\n", encoding="utf-8")
    with pytest.raises(
        WaitTimeoutError, match=r"kube-controller-manager of the rehearsal has ended.*leaderelection lost"
    ):
        control_plane.require_controllers()
