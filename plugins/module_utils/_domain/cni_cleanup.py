# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a CNI leaves on a host that would keep the old pod CIDR, and what of it has to be removed while the kubelet is stopped.

Sources: containernetworking/plugins (bridge refuses a gateway address that is not its own: "cni0 already has an IP address
different from ..."), flannel (subnet.env, flannel.1), kube-router (kube-bridge), containerd (conf_template: the file is
written only when there is none). Cilium, Calico and Antrea keep their links and follow when their agent starts again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.host_report import CniFile, HostReport

RENDERED = "10-containerd-net.conflist"
_LEASES = ("/var/lib/cni/networks", "/var/lib/cni/results")
_WRITTEN_BY_AGENTS = re.compile(r"^(10-kuberouter\.conf(list)?|10-kindnet\.conflist|.*-flannel\.conflist)$")
_FIXED = re.compile(r"^[0-9a-fA-F.:]+/\d+$")


@dataclass(frozen=True)
class Cleanup:
    """``links`` and ``files`` are removed, ``folders`` are emptied; what is not there is nothing to do.

    ``sandboxes``: whether pods' sandboxes are removed, which gives their addresses back.
    """

    cni: str
    links: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sandboxes: bool = True


_FLANNEL_LINKS = ("cni0", "flannel.1", "flannel-v6.1")
_CANAL = Cleanup("canal", _FLANNEL_LINKS[1:], _LEASES, ("/run/flannel/subnet.env",))
_BY_TYPE: Mapping[str, Cleanup] = {
    "flannel": Cleanup("flannel", _FLANNEL_LINKS, (*_LEASES, "/var/lib/cni/flannel"), ("/run/flannel/subnet.env",)),
    "cilium-cni": Cleanup("cilium", sandboxes=False),
    "calico": Cleanup("calico", sandboxes=False),
    "antrea": Cleanup("antrea", sandboxes=False),
    "ptp": Cleanup("ptp", (), _LEASES),
}


def cleanup_of(report: HostReport) -> Cleanup:
    """What has to be removed on this host, by the CNI configuration that its container runtime uses.

    Without any, an earlier try has removed the rendered one: then what the bridge plugin leaves is looked for.
    """
    file = report.active_cni
    if file is None:
        return Cleanup("bridge", ("cni0",), _LEASES)
    kinds = file.all_of("type")
    main = kinds[0] if kinds else ""
    if main == "flannel" or (report.flannel_subnets and main == "bridge"):
        return _BY_TYPE["flannel"]
    if main == "calico" and report.flannel_subnets:
        return _CANAL
    if main in _BY_TYPE:
        return _BY_TYPE[main]
    if main == "bridge":
        bridge = (file.all_of("bridge") or ["cni0"])[0]
        cni = "kube-router" if bridge == "kube-bridge" else "bridge"
        files = (file.path,) if report.conf_template and file.file == RENDERED else ()
        return Cleanup(cni, (bridge,), _LEASES, files)
    return Cleanup(main or "unknown", (), (), ())


def fixed_subnets(report: HostReport) -> list[tuple[CniFile, str]]:
    """Subnets that are written in a CNI configuration and that nobody would write anew for another podCIDR."""
    found = []
    for file in report.cni_files:
        rendered = bool(report.conf_template) and file.file == RENDERED
        if rendered or _WRITTEN_BY_AGENTS.match(file.file):
            continue
        found += [(file, subnet) for subnet in file.all_of("subnet") if _FIXED.match(subnet)]
    return found
