# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of how many pods a Node may run against how many addresses its block has.

A /24 has 254 addresses, of which the bridge or the first hop takes one (host-local). The default of a kubelet is 110 pods,
so a /25 fits and a /26 does not. Nodes of Cilium are judged by their endpoints (cilium_ipam_addresses).
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.enumeration import counted, first, listed
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding_kind import INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import is_within

# network and broadcast address, and the gateway
_TAKEN_BY_HOST_LOCAL = 3


@dataclass(frozen=True)
class NodeAddresses:
    """Addresses of one Node's block: how many pods can have one, and how many have. ``used`` is None when pods are
    unknown."""

    capacity: int
    used: int | None

    @property
    def free(self) -> int | None:
        """How many further pods can have one, never below zero."""
        return None if self.used is None else max(self.capacity - self.used, 0)

    def to_dict(self) -> dict[str, int | None]:
        """JSON form."""
        return {"capacity": self.capacity, "used": self.used, "free": self.free}


@functools.lru_cache(maxsize=256)
def usable(bits: int) -> int:
    """Addresses for pods in a block with so many host bits."""
    return max((1 << bits) - _TAKEN_BY_HOST_LOCAL, 0)


def addresses(context: Context) -> dict[str, NodeAddresses]:
    """{Node: addresses of its smallest block}; empty where Node.spec does not decide about addresses, or Cilium does."""
    if not context.ipam_model.node_spec_is_truth or context.cilium.installed:
        return {}
    known = "pods" not in context.state.unknown
    used = _used(context) if known else Counter()
    return {
        name: NodeAddresses(
            min(usable(network.max_prefixlen - network.prefixlen) for network in cidrs),
            used[name] if known else None,
        )
        for name, cidrs in context.node_cidrs.items()
        if cidrs
    }


def _used(context: Context) -> Counter[str]:
    """Pods of each Node that hold an address of its podCIDRs."""
    spans = context.node_spans
    inside: list[str] = []
    for (pod, _addresses), keys in zip(context.network_pods, context.address_keys, strict=True):
        node = pod["spec"]["nodeName"]
        of_node = spans.get(node, ())
        for key in keys:
            if is_within(key, of_node):
                inside.append(node)
                break
    return Counter(inside)


def pod_limit(node: Object) -> int | None:
    """maxPods of the kubelet; None when the Node does not say it as a plain number."""
    status = node.get("status") or {}
    for key in ("allocatable", "capacity"):
        text = str((status.get(key) or {}).get("pods") or "")
        if text.isascii() and text.isdecimal():
            return int(text)
    return None


def check(context: Context) -> Iterator[Finding]:
    """Nodes without a free address, and Nodes whose kubelet takes more pods than their block has addresses."""
    of_nodes = addresses(context)
    on_host = _host_network_pods(context)
    too_small: dict[tuple[int, int, bool], list[str]] = {}
    for node in context.state.nodes:
        name = name_of(node)
        found, limit = of_nodes.get(name), pod_limit(node)
        if found is None or limit is None or limit <= found.capacity:
            continue
        if found.used is not None and found.used >= found.capacity:
            yield _full(node, found, limit)
            continue
        # pods on the network of the host take a place of the kubelet, but no address
        really = limit - on_host[name] > found.capacity
        too_small.setdefault((limit, found.capacity, really), []).append(name)
    for (limit, capacity, really), names in sorted(too_small.items()):
        yield Finding(
            "node-block-too-small",
            Subject("Nodes", f"with {limit} pods on {capacity} addresses"),
            f"{counted(len(names), 'Node')} may run {limit} pods, but the block has {capacity} addresses for pods: "
            + listed(names),
            {"pods_allowed": limit, "addresses": capacity, "nodes": first(names), "count": len(names)},
            WARNING if really else INFO,
        )


def _full(node: Object, found: NodeAddresses, limit: int) -> Finding:
    name = name_of(node)
    cordoned = bool((node.get("spec") or {}).get("unschedulable"))
    return Finding(
        "node-addresses-exhausted",
        Subject("Node", name),
        f"Node {name} has no free address: {found.used} pods hold all {found.capacity}, and {limit} pods are allowed",
        {**found.to_dict(), "pods_allowed": limit, "cordoned": cordoned},
        WARNING if cordoned else "",
    )


def _host_network_pods(context: Context) -> Counter[str]:
    found: Counter[str] = Counter()
    for pod in context.state.of("pods"):
        spec = pod.get("spec") or {}
        if spec.get("hostNetwork") and (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES:
            found[str(spec.get("nodeName") or "")] += 1
    return found
