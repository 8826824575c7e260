# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A pod on one node answers a pod on another: the proof that a node's pod network works, for each address family.

Both pods are bound by ``nodeName``, so neither the scheduler nor a cordon is in the way. They carry the label
``app.kubernetes.io/managed-by=podnet.upkeep``, end by themselves, and are deleted whatever happens.
"""

from __future__ import annotations

import ipaddress
import secrets
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import parse_networks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import deletion_refusals
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    InputError,
    UpkeepError,
    WaitTimeoutError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import addresses_of, is_ready
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import (
    get_node,
    is_unschedulable,
    uid_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock, Pending, wait_for

MANAGED_BY = {"app.kubernetes.io/managed-by": "podnet.upkeep"}
_PROBED_NODE = "podnet.upkeep/probed-node"
_PULL_FAILURES = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"}
)


@dataclass(frozen=True)
class ProbeOptions:
    """``client_args`` may hold the word ADDRESS, which becomes the address to reach (IPv6 in brackets)."""

    image: str
    server_args: tuple[str, ...]
    client_args: tuple[str, ...]
    namespace: str = "default"
    peer: str = ""
    avoid_peers: tuple[str, ...] = ()
    timeout: float = 120.0


@dataclass
class Reached:
    """Whether the pod on the node was reached at one of its addresses."""

    family: str
    address: str
    in_pod_cidr: bool
    reached: bool = False
    attempts: int = 0
    detail: str = ""

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form for results."""
        return dict(self.__dict__)


class ProbeError(UpkeepError):
    """The node's pod network does not work; ``addresses`` says what was tried."""

    def __init__(self, message: str, addresses: Sequence[Reached] = ()) -> None:
        super().__init__(message)
        self.addresses = list(addresses)

    def details(self) -> dict[str, t.Any]:
        return {"addresses": [one.to_dict() for one in self.addresses]}


@dataclass(frozen=True)
class ProbeResult:
    """``peer`` is the node of the client pod; it is the probed node itself where the cluster has no other."""

    node: str
    peer: str
    addresses: list[Reached]
    warnings: list[str] = field(default_factory=list)


