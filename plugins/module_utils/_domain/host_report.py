# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What was read on the host of a node, from the lines that the role's read_host.sh prints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


class HostReportError(ValueError):
    """The text is not what read_host.sh prints."""


@dataclass(frozen=True)
class Unit:
    """A systemd unit that is loaded. ``arguments`` are those of its process that matter here, as ``NAME=VALUE``."""

    name: str
    active: bool
    enabled: bool
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class CniFile:
    """A CNI configuration: ``values`` are its pairs of type, bridge and subnet in their order."""

    path: str
    values: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> str:
        """Name without folder: container runtimes take the first by it."""
        return self.path.rpartition("/")[2]

    def all_of(self, key: str) -> list[str]:
        """Values of one key."""
        return [value for name, value in self.values if name == key]


@dataclass(frozen=True)
class Room:
    """Free and all of what a file system has: KiB, or inodes."""

    folder: str
    free: int
    total: int


@dataclass
class HostReport:
    """A host. ``certificates`` and ``kubeconfig_certificates`` map paths to base64 texts; empty ones were not found.

    ``register_node``: {file of a kubelet configuration: whether its kubelet registers}. ``addresses`` are
    ``(link, address with prefix length)``. ``crictl_problem`` is empty when crictl answers. ``user_id`` is the number of the
    user who has read it; empty is unknown.
    """

    user_id: str = ""
    machine_id: str = ""
    boot_id: str = ""
    hostname: str = ""
    units: list[Unit] = field(default_factory=list)
    register_node: dict[str, bool] = field(default_factory=dict)
    certificates: dict[str, str] = field(default_factory=dict)
    kubeconfig_certificates: dict[str, str] = field(default_factory=dict)
    conf_template: str = ""
    cni_files: list[CniFile] = field(default_factory=list)
    flannel_subnets: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    addresses: list[tuple[str, str]] = field(default_factory=list)
    crictl_command: str = ""
    crictl_problem: str = "it was not asked"
    disks: list[Room] = field(default_factory=list)
    inodes: list[Room] = field(default_factory=list)

    @property
    def active_cni(self) -> CniFile | None:
        """The configuration that a container runtime takes: the first by its name."""
        return min(self.cni_files, key=lambda one: one.file, default=None)


def parse(text: str) -> HostReport:
    """The report of a text. Raises HostReportError when it is none, or when the host has no machine-id."""
    report = HostReport()
    config = ""
    for line in text.splitlines():
        word, _space, rest = line.strip().partition(" ")
        rest = rest.strip()
        if word == "kubelet-config":
            config = rest
        elif word == "register-node":
            report.register_node[config] = rest.rpartition(":")[2].strip().lower() != "false"
        elif word in _LINES:
            try:
                _LINES[word](report, rest)
            except (IndexError, ValueError) as error:
                raise HostReportError(f"the line '{line[:80]}' cannot be read") from error
    if not report.machine_id:
        raise HostReportError("it has no machine-id, so it cannot be told which machine this is")
    return report


def _unit(report: HostReport, rest: str) -> None:
    name, active, *enabled = rest.split()
    report.units.append(Unit(name, active in ("active", "activating", "reloading"), enabled[:1] == ["enabled"]))


def _argument(report: HostReport, rest: str) -> None:
    name, argument = rest.split(maxsplit=1)
    known = [unit.name for unit in report.units].index(name)
    unit = report.units[known]
    report.units[known] = Unit(unit.name, unit.active, unit.enabled, (*unit.arguments, argument))


def _certificate(report: HostReport, rest: str) -> None:
    path, _space, content = rest.partition(" ")
    report.certificates[path] = content


def _kubeconfig_certificate(report: HostReport, rest: str) -> None:
    path, _space, content = rest.partition(" ")
    report.kubeconfig_certificates[path] = content


def _cni_value(report: HostReport, rest: str) -> None:
    key, _space, value = rest.partition(" ")
    file = report.cni_files[-1]
    report.cni_files[-1] = CniFile(file.path, (*file.values, (key, value)))


def _address(report: HostReport, rest: str) -> None:
    link, address = rest.split()
    report.addresses.append((link, address))


def _crictl(report: HostReport, rest: str) -> None:
    word, _space, problem = rest.partition(" ")
    report.crictl_problem = "" if word == "ok" else problem or "it failed"


def _room(rest: str) -> Room:
    folder, free, total = rest.rsplit(maxsplit=2)
    return Room(folder, int(free), int(total))


_LINES: dict[str, Callable[[HostReport, str], None]] = {
    "user-id": lambda report, rest: setattr(report, "user_id", rest),
    "machine-id": lambda report, rest: setattr(report, "machine_id", rest),
    "boot-id": lambda report, rest: setattr(report, "boot_id", rest),
    "hostname": lambda report, rest: setattr(report, "hostname", rest),
    "unit": _unit,
    "argument": _argument,
    "certificate": _certificate,
    "kubeconfig-certificate": _kubeconfig_certificate,
    "conf-template": lambda report, rest: setattr(report, "conf_template", rest),
    "cni-file": lambda report, rest: report.cni_files.append(CniFile(rest)),
    "cni-value": _cni_value,
    "flannel-subnet": lambda report, rest: report.flannel_subnets.append(rest),
    "link": lambda report, rest: report.links.append(rest),
    "address": _address,
    "crictl-command": lambda report, rest: setattr(report, "crictl_command", rest),
    "crictl": _crictl,
    "disk": lambda report, rest: report.disks.append(_room(rest)),
    "inodes": lambda report, rest: report.inodes.append(_room(rest)),
}
