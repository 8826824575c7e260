# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Whether a stress test of identities may run here, how large it may be, and which label makes identities."""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import node_capacity
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_addresses import (
    scarcest,
    use_of_nodes,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import of
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_pending import security_labels
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView, view_of
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    TERMINAL_PHASES,
    Object,
    condition,
    name_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import MULTI_POOL
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import (
    HEALTHY,
    CollectionTimes,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.production_signs import ClusterFacts, signs
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.tolerations import not_tolerated
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stress_objects import PREFIX

#: No test makes more than this, whatever is asked for.
MOST_IDENTITIES = 5000
#: No more than this share of the places for pods that are free is taken.
_ROOM_SHARE = 0.5
_SYSTEM = ("kube-", "cilium")
_SYSTEM_NAMES = frozenset({"default", "local-path-storage"})
#: Keys that are tried for the label that tells pods apart; those behind are for filters that are a list of what is allowed.
_LABEL_KEYS = ("podnet-upkeep-stress-pod", "app.kubernetes.io/instance", "app", "k8s-app", "name")


@dataclass(frozen=True)
class StressOptions:
    """``keep_free``: share of the range that stays free. ``production_cluster`` repeats the name of what looks like production."""

    identities: int = 100
    keep_free: float = 0.5
    rate: float = 20.0
    label_key: str = ""
    image: str = "registry.k8s.io/pause:3.10"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, t.Any]] = ()
    production_cluster: str = ""
    allocation_timeout: float = 300.0
    recovery_timeout: float | None = None

    def __post_init__(self) -> None:
        """Raises InputError naming the option that cannot be used."""
        if not 1 <= self.identities <= MOST_IDENTITIES:
            raise InputError(f"identities: {self.identities} is not usable; give 1 to {MOST_IDENTITIES}.")
        if not 0.2 <= self.keep_free < 1:
            raise InputError(f"keep_free: {self.keep_free:g} is not usable; give a share of 0.2 to 0.99.")
        if not 0 < self.rate <= 200:
            raise InputError(f"rate: {self.rate:g} is not usable; give more than 0 and at most 200 pods a second.")
        for name in ("allocation_timeout", "recovery_timeout"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{name}: {value:g} is not usable; give more than 0 seconds.")


@dataclass(frozen=True)
class StressPlan:
    """What would be done, and why it is not. ``room`` is how many pods find a place, None where that is not known."""

    label_key: str
    refusals: Sequence[str]
    signs: Sequence[str]
    nodes: int
    room: int | None
    used: int | None
    capacity: int | None
    mode: str
    times: CollectionTimes

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "label_key": self.label_key,
            "refusals": list(self.refusals),
            "production_signs": list(self.signs),
            "nodes": self.nodes,
            "room": self.room,
            "range_used": self.used,
            "range_capacity": self.capacity,
            "identity_management_mode": self.mode,
            "recovery_usual_seconds": self.times.usual.total_seconds(),
            "recovery_longest_seconds": self.times.longest.total_seconds(),
        }


def plan(context: Context, server: str, options: StressOptions) -> StressPlan:
    """Judge the cluster; it only looks. ``server`` is the address that the client speaks to."""
    view, cilium = view_of(context), context.cilium
    label_key, why_no_label = _label_key(context, options.label_key)
    nodes = _nodes(context, options)
    room = _room(context, nodes)
    marks = signs(facts_of(context, server))
    refusals = [*_cilium_refusals(context, view), *_range_refusals(view, options), *why_no_label]
    refusals += _room_refusals(nodes, room, options)
    refusals += _production_refusals(marks, [server, *_mesh_name(context)], options.production_cluster)
    capacity = view.range.capacity if view.range is not None else None
    return StressPlan(
        label_key, refusals, marks, len(nodes), room, view.used, capacity, cilium.management_mode, view.times
    )


# -- signs of production ---------------------------------------------------------------------------------------------------


