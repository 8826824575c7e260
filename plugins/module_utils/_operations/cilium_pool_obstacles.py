# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a new range of a pool must not overlap: Nodes, Services, load balancers, the API server, other pools and allocators.

The operator asks nobody: it hands out a block that contains the address of a Node or a Service (tried with 1.18.4).
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import cilium_ipam_view
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, Network, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import ChangeObjection
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pool_growth import Held, Taken
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import CLUSTER_POOL
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    read_flags,
    settings_from_flags,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

#: What has to be read of the cluster (``LiveOptions.resources``) besides what tells where Cilium is.
RESOURCES = ("ciliumnodes", "ciliumpodippools", "ippools")
IN_TREE, UNSEEN = "in-tree-cluster-cidr", "unseen-addresses"
_NEEDED = ("nodes", "ciliumnodes", "ciliumpodippools")
_PODS = "/api/v1/namespaces/kube-system/pods"
_NETWORKING = ("/apis/networking.k8s.io/v1/servicecidrs", "/apis/networking.k8s.io/v1beta1/servicecidrs")
_LB_POOLS = ("/apis/cilium.io/v2/ciliumloadbalancerippools", "/apis/cilium.io/v2alpha1/ciliumloadbalancerippools")
_OF_API_SERVER = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@dataclass
class Obstacles:
    """What is ``taken``, which blocks Nodes ``held``, and what speaks against any growth because it could not be seen."""

    taken: list[Taken] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    unseen: list[ChangeObjection] = field(default_factory=list)
    service_ranges: list[str] = field(default_factory=list)

    def add(self, text: t.Any, what: str, risk: str = "") -> None:
        """Note one range or address; what is none is left out."""
        try:
            self.taken.append(Taken(parse_network(str(text)), what, risk))
        except CidrError:
            return


def obstacles_of(client: KubeClient, context: Context, key: str, pool: str) -> Obstacles:
    """All that is known; ``pool`` is the one that is to grow, whose own CIDRs are no obstacle. Raises ApiError."""
    found = Obstacles()
    for name in _NEEDED:
        if not context.state.knows(name):
            reason = f"{name} could not be read, so nobody knows what the new range overlaps; allow to list them"
            found.unseen.append(ChangeObjection(key, reason))
    _nodes(context, found)
    _pools(context, found, pool)
    flags = {name: _flags(client, found, key, name) for name in ("kube-controller-manager", "kube-apiserver")}
    _in_tree(context, found, flags["kube-controller-manager"])
    _services(client, context, found, key, flags)
    for one in _listed(client, found, key, "CiliumLoadBalancerIPPools", _LB_POOLS):
        for text in _blocks(one):
            found.add(text, f"{text} of CiliumLoadBalancerIPPool {name_of(one)}")
    for one in _listed(
        client,
        found,
        key,
        "EndpointSlices of the API server",
        (_OF_API_SERVER,),
        {"labelSelector": "kubernetes.io/service-name=kubernetes"},
    ):
        for endpoint in one.get("endpoints") or ():
            for address in endpoint.get("addresses") or ():
                found.add(address, f"{address}, the address of an API server")
    return found


def _nodes(context: Context, found: Obstacles) -> None:
    ipam = cilium_ipam_view.of(context)
    for name, node in ipam.nodes.items():
        for entry in (node.get("status") or {}).get("addresses") or ():
            found.add(entry.get("address"), f"{entry.get('address')}, the address of Node {name}")
    for name, networks in context.node_cidrs.items():
        for network in networks:
            found.add(network, f"podCIDR {network} of Node {name}", IN_TREE)
    for name, allocated in ipam.allocated.items():
        found.held += [Held(name, pool, network) for pool, network in allocated]
    for name, node in ipam.cilium_nodes.items():
        for entry in (node.get("spec") or {}).get("addresses") or ():
            # an address of the pod network (router, health) is one of a block, which is judged as such
            if entry.get("type") in ("InternalIP", "ExternalIP") and name not in ipam.nodes:
                found.add(entry.get("ip"), f"{entry.get('ip')}, the address of CiliumNode {name}")


def _pools(context: Context, found: Obstacles, own: str) -> None:
    for pool in cilium_ipam_view.of(context).pools:
        if pool.name not in (own, CLUSTER_POOL):
            for network in pool.cidrs:
                found.add(network, f"{network} of CiliumPodIPPool {pool.name}")
    for one in context.state.of("ippools"):
        cidr = (one.get("spec") or {}).get("cidr")
        found.add(cidr, f"{cidr} of Calico's IPPool {name_of(one)}")


