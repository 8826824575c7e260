# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Addresses of each Node that Cilium gives out: how many there are, in use and free; Nodes that run out of them."""

from __future__ import annotations

import typing as t
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, INFO
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import (
    ADDRESS_MODES,
    CiliumIpam,
    ipam_spec,
    of,
    parse_addresses,
    shown,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.endpoint_view import once
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    Address,
    Network,
    is_within,
    key_of_address,
    span,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    MULTI_POOL,
    usable_addresses,
)

_SHOWN = 10
# below this share of free addresses a Node is nearly full
_LOW_SHARE = 0.1
# what an agent takes for itself of each family: router and health endpoint
_OWN_ADDRESSES = 2


@dataclass(frozen=True)
class AddressUse:
    """Addresses of one Node in one family; ``family`` is empty where the cloud's addresses are counted."""

    family: str
    capacity: int
    used: int

    @property
    def free(self) -> int:
        """Never below zero: pods with addresses of an earlier CIDR do not count."""
        return max(0, self.capacity - self.used)


def own_addresses(cilium_node: Object) -> list[tuple[str, Address]]:
    """(what it is for, address): the router (CiliumInternalIP) and the health endpoint of an agent."""
    spec = cilium_node.get("spec") or {}
    texts = [
        ("router", entry.get("ip")) for entry in spec.get("addresses") or () if entry.get("type") == "CiliumInternalIP"
    ]
    texts += [("health", (spec.get("health") or {}).get(family)) for family in ("ipv4", "ipv6")]
    return [(use, address) for use, text in texts if text for address in parse_addresses([text])]


class _InUse(t.NamedTuple):
    """``by_node`` has everything, as numbers (see ``key_of_address``); ``of_endpoints`` stands beside ``CiliumIpam.endpoints``."""

    by_node: Mapping[str, set[int]]
    of_endpoints: list[tuple[Address, ...]]


@once
def in_use(context: Context) -> _InUse:
    """Addresses of the endpoints, pods, router and health endpoint of each Node, and those of each endpoint."""
    ipam = of(context)
    by_node: defaultdict[str, set[int]] = defaultdict(set)
    # most addresses of endpoints are those of pods: parsing is what takes time here
    parsed: dict[str, tuple[tuple[Address, ...], tuple[int, ...]]] = {}
    for (pod, addresses), keys in zip(context.network_pods, context.address_keys, strict=True):
        by_node[pod["spec"]["nodeName"]].update(keys)
        texts = pod["status"]["podIPs"]
        if len(texts) == 1 and addresses:
            parsed[texts[0]["ip"]] = addresses, keys
    of_endpoints = []
    for endpoint in ipam.endpoints:
        own = parsed.get(endpoint.texts[0]) if len(endpoint.texts) == 1 else None
        if own is None:
            found = tuple(parse_addresses(endpoint.texts))
            own = found, tuple(map(key_of_address, found))
        of_endpoints.append(own[0])
        if endpoint.node:
            by_node[endpoint.node].update(own[1])
    for name, cilium_node in ipam.cilium_nodes.items():
        by_node[name].update(key_of_address(address) for _use, address in own_addresses(cilium_node))
    return _InUse(dict(by_node), of_endpoints)


@once
def use_of_nodes(context: Context) -> dict[str, list[AddressUse]]:
    """{Node: use of each family}; a Node without CIDRs is left out, as is everything where addresses are unknown."""
    ipam = of(context)
    state = context.state
    if ipam.mode in ADDRESS_MODES and state.knows("ciliumnodes"):
        return {name: [found] for name, node in ipam.cilium_nodes.items() if (found := _single_addresses(node))}
    if not ipam.has_cidrs or not (state.knows("ciliumendpoints") or state.knows("pods")):
        return {}
    used = in_use(context).by_node
    asked = _allocations(context)
    made: dict[str, list[AddressUse]] = {}
    for name in ipam.cilium_nodes:
        by_version: dict[int, list[Network]] = {}
        for cidr in ipam.cidrs(name):
            by_version.setdefault(cidr.version, []).append(cidr)
        # the agent knows best; it may hold addresses that no object shows
        addresses = asked.get(name) or used.get(name, set())
        for version, cidrs in sorted(by_version.items()):
            spans = [span(cidr) for cidr in cidrs]
            inside = sum(1 for one in addresses if is_within(one, spans))
            capacity = sum(usable_addresses(cidr) for cidr in cidrs)
            made.setdefault(name, []).append(AddressUse(f"IPv{version}", capacity, inside))
    return made


def _single_addresses(node: Object) -> AddressUse | None:
    """Modes eni, azure, alibabacloud and crd: spec.ipam.pool against status.ipam.used."""
    pool = ipam_spec(node).get("pool")
    if not pool:
        return None
    used = ((node.get("status") or {}).get("ipam") or {}).get("used") or {}
    return AddressUse("", len(pool), sum(1 for address in used if address in pool))


def _allocations(context: Context) -> dict[str, set[int]]:
    """{Node: every address that its agent has given out} by ``ipam.allocations`` of cilium-dbg status."""
    found: dict[str, set[int]] = {}
    for answer in context.state.of("agents"):
        ipam = (answer.get("status") or {}).get("ipam")
        allocations = ipam.get("allocations") if isinstance(ipam, dict) else None
        if isinstance(allocations, dict) and allocations and answer.get("node"):
            # of another pool than the default one the key is POOL/ADDRESS
            addresses = parse_addresses(str(key).rsplit("/", 1)[-1] for key in allocations)
            found[answer["node"]] = set(map(key_of_address, addresses))
    return found


