"""Cuts a guest's power and switches it on again: its disk is as it was, everything that ran is gone."""

from __future__ import annotations

import functools
import signal
from typing import TYPE_CHECKING

from .. import processes
from . import cgroups, guest, network
from .removal import forget_in_nspawn, retry

if TYPE_CHECKING:
    from ..testbed import Testbed


def cycle(testbed: Testbed, name: str) -> None:
    """End every process of a guest at once and boot it anew; it is not waited for until it answers.

    A reboot from inside would end nspawn as well: with --keep-unit it leaves starting again to its unit.
    """
    off(testbed, name)
    guest.boot(testbed, testbed.hosts[name], guest.folder_of(testbed.directory, name))


def off(testbed: Testbed, name: str) -> None:
    """End every process of a guest at once, and take its cable away."""
    run_dir, index = testbed.directory, testbed.index
    host = testbed.hosts[name]
    host.disconnect()
    links = network.bridge_ports(index, run_dir)
    processes.stop(run_dir, guest.record_name(name), number=signal.SIGKILL)
    cgroups.kill(index, name)
    forget_in_nspawn(index, name, guest.folder_of(run_dir, name) / "root")
    network.delete_links([link for link in links if link == guest.link_name(index, name)])
    retry(functools.partial(cgroups.remove, index, name))
    host.control_path.unlink(missing_ok=True)
