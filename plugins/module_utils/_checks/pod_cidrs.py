# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of each Node's podCIDRs against the allocator's settings, the other Nodes and the machine network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import internal_addresses, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network, overlapping

# evidence names at most so many of a long list: what helps, not everything
SHOWN = 10


def _texts(networks: list[Network]) -> str:
    return ", ".join(str(network) for network in networks) or "none"


def check(context: Context) -> Iterator[Finding]:
    """All node-cidr-* findings; none where Node.spec is not the truth."""
    if not context.ipam_model.node_spec_is_truth:
        return
    for name, cidrs in context.node_cidrs.items():
        yield from _families(context, name, cidrs)
        yield from _range_and_size(context, name, cidrs)
    yield from _overlaps(context)
    yield from _machine_network(context)


def _families(context: Context, name: str, cidrs: list[Network]) -> Iterator[Finding]:
    subject = Subject("Node", name)
    wanted = context.allocator.families
    present = tuple(network.version for network in cidrs)
    if not cidrs:
        summary = f"Node {name} has no podCIDR"
        if context.pools and min(pool.free(context.held(pool)) for pool in context.pools) <= 0:
            summary += " and no block is free"
        yield Finding("node-cidr-missing", subject, summary, {"pools": context.pool_summaries()})
    elif set(wanted) - set(present):
        lacking = ", ".join(f"IPv{family}" for family in wanted if family not in present)
        yield Finding(
            "node-cidr-partial-family",
            subject,
            f"Node {name} has {_texts(cidrs)}, but no {lacking} podCIDR",
            {"pod_cidrs": [str(network) for network in cidrs], "cluster_families": [f"IPv{one}" for one in wanted]},
        )
    elif len(wanted) > 1 and present != wanted:
        yield Finding(
            "node-cidr-family-order",
            subject,
            f"Node {name} has {_texts(cidrs)}; the cluster's order is {_texts(list(context.allocator.cluster_cidrs))}",
            {"pod_cidrs": [str(network) for network in cidrs]},
        )


def _range_and_size(context: Context, name: str, cidrs: list[Network]) -> Iterator[Finding]:
    subject = Subject("Node", name)
    for network in cidrs:
        evidence = {"pod_cidr": str(network), "allocator": context.allocator.to_dict()}
        of_family = [pool for pool in context.pools if pool.cluster.version == network.version]
        inside = [pool for pool in of_family if network.prefixlen >= pool.cluster.prefixlen and pool.touches(network)]
        if context.allocator.known and not inside:
            yield Finding(
                "node-cidr-out-of-range",
                subject,
                f"Node {name} has {network}, outside the cluster CIDR {_texts(list(context.allocator.cluster_cidrs))}",
                evidence,
            )
        for pool in inside:
            if network.prefixlen != pool.mask_size:
                first, last = pool.indices(network) or (0, -1)
                takes = last - first + 1
                yield Finding(
                    "node-cidr-mask-mismatch",
                    subject,
                    f"Node {name} has {network}; the configured size is /{pool.mask_size}"
                    + (f", so it takes {takes} of {pool.capacity} blocks" if takes > 1 else ""),
                    {**evidence, "blocks_taken": takes},
                )
        for service in context.allocator.service_ranges:
            if service.version == network.version and service.overlaps(network):
                yield Finding(
                    "node-cidr-overlaps-service-range",
                    subject,
                    f"Node {name} has {network}, which overlaps the service range {service}",
                    evidence,
                )


def _overlaps(context: Context) -> Iterator[Finding]:
    owners = ((name, network) for name, cidrs in context.node_cidrs.items() for network in cidrs)
    for name, pairs in overlapping(owners).items():
        others = sorted({other for other, _own, _theirs in pairs})
        shown = ", ".join(others[:SHOWN]) + (f" and {len(others) - SHOWN} more" if len(others) > SHOWN else "")
        yield Finding(
            "node-cidr-overlap",
            Subject("Node", name),
            f"Node {name} shares addresses of {pairs[0][1]} with {shown}",
            {
                "overlaps": [
                    {"node": other, "own": str(own), "theirs": str(theirs)}
                    for other, own, theirs in sorted(pairs, key=str)[:SHOWN]
                ],
                "count": len(others),
            },
        )


def _machine_network(context: Context) -> Iterator[Finding]:
    """Node addresses inside podCIDRs: found by cutting the address to each mask in use, not by comparing all pairs."""
    holders: dict[Network, str] = {network: name for name, cidrs in context.node_cidrs.items() for network in cidrs}
    masks = {(network.version, network.prefixlen) for network in holders}
    for node in context.state.nodes:
        for text in internal_addresses(node):
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                continue
            for version, prefix in sorted(masks):
                if version != address.version:
                    continue
                holder = holders.get(ipaddress.ip_network((address, prefix), strict=False))
                if holder is not None:
                    yield Finding(
                        "node-cidr-overlaps-node-address",
                        Subject("Node", holder),
                        f"A podCIDR of Node {holder} contains {address}, the address of Node {name_of(node)}",
                        {"address": text, "node": name_of(node)},
                    )
