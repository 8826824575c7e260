# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of pod addresses against the podCIDRs of their Nodes: the drift that nothing else shows."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.pod_cidrs import SHOWN
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, network_pods
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Address


def full_name(pod: Object) -> str:
    """namespace/name."""
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"


def addresses(pod: Object) -> list[Address]:
    """The pod's addresses."""
    found = []
    for entry in pod["status"].get("podIPs") or ():
        try:
            found.append(ipaddress.ip_address(entry["ip"]))
        except ValueError:
            continue
    return found


def foreign_addresses(context: Context) -> dict[str, list[tuple[str, str]]]:
    """{Node: [(pod, address outside every podCIDR of its family)]} for Nodes that are known."""
    found: dict[str, list[tuple[str, str]]] = {}
    for pod in network_pods(context.state):
        node = pod["spec"]["nodeName"]
        if node not in context.node_cidrs:
            continue
        for address in addresses(pod):
            of_family = [network for network in context.node_cidrs[node] if network.version == address.version]
            if not any(address in network for network in of_family):
                found.setdefault(node, []).append((full_name(pod), str(address)))
    return found


def check(context: Context) -> Iterator[Finding]:
    """Foreign addresses, one finding for each Node, and addresses that two pods have."""
    if not context.ipam_model.node_spec_is_truth:
        return
    for node, pods in sorted(foreign_addresses(context).items()):
        cidrs = ", ".join(str(network) for network in context.node_cidrs[node]) or "no podCIDR"
        yield Finding(
            "pod-address-outside-node-cidr",
            Subject("Node", node),
            f"{len(pods)} pods on Node {node} ({cidrs}) have other addresses, for example {pods[0][0]} with {pods[0][1]}",
            {"count": len(pods), "pods": [{"pod": pod, "address": address} for pod, address in sorted(pods)[:SHOWN]]},
        )
    holders: dict[Address, list[str]] = {}
    for pod in network_pods(context.state):
        for address in addresses(pod):
            holders.setdefault(address, []).append(full_name(pod))
    for address, names in holders.items():
        if len(names) > 1:
            yield Finding(
                "pod-address-duplicate",
                Subject("Address", str(address)),
                f"{len(names)} pods have the address {address}: {', '.join(sorted(names)[:SHOWN])}",
                {"pods": sorted(names)[:SHOWN], "count": len(names)},
            )
