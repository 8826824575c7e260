# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether pods would find another Node: the filters of the scheduler that can be answered from objects alone.

Taints, nodeSelector, required node affinity, requests, number of pods, addresses left in the Node's podCIDR, host ports,
required anti-affinity, and volumes that are bound to Nodes (kubernetes: pkg/scheduler/framework/plugins). Not answered are
topology spread, required pod affinity, and plugins of your own; pods that have those are reported as uncertain.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cluster_cidr_objects import Requirement
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.quantity import thousandths
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.tolerations import not_tolerated
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.disruption_budgets import selector_matches

Object = Mapping[str, t.Any]
Amounts = dict[str, int]


def requests_of(pod: Object) -> Amounts:
    """What the scheduler reserves for the pod, in thousandths of each unit (component-helpers/resource/helpers.go)."""
    spec = pod.get("spec") or {}
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _requests(container))
    sidecars: Amounts = {}
    for container in spec.get("initContainers") or ():
        own = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, own)
            _add(total, own)
        else:
            together = dict(sidecars)
            _add(together, own)
            for key, amount in together.items():
                total[key] = max(total.get(key, 0), amount)
    total.update(
        {key: thousandths(value) for key, value in ((spec.get("resources") or {}).get("requests") or {}).items()}
    )
    _add(total, {key: thousandths(value) for key, value in (spec.get("overhead") or {}).items()})
    return total


def _requests(container: Object) -> Amounts:
    return {
        key: thousandths(value) for key, value in ((container.get("resources") or {}).get("requests") or {}).items()
    }


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for key, amount in more.items():
        total[key] = total.get(key, 0) + amount


@dataclass
class Room:
    """What is left on one Node. ``addresses`` is None where its podCIDR does not limit the number of pods.

    ``repelling``: those of its pods that have a required anti-affinity.
    """

    node: Object
    free: Amounts
    pods_left: int
    addresses: int | None
    pods: list[Object] = field(default_factory=list)
    repelling: list[Object] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the Node."""
        return str(self.node["metadata"]["name"])

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the Node."""
        return (self.node.get("metadata") or {}).get("labels") or {}

    def copy(self) -> Room:
        """The same room, to be filled apart from this one."""
        return dataclasses.replace(self, free=dict(self.free), pods=list(self.pods), repelling=list(self.repelling))

    def take(self, pod: Object) -> None:
        """Count a pod that would be placed here."""
        for key, amount in requests_of(pod).items():
            self.free[key] = self.free.get(key, 0) - amount
        self.pods_left -= 1
        if self.addresses is not None and not (pod.get("spec") or {}).get("hostNetwork"):
            self.addresses -= 1
        self.pods.append(pod)
        if _anti_affinity(pod):
            self.repelling.append(pod)


