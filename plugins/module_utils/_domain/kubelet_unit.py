# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The systemd unit that runs the kubelet on a host, by distribution.

Sources: the packages of Kubernetes, k3s, RKE2, MicroK8s and k0s. A unit of a server also runs the control plane; those
of k3s and RKE2 take their own etcd member, where they have one and no external datastore, out of the cluster when their Node is
deleted (k3s, pkg/etcd/member_controller.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import HostReport, Unit

AUTO = "auto"


class UnitError(ValueError):
    """There is no unit that may be stopped."""


@dataclass(frozen=True)
class KubeletUnit:
    """``certificate``: where the kubelet's client certificate is. ``own_runtime``: the unit runs containerd as well, so
    crictl does not answer while it is stopped. ``server``: it also runs the control plane."""

    name: str
    distribution: str
    certificate: str
    own_runtime: bool = False
    server: bool = False


KNOWN: Mapping[str, KubeletUnit] = {
    unit.name: unit
    for unit in (
        KubeletUnit("kubelet", "Kubernetes", "/var/lib/kubelet/pki/kubelet-client-current.pem"),
        KubeletUnit("k3s-agent", "k3s", "/var/lib/rancher/k3s/agent/client-kubelet.crt", own_runtime=True),
        KubeletUnit("rke2-agent", "RKE2", "/var/lib/rancher/rke2/agent/client-kubelet.crt", own_runtime=True),
        KubeletUnit("snap.microk8s.daemon-kubelite", "MicroK8s", "/var/snap/microk8s/current/certs/kubelet.crt"),
        KubeletUnit("k0sworker", "k0s", "/var/lib/k0s/kubelet/pki/kubelet-client-current.pem", own_runtime=True),
        KubeletUnit("k3s", "k3s", "/var/lib/rancher/k3s/agent/client-kubelet.crt", own_runtime=True, server=True),
        KubeletUnit(
            "rke2-server", "RKE2", "/var/lib/rancher/rke2/agent/client-kubelet.crt", own_runtime=True, server=True
        ),
        KubeletUnit(
            "k0scontroller", "k0s", "/var/lib/k0s/kubelet/pki/kubelet-client-current.pem", own_runtime=True, server=True
        ),
    )
}


def choose(report: HostReport, host: str, wanted: str = AUTO) -> KubeletUnit:
    """The unit of the host: the wanted one, or the known one that runs, is enabled, or at least is there.

    Raises UnitError, in one sentence, when there is none, when there are several, or when it is one of a server.
    """
    if wanted != AUTO:
        name = wanted.removesuffix(".service")
        if all(unit.name != name for unit in report.units):
            raise UnitError(f"Host {host} has no unit {wanted}; correct the option for the kubelet's unit.")
        others = [unit.name for unit in report.units if unit.active and unit.name in KNOWN and unit.name != name]
        if name not in KNOWN and others:
            raise UnitError(
                f"Host {host} runs its kubelet in the unit {others[0]}, so {wanted} is not stopped for it; correct the option "
                "for the kubelet's unit."
            )
        return _allowed(KNOWN.get(name, KubeletUnit(name, "Kubernetes", KNOWN["kubelet"].certificate)), host)
    present = [unit for unit in report.units if unit.name in KNOWN]
    best = [unit for unit in present if unit.active] or [unit for unit in present if unit.enabled] or present
    if not best:
        raise UnitError(
            f"Host {host} has none of the units that run a kubelet ({', '.join(KNOWN)}); name its unit, or do this node by "
            "hand when its kubelet is no systemd unit (Talos, RKE1)."
        )
    if len(best) > 1:
        raise UnitError(
            f"Host {host} has more than one unit that runs a kubelet ({', '.join(unit.name for unit in best)}); name the one."
        )
    return _allowed(KNOWN[best[0].name], host)


def _allowed(unit: KubeletUnit, host: str) -> KubeletUnit:
    if unit.server:
        raise UnitError(
            f"Host {host} runs {unit.name}, a server of {unit.distribution}: stopping its kubelet stops its API server too, and "
            "deleting its Node takes its member of an embedded etcd away, where it has one. There is no way around this; replace "
            "the server as its documentation says."
        )
    return unit


def argument(units: list[Unit], unit: str, name: str) -> str:
    """Value of an argument of the unit's process; empty when it has none."""
    for one in units:
        if one.name == unit:
            for text in one.arguments:
                key, _equals, value = text.partition("=")
                if key == name:
                    return value
    return ""
