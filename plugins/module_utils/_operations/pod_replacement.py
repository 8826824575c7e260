# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Pods of a node whose addresses are not of the node's podCIDRs: nobody on another node can reach them.

They stay behind when a Node comes back before the pod garbage collector looked (quarantine of 40 s), or when the CNI
configuration on the host kept the old range. Such a pod is Running and Ready; only a new sandbox gives it an address. The
agents that make the pod network come first: they read the range once, when they start.
"""

from __future__ import annotations

import ipaddress
import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import parse_networks
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    controller_of,
    is_daemonset_pod,
    is_finished,
    is_mirror,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_agents import (
    CNI_AGENTS,
    KUBE_PROXY,
    NetworkAgents,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration_objects import reference
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import get_node, uid_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

Pod = Mapping[str, t.Any]


def is_ready(pod: Pod) -> bool:
    """Whether the pod's Ready condition is True."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def daemonset_of(pod: Pod) -> str:
    """``namespace/name`` of the DaemonSet that controls the pod; empty when none does."""
    if not is_daemonset_pod(pod):
        return ""
    return f"{pod['metadata']['namespace']}/{(controller_of(pod) or {}).get('name')}"


def addresses_of(pod: Pod) -> list[str]:
    """The pod's addresses, one for each family."""
    return [str(entry["ip"]) for entry in (pod.get("status") or {}).get("podIPs") or [] if entry.get("ip")]


def foreign_addresses(pod: Pod, pod_cidrs: Sequence[str]) -> list[str]:
    """Addresses of a live pod of the pod network that are in none of ``pod_cidrs``."""
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork") or is_finished(pod) or is_mirror(pod):
        return []
    networks = parse_networks(",".join(pod_cidrs))
    return [
        address
        for address in addresses_of(pod)
        if not any(ipaddress.ip_address(address) in network for network in networks)
    ]


