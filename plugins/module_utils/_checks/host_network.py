# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of what CNI works with on the hosts, against the Nodes' podCIDRs: pods that are Ready and that nobody can reach.

The hosts were read over SSH, where the user asked for it; what was not read is unknown.
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterator, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import counted, first, listed
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_network


def check(context: Context) -> Iterator[Finding]:
    """Findings for each host that was read, and one for all that could not be."""
    silent = {str(host.get("node")): str(host["error"]) for host in context.state.of("hosts") if host.get("error")}
    for host in sorted(context.state.of("hosts"), key=lambda one: str(one.get("node"))):
        node = str(host.get("node") or "")
        if node in context.node_cidrs and node not in silent:
            yield from _configs(node, host)
            if context.ipam_model.node_spec_is_truth and context.node_cidrs[node]:
                yield from _drift(node, host, context.node_cidrs[node])
    if silent:
        yield Finding(
            "host-not-read",
            Subject("Hosts", "not read"),
            f"{counted(len(silent), 'host')} could not be read: {listed(silent)}",
            {"errors": {name: silent[name] for name in first(silent)}, "count": len(silent)},
        )


def _configs(node: str, host: Object) -> Iterator[Finding]:
    files = [str(one.get("file") or "") for one in host.get("conflists") or ()]
    if not files:
        yield Finding(
            "host-cni-config-missing",
            Subject("Node", node),
            f"There is no CNI configuration on host {node}",
            {"bridge_addresses": list(host.get("bridge_addresses") or ()), "files": []},
        )
    elif len(files) > 1:
        yield Finding(
            "host-cni-configs-several",
            Subject("Node", node),
            f"Host {node} has {len(files)} CNI configurations; {min(files)} is used, {listed(sorted(files)[1:])} not",
            {"files": first(files), "count": len(files), "used": min(files)},
        )


def _drift(node: str, host: Object, cidrs: Sequence[Network]) -> Iterator[Finding]:
    """Only the configuration that the runtime takes, the first by name, decides about new pods."""
    subject = Subject("Node", node)
    own = [str(network) for network in cidrs]
    used: Object = min(host.get("conflists") or ({},), key=lambda one: str(one.get("file") or ""))
    subnets = _foreign(used.get("subnets") or (), cidrs)
    if subnets:
        yield Finding(
            "host-cni-config-drift",
            subject,
            f"CNI on host {node} gives out addresses of {', '.join(subnets)}; the Node's podCIDRs are {', '.join(own)}",
            {"file": str(used.get("file") or ""), "subnets": subnets, "pod_cidrs": own},
        )
    addresses = _foreign(host.get("bridge_addresses") or (), cidrs)
    if addresses:
        bridge = str(used.get("bridge") or "the bridge")
        yield Finding(
            "host-bridge-address-drift",
            subject,
            f"{bridge} on host {node} has {', '.join(addresses)}; the Node's podCIDRs are {', '.join(own)}",
            {"bridge": bridge, "addresses": addresses, "pod_cidrs": own},
        )
    flannel = _foreign(host.get("flannel_subnets") or (), cidrs)
    if flannel:
        yield Finding(
            "host-flannel-state-drift",
            subject,
            f"/run/flannel/subnet.env on host {node} has {', '.join(flannel)}; the Node's podCIDRs are {', '.join(own)}",
            {"subnets": flannel, "pod_cidrs": own},
        )


def section(context: Context) -> dict[str, t.Any] | None:
    """How many hosts were read over SSH, and which could not be; None where nobody asked for it."""
    hosts = context.state.of("hosts")
    if not hosts:
        return None
    silent = sorted(str(host.get("node")) for host in hosts if host.get("error"))
    return {"hosts": len(hosts), "not_read": len(silent), "not_read_hosts": silent[:10]}


def _foreign(texts: Sequence[str], cidrs: Sequence[Network]) -> list[str]:
    """Subnets, or addresses with a prefix length, that overlap no podCIDR; link-local addresses are no sign."""
    found = []
    for text in texts:
        try:
            network = parse_network(text)
        except CidrError:
            continue
        address = ipaddress.ip_interface(text.strip()).ip
        if address.is_link_local or not any(one.version == network.version for one in cidrs):
            continue
        if not any(one.version == network.version and one.overlaps(network) for one in cidrs):
            found.append(text.strip())
    return found
