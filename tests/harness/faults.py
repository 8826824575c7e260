"""What breaks around a run: the API server, the controller-manager, the host, the way to the host."""

from __future__ import annotations

import signal
import subprocess
import time

from testbed import Testbed, processes
from testbed.hosts import guest, network, power

_SESSIONS = "systemctl stop ssh.socket ssh.service; pkill -KILL -x sshd || true"


def kill_api_server(testbed: Testbed) -> None:
    """`kill -9` of the API server."""
    processes.stop(testbed.directory, "kube-apiserver", number=signal.SIGKILL)


def start_api_server(testbed: Testbed) -> None:
    """Start it again and wait until it is ready."""
    testbed.control_plane.start_component("kube-apiserver")
    testbed.control_plane.wait_ready()


def restart_controller_manager(testbed: Testbed) -> None:
    """Stop and start it, as an upgrade of a control plane does."""
    testbed.restart_controller_manager()


def reboot(testbed: Testbed, host: str) -> None:
    """Cut the machine's power and switch it on again; it boots while the run goes on."""
    power.cycle(testbed, host)


def wait_up(testbed: Testbed, host: str) -> None:
    """Wait until SSH answers."""
    testbed.hosts[host].wait_ready()


def stop_ssh(testbed: Testbed, host: str) -> None:
    """Stop sshd and end the sessions that there are: connections are refused."""
    in_guest(testbed, host, _SESSIONS)


def start_ssh(testbed: Testbed, host: str) -> None:
    """Start sshd again."""
    in_guest(testbed, host, "systemctl start ssh.service")
    wait_up(testbed, host)


def cut_link(testbed: Testbed, host: str) -> None:
    """Take the guest's link off the bridge: packets vanish without an answer. The guest sees its link as up."""
    network.ip("link", "set", guest.link_name(testbed.index, host), "nomaster")


def mend_link(testbed: Testbed, host: str) -> None:
    """Put it on the bridge again."""
    link, bridge = guest.link_name(testbed.index, host), network.bridge_name(testbed.index)
    network.ip("link", "set", link, "master", bridge)
    wait_up(testbed, host)


def in_guest(testbed: Testbed, host: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in a guest without SSH; it is not waited for what a reboot cuts off."""
    end = time.monotonic() + 30
    while (pid := guest.init_pid(testbed.directory, host)) is None:
        assert time.monotonic() < end, f"{host} does not run"
        time.sleep(0.1)
    command = ["nsenter", "-t", str(pid), "-a", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