def scarcest(uses: list[AddressUse]) -> AddressUse:
    """The family that ends first."""
    return min(uses, key=lambda one: one.free)


def check(context: Context) -> Iterator[Finding]:
    """Nodes without, or nearly without, free addresses; blocks smaller than the Nodes' limit of pods."""
    ipam = of(context)
    uses = use_of_nodes(context)
    waiting = _waiting_pods(context)
    for name, found in uses.items():
        use = scarcest(found)
        if ipam.mode == MULTI_POOL and _grows(ipam, name, use):
            continue
        pods = waiting[name]
        family = f" {use.family}" if use.family else ""
        evidence: dict[str, t.Any] = {
            "family": use.family or None,
            "capacity": use.capacity,
            "used": use.used,
            "waiting_pods": pods,
        }
        evidence["cidrs"] = [str(cidr) for cidr in ipam.cidrs(name)[:_SHOWN]] if ipam.has_cidrs else []
        if not use.free:
            summary = f"All {use.capacity}{family} addresses of Node {name} are in use"
            summary += f"; {pods} pods wait there" if pods else ""
            level = CRITICAL if pods else ""
            yield Finding("cilium-node-addresses-exhausted", Subject("Node", name), summary, evidence, level)
        elif ipam.has_cidrs and use.free < _LOW_SHARE * use.capacity:
            summary = f"{use.free} of {use.capacity}{family} addresses of Node {name} are free"
            yield Finding("cilium-node-addresses-low", Subject("Node", name), summary, evidence)
    if ipam.mode == CLUSTER_POOL:
        yield from _too_small(ipam, uses)


def _grows(ipam: CiliumIpam, name: str, use: AddressUse) -> bool:
    """Multi-pool: whether the Node gets another block when it needs one."""
    pools = {pool for pool, cidr in ipam.allocated[name] if f"IPv{cidr.version}" == use.family}
    keys = [(pool, int(use.family[-1])) for pool in pools]
    return not ipam.has_pools or any(key in ipam.books.pools and ipam.books.free(key) > 0 for key in keys)


def _waiting_pods(context: Context) -> Counter[str]:
    """{Node: pods that have been waiting there for an address longer than a minute}."""
    limit = of(context).older_than(60)
    found: Counter[str] = Counter()
    for pod in context.state.of("pods"):
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        if status.get("phase") != "Pending":
            continue
        bound = spec.get("nodeName") and not spec.get("hostNetwork") and not pod["metadata"].get("deletionTimestamp")
        waits = bound and not status.get("podIPs")
        if waits and str(pod["metadata"].get("creationTimestamp") or "") < limit:
            found[spec["nodeName"]] += 1
    return found


def _too_small(ipam: CiliumIpam, uses: Mapping[str, list[AddressUse]]) -> Iterator[Finding]:
    small = {}
    for name, found in uses.items():
        text = str((((ipam.nodes.get(name) or {}).get("status") or {}).get("allocatable") or {}).get("pods") or "")
        room = scarcest(found).capacity - _OWN_ADDRESSES
        if text.isdecimal() and room < int(text):
            small[name] = (room, int(text))
    if small:
        first = min(small)
        yield Finding(
            "cilium-node-cidr-below-max-pods",
            Subject("Cluster", "cluster"),
            f"{len(small)} Nodes may run more pods than their CIDR has addresses ({shown(small)}): {first} has "
            f"{small[first][0]} addresses for {small[first][1]} pods",
            {
                "count": len(small),
                "nodes": [
                    {"node": name, "addresses": room, "pods": pods} for name, (room, pods) in sorted(small.items())
                ][:_SHOWN],
            },
            INFO,
        )


def rows(context: Context) -> dict[str, dict[str, int]]:
    """{Node: capacity, used, free} of the family that ends first."""
    made = {}
    for name, found in use_of_nodes(context).items():
        use = scarcest(found)
        made[name] = {"capacity": use.capacity, "used": use.used, "free": use.free}
    return made


@once
def unmanaged(context: Context) -> dict[str, list[tuple[Object, tuple[Address, ...]]]]:
    """{Node: its running pods, older than a minute, that have an address but no CiliumEndpoint}.

    Only on Nodes with an agent; empty where Cilium does not make an endpoint for each pod, or that is not known.
    """
    ipam = of(context)
    found: dict[str, list[tuple[Object, tuple[Address, ...]]]] = {}
    if not ipam.has_endpoints or ipam.mode == "delegated-plugin":
        return found
    limit, agents, names = ipam.older_than(60), ipam.agents, ipam.endpoint_names
    for pod, addresses in context.network_pods if agents else ():
        node, metadata = pod["spec"]["nodeName"], pod["metadata"]
        if node not in agents or (metadata.get("namespace") or "", metadata["name"]) in names:
            continue
        if metadata.get("deletionTimestamp"):
            continue
        status = pod["status"]
        started = str(status.get("startTime") or pod["metadata"].get("creationTimestamp") or "")
        if status.get("phase") == "Running" and started and started < limit and name_of(pod):
            found.setdefault(node, []).append((pod, addresses))
    return found
