# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""A snapshot as the objects of an API server, with their uids and times: what is in it, and what can only be made up."""

from __future__ import annotations

import datetime
import json
import typing as t
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import (
    ClusterState,
    Object,
    condition,
    name_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.further_lists import BUDGETS, LISTS
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.owned_pods import API_VERSIONS
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.rebuilt_pods import RebuiltPods, with_version
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.stored_objects import (
    MARK,
    definition,
    is_custom,
    stored,
    stored_custom,
    with_uid,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.times import aged
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.workloads import Workloads

Stored = tuple[str, Object]
#: Nodes that the stand-in for kubelets keeps as they are, and what it says of them when they are registered anew.
NODE_MARK: t.Final = f"{MARK}/node"
NODE_STATUS: t.Final = f"{MARK}/status"
_FOLLOWERS: t.Final = "ciliumendpoints"
_HELD: t.Final = ("nodeleases", "csinodes", "ciliumnodes", "cninodes")
# made by the rehearsal's own processes, or answered by servers that are not there
_LEFT_OUT: t.Final = ("apiservices", "clustercidrs-in-tree", "daemonsets", "deployments")
_DONE_HERE: t.Final = ("nodes", "pods", "namespaces")


@dataclass
class Rebuilt:
    """``said``: what could not be loaded or had to be made up, as sentences. ``counts``: objects by resource."""

    said: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Rebuild:
    """Makes the objects of one snapshot, each as old ``now`` as it was when the snapshot was taken.

    ``held_back``: Nodes that are to be written after the controller-manager has started, because it would not start with
    them: a running one bears them, and in the cluster it runs.
    """

    def __init__(self, state: ClusterState, now: datetime.datetime, held_back: frozenset[str] = frozenset()) -> None:
        state = aged(state, now)
        self._state = state
        self._held = held_back
        self._time = state.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._nodes = {name_of(node): node for node in state.of("nodes")}
        self._pods = RebuiltPods(state, self._time)
        self._amounts = {name_of(one): one["status"] for one in state.of("rehearsal-nodes")}
        self.result = Rebuilt()

    def first(self) -> Iterator[Stored]:
        """Everything that is there before any process of the control plane starts."""
        for resource in RESOURCES:
            if is_custom(resource) and self._state.knows(resource) and resource not in self._state.absent:
                yield definition(resource, self._time)
        yield from self._namespaces()
        for node in self._state.of("nodes"):
            if name_of(node) not in self._held:
                yield self._node(node)
        yield from self._workloads()
        for pod in self._state.of("pods"):
            self.result.counts["pods"] += 1
            yield self._pods.of(pod)
        for resource in (one for one in self._state.resources if one in RESOURCES):
            if resource not in (*_DONE_HERE, *_LEFT_OUT):
                yield from self._others(resource, held=False)
        for budget in self._state.of(BUDGETS):
            self.result.counts["poddisruptionbudgets"] += 1
            metadata = with_uid("PodDisruptionBudget", {**budget["metadata"], "generation": 1}, self._time)
            whole = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", **budget, "metadata": metadata}
            yield stored("poddisruptionbudgets", whole)
        self._say()

    def only_for_the_audit(self) -> list[str]:
        """Keys of Leases by which the real controllers would wait for those of the cluster to give up."""
        return [stored("leases", one)[0] for one in self._state.of("leases")]

    def second(self) -> Iterator[Stored]:
        """What belongs to the Nodes that were held back."""
        for resource in _HELD:
            yield from self._others(resource, held=True)
        for name in sorted(self._held):
            yield self._node(self._nodes[name])

    def followers(self) -> list[Stored]:
        """What belongs to pods, and is better met after them by the garbage collector."""
        return list(self._others(_FOLLOWERS, held=False))

    def pods_with_hashes(self, hashes: Mapping[str, str]) -> Iterator[Stored]:
        """Pods of these DaemonSets with the hash that their controller gives (``hashes`` by uid)."""
        for pod in self._state.of("pods"):
            found = [
                hashes[uid]
                for one in pod["metadata"].get("ownerReferences") or ()
                if (uid := str(one.get("uid"))) in hashes
            ]
            if found:
                key, made = self._pods.of(pod)
                metadata = made["metadata"]
                metadata["labels"] = {**(metadata.get("labels") or {}), "controller-revision-hash": found[0]}
                yield key, made

    # -- kinds -------------------------------------------------------------------------------------------------------

    def _namespaces(self) -> Iterator[Stored]:
        known = {name_of(one): one for one in self._state.of("namespaces")}
        used = {
            str(one["metadata"].get("namespace"))
            for resource in (*RESOURCES, *LISTS)
            for one in self._state.of(resource)
            if one["metadata"].get("namespace")
        }
        for name in sorted(used | set(known) | {"default", "kube-system", "kube-public", "kube-node-lease"}):
            self.result.counts["namespaces"] += 1
            metadata = with_uid("Namespace", known.get(name, {}).get("metadata") or {"name": name}, self._time)
            metadata["labels"] = {"kubernetes.io/metadata.name": name, **(metadata.get("labels") or {})}
            going = "Terminating" if metadata.get("deletionTimestamp") else "Active"
            spec = {"finalizers": ["kubernetes"]}
            yield stored(
                "namespaces",
                {
                    "apiVersion": "v1",
                    "kind": "Namespace",
                    "metadata": metadata,
                    "spec": spec,
                    "status": {"phase": going},
                },
            )

    def _node(self, node: Object) -> Stored:
        self.result.counts["nodes"] += 1
        name = name_of(node)
        metadata = with_uid(
            "Node", {key: value for key, value in node["metadata"].items() if key != "resourceVersion"}, self._time
        )
        status = dict(node.get("status") or {})
        for key in ("capacity", "allocatable"):
            status[key] = {**(status.get(key) or {}), **(self._amounts.get(name, {}).get(key) or {})}
        status["nodeInfo"] = dict(status.get("nodeInfo") or {})
        if condition(node, "Ready") == "True" and not metadata.get("deletionTimestamp"):
            kept = {key: status[key] for key in ("nodeInfo", "addresses", "capacity", "allocatable") if key in status}
            ours = {NODE_MARK: "true", NODE_STATUS: json.dumps(kept, sort_keys=True)}
            metadata["annotations"] = {**(metadata.get("annotations") or {}), **ours}
        whole = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": metadata,
            "spec": node.get("spec") or {},
            "status": status,
        }
        return stored("nodes", whole)

    def _workloads(self) -> Iterator[Stored]:
        workloads = Workloads(self._state, self._time)
        for collection, made in workloads.all():
            self.result.counts[collection] += 1
            yield stored(collection, made)
        for words, count in sorted(workloads.guessed.items()):
            self.result.said.append(f"Made up for {count} of them: {words}.")

    def _others(self, resource: str, *, held: bool) -> Iterator[Stored]:
        for one in self._state.of(resource):
            source = one["metadata"]
            if (resource in _HELD and name_of(one) in self._held) != held:
                continue
            self.result.counts[resource] += 1
            dropped = ("resourceVersion", "managedFields") if resource != "configmaps" else ("resourceVersion",)
            metadata = {key: value for key, value in source.items() if key not in dropped}
            if metadata.get("ownerReferences"):
                metadata["ownerReferences"] = [with_version(owner) for owner in metadata["ownerReferences"]]
            whole = {**one, "metadata": with_uid(resource, metadata, self._time)}
            if is_custom(resource):
                yield stored_custom(resource, whole)
            else:
                known = RESOURCES[resource]
                version = "/".join(filter(None, (known.group, known.versions[0])))
                yield stored(known.plural or resource, {"apiVersion": version, "kind": known.kind, **whole})

    # -- words -------------------------------------------------------------------------------------------------------

    def _say(self) -> None:
        state, said = self._state, self.result.said
        lacking = [one for one in LISTS if one not in state.resources]
        if BUDGETS in lacking:
            said.append("The snapshot has no PodDisruptionBudgets, so that none can block a drain here.")
        if "rehearsal-pods" in lacking:
            said.append(
                "The snapshot does not say where pods may be and what they need, so that every pod fits on every Node that has a "
                "place left, is ready where it runs, and has no volume."
            )
        claims = sum(1 for one in state.of("rehearsal-pods") if one["spec"].get("claims"))
        if claims:
            said.append(f"{claims} pods have volumes of claims, which are not rebuilt: here they may go to every Node.")
        jobs = self.result.counts.get("jobs")
        if jobs:
            said.append(f"Pods of {jobs} Jobs do not come back when they are evicted.")
        foreign = {
            str(owner.get("kind"))
            for pod in state.of("pods")
            for owner in pod["metadata"].get("ownerReferences") or ()
            if owner.get("kind") not in API_VERSIONS
        }
        if foreign:
            said.append(
                f"Pods of {', '.join(sorted(foreign))} do not come back when they are evicted: their controllers are not here."
            )
        served = sum(1 for one in state.of("apiservices") if (one.get("spec") or {}).get("service"))
        if served:
            said.append(f"{served} APIServices are not loaded: the servers that answer for them are not here.")
        if state.of("clustercidrs-in-tree"):
            said.append("ClusterCIDRs of networking.k8s.io are not loaded: no API server of today serves them.")
        unknown = sorted(one for one in state.unknown if one in RESOURCES and is_judged(one))
        if unknown:
            said.append(f"The snapshot does not hold {', '.join(unknown)}: here there are none.")


def is_judged(resource: str) -> bool:
    """Whether a snapshot without these objects lacks something: those of CNIs that are not there are not missed."""
    return resource not in _LEFT_OUT and not (is_custom(resource) and RESOURCES[resource].group != "cilium.io")