def _flags(client: KubeClient, found: Obstacles, key: str, component: str) -> dict[str, str]:
    """Flags of a component that runs as a static pod; empty where none is visible."""
    flags: dict[str, str] = {}
    chosen = {"labelSelector": f"component={component}"}
    for pod in _listed(client, found, key, "pods of kube-system", (_PODS,), chosen):
        for container in (pod.get("spec") or {}).get("containers") or ():
            flags.update(read_flags([*(container.get("command") or ()), *(container.get("args") or ())]))
    return flags


def _in_tree(context: Context, found: Obstacles, flags: Mapping[str, str]) -> None:
    """Cilium does not care for the in-tree allocator, but routes and firewalls may be made by what that gives to Nodes."""
    settings: AllocatorSettings = settings_from_flags(flags, "kube-controller-manager") if flags else context.allocator
    if settings.allocate_node_cidrs:
        for network in settings.cluster_cidrs:
            found.add(network, f"the cluster CIDR {network} of kube-controller-manager", IN_TREE)


def _services(
    client: KubeClient, context: Context, found: Obstacles, key: str, flags: Mapping[str, Mapping[str, str]]
) -> None:
    """The range by ServiceCIDRs, flags and kubeadm-config, and whatever addresses Services have."""
    ranges: dict[str, str] = {}
    for one in _listed(client, found, key, "ServiceCIDRs", _NETWORKING):
        for text in (one.get("spec") or {}).get("cidrs") or ():
            ranges.setdefault(str(text), f"the service range {text} (ServiceCIDR {name_of(one)})")
    for component, given in flags.items():
        for network in settings_from_flags(given, component).service_ranges:
            ranges.setdefault(str(network), f"the service range {network} ({component})")
    for network in context.service_ranges:
        ranges.setdefault(str(network), f"the service range {network}")
    for text, what in ranges.items():
        found.add(text, what)
    found.service_ranges = sorted(ranges)
    for service in _listed(client, found, key, "Services", ("/api/v1/services",)):
        spec, status = service.get("spec") or {}, service.get("status") or {}
        ingress = [one.get("ip") for one in (status.get("loadBalancer") or {}).get("ingress") or ()]
        name = f"{service['metadata'].get('namespace')}/{name_of(service)}"
        for address in [*(spec.get("clusterIPs") or ()), *(spec.get("externalIPs") or ()), *ingress]:
            if address and address != "None" and not _inside(str(address), found.taken, ranges):
                found.add(address, f"{address} of Service {name}")
    if not ranges:
        reason = "the range of Services is not known (no ServiceCIDR, no flag of the API server is visible)"
        found.unseen.append(ChangeObjection(key, f"{reason}; make sure that the new range is apart from it", UNSEEN))


def _inside(address: str, taken: Sequence[Taken], ranges: Mapping[str, str]) -> bool:
    """Whether a service range has it, so that it need not be said again."""
    try:
        one = ipaddress.ip_address(address)
    except ValueError:
        return True
    return any(one in entry.network for entry in taken if str(entry.network) in ranges)


def _listed(
    client: KubeClient,
    found: Obstacles,
    key: str,
    what: str,
    paths: Sequence[str],
    params: Mapping[str, str] | None = None,
) -> list[JsonObject]:
    """The objects at the first path that is served; none where none is. What may not be read is noted as unseen."""
    for path in paths:
        try:
            return list(client.list(path, params=dict(params or {})))
        except ApiError as error:
            if error.status == 404:
                continue
            if error.status != 403:
                raise
            reason = f"{what} could not be read, so nobody knows whether the new range overlaps their addresses"
            objection = ChangeObjection(key, f"{reason}; allow to list them", UNSEEN)
            if objection not in found.unseen:
                found.unseen.append(objection)
            return []
    return []


def _blocks(pool: JsonObject) -> Iterator[str]:
    """CIDRs of a CiliumLoadBalancerIPPool, whose blocks are CIDRs, or a first and a last address."""
    for block in (pool.get("spec") or {}).get("blocks") or ():
        if block.get("cidr"):
            yield str(block["cidr"])
        elif block.get("start"):
            try:
                first = ipaddress.ip_address(str(block["start"]))
                last = ipaddress.ip_address(str(block.get("stop") or block["start"]))
                ranges: t.Iterable[Network] = ipaddress.summarize_address_range(first, last)
                yield from map(str, ranges)
            except (ValueError, TypeError):
                continue