def room_of(node: Object, pods: Iterable[Object], addresses: int | None) -> Room:
    """The room on a Node with these pods on it; ``addresses`` that its podCIDR has for pods."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    room = Room(
        node,
        {key: thousandths(value) for key, value in allocatable.items() if key != "pods"},
        thousandths(allocatable.get("pods") or 0) // 1000,
        addresses,
    )
    for pod in pods:
        room.take(pod)
    return room


def obstacle(pod: Object, room: Room, rooms: Sequence[Room], volumes: Sequence[Object] = ()) -> str:
    """Why the pod would not run there; empty when nothing is known. ``volumes`` are its PersistentVolumes."""
    spec = pod.get("spec") or {}
    taints = not_tolerated(pod, (room.node.get("spec") or {}).get("taints") or ())
    if taints:
        return f"taint {taints[0].get('key')}"
    if not _selected(spec, room):
        return "nodeSelector or node affinity"
    for volume in volumes:
        if not _terms_match(((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required"), room):
            return f"volume {volume['metadata']['name']} is bound to other Nodes"
    if room.pods_left < 1:
        return "number of pods"
    if room.addresses is not None and room.addresses < 1 and not spec.get("hostNetwork"):
        return "no address is left in its podCIDR"
    for key, amount in requests_of(pod).items():
        if amount > room.free.get(key, 0):
            return f"not enough {key}"
    ports = _host_ports(pod)
    if ports and any(ports & _host_ports(other) for other in room.pods):
        return "host port"
    return "anti-affinity" if _repelled(pod, room, rooms) else ""


def uncertain(pod: Object) -> list[str]:
    """What the pod asks for that is not answered here."""
    spec = pod.get("spec") or {}
    found = []
    if any(one.get("whenUnsatisfiable") == "DoNotSchedule" for one in spec.get("topologySpreadConstraints") or ()):
        found.append("topologySpreadConstraints")
    if ((spec.get("affinity") or {}).get("podAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution"):
        found.append("podAffinity")
    if spec.get("schedulerName") not in (None, "", "default-scheduler"):
        found.append(f"scheduler {spec['schedulerName']}")
    if spec.get("resourceClaims"):
        found.append("resourceClaims")
    return found


def place(
    pods: Sequence[Object], rooms: Sequence[Room], volumes: Mapping[str, Sequence[Object]]
) -> list[tuple[Object, str, str]]:
    """Place the pods, the largest first, each where most is left: (pod, Node or empty, why nowhere).

    ``volumes``: the PersistentVolumes of each pod by its uid. The rooms are used up.
    """
    found = []
    for pod in sorted(pods, key=lambda one: (-_weight(one), str(one["metadata"].get("name")))):
        own = volumes.get(str(pod["metadata"].get("uid")), ())
        reasons: dict[str, int] = {}
        chosen = ""
        for room in sorted(rooms, key=_most_left):
            reason = obstacle(pod, room, rooms, own)
            if not reason:
                room.take(pod)
                chosen = room.name
                break
            reasons[reason] = reasons.get(reason, 0) + 1
        words = ", ".join(f"{reason} ({count} Nodes)" for reason, count in sorted(reasons.items()))
        found.append((pod, chosen, "" if chosen else words or "there is no other Node"))
    return found


def _most_left(room: Room) -> tuple[int, int, str]:
    return -room.free.get("cpu", 0), -room.free.get("memory", 0), room.name


def _weight(pod: Object) -> float:
    asked = requests_of(pod)
    return asked.get("cpu", 0) / 1000 + asked.get("memory", 0) / (1000 * 4 * 1024**3)


def _selected(spec: Object, room: Room) -> bool:
    wanted: Mapping[str, str] = spec.get("nodeSelector") or {}
    if any(room.labels.get(key) != value for key, value in wanted.items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return _terms_match(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"), room)


def _terms_match(selector: Object | None, room: Room) -> bool:
    """A NodeSelector: one of its terms must match, with all of its expressions; an empty term matches nothing."""
    if selector is None:
        return True
    fields = {"metadata.name": room.name}
    for term in selector.get("nodeSelectorTerms") or ():
        expressions, of_fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
        matching = all(_requirement(one).matches(room.labels) for one in expressions)
        if (expressions or of_fields) and matching and all(_requirement(one).matches(fields) for one in of_fields):
            return True
    return False


def _requirement(expression: Object) -> Requirement:
    values = tuple(map(str, expression.get("values") or ()))
    return Requirement(str(expression.get("key")), str(expression.get("operator")), values)


def _host_ports(pod: Object) -> set[tuple[str, int]]:
    return {
        (str(port.get("protocol") or "TCP"), int(port["hostPort"]))
        for container in (pod.get("spec") or {}).get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("hostPort")
    }


def _repelled(pod: Object, room: Room, rooms: Sequence[Room]) -> bool:
    """Required anti-affinity of the pod, and of those that are there, in the topology domain of the Node."""
    for term in _anti_affinity(pod):
        if any(_covers(term, pod, other) for other in _in_domain(term, room, rooms)):
            return True
    return any(
        _covers(term, other, pod)
        for neighbour in rooms
        for other in neighbour.repelling
        for term in _anti_affinity(other)
        if _same_domain(term, room, neighbour)
    )


def _anti_affinity(pod: Object) -> Sequence[Object]:
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity") or {}
    found: Sequence[Object] = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return found


def _same_domain(term: Object, one: Room, other: Room) -> bool:
    value = one.labels.get(str(term.get("topologyKey")))
    return value is not None and other.labels.get(str(term.get("topologyKey"))) == value


def _in_domain(term: Object, room: Room, rooms: Sequence[Room]) -> list[Object]:
    return [pod for other in rooms if _same_domain(term, room, other) for pod in other.pods]


def _covers(term: Object, owner: Object, other: Object) -> bool:
    """Whether a term of ``owner`` selects ``other``; a namespaceSelector is taken to select every namespace."""
    namespaces = term.get("namespaces") or [owner["metadata"].get("namespace")]
    if term.get("namespaceSelector") is None and other["metadata"].get("namespace") not in namespaces:
        return False
    return selector_matches(term.get("labelSelector"), other["metadata"].get("labels") or {})