def facts_of(context: Context, server: str) -> ClusterFacts:
    """What is counted of a cluster."""
    state = context.state
    users = [one for one in state.of("namespaces") if not _is_system(name_of(one))]
    pods = [
        pod
        for pod in state.of("pods")
        if not _is_system(str(pod["metadata"].get("namespace") or ""))
        and (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES
    ]
    known = {what: what not in state.unknown for what in ("nodes", "namespaces", "pods")}
    return ClusterFacts(
        nodes=len(state.nodes) if known["nodes"] else None,
        oldest_node_days=_oldest(context, state.nodes),
        namespaces=sorted(name_of(one) for one in users) if known["namespaces"] else None,
        oldest_namespace_days=_oldest(context, users),
        # pods of user namespaces, and those of the namespace default
        pods=len(pods) if known["pods"] else None,
        names=[server, *_mesh_name(context)],
    )


def _is_system(namespace: str) -> bool:
    return namespace.startswith((*_SYSTEM, PREFIX)) or namespace in _SYSTEM_NAMES - {"default"}


def _oldest(context: Context, objects: Sequence[Object]) -> float | None:
    """Age of the oldest in days; the namespace ``default`` is as old as the cluster, which its Nodes say better."""
    times = [
        created
        for one in objects
        if name_of(one) != "default" and (created := moment(one["metadata"].get("creationTimestamp"))) is not None
    ]
    return (context.state.taken_at - min(times)) / datetime.timedelta(days=1) if times else None


def _mesh_name(context: Context) -> list[str]:
    return [context.cilium.cluster_name] if context.cilium.cluster_name != "default" else []


def _production_refusals(marks: Sequence[str], names: Sequence[str], confirmed: str) -> t.Iterator[str]:
    if confirmed and confirmed not in names:
        yield f"production_cluster is '{confirmed}', but this cluster is {' or '.join(names)}"
    elif marks and not confirmed:
        yield (
            f"this cluster looks like production: {'; '.join(marks)}. A stress test belongs into a staging cluster; if it is to "
            f"run here nevertheless, repeat its name: production_cluster: {names[0]}"
        )


# -- Cilium ----------------------------------------------------------------------------------------------------------------


def _cilium_refusals(context: Context, view: IdentityView) -> t.Iterator[str]:
    cilium = context.cilium
    if not cilium.installed:
        yield "there is no Cilium here"
        return
    if not cilium.config:
        yield "cilium-config could not be read, so nobody knows how identities are kept"
        return
    if cilium.identity_mode != "crd":
        yield f"identities are kept by {cilium.identity_mode}; this test measures CiliumIdentities (identity-allocation-mode: crd)"
    if view.verdict.name != HEALTHY:
        reasons = "; ".join(view.verdict.reasons) or "nothing tells"
        yield f"unused identities would stay: their collection is {view.verdict.name} ({reasons}); mend it first"


def _range_refusals(view: IdentityView, options: StressOptions) -> t.Iterator[str]:
    if view.range is None or view.used is None:
        yield f"the use of the identity range is not known: {view.range_or_problem if view.range is None else 'not readable'}"
        return
    most = int((1 - options.keep_free) * view.range.capacity)
    share = f"keep_free: {options.keep_free:g} of {view.range.capacity} identities are to stay free"
    if view.used > most:
        yield f"{share}, and {view.used} are in use already"
    elif view.used + options.identities > most:
        yield f"{share}: {view.used} are in use, so at most {most - view.used} more may be made, not {options.identities}"


def _label_key(context: Context, wanted: str) -> tuple[str, list[str]]:
    """(key of the label that tells pods apart, why there is none)."""
    makers = security_labels(context)
    if not makers:
        return wanted or _LABEL_KEYS[0], [
            "which labels make identities is not known: the version of Cilium or its label filter cannot be told"
        ]
    namespace = next((name_of(one) for one in context.state.of("namespaces")), "default")
    for key in [wanted] if wanted else _LABEL_KEYS:
        pod = {"metadata": {"name": "probe", "namespace": namespace, "labels": {key: "x"}}, "spec": {}}
        made = [maker.of(pod) or {} for maker in makers]
        if all(f"k8s:{key}" in labels for labels in made):
            return key, []
    tried = wanted or ", ".join(_LABEL_KEYS)
    return wanted or _LABEL_KEYS[0], [
        f"with the label filter of this cluster no label of these makes identities: {tried}; give one that does as label_key"
    ]


# -- room ------------------------------------------------------------------------------------------------------------------


def _nodes(context: Context, options: StressOptions) -> list[Object]:
    """Nodes that take the pods: Ready, schedulable, chosen, tolerated; where agents make identities, with an agent."""
    pod = {"spec": {"tolerations": list(options.tolerations)}}
    with_agent = None if context.cilium.management_mode == "operator" else of(context).agents
    found = []
    for node in context.state.nodes:
        labels, spec = node["metadata"].get("labels") or {}, node.get("spec") or {}
        fits = all(labels.get(key) == value for key, value in options.node_selector.items())
        open_ = not spec.get("unschedulable") and not node["metadata"].get("deletionTimestamp")
        if not fits or not open_ or condition(node, "Ready") != "True" or not_tolerated(pod, spec.get("taints") or ()):
            continue
        if with_agent is None or name_of(node) in with_agent:
            found.append(node)
    return found


def _room(context: Context, nodes: Sequence[Object]) -> int | None:
    """Pods that find a place and an address on these Nodes; None where neither is known of one of them."""
    if "pods" in context.state.unknown:
        return None
    ipam = of(context)
    there = Counter(
        str((pod.get("spec") or {}).get("nodeName") or "")
        for pod in context.state.of("pods")
        if (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES
    )
    blocks = node_capacity.addresses(context)
    uses = use_of_nodes(context)
    total = 0
    for node in nodes:
        name, limit = name_of(node), node_capacity.pod_limit(node)
        if limit is None:
            return None
        places = [max(0, limit - there[name])]
        if name in uses and ipam.mode != MULTI_POOL:  # a Node of multi-pool gets more blocks when it needs them
            places.append(scarcest(uses[name]).free)
        elif name in blocks and (free := blocks[name].free) is not None:
            places.append(free)
        total += min(places)
    return total


def _room_refusals(nodes: Sequence[Object], room: int | None, options: StressOptions) -> t.Iterator[str]:
    if not nodes:
        yield (
            "no Node takes the pods of the test: it has to be Ready, schedulable, with the labels of node_selector and no taint "
            "beside tolerations, and with a running agent where agents make identities"
        )
    elif room is None:
        yield "it is not known how many pods the Nodes take: pods, or the limit of a Node, could not be read"
    elif options.identities > _ROOM_SHARE * room:
        yield (
            f"identities: {options.identities} pods are more than half of the {room} places and addresses for pods that are "
            f"free on {len(nodes)} Nodes; give at most {int(_ROOM_SHARE * room)}"
        )
