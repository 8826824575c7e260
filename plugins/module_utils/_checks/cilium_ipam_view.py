# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Cilium's IPAM as one audit sees it: modes, pools, the operator's books, and each Node's true CIDRs and addresses."""

from __future__ import annotations

import datetime
import functools
import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_view import CiliumView
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.endpoint_view import (
    Endpoint,
    endpoints_of,
    once,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    ClusterState,
    Object,
    name_of,
    pod_cidrs,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    Address,
    CidrError,
    Network,
    parse_address,
    parse_network,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import (
    CLUSTER_POOL,
    MULTI_POOL,
    CiliumPool,
    cluster_pools,
    enabled_families,
    pod_ip_pools,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools_books import Books

KUBERNETES = "kubernetes"
# modes in which each Node has CIDRs of its own
CIDR_MODES = (KUBERNETES, CLUSTER_POOL, MULTI_POOL)
# modes in which each Node has single addresses of the cloud or of a third party
ADDRESS_MODES = ("eni", "azure", "alibabacloud", "crd")
_OWN_IPAM = ("", "none", "portmap")
# annotation of a CiliumNode that makes the operator pass it over (IPAMIgnore of pkg/annotation/k8s.go)
_IGNORE = "ipam.cilium.io/ignore"


def rfc3339(moment: datetime.datetime) -> str:
    """As the API server writes it: such texts compare like the moments they stand for."""
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_addresses(texts: Iterable[t.Any]) -> list[Address]:
    """The addresses among these texts."""
    found = []
    for text in texts:
        try:
            found.append(parse_address(text))
        except ValueError:
            continue
    return found


def _networks(texts: Iterable[t.Any]) -> list[Network]:
    found = []
    for text in texts:
        try:
            found.append(parse_network(str(text)))
        except CidrError:
            continue
    return found


class CiliumIpam:
    """Made by ``of``. Where ``mode`` is empty nothing may be judged: no Cilium, unknown, or another CNI's IPAM."""

    def __init__(self, state: ClusterState, cilium: CiliumView) -> None:
        self.state = state
        self.cilium = cilium

    @functools.cached_property
    def mode(self) -> str:
        """Key ipam of cilium-config; empty where Cilium does not decide or the configuration is unknown."""
        own = self.cilium.value("cni-chaining-mode").strip() in _OWN_IPAM
        return self.cilium.ipam_mode if self.cilium.installed and self.cilium.config and own else ""

    @property
    def has_cidrs(self) -> bool:
        """Whether Nodes have CIDRs, and CiliumNodes were read."""
        return self.mode in CIDR_MODES and self.state.knows("ciliumnodes")

    @property
    def has_pools(self) -> bool:
        """Whether the operator cuts blocks out of pools, and both are known."""
        known = self.mode == CLUSTER_POOL or (self.mode == MULTI_POOL and self.state.knows("ciliumpodippools"))
        return known and self.state.knows("ciliumnodes")

    @functools.cached_property
    def families(self) -> tuple[int, ...]:
        """Families that are on."""
        return enabled_families(self.cilium.config or {})

    @functools.cached_property
    def nodes(self) -> Mapping[str, Object]:
        """Nodes by name."""
        return {name_of(node): node for node in self.state.nodes}

    @functools.cached_property
    def cilium_nodes(self) -> Mapping[str, Object]:
        """CiliumNodes by name, in its order; those that are being deleted hold nothing any more."""
        found = (one for one in self.state.of("ciliumnodes") if not one["metadata"].get("deletionTimestamp"))
        return {name_of(one): one for one in sorted(found, key=name_of)}

    @functools.cached_property
    def allocated(self) -> Mapping[str, list[tuple[str, Network]]]:
        """{CiliumNode: [(pool, CIDR)]}, the pool's name being ``cluster-pool`` outside of multi-pool.

        Without any where addresses are single: old versions wrote a podCIDR there that nothing uses.
        """
        found: dict[str, list[tuple[str, Network]]] = {}
        for name, node in self.cilium_nodes.items():
            ipam = ipam_spec(node)
            if self.mode not in CIDR_MODES:
                found[name] = []
            elif self.mode == MULTI_POOL:
                entries = (ipam.get("pools") or {}).get("allocated") or ()
                found[name] = [
                    (str(one.get("pool")), cidr) for one in entries for cidr in _networks(one.get("cidrs") or ())
                ]
            else:
                found[name] = [(CLUSTER_POOL, cidr) for cidr in _networks(ipam.get("podCIDRs") or ())]
        return found

    def cidrs(self, node: str) -> list[Network]:
        """CIDRs that decide about addresses of pods on this Node; of its Node object in mode kubernetes."""
        if self.mode == KUBERNETES:
            return pod_cidrs(self.nodes[node]) if node in self.nodes else []
        return [cidr for _pool, cidr in self.allocated.get(node, ())]

    @functools.cached_property
    def pools(self) -> tuple[CiliumPool, ...]:
        """Pools by family, those with problems included."""
        if self.mode == CLUSTER_POOL:
            return cluster_pools(self.cilium.config or {})
        objects = sorted(self.state.of("ciliumpodippools"), key=name_of)
        return tuple(pool for one in objects for pool in pod_ip_pools(name_of(one), one.get("spec") or {}))

    @functools.cached_property
    def books(self) -> Books:
        """What an operator that starts now makes of these CiliumNodes."""
        made = Books(
            self.pools if self.mode == MULTI_POOL else [one for one in self.pools if one.version in self.families]
        )
        mine = {name: held for name, held in self.allocated.items() if not self.ignored(name)}
        if self.mode == MULTI_POOL:
            made.restore_multi_pool(mine)
        else:
            made.restore_cluster_pool(
                CLUSTER_POOL, {name: [cidr for _pool, cidr in held] for name, held in mine.items()}
            )
        return made

    def ignored(self, name: str) -> bool:
        """Whether the operator is told to pass over this CiliumNode."""
        annotations = self.cilium_nodes[name]["metadata"].get("annotations") or {}
        return str(annotations.get(_IGNORE, "")).lower() == "true"

    @functools.cached_property
    def agents(self) -> Mapping[str, Object]:
        """{Node: its agent's pod} where the agent runs."""
        found = self.cilium.agents_by_node.items()
        return {node: pod for node, pod in found if (pod.get("status") or {}).get("phase") == "Running"}

    @functools.cached_property
    def has_endpoints(self) -> bool:
        """Whether each managed pod has a CiliumEndpoint, and all of them and the pods were read."""
        on = self.cilium.has_endpoint_objects
        return on and bool(self.mode) and self.state.knows("ciliumendpoints", "pods")

    @functools.cached_property
    def endpoints(self) -> list[Endpoint]:
        """All CiliumEndpoints."""
        names = self.cilium.node_names_by_address
        return endpoints_of(self.state.of("ciliumendpoints"), names)

    @functools.cached_property
    def endpoint_names(self) -> frozenset[tuple[str, str]]:
        """(namespace, name) of every CiliumEndpoint."""
        return frozenset(one.key for one in self.endpoints)

    @functools.cached_property
    def pods(self) -> Mapping[tuple[str, str], Object]:
        """{(namespace, name): pod}."""
        pods = ((pod["metadata"], pod) for pod in self.state.of("pods"))
        return {(metadata.get("namespace") or "", metadata["name"]): pod for metadata, pod in pods}

    def older_than(self, seconds: float) -> str:
        """The RFC 3339 moment so long before the state was taken, its parts' distance in time included."""
        return rfc3339(self.state.taken_at - self.state.skew - datetime.timedelta(seconds=seconds))


@once
def of(context: Context) -> CiliumIpam:
    """The view of this audit."""
    return CiliumIpam(context.state, context.cilium)


def ipam_spec(node: Object) -> Mapping[str, t.Any]:
    """spec.ipam of a CiliumNode."""
    return (node.get("spec") or {}).get("ipam") or {}


def operator_error(node: Object) -> str:
    """status.ipam.operator-status.error of a CiliumNode; it may be of an earlier time."""
    status = ((node.get("status") or {}).get("ipam") or {}).get("operator-status") or {}
    return str(status.get("error") or "")


def shown(names: Iterable[str], most: int = 10) -> str:
    """Names for a sentence, cut with a count."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + more
