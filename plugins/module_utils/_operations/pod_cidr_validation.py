# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether the podCIDRs that a Node got are fit for use; without I/O.

That they differ from the old ones is no criterion: kube-controller-manager may hand out the same block again.
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of


def faults(node: Mapping[str, t.Any], nodes: Iterable[Mapping[str, t.Any]], settings: AllocatorSettings) -> list[str]:
    """What is wrong with the Node's podCIDRs, one clause each; empty when nothing is.

    ``nodes`` are all Nodes (the Node itself is left out by its name). Range, mask and family order are checked only
    where ``settings`` are known; overlaps, also with addresses of Nodes, always.
    """
    own, found = _parsed(pod_cidrs_of(node))
    if settings.known:
        found += _range_faults(own, settings)
    for service in settings.service_ranges:
        found += [
            f"{cidr} overlaps the service range {service}"
            for cidr in own
            if cidr.version == service.version and cidr.overlaps(service)
        ]
    name = (node.get("metadata") or {}).get("name")
    for other in nodes:
        other_name = (other.get("metadata") or {}).get("name")
        found += [
            f"{cidr} contains {address}, an address of Node {other_name}"
            for address in _addresses(other)
            for cidr in own
            if address in cidr
        ]
        if other_name == name:
            continue
        for theirs in _parsed(pod_cidrs_of(other))[0]:
            found += [
                f"{cidr} overlaps {theirs} of Node {other_name}"
                for cidr in own
                if cidr.version == theirs.version and cidr.overlaps(theirs)
            ]
    return found


def _addresses(node: Mapping[str, t.Any]) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Addresses of the Node itself: with one of them in a podCIDR, pods would take the packets of a machine."""
    found = []
    for entry in (node.get("status") or {}).get("addresses") or []:
        if entry.get("type") in ("InternalIP", "ExternalIP"):
            try:
                found.append(ipaddress.ip_address(str(entry.get("address"))))
            except ValueError:
                continue
    return found


def _parsed(texts: Iterable[str]) -> tuple[list[Network], list[str]]:
    networks: list[Network] = []
    found = []
    for text in texts:
        try:
            networks.append(parse_network(text))
        except CidrError as error:
            found.append(str(error))
    return networks, found


def _range_faults(own: list[Network], settings: AllocatorSettings) -> list[str]:
    found = []
    families = tuple(cidr.version for cidr in own)
    if families != settings.families:
        found.append(f"its families are {_families(families)}, the cluster's are {_families(settings.families)}")
    for cidr in own:
        clusters = [cluster for cluster in settings.cluster_cidrs if cluster.version == cidr.version]
        if clusters and not any(_inside(cidr, cluster) for cluster in clusters):
            found.append(f"{cidr} is outside the cluster CIDR {', '.join(str(cluster) for cluster in clusters)}")
        mask = settings.mask_sizes[cidr.version]
        if clusters and cidr.prefixlen != mask:
            found.append(f"{cidr} has the mask /{cidr.prefixlen}, the cluster's Nodes have /{mask}")
    return found


def _families(versions: Iterable[int]) -> str:
    return ", ".join(f"IPv{version}" for version in versions) or "none"


def _inside(cidr: Network, cluster: Network) -> bool:
    return (
        cidr.version == cluster.version
        and int(cidr.network_address) >= int(cluster.network_address)
        and int(cidr.broadcast_address) <= int(cluster.broadcast_address)
    )
