# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of pod addresses against the podCIDRs of their Nodes: the drift that nothing else shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.pod_cidrs import SHOWN, texts
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Address, is_within


def full_name(pod: Object) -> str:
    """namespace/name."""
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}"


@dataclass
class ForeignPods:
    """Pods of one Node with addresses outside its podCIDRs: {pod: addresses}.

    ``younger`` are those that were created after the Node was registered: they show that CNI on the host still gives
    out the old addresses, and not only that old pods are left.
    """

    pods: dict[str, list[str]] = field(default_factory=dict)
    younger: set[str] = field(default_factory=set)


def foreign_addresses(context: Context) -> dict[str, ForeignPods]:
    """{Node: its pods with foreign addresses} for Nodes that are known, in the families that Node.spec decides about."""
    created = {name_of(node): node["metadata"].get("creationTimestamp") or "" for node in context.state.nodes}
    found: dict[str, ForeignPods] = {}
    spans, families = context.node_spans, context.judged_families
    for (pod, addresses), keys in zip(context.network_pods, context.address_keys, strict=True):
        node = pod["spec"]["nodeName"]
        of_node = spans.get(node)
        if of_node is None:
            continue
        outside = [
            str(address)
            for address, key in zip(addresses, keys, strict=True)
            if not is_within(key, of_node) and address.version in families
        ]
        if outside:
            foreign = found.setdefault(node, ForeignPods())
            foreign.pods[full_name(pod)] = outside
            # both are RFC 3339 in UTC with full seconds, as the API server writes them: they compare as texts
            if created[node] and (pod["metadata"].get("creationTimestamp") or "") > created[node]:
                foreign.younger.add(full_name(pod))
    return found


def check(context: Context) -> Iterator[Finding]:
    """Foreign addresses, one finding for each Node, and addresses that two pods have."""
    if context.ipam_model.node_spec_is_truth:
        yield from _foreign(context)
    if context.ipam_model.addresses_are_unique:
        yield from _duplicates(context)


def _foreign(context: Context) -> Iterator[Finding]:
    for node, foreign in sorted(foreign_addresses(context).items()):
        ordered = sorted(foreign.pods.items())
        cidrs = texts(context.node_cidrs[node]) if context.node_cidrs[node] else "no podCIDR"
        count = f"{len(ordered)} pods" if len(ordered) > 1 else "1 pod"
        summary = f"Node {node} ({cidrs}) runs {count} with other addresses, for example {ordered[0][0]} with "
        summary += ", ".join(ordered[0][1])
        if foreign.younger:
            summary += f"; {len(foreign.younger)} younger than the Node, so CNI on the host still has an earlier CIDR"
        yield Finding(
            "pod-address-outside-node-cidr",
            Subject("Node", node),
            summary,
            {
                "count": len(ordered),
                "younger_than_the_node": len(foreign.younger),
                "pod_cidrs": [str(network) for network in context.node_cidrs[node]],
                "pods": [{"pod": pod, "addresses": outside} for pod, outside in ordered[:SHOWN]],
            },
        )


def _duplicates(context: Context) -> Iterator[Finding]:
    """A pod that is being deleted does not count: its address may be free, and with the next pod, already."""
    seen: set[int] = set()
    several: set[int] = set()
    for keys in context.address_keys:
        for key in keys:
            (several if key in seen else seen).add(key)
    holders: dict[Address, list[tuple[str, str]]] = {}
    for (pod, addresses), keys in zip(context.network_pods, context.address_keys, strict=True) if several else ():
        if several.isdisjoint(keys) or pod["metadata"].get("deletionTimestamp"):
            continue
        for address, key in zip(addresses, keys, strict=True):
            if key in several:
                holders.setdefault(address, []).append((full_name(pod), pod["spec"]["nodeName"]))
    for address, pods in holders.items():
        if len(pods) > 1:
            shown = sorted(pods)[:SHOWN]
            names = ", ".join(f"{pod} on {node}" for pod, node in shown)
            yield Finding(
                "pod-address-duplicate",
                Subject("Address", str(address)),
                f"{len(pods)} pods have the address {address}: {names}",
                {"pods": [{"pod": pod, "node": node} for pod, node in shown], "count": len(pods)},
            )
