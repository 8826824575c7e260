"""A testbed as a whole: up, down, attach, and the removal of what killed runs left behind."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import binaries, objects, paths, processes
from .cilium_operator import CiliumOperator
from .client import Client
from .control_plane import COMPONENTS, ControlPlane
from .kwok import Kwok
from .spec import CiliumOperatorSpec, ControlPlaneSpec, HostSpec, KwokSpec, TestbedSpec

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
        self.name = directory.name
        self.index = paths.index_of(directory)
        self.spec = _read_spec(directory)
        self.control_plane = ControlPlane(directory, self.spec.control_plane, self.address)
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
    def address(self) -> str:
        """Where the API server listens: on the bridge when there are hosts, else on loopback."""
        if self.spec.hosts:
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
        """Bring a testbed up; it stays until `down`, or until the process `owner` is gone and somebody reaps."""
        remove_orphans()
        if (paths.testbeds_root() / spec.name).exists():
            _remove(paths.testbeds_root() / spec.name)
        directory, _index = paths.claim(spec.name)
        if owner is not None:
            record = {"pid": owner, "start_time": processes.start_time_of(owner)}
            (directory / "owner.json").write_text(json.dumps(record), encoding="utf-8")
        (directory / "spec.json").write_text(json.dumps(dataclasses.asdict(spec)), encoding="utf-8")
        try:
            testbed = cls(directory)
            testbed._start()
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
            known = ", ".join(sorted(path.name for path in paths.testbeds_root().iterdir())) or "none"
            raise NoSuchTestbedError(f"no testbed {name!r} (there are: {known})")
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
        if self.spec.kwok is not None or shown:
            self.kwok.start()
        if shown:
            objects.publish_control_plane(
                self.client, shown, self.spec.control_plane, self.control_plane.controller_manager_flags()
            )
        if self.spec.cilium is not None:
            self.cilium.start()
        if self.spec.hosts:
            from . import hosts

            hosts.start_all(self)

    def restart_controller_manager(self, **changes: Any) -> None:
        """Restart kube-controller-manager with other settings, and let its static pod show them."""
        self.control_plane.restart_controller_manager(**changes)
        shown = self.spec.control_plane.control_plane_node
        if shown:
            flags = self.control_plane.controller_manager_flags()
            objects.publish_control_plane(self.client, shown, self.control_plane.spec, flags)

    def down(self) -> None:
        """Take everything down and delete the run folder."""
        _remove(self.directory)


def _read_spec(directory: Path) -> TestbedSpec:
    values = json.loads((directory / "spec.json").read_text(encoding="utf-8"))

    def tuples(mapping: dict[str, Any]) -> dict[str, Any]:
        return {key: tuple(value) if isinstance(value, list) else value for key, value in mapping.items()}

    plane = tuples(values["control_plane"])
    plane["extra_arguments"] = tuples(plane["extra_arguments"])
    return TestbedSpec(
        name=values["name"],
        control_plane=ControlPlaneSpec(**plane),
        cilium=CiliumOperatorSpec(**tuples(values["cilium"])) if values["cilium"] else None,
        kwok=KwokSpec(**values["kwok"]) if values["kwok"] else None,
        hosts=tuple(HostSpec(**host) for host in values["hosts"]),
    )


def _remove(directory: Path) -> None:
    """Remove a testbed from its files alone: processes, guests, mounts, cgroups, bridge, folder. Idempotent."""
    for record in processes.records(directory):
        if not record.name.startswith("guest-"):
            processes.stop(directory, record.name, number=signal.SIGKILL)  # nothing of it is to be kept
    if (directory / "guests").exists() or (directory / "bridge").exists():
        from . import hosts

        hosts.cleanup(directory, paths.index_of(directory))
    shutil.rmtree(directory)


def _owner_is_gone(directory: Path) -> bool:
    path = directory / "owner.json"
    if not path.exists():
        return False
    owner = json.loads(path.read_text(encoding="utf-8"))
    return processes.start_time_of(owner["pid"]) != owner["start_time"]


def remove_orphans() -> list[str]:
    """Remove every testbed whose owner is gone; their names."""
    removed = []
    with paths.exclusive("reaper"):
        for directory in sorted(paths.testbeds_root().iterdir()):
            if _owner_is_gone(directory):
                _remove(directory)
                removed.append(directory.name)
    return removed