class NetworkProbe:
    """The probe of one node."""

    def __init__(
        self, client: KubeClient, node_name: str, options: ProbeOptions, *, clock: Clock | None = None
    ) -> None:
        self._client = client
        self._node_name = node_name
        self._options = options
        self._clock = clock or Clock()
        self._pods = f"/api/v1/namespaces/{options.namespace}/pods"

    def choose_peer(self) -> tuple[str, list[str]]:
        """Name of the node for the client pod, and warnings. Raises InputError for a peer that is not usable."""
        get_node(self._client, self._node_name)
        nodes = {str(node["metadata"]["name"]): node for node in self._client.list("/api/v1/nodes")}
        if self._options.peer:
            node = nodes.get(self._options.peer)
            if node is None or not _can_run_pods(node):
                raise InputError(f"peer: '{self._options.peer}' is not a Ready Node with podCIDRs; name another one.")
            return self._options.peer, []
        usable = sorted(
            (name in self._options.avoid_peers, is_unschedulable(node), name)
            for name, node in nodes.items()
            if name != self._node_name and _can_run_pods(node)
        )
        if not usable:
            warning = f"No other Ready node with podCIDRs: node {self._node_name} was only probed from itself."
            return self._node_name, [warning]
        avoided, _unschedulable, name = usable[0]
        warnings = [f"Node {name} was probed from although its own podCIDR is in question."] if avoided else []
        return name, warnings

    def run(self) -> ProbeResult:
        """Start both pods, try to connect until the time is over, and remove the pods.

        Raises ProbeError when an address is foreign or cannot be reached, or when the pods cannot run.
        """
        peer, warnings = self.choose_peer()
        self._remove_leftovers()
        run_id = secrets.token_hex(4)
        made: list[JsonObject] = []
        try:
            server = self._create(f"upkeep-probe-server-{run_id}", self._node_name, self._options.server_args)
            made.append(server)
            server = self._wait_until_serving(server)
            addresses = self._judge_addresses(server)
            deadline = self._clock.now() + self._options.timeout
            for one in addresses:
                self._reach(one, peer, run_id, deadline, made)
            failed = [one for one in addresses if not one.reached]
            if failed:
                words = "; ".join(f"{one.address}: {one.detail or 'no answer'}" for one in failed)
                raise ProbeError(
                    f"A pod on node {peer} does not reach the probe pod on node {self._node_name} within "
                    f"{self._options.timeout:g} seconds ({words}); look at the routes to {self._node_name} and at its "
                    "CNI configuration.",
                    addresses,
                )
            return ProbeResult(self._node_name, peer, addresses, warnings)
        finally:
            for pod in made:
                self._delete(pod)

    # -- steps ---------------------------------------------------------------------------------------------------

    def _create(self, name: str, node_name: str, arguments: Sequence[str]) -> JsonObject:
        return self._client.create(self._pods, self._manifest(name, node_name, arguments))

    def _manifest(self, name: str, node_name: str, arguments: Sequence[str]) -> JsonObject:
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "labels": {**MANAGED_BY, "app.kubernetes.io/name": "network-probe"},
                "annotations": {_PROBED_NODE: self._node_name},
            },
            "spec": {
                "nodeName": node_name,
                "restartPolicy": "Never",
                "activeDeadlineSeconds": int(self._options.timeout * 2) + 60,
                "terminationGracePeriodSeconds": 0,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "tolerations": [{"operator": "Exists"}],
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65534,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "probe",
                        "image": self._options.image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": list(arguments),
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        }

    def _wait_until_serving(self, server: JsonObject) -> JsonObject:
        def probe() -> JsonObject | Pending:
            pod = self._client.get(f"{self._pods}/{server['metadata']['name']}")
            self._require_startable(pod)
            if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                raise ProbeError(f"The probe server on node {self._node_name} ended by itself: {_last_words(pod)}.")
            return pod if is_ready(pod) and addresses_of(pod) else Pending(_state_of(pod))

        return self._waited(f"the probe pod on node {self._node_name} runs", probe)

    def _judge_addresses(self, server: JsonObject) -> list[Reached]:
        pod_cidrs = pod_cidrs_of(get_node(self._client, self._node_name))
        networks = parse_networks(",".join(pod_cidrs))
        addresses = [
            Reached(
                family=f"ipv{ipaddress.ip_address(address).version}",
                address=address,
                in_pod_cidr=any(ipaddress.ip_address(address) in network for network in networks),
            )
            for address in addresses_of(server)
        ]
        foreign = [one.address for one in addresses if not one.in_pod_cidr]
        if foreign:
            raise ProbeError(
                f"The probe pod on node {self._node_name} got {', '.join(foreign)}, outside the node's podCIDRs "
                f"{', '.join(pod_cidrs) or '(none)'}: the CNI configuration on the host still has an older range.",
                addresses,
            )
        missing = {f"ipv{network.version}" for network in networks} - {one.family for one in addresses}
        if missing:
            raise ProbeError(
                f"The probe pod on node {self._node_name} got no {' and no '.join(sorted(missing))} address, "
                f"though the node has podCIDRs {', '.join(pod_cidrs)}.",
                addresses,
            )
        return addresses

    def _reach(self, target: Reached, peer: str, run_id: str, deadline: float, made: list[JsonObject]) -> None:
        """One client pod after another: routes of other nodes may follow the new podCIDR with a delay."""
        address = f"[{target.address}]" if target.family == "ipv6" else target.address
        arguments = [argument.replace("ADDRESS", address) for argument in self._options.client_args]
        while True:
            target.attempts += 1
            name = f"upkeep-probe-client-{run_id}-{target.family}-{target.attempts}"
            pod = self._create(name, peer, arguments)
            made.append(pod)
            pod = self._wait_until_ended(pod, peer)
            target.reached = (pod.get("status") or {}).get("phase") == "Succeeded"
            target.detail = "" if target.reached else _last_words(pod)
            self._delete(made.pop())
            if target.reached or self._clock.now() >= deadline:
                return
            self._clock.sleep(1.0)

    def _wait_until_ended(self, client_pod: JsonObject, peer: str) -> JsonObject:
        def probe() -> JsonObject | Pending:
            pod = self._client.get(f"{self._pods}/{client_pod['metadata']['name']}")
            self._require_startable(pod)
            ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            return pod if ended else Pending(_state_of(pod))

        return self._waited(f"the probe client on node {peer} ends", probe)

    def _waited(self, what: str, probe: t.Callable[[], JsonObject | Pending]) -> JsonObject:
        try:
            return wait_for(what, probe, timeout=self._options.timeout, interval=0.5, clock=self._clock)
        except WaitTimeoutError as error:
            raise ProbeError(str(error)) from error

    def _require_startable(self, pod: Mapping[str, t.Any]) -> None:
        for status in (pod.get("status") or {}).get("containerStatuses") or []:
            waiting = (status.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _PULL_FAILURES:
                node_name = (pod.get("spec") or {}).get("nodeName")
                raise ProbeError(
                    f"image: the probe image {self._options.image} cannot start on node {node_name} "
                    f"({waiting.get('reason')}: {waiting.get('message', '')}); "
                    "name an image that the nodes have or can pull."
                )

    def _remove_leftovers(self) -> None:
        """Probe pods of this node that a killed run left behind."""
        selector = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
        for pod in self._client.list(self._pods, params={"labelSelector": selector}):
            if (pod["metadata"].get("annotations") or {}).get(_PROBED_NODE) == self._node_name:
                self._delete(pod)

    def _delete(self, pod: JsonObject) -> None:
        try:
            self._client.delete(f"{self._pods}/{pod['metadata']['name']}", uid=uid_of(pod), grace_period_seconds=0)
        except ApiError as error:
            if error.status not in (404, 409):
                raise


def _can_run_pods(node: Mapping[str, t.Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    labels = (node.get("metadata") or {}).get("labels") or {}
    real = not any(refusal.code == "not-a-host" for refusal in deletion_refusals(node))
    return ready and real and bool(pod_cidrs_of(node)) and labels.get("kubernetes.io/os", "linux") == "linux"


def _state_of(pod: Mapping[str, t.Any]) -> str:
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or []:
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return f"{waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": ")
    return str(status.get("message") or status.get("reason") or f"phase {status.get('phase', 'Pending')}")


def _last_words(pod: Mapping[str, t.Any]) -> str:
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if ended:
            words = str(ended.get("message") or ended.get("reason") or "").strip().replace("\n", " ")
            return f"exit code {ended.get('exitCode')}" + (f", {words[-200:]}" if words else "")
    return _state_of(pod)
