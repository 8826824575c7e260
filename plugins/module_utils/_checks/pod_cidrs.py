# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of each Node's podCIDRs against the allocator's settings, the other Nodes and the machine network."""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterable, Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import internal_addresses, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network, overlapping

# evidence names at most so many of a long list: what helps, not everything
SHOWN = 10


def texts(networks: Iterable[Network]) -> str:
    """Networks for a sentence."""
    return ", ".join(str(network) for network in networks) or "none"


def check(context: Context) -> Iterator[Finding]:
    """All node-cidr-* findings; none where Node.spec is not the truth."""
    if not context.ipam_model.node_spec_is_truth:
        return
    for name, cidrs in context.node_cidrs.items():
        yield from _families(context, name, cidrs)
        if context.allocator.known:
            yield from _range(context, name, cidrs)
            yield from _size(context, name, cidrs)
        yield from _service_range(context, name, cidrs)
    yield from _overlaps(context)
    yield from _machine_network(context)


def _families(context: Context, name: str, cidrs: list[Network]) -> Iterator[Finding]:
    """By position, as occupyCIDRs of range_allocator.go does: the first podCIDR belongs to the first cluster CIDR."""
    subject = Subject("Node", name)
    wanted = context.allocator.families
    present = tuple(network.version for network in cidrs)
    evidence = {
        "pod_cidrs": [str(network) for network in cidrs],
        "cluster_cidrs": [str(network) for network in context.allocator.cluster_cidrs],
    }
    if not cidrs:
        exhausted = [str(pool.cluster) for pool in context.pools if pool.free(context.held(pool)) <= 0]
        summary = f"Node {name} has no podCIDR"
        if exhausted:
            summary += f", and no block of {', '.join(exhausted)} is free"
        yield Finding("node-cidr-missing", subject, summary, {**evidence, "exhausted": exhausted})
        return
    lacking = [f"IPv{family}" for family in wanted if family not in present]
    if lacking:
        summary = f"Node {name} has {texts(cidrs)}, but no {' and no '.join(lacking)} podCIDR"
        yield Finding("node-cidr-partial-family", subject, summary, evidence)
    if any(one in wanted and one != other for one, other in zip(present, wanted, strict=False)):
        yield Finding(
            "node-cidr-family-order",
            subject,
            f"Node {name} has {texts(cidrs)}; the order of the cluster is {texts(context.allocator.cluster_cidrs)}",
            evidence,
            _level_of_a_start(context),
        )


def _level_of_a_start(context: Context) -> str:
    """What stops kube-controller-manager at its start does so only where its allocator runs."""
    return WARNING if context.allocator.allocate_node_cidrs is False else CRITICAL


def _range(context: Context, name: str, cidrs: list[Network]) -> Iterator[Finding]:
    """Occupy of cidr_set.go accepts what the cluster CIDR contains, and what contains the cluster CIDR."""
    clusters = context.allocator.cluster_cidrs
    for network in cidrs:
        if not any(network.version == cluster.version and network.overlaps(cluster) for cluster in clusters):
            yield Finding(
                "node-cidr-out-of-range",
                Subject("Node", name),
                f"Node {name} has {network}, outside the cluster CIDR {texts(clusters)}",
                {"pod_cidr": str(network), "cluster_cidrs": [str(cluster) for cluster in clusters]},
                _level_of_a_start(context),
            )


def _size(context: Context, name: str, cidrs: list[Network]) -> Iterator[Finding]:
    for pool in context.pools:
        for network in cidrs:
            found = pool.indices(network)
            if found is None or network.prefixlen == pool.mask_size:
                continue
            takes = found[1] - found[0] + 1
            summary = f"Node {name} has {network}; the configured size is /{pool.mask_size}"
            if takes > 1:
                summary += f", so it takes {takes} of {pool.capacity} blocks"
            else:
                summary += f", so it holds a part of the block {pool.block(found[0])}"
            evidence = {
                "pod_cidr": str(network),
                "node_mask_size": pool.mask_size,
                "blocks_taken": takes,
                "blocks": pool.capacity,
            }
            level = CRITICAL if network.prefixlen < pool.cluster.prefixlen else ""
            yield Finding("node-cidr-mask-mismatch", Subject("Node", name), summary, evidence, level)


def _service_range(context: Context, name: str, cidrs: list[Network]) -> Iterator[Finding]:
    for network in cidrs:
        for service in context.service_ranges:
            if service.version == network.version and service.overlaps(network):
                yield Finding(
                    "node-cidr-overlaps-service-range",
                    Subject("Node", name),
                    f"Node {name} has {network}, which overlaps the service range {service}",
                    {"pod_cidr": str(network), "service_range": str(service)},
                )


def _overlaps(context: Context) -> Iterator[Finding]:
    owners = ((name, network) for name, cidrs in context.node_cidrs.items() for network in cidrs)
    for name, pairs in overlapping(owners).items():
        others = sorted({other for other, _own, _theirs in pairs})
        own = sorted({network for _other, network, _theirs in pairs}, key=str)
        shown = ", ".join(others[:SHOWN]) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
        yield Finding(
            "node-cidr-overlap",
            Subject("Node", name),
            f"Node {name} shares addresses of {texts(own)} with {shown}",
            {
                "overlaps": [
                    {"node": other, "own": str(mine), "theirs": str(theirs)}
                    for other, mine, theirs in sorted(pairs, key=str)[:SHOWN]
                ],
                "count": len(others),
            },
        )


def _machine_network(context: Context) -> Iterator[Finding]:
    """Node addresses inside podCIDRs: found by cutting the address to each mask in use, not by comparing all pairs."""
    holders: dict[Network, list[str]] = {}
    for name, cidrs in context.node_cidrs.items():
        for network in cidrs:
            holders.setdefault(network, []).append(name)
    masks = sorted({(network.version, network.prefixlen) for network in holders})
    inside: dict[str, list[dict[str, t.Any]]] = {}
    for node in context.state.nodes:
        for text in internal_addresses(node):
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                continue
            for version, prefix in masks:
                if version == address.version:
                    for holder in holders.get(ipaddress.ip_network((address, prefix), strict=False), ()):
                        inside.setdefault(holder, []).append({"node": name_of(node), "address": text})
    for holder, machines in sorted(inside.items()):
        first = machines[0]
        more = f", and {len(machines) - 1} more Node addresses" if len(machines) > 1 else ""
        yield Finding(
            "node-cidr-overlaps-node-address",
            Subject("Node", holder),
            f"A podCIDR of Node {holder} contains {first['address']}, the address of Node {first['node']}{more}",
            {"machines": machines[:SHOWN], "count": len(machines)},
        )
