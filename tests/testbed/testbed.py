"""A testbed as a whole: up, down, attach, and the removal of what killed runs left behind."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import binaries, operator_pods, paths, processes
from .cilium_operator import CiliumOperator
from .client import Client
from .control_plane import ControlPlane
from .kwok import Kwok
from .spec import COMPONENTS, CiliumOperatorSpec, KwokSpec, TestbedSpec

if TYPE_CHECKING:
    from .hosts.host import Host


class NoSuchTestbedError(LookupError):
    """There is no testbed of this name."""


class Testbed:
    """One running testbed; everything about it is in its run folder, so any process can attach to it."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        """Open the testbed in `directory` (see `up` and `attach`)."""
        self.directory = directory
        self._claimed = _claimed_at(directory)
        self.name = directory.name
        self.index = paths.index_of(directory)
        self._spec = TestbedSpec.from_json(json.loads((directory / "spec.json").read_text(encoding="utf-8")))
        self.control_plane = ControlPlane(directory, self._spec.control_plane, self.address)
        self.kwok = Kwok(directory, self.spec.kwok or KwokSpec(), self.control_plane)
        self.cilium = CiliumOperator(directory, self.spec.cilium or CiliumOperatorSpec(), self.control_plane)
        self.hosts: dict[str, Host] = {}
        self._client: Client | None = None
        if self.spec.hosts:
            from .hosts.host import Host

            self.hosts = {
                host.name: Host(directory, self.index, number, host.name) for number, host in enumerate(self.spec.hosts)
            }

    # -- where things are ------------------------------------------------------------------------------------------

    @property
    def spec(self) -> TestbedSpec:
        """What it consists of now; the controller-manager's part changes when it is restarted with other settings."""
        return dataclasses.replace(self._spec, control_plane=self.control_plane.spec)

    @property
    def address(self) -> str:
        """Where the API server listens: on the bridge when there are hosts, else on loopback."""
        if self._spec.hosts:
            from .hosts.network import bridge_address

            return bridge_address(self.index)
        return "127.0.0.1"

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig."""
        return self.control_plane.kubeconfig

    def kubeconfig_for(self, user: str, groups: tuple[str, ...] = ()) -> Path:
        """A kubeconfig of another user."""
        return self.control_plane.kubeconfig_for(user, groups)

    @property
    def inventory(self) -> Path:
        """Ansible inventory of the hosts."""
        return self.directory / "inventory.yml"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log (JSON lines)."""
        return self.control_plane.audit_log

    @property
    def client(self) -> Client:
        """A client with the admin's credentials."""
        if self._client is None:
            self._client = Client(self.kubeconfig)
        return self._client

    # -- life ------------------------------------------------------------------------------------------------------

    @classmethod
    @contextmanager
    def up(cls, spec: TestbedSpec) -> Iterator[Testbed]:
        """Bring a testbed up for the `with` block and take it down afterwards, whatever happens.

        When this process is killed, the next `up` of anybody removes it.
        """
        testbed = cls.create(spec, owner=os.getpid())
        try:
            yield testbed
        finally:
            testbed.down()

    @classmethod
    def create(cls, spec: TestbedSpec, owner: int | None = None) -> Testbed:
        """Bring a testbed up; it stays until `down`, or until the process `owner` is gone and somebody reaps.

        One of the same name is replaced, unless another living process owns it: that raises RuntimeError.
        """
        remove_orphans()
        responsible = os.getpid() if owner is None else owner  # should this process be killed before it is complete
        documents = {
            "spec.json": spec.to_json(),
            "owner.json": {"pid": responsible, "start_time": processes.start_time_of(responsible)},
        }
        _refuse_to_replace(paths.testbeds_root() / spec.name)
        _remove(paths.testbeds_root() / spec.name)
        directory, _index = paths.claim(spec.name, documents, _index_is_usable)
        try:
            testbed = cls(directory)
            testbed._start()
            if owner is None:
                (directory / "owner.json").unlink()
        except BaseException:
            if os.environ.get("PODNET_TESTBED_KEEP") != "1":
                _remove(directory)
            raise
        return testbed

    @classmethod
    def attach(cls, name: str) -> Testbed:
        """The running testbed `name`; NoSuchTestbedError when there is none."""
        directory = paths.testbeds_root() / name
        if not (directory / "spec.json").exists():
            raise _no_such(name)
        return cls(directory)

    def _start(self) -> None:
        programs = [*COMPONENTS]
        shown = self.spec.control_plane.control_plane_node
        if self.spec.kwok is not None or shown:
            programs.append("kwok")
        if self.spec.cilium is not None:
            programs.append("cilium-operator")
        if self.spec.hosts:
            programs += ["kubelet", "crictl", "kubectl"]
        binaries.locate(programs)
        if self.spec.hosts:
            from . import hosts

            hosts.prepare_network(self)
        self.control_plane.start()
        if self.spec.cilium is not None:
            self.cilium.start()
        self.control_plane.wait_usable()
        if self.spec.kwok is not None or shown:
            self.kwok.start()
        self.control_plane.publish()
        if self.spec.hosts:
            from . import hosts

            hosts.start_all(self)
        if self.spec.cilium is not None:
            self.cilium.wait_ready()

    def restart_controller_manager(self, **changes: Any) -> None:
        """Restart kube-controller-manager with other settings (see ControlPlane.restart_controller_manager)."""
        self.control_plane.restart_controller_manager(**changes)

    def down(self) -> None:
        """Take everything down and delete the run folder; a later testbed of the same name is left alone."""
        _remove(self.directory, self._claimed)


