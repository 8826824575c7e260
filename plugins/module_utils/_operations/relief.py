# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Immediate relief when no block is left: which Nodes are least used, and what retiring each of them would mean.

Nothing is chosen here. A retired Node is drained and deleted by a person's choice, and its machine is switched off: a
kubelet that starts again registers its Node again and takes a block back.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, condition, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider import deletion_refusals, is_control_plane
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider_name import provider_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import retirement_preflight
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.block_budget import sharing_a_block
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import some
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection, standing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.disruption_budgets import (
    ambiguous_pods,
    describe_budget,
    exhausted_budgets,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    controller_of,
    has_local_storage,
    is_daemonset_pod,
    is_finished,
    is_mirror,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.node_places import (
    addresses_for_pods,
    claims_of,
    takes_pods,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.placement import (
    Room,
    place,
    requests_of,
    room_of,
    uncertain,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.retirement import Retirement
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.retirement_preflight import LeavingHost
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import is_unschedulable, uid_of


@dataclass(frozen=True)
class ReliefOptions:
    """``nodes``: evaluate these together, as a choice. ``candidates``: how many single Nodes are looked at otherwise.

    ``preflight``: judge as well whether the cluster is in a state in which Nodes may be deleted. ``hosts``: of the choice.
    """

    nodes: tuple[str, ...] = ()
    candidates: int = 10
    accepted_risks: tuple[str, ...] = ()
    preflight: bool = False
    settle_seconds: float = 30.0
    hosts: tuple[LeavingHost, ...] = ()


class Relief:
    """The cluster as it is, with all that decides about moving pods."""

    def __init__(self, client: KubeClient, context: Context, options: ReliefOptions) -> None:
        """Read what the context does not hold: whole Nodes and pods, budgets, claims and volumes. Raises ApiError."""
        self._client = client
        self._context = context
        self._options = options
        self._nodes = {name_of(one): one for one in client.list("/api/v1/nodes")}
        self._rooms: dict[str, Room] = {}
        self._pods: dict[str, list[Object]] = {}
        for pod in client.list("/api/v1/pods"):
            if not is_finished(pod):
                self._pods.setdefault(str((pod.get("spec") or {}).get("nodeName") or ""), []).append(pod)
        self._budgets = client.list("/apis/policy/v1/poddisruptionbudgets")
        claims = client.list("/api/v1/persistentvolumeclaims")
        volumes = {name_of(one): one for one in client.list("/api/v1/persistentvolumes")}
        self._volumes = {
            (str(one["metadata"].get("namespace")), name_of(one)): volumes.get(
                str((one.get("spec") or {}).get("volumeName") or "")
            )
            for one in claims
        }

    def choice(self) -> Retirement:
        """The Nodes of the options together. Raises InputError for one that does not exist."""
        unknown = [name for name in self._options.nodes if name not in self._nodes]
        if unknown:
            raise InputError(
                f"nodes: there is no Node '{unknown[0]}' in this cluster; it has {some(sorted(self._nodes))}."
            )
        return self._judged(self._retirement(list(dict.fromkeys(self._options.nodes))))

    def candidates(self) -> list[Retirement]:
        """The least used Nodes, each alone: those that help first, then those that move least."""
        wanted = [name for name in sorted(self._nodes) if self._is_candidate(name)]
        wanted.sort(key=lambda name: (*_load(self._moving(name)), name))
        found = [self._retirement([name]) for name in wanted[: self._options.candidates]]
        return sorted(found, key=lambda one: (not one.helps, len(one.moves), one.cpu_millis, one.memory_mib, one.nodes))

    # -- internals -----------------------------------------------------------------------------------------------

    def _judged(self, choice: Retirement) -> Retirement:
        """The choice, with what is asked only of one that is to be retired now."""
        found: list[Objection] = []
        if self._options.preflight:
            found += retirement_preflight.of_cluster(
                self._client, self._context, choice.nodes, settle_seconds=self._options.settle_seconds
            )
        named = [one for one in self._options.hosts if one.node in choice.nodes]
        choice.units, of_hosts = retirement_preflight.of_hosts(self._nodes, named)
        choice.refusals += [one.sentence for one in standing(found + of_hosts, self._options.accepted_risks)]
        return choice

    def _is_candidate(self, name: str) -> bool:
        """Nodes of the control plane and Nodes without podCIDR are never proposed."""
        return bool(self._context.node_cidrs.get(name)) and not is_control_plane(self._nodes[name])

    def _moving(self, name: str) -> list[Object]:
        return [pod for pod in self._pods.get(name, []) if not is_daemonset_pod(pod) and not is_mirror(pod)]

    def _retirement(self, names: Sequence[str]) -> Retirement:
        pods = [pod for name in names for pod in self._moving(name)]
        moving = [pod for pod in pods if controller_of(pod) is not None]
        cpu, memory = _load(pods)[1:]
        return Retirement(
            nodes=list(names),
            uids=[uid_of(self._nodes[name]) for name in names],
            machine_ids=[_machine_id(self._nodes[name]) for name in names],
            providers=[provider_of(self._nodes[name]) for name in names],
            frees=self._frees(names),
            moves=self._moves(moving, names),
            ends=sorted(_reference(pod) for pod in pods if controller_of(pod) is None),
            cpu_millis=cpu,
            memory_mib=memory,
            budgets=[
                *map(describe_budget, exhausted_budgets(pods, self._budgets)),
                *ambiguous_pods(pods, self._budgets),
            ],
            warnings=self._warnings(pods),
            refusals=[one.sentence for one in standing(self._objections(names, pods), self._options.accepted_risks)],
        )

    def _frees(self, names: Collection[str]) -> dict[str, int]:
        found = {}
        for pool in self._context.pools:
            version = pool.cluster.version
            held = {
                name: [cidr for cidr in cidrs if cidr.version == version]
                for name, cidrs in self._context.node_cidrs.items()
            }
            everything = [cidr for cidrs in held.values() for cidr in cidrs]
            others = [cidr for name, cidrs in held.items() if name not in names for cidr in cidrs]
            found[f"IPv{version}"] = pool.used(everything) - pool.used(others)
        return found

    def _moves(self, pods: Sequence[Object], leaving: Collection[str]) -> list[dict[str, str]]:
        rooms = [
            self._room(name)
            for name in sorted(self._nodes)
            if name not in leaving and takes_pods(self._nodes[name], self._context.ipam_model)
        ]
        placed = place(pods, rooms, {str(pod["metadata"].get("uid")): self._volumes_of(pod) for pod in pods})
        return [
            {"pod": _reference(pod), "to": name, "why": why}
            for pod, name, why in sorted(placed, key=lambda one: _reference(one[0]))
        ]

    def _room(self, name: str) -> Room:
        """A room to fill: the one of the cluster as it is stays as it is, and is counted once."""
        if name not in self._rooms:
            self._rooms[name] = self._counted_room(name)
        return self._rooms[name].copy()

    def _counted_room(self, name: str) -> Room:
        node = self._nodes[name]
        return room_of(node, self._pods.get(name, ()), addresses_for_pods(node, self._context.ipam_model))

    def _volumes_of(self, pod: Object) -> list[Object]:
        namespace = str(pod["metadata"].get("namespace"))
        bound = (self._volumes.get((namespace, claim)) for claim in claims_of(pod))
        return [one for one in bound if one is not None]

    def _warnings(self, pods: Sequence[Object]) -> list[str]:
        doubtful = [f"{_reference(pod)} ({', '.join(uncertain(pod))})" for pod in pods if uncertain(pod)]
        local = [_reference(pod) for pod in pods if has_local_storage(pod)]
        paths = [_reference(pod) for pod in pods if _has_host_path(pod)]
        found = []
        if doubtful:
            found.append(f"whether these find a place is only known to the scheduler: {some(doubtful)}")
        if local:
            found.append(f"data in emptyDir volumes is lost: {some(local)}")
        if paths:
            found.append(f"data in hostPath volumes stays behind: {some(paths)}")
        return found

    def _objections(self, names: Sequence[str], pods: Sequence[Object]) -> list[Objection]:
        found = [one for name in names for one in self._objections_of(name, pods)]
        open_ones = [
            name
            for name in self._context.waiting
            if condition(self._nodes.get(name, {}), "Ready") == "True" and not is_unschedulable(self._nodes[name])
        ]
        if open_ones and pods and self._context.ipam_model.node_spec_is_truth:
            reason = (
                f"Nodes without podCIDR are Ready and schedulable ({some(open_ones)}), so pods that move may be started there, "
                "with addresses that nobody can reach; cordon them until they have one"
            )
            found.append(Objection("open-waiting-nodes", reason, "open-waiting-nodes"))
        return found

    def _objections_of(self, name: str, pods: Sequence[Object]) -> list[Objection]:
        node = self._nodes[name]
        found = [
            Objection(one.code, f"Node {name}: {one.reason}", one.override or _OVERRIDES.get(one.code))
            for one in deletion_refusals(node)
        ]
        if is_control_plane(node):
            found.append(Objection("control-plane", f"Node {name} belongs to the control plane"))
        sharing = sharing_a_block(name, self._context.node_cidrs, self._context.pools)
        if sharing:
            reason = (
                f"Node {name} shares a block of the allocator with {some(sharing)}, which deleting it frees under them"
            )
            found.append(Objection("shared-block", reason))
        bare = [_reference(pod) for pod in pods if controller_of(pod) is None and pod["spec"].get("nodeName") == name]
        if bare:
            reason = f"Node {name} runs pods without a controller, which nobody starts again: {some(bare)}"
            found.append(Objection("bare-pods", reason, "bare-pods"))
        return found


#: A machine that is to be retired may be destroyed, when its owner says so.
_OVERRIDES: Mapping[str, str] = {"machine-is-terminated": "machine-is-terminated"}


def _load(pods: Sequence[Object]) -> tuple[int, int, int]:
    """Number of pods, CPU in thousandths, memory in MiB."""
    asked = [requests_of(pod) for pod in pods]
    memory = sum(one.get("memory", 0) for one in asked)
    return len(pods), sum(one.get("cpu", 0) for one in asked), memory // (1000 * 1024**2)


def _machine_id(node: Mapping[str, t.Any]) -> str:
    return str(((node.get("status") or {}).get("nodeInfo") or {}).get("machineID") or "")


def _has_host_path(pod: Mapping[str, t.Any]) -> bool:
    return any(volume.get("hostPath") for volume in (pod.get("spec") or {}).get("volumes") or ())


def _reference(pod: Mapping[str, t.Any]) -> str:
    return f"{pod['metadata'].get('namespace')}/{name_of(pod)}"
