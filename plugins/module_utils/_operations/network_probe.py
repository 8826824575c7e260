# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The proof that a node's pod network works, for each address family, before it gets pods again.

A pod on the node is connected to from a pod on another node and from one on the same node, and a pod on the node connects to
a Service by its name, which needs DNS and the way to Services. All clients of one round run at the same time.
"""

from __future__ import annotations

import ipaddress
import secrets
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import parse_networks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import deletion_refusals
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_probe_pods import (
    ProbeError,
    ProbePods,
    last_words,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import addresses_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import get_node, is_unschedulable
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

__all__ = ["DEFAULT_IMAGE", "Connection", "NetworkProbe", "ProbeError", "ProbeOptions", "ProbeResult"]

DEFAULT_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"
_AGNHOST_DNS = ("connect", "--timeout=5s", "kubernetes.default.svc:443")
_OTHER_NODE, _SAME_NODE, _DNS = "other-node", "same-node", "service-name"
_ROUND = 1.0


@dataclass(frozen=True)
class ProbeOptions:
    """``client_args`` may hold the word ADDRESS, which becomes the address to reach (IPv6 in brackets).

    An empty ``image`` is an agnhost that the node has. ``dns_args`` let the image connect to a Service by its name; empty
    means those of agnhost for an agnhost, and no such look for another image.
    """

    image: str
    server_args: tuple[str, ...]
    client_args: tuple[str, ...]
    dns_args: tuple[str, ...] = ()
    namespace: str = "default"
    peer: str = ""
    avoid_peers: tuple[str, ...] = ()
    timeout: float = 120.0


@dataclass
class Connection:
    """One thing to reach from one node. ``kind``: ``other-node``, ``same-node`` or ``service-name``."""

    kind: str
    family: str
    from_node: str
    target: str
    arguments: tuple[str, ...]
    reached: bool = False
    attempts: int = 0
    detail: str = ""

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form for results."""
        return {key: value for key, value in self.__dict__.items() if key != "arguments"}