def _index_is_usable(index: int) -> bool:
    """No link of this index is there (it may be one of another cache folder)."""
    from .hosts.network import number_is_free

    return number_is_free(index)


def take_down(name: str) -> None:
    """Remove the testbed `name` from its files alone; NoSuchTestbedError when there is none."""
    directory = paths.testbeds_root() / name
    if not directory.exists():
        raise _no_such(name)
    _remove(directory)


def _no_such(name: str) -> NoSuchTestbedError:
    known = ", ".join(sorted(path.name for path in paths.testbeds_root().iterdir())) or "none"
    return NoSuchTestbedError(f"no testbed {name!r} (there are: {known})")


def _claimed_at(directory: Path) -> int:
    """When this folder was claimed, in nanoseconds: inodes are used again, this is not."""
    return (directory / "index.json").stat().st_mtime_ns


def _remove(directory: Path, claimed: int | None = None) -> None:
    """Remove a testbed from its files alone: processes, guests, mounts, cgroups, bridge, folder.

    Nothing there is fine, and so is another process that removes it at the same time. `claimed` tells a testbed from
    a later one of the same name, which is kept.
    """
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not directory.exists() or directory.stat().st_ino != os.fstat(handle).st_ino:
            return  # somebody else has removed it while we waited
        if claimed is not None and _claimed_at(directory) != claimed:
            return
        processes.stop(directory, operator_pods.NODE, number=signal.SIGKILL)  # it would start operators again
        for record in processes.records(directory):
            if not record.name.startswith("guest-"):
                processes.stop(directory, record.name, number=signal.SIGKILL)  # nothing of it is to be kept
        if (directory / "guests").exists() or (directory / "bridge").exists():
            from . import hosts

            hosts.cleanup(directory, paths.index_of(directory))
        paths.discard(directory)
    finally:
        os.close(handle)


def _refuse_to_replace(directory: Path) -> None:
    try:
        owner = json.loads((directory / "owner.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    if owner["pid"] != os.getpid() and processes.start_time_of(owner["pid"]) == owner["start_time"]:
        raise RuntimeError(f"the testbed {directory.name!r} is in use by process {owner['pid']}; choose another name")


def _owner_is_gone(directory: Path) -> bool:
    try:
        owner = json.loads((directory / "owner.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False  # made by `up` on the command line: stays until `down`
    return bool(processes.start_time_of(owner["pid"]) != owner["start_time"])


def remove_orphans() -> list[str]:
    """Remove every testbed whose owner is gone; their names."""
    removed = []
    with paths.exclusive("reaper"):
        for directory in sorted(paths.testbeds_root().iterdir()):
            if _owner_is_gone(directory):
                _remove(directory)
                removed.append(directory.name)
        paths.sweep()
    return removed