class PodReplacement:
    """Replaces the pods of one node that have foreign addresses, and waits for those that belong there."""

    def __init__(
        self,
        client: KubeClient,
        node_name: str,
        *,
        expected_daemonsets: Sequence[str] = (),
        timeout: float = 180.0,
        clock: Clock | None = None,
        progress: Callable[[str], None] | None = None,
        heartbeat: Callable[[], None] | None = None,
    ) -> None:
        """``expected_daemonsets`` (``namespace/name``) must have a Ready pod on the node in the end."""
        self._client = client
        self._node_name = node_name
        self._expected = set(expected_daemonsets)
        self._timeout = timeout
        self._clock = clock or Clock()
        self._progress = progress or (lambda line: None)
        self._heartbeat = heartbeat
        self._agents = NetworkAgents(client, node_name)

    def plan(self) -> list[dict[str, t.Any]]:
        """The pods to replace, agents first: namespace, name, uid, controller, foreign addresses, and the reason.

        Raises RefusedError when the Node has no podCIDRs: then no address could be right.
        """
        node = get_node(self._client, self._node_name)
        pod_cidrs = pod_cidrs_of(node)
        if not pod_cidrs:
            raise RefusedError(f"Node {self._node_name} has no podCIDRs, so no address of its pods can be right.")
        pods = self._pods()
        outdated = self._agents.outdated(node, pods)
        found = [_entry(pod, [], reason) for pod, reason in outdated]
        agents = {entry["uid"] for entry in found}
        for pod in pods:
            addresses = foreign_addresses(pod, pod_cidrs)
            if addresses and uid_of(pod) not in agents:
                found.append(_entry(pod, addresses, f"has {', '.join(addresses)}, outside the Node's podCIDRs"))
        return found

    def run(self, plan: Sequence[Mapping[str, t.Any]]) -> None:
        """Delete the planned pods by uid and wait until the node is as it should be.

        First the agents, and the wait until they have started again and know the new range; then all others. Raises
        RefusedError for pods without a controller (nobody would start them again), WaitTimeoutError.
        """
        orphans = [f"{pod['namespace']}/{pod['name']}" for pod in plan if not pod["controller"]]
        if orphans:
            raise RefusedError(
                f"Pods {', '.join(orphans)} on node {self._node_name} have addresses that nobody can reach, but no "
                "controller would start them again; delete them yourself.",
                orphans,
            )
        deadline = self._clock.now() + self._timeout
        agents = [pod for pod in plan if not pod["addresses"]]
        for pod in agents:
            self._delete(pod)
            self._expected.add(f"{pod['namespace']}/{str(pod['controller']).partition('/')[2]}")
        self._wait("the network agents of node {node} have started and know its podCIDRs", self._agents_probe, deadline)
        for pod in plan:
            if pod not in agents:
                self._delete(pod)
        self._wait(
            "the pods of node {node} have addresses of its podCIDRs and its DaemonSets are Ready", self._probe, deadline
        )

    def _delete(self, pod: Mapping[str, t.Any]) -> None:
        try:
            self._client.delete(f"/api/v1/namespaces/{pod['namespace']}/pods/{pod['name']}", uid=pod["uid"])
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def _wait(self, what: str, probe: Callable[[], bool | Pending], deadline: float) -> None:
        wait_for(
            what.format(node=self._node_name),
            probe,
            timeout=max(1.0, deadline - self._clock.now()),
            clock=self._clock,
            heartbeat=self._heartbeat,
        )

    def _agents_probe(self) -> bool | Pending:
        node = get_node(self._client, self._node_name)
        pods = self._pods()
        waits = [f"{reference(pod)} {reason}" for pod, reason in self._agents.outdated(node, pods)]
        expected = {name for name in self._expected if name.partition("/")[2] in (*CNI_AGENTS, KUBE_PROXY)}
        missing = sorted(name for name in expected - _ready_daemonsets(pods) if self._exists(name))
        waits += [f"DaemonSet {name} has no Ready pod" for name in missing]
        books = self._agents.other_books(node)
        if books and not any(books in one for one in waits):
            waits.append(books)
        self._progress(f"{self._node_name}: {'; '.join(waits[:3]) or 'network agents are in order'}")
        return Pending("; ".join(waits[:5])) if waits else True

    def _probe(self) -> bool | Pending:
        pods = self._pods()
        pod_cidrs = pod_cidrs_of(get_node(self._client, self._node_name))
        missing = sorted(name for name in self._expected - _ready_daemonsets(pods) if self._exists(name))
        waits = [f"DaemonSet {name} has no Ready pod" for name in missing]
        waits += [
            f"pod {reference(pod)} has {', '.join(foreign)}"
            for pod in pods
            if (foreign := foreign_addresses(pod, pod_cidrs))
        ]
        self._progress(f"{self._node_name}: {'; '.join(waits[:3]) or 'pods are in order'}")
        return Pending("; ".join(waits[:5])) if waits else True

    def _exists(self, daemonset: str) -> bool:
        namespace, _slash, name = daemonset.partition("/")
        found = self._client.find(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}")
        if found is None:  # deleted meanwhile by somebody: then it owes nothing
            self._expected.discard(daemonset)
        return found is not None

    def _pods(self) -> list[JsonObject]:
        return self._client.list("/api/v1/pods", params={"fieldSelector": f"spec.nodeName={self._node_name}"})


def _ready_daemonsets(pods: Sequence[Pod]) -> set[str]:
    return {daemonset_of(pod) for pod in pods if is_ready(pod) and not pod["metadata"].get("deletionTimestamp")}


def _entry(pod: Pod, addresses: Sequence[str], reason: str) -> dict[str, t.Any]:
    metadata, controller = pod["metadata"], controller_of(pod)
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": f"{controller['kind']}/{controller['name']}" if controller else "",
        "addresses": list(addresses),
        "reason": reason,
    }
