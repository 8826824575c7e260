"""Hosts of a testbed: systemd-nspawn guests with sshd, containerd and the real kubelet."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from .. import processes
from . import base, guest, images, limits, network
from .base import HostError
from .removal import cleanup

if TYPE_CHECKING:
    from ..testbed import Testbed

__all__ = ["HostError", "cleanup", "prepare_network", "start_all", "wait_registered"]


def prepare_network(testbed: Testbed) -> None:
    """Build what is missing (tree, images) and bring the bridge up: the API server will listen on it.

    Raises HostError when this machine cannot have hosts.
    """
    base.prepare()
    images.prepare()
    limits.require_room_for(len(testbed.hosts))
    (testbed.directory / "bridge").touch()  # before the bridge: whoever cleans up must know of it
    network.bridge_up(testbed.index, testbed.directory)


def start_all(testbed: Testbed) -> None:
    """Boot all hosts, wait until each answers over SSH and its Node is Ready, and keep their routes in step."""
    for name in ("ssh-key", "ssh-host-key"):
        key = testbed.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    for host in testbed.hosts.values():
        guest.start(testbed, host)
    _write_inventory(testbed)
    with ThreadPoolExecutor(len(testbed.hosts)) as pool:
        list(pool.map(lambda host: host.wait_ready(), testbed.hosts.values()))
    argv = [sys.executable, "-m", "testbed.hosts.routes", str(testbed.directory)]
    processes.start(testbed.directory, "route-sync", argv, cwd=Path(__file__).parents[2])
    for name in testbed.hosts:
        wait_registered(testbed, name)


def wait_registered(testbed: Testbed, name: str, *, uid_not: str = "", seconds: float = 180) -> None:
    """Wait until the Node of a host is Ready (and not the object with uid `uid_not`); TimeoutError after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        node = testbed.client.find(f"/api/v1/nodes/{name}")
        if node is not None and node["metadata"]["uid"] != uid_not:
            conditions = {entry["type"]: entry["status"] for entry in node["status"].get("conditions") or ()}
            if conditions.get("Ready") == "True":
                return
        if time.monotonic() > end:
            host = testbed.hosts[name]
            journal = host.run("journalctl -u kubelet -n 15 -o cat --no-pager", check=False).stdout
            raise TimeoutError(f"Node {name} is not Ready: {journal}")
        time.sleep(0.2)


def _write_inventory(testbed: Testbed) -> None:
    """An Ansible inventory of the hosts."""
    arguments = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    hosts = {
        host.name: {
            "ansible_host": host.address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(host.key),
            "ansible_ssh_common_args": arguments,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        for host in testbed.hosts.values()
    }
    testbed.inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts}}), encoding="utf-8")