@dataclass(frozen=True)
class ProbeResult:
    """``peer`` is the node of the other client; it is the probed node itself where the cluster has no other.

    ``addresses`` are those of the server: family, address, in_pod_cidr.
    """

    node: str
    peer: str
    image: str
    addresses: list[dict[str, t.Any]]
    connections: list[Connection]
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form for results."""
        return {
            "peer": self.peer,
            "image": self.image,
            "addresses": self.addresses,
            "connections": [one.to_dict() for one in self.connections],
        }


class NetworkProbe:
    """The probe of one node."""

    def __init__(
        self,
        client: KubeClient,
        node_name: str,
        options: ProbeOptions,
        *,
        clock: Clock | None = None,
        heartbeat: Callable[[], None] | None = None,
    ) -> None:
        self._client = client
        self._node_name = node_name
        self._options = options
        self._clock = clock or Clock()
        self._heartbeat = heartbeat

    def choose_peer(self) -> tuple[str, list[str]]:
        """Name of the node for the client pod, and warnings. Raises InputError for a peer that is not usable."""
        get_node(self._client, self._node_name)
        nodes = {str(node["metadata"]["name"]): node for node in self._client.list("/api/v1/nodes")}
        if self._options.peer:
            node = nodes.get(self._options.peer)
            if node is None or not can_run_pods(node):
                raise InputError(f"peer: '{self._options.peer}' is not a Ready Node with podCIDRs; name another one.")
            return self._options.peer, []
        usable = sorted(
            (name in self._options.avoid_peers, is_unschedulable(node), name)
            for name, node in nodes.items()
            if name != self._node_name and can_run_pods(node)
        )
        if not usable:
            warning = f"No other Ready node with podCIDRs: node {self._node_name} was only probed from itself."
            return self._node_name, [warning]
        avoided, _unschedulable, name = usable[0]
        warnings = [f"Node {name} was probed from although its own podCIDR is in question."] if avoided else []
        return name, warnings

    def choose_image(self, peer: str) -> str:
        """The image that was named, else an agnhost that both nodes or at least this one has, else the published one."""
        if self._options.image:
            return self._options.image
        here = agnhosts_of(get_node(self._client, self._node_name))
        there = agnhosts_of(get_node(self._client, peer))
        return next(iter([name for name in here if name in there] + here), DEFAULT_IMAGE)

    def run(self) -> ProbeResult:
        """Start the pods, try to connect until the time is over, and remove the pods.

        Raises ProbeError when an address is foreign or something cannot be reached, or when the pods cannot run.
        """
        peer, warnings = self.choose_peer()
        image = self.choose_image(peer)
        dns_args, dns_warnings = self._dns(image)
        run_id = secrets.token_hex(4)
        pods = ProbePods(
            self._client,
            self._node_name,
            image,
            namespace=self._options.namespace,
            timeout=self._options.timeout,
            clock=self._clock,
            heartbeat=self._heartbeat,
        )
        with pods:
            server = pods.start(f"upkeep-probe-server-{run_id}", self._node_name, self._options.server_args)
            addresses = self._judged(pods.serving(server))
            connections = self._connections(addresses, peer, dns_args)
            result = ProbeResult(self._node_name, peer, image, addresses, connections, warnings + dns_warnings)
            self._try_all(pods, connections, run_id)
        failed = [one for one in connections if not one.reached]
        if failed:
            raise ProbeError(self._words(failed), result.to_dict())
        return result

    # -- steps ---------------------------------------------------------------------------------------------------

    def _judged(self, server: JsonObject) -> list[dict[str, t.Any]]:
        pod_cidrs = pod_cidrs_of(get_node(self._client, self._node_name))
        networks = parse_networks(",".join(pod_cidrs))
        addresses = [
            {
                "family": f"ipv{ipaddress.ip_address(address).version}",
                "address": address,
                "in_pod_cidr": any(ipaddress.ip_address(address) in network for network in networks),
            }
            for address in addresses_of(server)
        ]
        foreign = [str(one["address"]) for one in addresses if not one["in_pod_cidr"]]
        if foreign:
            raise ProbeError(
                f"The probe pod on node {self._node_name} got {', '.join(foreign)}, outside the node's podCIDRs "
                f"{', '.join(pod_cidrs) or '(none)'}: the CNI configuration on the host still has an older range.",
                {"addresses": addresses},
            )
        missing = {f"ipv{network.version}" for network in networks} - {one["family"] for one in addresses}
        if missing:
            raise ProbeError(
                f"The probe pod on node {self._node_name} got no {' and no '.join(sorted(missing))} address, "
                f"though the node has podCIDRs {', '.join(pod_cidrs)}.",
                {"addresses": addresses},
            )
        return addresses

    def _connections(
        self, addresses: Sequence[Mapping[str, t.Any]], peer: str, dns_args: Sequence[str]
    ) -> list[Connection]:
        found = []
        kinds = {peer: _OTHER_NODE} if peer != self._node_name else {}
        for from_node, kind in {**kinds, self._node_name: _SAME_NODE}.items():
            for one in addresses:
                family, address = str(one["family"]), str(one["address"])
                word = f"[{address}]" if family == "ipv6" else address
                arguments = tuple(argument.replace("ADDRESS", word) for argument in self._options.client_args)
                found.append(Connection(kind, family, from_node, address, arguments))
        if dns_args:
            found.append(Connection(_DNS, "", self._node_name, dns_args[-1], tuple(dns_args)))
        return found

    def _try_all(self, pods: ProbePods, connections: Sequence[Connection], run_id: str) -> None:
        """One round of clients after another: routes of other nodes may follow the new podCIDR with a delay."""
        deadline = self._clock.now() + self._options.timeout
        while True:
            open_ones = [one for one in connections if not one.reached]
            started = []
            for one in open_ones:
                one.attempts += 1
                name = f"upkeep-probe-client-{run_id}-{connections.index(one)}-{one.attempts}"
                started.append(pods.start(name, one.from_node, one.arguments))
            for one, pod, first in zip(open_ones, pods.ended(started), started, strict=True):
                one.reached = (pod.get("status") or {}).get("phase") == "Succeeded"
                one.detail = "" if one.reached else last_words(pod)
                pods.remove(first)
            if all(one.reached for one in connections) or self._clock.now() >= deadline:
                return
            self._clock.sleep(_ROUND)

    def _dns(self, image: str) -> tuple[tuple[str, ...], list[str]]:
        """What the client for Services does (nothing where that cannot be asked), and warnings."""
        if self._options.dns_args:
            return self._options.dns_args, []
        if "agnhost" not in image:
            return (), []
        path = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
        try:
            slices = self._client.list(path, params={"labelSelector": "kubernetes.io/service-name=kube-dns"})
        except ApiError as error:
            if error.status != 403:
                raise
            return (), ["Names of Services were not tried, because it may not be read whether the cluster has DNS."]
        answers = any(
            (endpoint.get("conditions") or {}).get("ready") is not False
            for one in slices
            for endpoint in one.get("endpoints") or []
        )
        return (_AGNHOST_DNS if answers else ()), []

    def _words(self, failed: Sequence[Connection]) -> str:
        peers = [one for one in failed if one.kind != _DNS]
        seconds = f"within {self._options.timeout:g} seconds"
        if peers:
            words = "; ".join(f"{one.target}: {one.detail or 'no answer'}" for one in peers)
            nodes = " and ".join(dict.fromkeys(one.from_node for one in peers))
            return (
                f"A pod on node {nodes} does not reach the probe pod on node {self._node_name} {seconds} ({words}); look at "
                f"the routes to {self._node_name} and at its CNI configuration."
            )
        return (
            f"A pod on node {self._node_name} does not reach the Service {failed[0].target} by its name {seconds} "
            f"({failed[0].detail or 'no answer'}); look at kube-proxy (or what does its work) on this node, and at its way to "
            "the DNS pods."
        )


def agnhosts_of(node: Mapping[str, t.Any]) -> list[str]:
    """Every agnhost among the images that the node has told of (at most 50, the largest first)."""
    images = (node.get("status") or {}).get("images") or []
    return [str(name) for image in images for name in image.get("names") or [] if "/agnhost:" in name]


def can_run_pods(node: Mapping[str, t.Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    labels = (node.get("metadata") or {}).get("labels") or {}
    real = not any(refusal.code == "not-a-host" for refusal in deletion_refusals(node))
    return ready and real and bool(pod_cidrs_of(node)) and labels.get("kubernetes.io/os", "linux") == "linux"
