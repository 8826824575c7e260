# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of addresses on each Node against its CIDRs: pods, router and health endpoint; pods that Cilium does not know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_addresses import (
    in_use,
    own_addresses,
    unmanaged,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import (
    KUBERNETES,
    CiliumIpam,
    of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Address, Network

_SHOWN = 10


def full_name(obj: Object) -> str:
    """namespace/name."""
    return f"{obj['metadata'].get('namespace') or ''}/{obj['metadata']['name']}"


def outside(addresses: Sequence[Address], cidrs: Sequence[Network]) -> list[str]:
    """Those that no CIDR of their family contains; nothing is said about a family without CIDR."""
    versions = {cidr.version for cidr in cidrs}
    # an address is in no network of the other family
    return [str(one) for one in addresses if one.version in versions and not any(one in cidr for cidr in cidrs)]


def foreign_pods(context: Context) -> dict[str, list[Object]]:
    """{Node: pods without endpoint whose address is none of Cilium's}: another CNI set them up."""
    ipam = of(context)
    found: dict[str, list[Object]] = {}
    if not ipam.has_cidrs:
        return found
    for node, pods in unmanaged(context).items():
        cidrs = ipam.cidrs(node)
        others = [pod for pod, addresses in pods if cidrs and outside(addresses, cidrs)]
        if others:
            found[node] = others
    return found


def check(context: Context) -> Iterator[Finding]:
    """Only where Nodes have CIDRs; in mode kubernetes pods are judged by Node.spec elsewhere."""
    ipam = of(context)
    if not ipam.has_cidrs:
        return
    for node, pods in sorted(foreign_pods(context).items()):
        names = sorted(full_name(pod) for pod in pods)
        yield Finding(
            "cilium-pod-unmanaged",
            Subject("Node", node),
            f"{len(names)} running pods of Node {node} are not managed by Cilium, for example {names[0]}",
            {"count": len(names), "pods": names[:_SHOWN], "cidrs": [str(cidr) for cidr in ipam.cidrs(node)]},
        )
    yield from _own(ipam)
    if ipam.mode != KUBERNETES:
        yield from _pods(context, ipam)


def _own(ipam: CiliumIpam) -> Iterator[Finding]:
    """A router address that is configured (local-router-ipv4, local-router-ipv6) need not be of the Node's CIDR."""
    for name, cilium_node in ipam.cilium_nodes.items():
        cidrs = ipam.cidrs(name)
        left = [
            (use, text)
            for use, address in own_addresses(cilium_node)
            for text in outside([address], cidrs)
            if use != "router" or not ipam.cilium.value(f"local-router-ipv{address.version}").strip()
        ]
        if left:
            texts = " and ".join(f"{use} address {text}" for use, text in left)
            verb = "are" if len(left) > 1 else "is"
            yield Finding(
                "cilium-router-address-outside",
                Subject("Node", name),
                f"The {texts} of Node {name} {verb} in none of its CIDRs ({', '.join(map(str, cidrs[:_SHOWN]))})",
                {
                    "addresses": [{"use": use, "address": text} for use, text in left],
                    "cidrs": [str(cidr) for cidr in cidrs[:_SHOWN]],
                },
            )


def _pods(context: Context, ipam: CiliumIpam) -> Iterator[Finding]:
    """By endpoints where each pod has one: a pod without is not, or not yet, a matter of Cilium's CIDRs; else by pods."""
    cidrs = {name: ipam.cidrs(name) for name in ipam.cilium_nodes}
    left: dict[str, dict[str, list[str]]] = {}
    if ipam.state.knows("ciliumendpoints"):
        for endpoint, addresses in zip(ipam.endpoints, in_use(context).of_endpoints, strict=True):
            texts = outside(addresses, cidrs.get(endpoint.node, ()))
            if texts:
                left.setdefault(endpoint.node, {})[endpoint.name] = texts
    if not ipam.has_endpoints:
        for pod, addresses in context.network_pods:
            node = pod["spec"]["nodeName"]
            texts = outside(addresses, cidrs.get(node, ()))
            if texts:
                left.setdefault(node, {})[full_name(pod)] = texts
    for node, pods in sorted(left.items()):
        ordered = sorted(pods.items())
        held = ", ".join(map(str, cidrs[node][:_SHOWN]))
        yield Finding(
            "cilium-address-outside-node-cidr",
            Subject("Node", node),
            f"Node {node} ({held}) has {len(ordered)} pods or endpoints with other addresses, for example "
            f"{ordered[0][0]} with {', '.join(ordered[0][1])}",
            {
                "count": len(ordered),
                "cidrs": [str(cidr) for cidr in cidrs[node][:_SHOWN]],
                "pods": [{"pod": name, "addresses": texts} for name, texts in ordered[:_SHOWN]],
            },
        )
