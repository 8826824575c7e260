# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""All that the clean-up of CiliumNodes looks at, read once, and who uses the blocks of those that may be dead."""

from __future__ import annotations

import datetime
import functools
import ipaddress
import typing as t
from collections.abc import Collection, Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import CiliumIpam, of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.live import LiveOptions, collect
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Address, Network, overlapping
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import DurationError, parse_timedelta
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.object_times import clock_of_server
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_removal import unfinished_nodes

CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"
_RESOURCES = (
    *("nodes", "daemonsets", "configmaps", "leases", "deployments", "apiservices"),
    *("ciliumendpoints", "pods", "ciliumnodes", "ciliumpodippools"),
)
_NEEDED = ("nodes", "pods", "ciliumnodes", "ciliumendpoints", "configmaps")
_BlockKey = tuple[int, int, int]


class NodePicture:
    """One look at the cluster. ``whole`` are the CiliumNodes as the API gave them, by name."""

    def __init__(
        self, context: Context, now: datetime.datetime, whole: Mapping[str, JsonObject], unfinished: Collection[str]
    ) -> None:
        self.context = context
        self.ipam: CiliumIpam = of(context)
        self.now = now
        self.whole = whole
        self.unfinished = unfinished

    @functools.cached_property
    def without_node(self) -> list[str]:
        """CiliumNodes without Node, or of another Node than the one of their name."""
        return [name for name, one in sorted(self.whole.items()) if not has_its_node(one, self.ipam.nodes.get(name))]

    @functools.cached_property
    def collection_is_off(self) -> bool:
        """Whether nodes-gc-interval turns the operator's collection of CiliumNodes off."""
        try:
            interval = parse_timedelta(self.ipam.cilium.value("nodes-gc-interval", "5m0s"))
        except DurationError:
            return False
        return interval <= datetime.timedelta()

    @functools.cached_property
    def shared(self) -> Mapping[str, list[tuple[str, Network, Network]]]:
        """{CiliumNode: (another one, own CIDR, its CIDR)} of CIDRs that overlap."""
        return overlapping([(name, cidr) for name, held in self.ipam.allocated.items() for _pool, cidr in held])

    def cidrs(self, name: str) -> list[Network]:
        """CIDRs that a CiliumNode holds."""
        return [cidr for _pool, cidr in self.ipam.allocated.get(name, ())]

    def bound_pods(self, name: str) -> list[str]:
        """Pods of the pod network that have not ended and are bound to a Node of this name, as namespace/name."""
        return self._bound.get(name, [])

    def pods_inside(self, cidrs: Iterable[Network]) -> list[tuple[str, str]]:
        """(namespace/name, Node) of pods that run with an address of these CIDRs of a suspect."""
        return [one for cidr in cidrs for one in self._pod_users.get(_key_of(cidr), ())]

    def endpoints_inside(self, cidrs: Iterable[Network]) -> list[tuple[str, str]]:
        """(namespace/name, Node) of CiliumEndpoints with an address of these CIDRs of a suspect."""
        return [one for cidr in cidrs for one in self._endpoint_users.get(_key_of(cidr), ())]

    def endpoints_of(self, name: str) -> list[str]:
        """CiliumEndpoints that name an address of this CiliumNode as that of their Node."""
        entries = (self.whole[name].get("spec") or {}).get("addresses") or ()
        return [one for entry in entries for one in self._endpoints_by_address.get(str(entry.get("ip")), ())]

    @functools.cached_property
    def _masks(self) -> set[tuple[int, int]]:
        return {(cidr.version, cidr.prefixlen) for name in self.without_node for cidr in self.cidrs(name)}

    @functools.cached_property
    def _bound(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for pod in self.context.state.of("pods"):
            spec = pod.get("spec") or {}
            ended = (pod.get("status") or {}).get("phase") in TERMINAL_PHASES
            if spec.get("nodeName") and not spec.get("hostNetwork") and not ended:
                found.setdefault(str(spec["nodeName"]), []).append(full_name(pod))
        return found

    @functools.cached_property
    def _pod_users(self) -> Mapping[_BlockKey, list[tuple[str, str]]]:
        found: dict[_BlockKey, list[tuple[str, str]]] = {}
        for pod, addresses in self.context.network_pods:
            self._note(found, addresses, (full_name(pod), str(pod["spec"]["nodeName"])))
        return found

    @functools.cached_property
    def _endpoint_users(self) -> Mapping[_BlockKey, list[tuple[str, str]]]:
        found: dict[_BlockKey, list[tuple[str, str]]] = {}
        if self._masks:
            for endpoint in self.ipam.endpoints:
                self._note(found, _addresses(endpoint.texts), (endpoint.name, endpoint.node))
        return found

    def _note(
        self, found: dict[_BlockKey, list[tuple[str, str]]], addresses: Iterable[Address], user: tuple[str, str]
    ) -> None:
        for address in addresses:
            for version, prefix in self._masks:
                if version == address.version:
                    found.setdefault((version, prefix, int(address) >> (address.max_prefixlen - prefix)), []).append(
                        user
                    )

    @functools.cached_property
    def _endpoints_by_address(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = {}
        for endpoint in self.ipam.endpoints:
            if endpoint.address:
                found.setdefault(endpoint.address, []).append(endpoint.name)
        return found


def has_its_node(cilium_node: Object, node: Object | None) -> bool:
    """Whether the Node of its name exists, and is the one that owns it where a Node does."""
    if node is None:
        return False
    uids, present = owner_uids(cilium_node), str(node["metadata"].get("uid") or "")
    return not uids or not present or present in uids


def owner_uids(cilium_node: Object) -> list[str]:
    """Uids of the Nodes that own it."""
    owners = cilium_node["metadata"].get("ownerReferences") or ()
    return [str(one.get("uid") or "") for one in owners if one.get("kind") == "Node"]


def full_name(pod: Object) -> str:
    """namespace/name."""
    return f"{pod['metadata'].get('namespace', '')}/{name_of(pod)}"


def _key_of(cidr: Network) -> _BlockKey:
    return cidr.version, cidr.prefixlen, int(cidr.network_address) >> (cidr.max_prefixlen - cidr.prefixlen)


def _addresses(texts: Iterable[str]) -> t.Iterator[Address]:
    for text in texts:
        try:
            yield ipaddress.ip_address(text)
        except ValueError:
            continue


def read_picture(client: KubeClient, namespace: str = "kube-system") -> NodePicture:
    """Read the cluster; ``namespace`` is that of the journals of runs. CiliumNodes come first and whole, Nodes later.

    Raises RefusedError where a part cannot be read completely, ApiError.
    """
    now = clock_of_server(client)
    whole = {name_of(one): one for one in client.list(CILIUM_NODES)}
    state = collect(client, LiveOptions(resources=_RESOURCES))
    missing = [f"{name}: {state.unknown[name]}" for name in _NEEDED if name in state.unknown]
    if missing:
        raise RefusedError(
            f"Nothing is judged, because the picture is not complete ({'; '.join(missing)}): what is not seen would look gone."
        )
    known = {name_of(one) for one in state.of("ciliumnodes")}
    present = {name: one for name, one in whole.items() if name in known}
    return NodePicture(Context(state), now, present, unfinished_nodes(client, namespace))
