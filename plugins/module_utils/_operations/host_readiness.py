# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether a host is the machine of a Node and can be worked on, and how: its unit, its crictl, what its CNI left."""

from __future__ import annotations

import base64
import binascii
import datetime
import textwrap
import typing as t
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.certificate import CertificateError, common_name
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cni_cleanup import (
    Cleanup,
    cleanup_of,
    fixed_subnets,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import (
    HostReport,
    HostReportError,
    parse,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kubelet_unit import (
    AUTO,
    KubeletUnit,
    UnitError,
    argument,
    choose,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_identity import HostIdentity, verify

FIXED_SUBNET = "fixed-cni-subnet"
_NODE_USER = "system:node:"
_ROOT = "0"
_KIB_OF_MIB = 1024
_LEAST_INODES = 1000


@dataclass(frozen=True)
class HostQuestion:
    """``text`` is what read_host.sh printed on ``host``; ``unit`` is that of the kubelet, or AUTO."""

    host: str
    text: str
    unit: str = AUTO
    min_free_mib: int = 0
    accepted_risks: Collection[str] = ()


@dataclass(frozen=True)
class HostSteps:
    """How this host is worked on."""

    unit: KubeletUnit
    crictl: str
    cleanup: Cleanup

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form, as the role uses it."""
        return {
            "unit": self.unit.name,
            "distribution": self.unit.distribution,
            "crictl": self.crictl.split(),
            "cni": self.cleanup.cni,
            "links": list(self.cleanup.links),
            "folders": list(self.cleanup.folders),
            "files": list(self.cleanup.files),
            # a unit that runs containerd as well takes crictl's answers with it when it is stopped
            "remove_sandboxes": self.cleanup.sandboxes and not self.unit.own_runtime,
        }


def report_of(question: HostQuestion) -> HostReport:
    """The report of a host. Raises InputError when the text is none."""
    try:
        return parse(question.text)
    except HostReportError as error:
        raise InputError(f"host_report: what was read on {question.host} cannot be used: {error}.") from error


def prepare(node: Mapping[str, t.Any], question: HostQuestion, *, kubelet_runs: bool) -> HostSteps:
    """Judge the host of a Node, and say how it is worked on.

    ``kubelet_runs``: the Node is reported by a live kubelet, so its boot-id must be that of the host. Raises RefusedError in
    one sentence when this is another machine, or when its kubelet might not come back; InputError for a damaged report.
    """
    report = report_of(question)
    require_root(question.host, report, "reassign_pod_cidrs_become")
    try:
        unit = choose(report, question.host, question.unit)
    except UnitError as error:
        raise RefusedError(str(error)) from error
    certificate = _certificate(report, unit)
    identity = HostIdentity(question.host, report.machine_id, report.boot_id, certificate)
    verify(node, identity, kubelet_runs=kubelet_runs, now=datetime.datetime.now(datetime.timezone.utc))
    name = str((node.get("metadata") or {}).get("name") or "")
    _require_name(name, question.host, report, unit, certificate)
    _require_registration(question.host, report, unit)
    _require_room(question, report)
    cleanup = cleanup_of(report)
    if cleanup.sandboxes and not unit.own_runtime and report.crictl_problem:
        raise RefusedError(
            f"crictl does not answer on {question.host} ({report.crictl_command}: {report.crictl_problem}), so pods could not "
            "be removed from it; install it, or name its command."
        )
    _require_subnets_that_follow(question, report)
    return HostSteps(unit, report.crictl_command or "crictl", cleanup)


def require_root(host: str, report: HostReport, option: str) -> None:
    """Who could read the host may still not stop its kubelet, and that would be seen only when the node is drained.

    ``option`` of the role lets the user become root. Raises RefusedError.
    """
    if report.user_id not in ("", _ROOT):
        raise RefusedError(
            f"Host {host} was read by a user who is not root (its number is {report.user_id}), so the kubelet there could not be "
            f"stopped; log in as root, or let the user become root ({option}: true)."
        )


def _certificate(report: HostReport, unit: KubeletUnit) -> str:
    """The kubelet's client certificate as PEM text; empty when none was found."""
    named = report.certificates.get(unit.certificate)
    found = [named or "", *report.certificates.values()]
    content = next((text for text in found if text), "")
    if content:
        return f"-----BEGIN CERTIFICATE-----\n{textwrap.fill(content, 64)}\n-----END CERTIFICATE-----\n"
    for text in report.kubeconfig_certificates.values():
        try:
            return base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    return ""


def _require_name(name: str, host: str, report: HostReport, unit: KubeletUnit, certificate: str) -> None:
    """The kubelet of this host must register under the name of this Node."""
    try:
        user = common_name(certificate) if certificate else ""
    except CertificateError as error:
        raise RefusedError(f"The kubelet's client certificate on {host} cannot be read: {error}.") from error
    if user.startswith(_NODE_USER) and user != _NODE_USER + name:
        raise RefusedError(
            f"The kubelet on {host} is known to the cluster as Node {user.removeprefix(_NODE_USER)} (its client certificate), "
            f"not as {name}; correct the inventory."
        )
    for key in ("hostname-override", "node-name"):
        called = argument(report.units, unit.name, key)
        if called and called.lower() != name:
            raise RefusedError(
                f"The kubelet on {host} is started with --{key}={called}, so it would not register as Node {name}; correct "
                "the inventory, or set podnet_node_name for this host."
            )


def _require_registration(host: str, report: HostReport, unit: KubeletUnit) -> None:
    off = [f"registerNode: false in {file}" for file, value in report.register_node.items() if not value]
    if argument(report.units, unit.name, "register-node").lower() == "false":
        off.append("--register-node=false")
    if off:
        raise RefusedError(
            f"The kubelet on {host} does not register its Node ({off[0]}), so nothing would come back that only a kubelet "
            "writes; let it register, or register this Node as you did before."
        )


def _require_room(question: HostQuestion, report: HostReport) -> None:
    for room in report.disks:
        if room.free < question.min_free_mib * _KIB_OF_MIB:
            raise RefusedError(
                f"{room.folder} on {question.host} has {room.free // _KIB_OF_MIB} MiB left, less than {question.min_free_mib}: "
                "the kubelet might start into disk pressure; make room first."
            )
    for room in report.inodes:
        if question.min_free_mib and room.free < _LEAST_INODES:
            raise RefusedError(f"{room.folder} on {question.host} has {room.free} inodes left; make room first.")


def _require_subnets_that_follow(question: HostQuestion, report: HostReport) -> None:
    if FIXED_SUBNET in question.accepted_risks:
        return
    for file, subnet in fixed_subnets(report):
        raise RefusedError(
            f"{file.path} on {question.host} has a subnet written in it ({subnet}), which would stay as it is when the Node gets "
            "another podCIDR, so new pods could not be reached. Let the CNI plugin take it from the Node (conf_template of "
            f"containerd, or usePodCidr), or accept it with accepted_risks: [{FIXED_SUBNET}] and change the file yourself."
        )
