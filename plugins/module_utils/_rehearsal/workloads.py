# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Workloads of a rehearsal: the objects that own pods, so that what is evicted comes back and budgets count.

Where the snapshot has a workload, its selector, labels and placement are taken. Elsewhere they follow from its pods: the
labels that all of them have, and the taints of the Nodes that they are on.
"""

from __future__ import annotations

import re
import typing as t
from collections import defaultdict
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import keeps_command_line
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.further_lists import place_of
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.owned_pods import (
    API_VERSIONS,
    Group,
    groups,
    tolerated,
    with_images,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.stored_objects import MARK, uid_for, with_uid

_HASH: t.Final = "pod-template-hash"
_ORDINAL: t.Final = re.compile(r"-(\d+)$")
_SCHEDULED_BY_CONDITION: t.Final = "node.kubernetes.io/"
# kinds whose pods come back with new names, and those that are read in a list of their own
_LISTS: t.Final = {
    "ReplicaSet": "rehearsal-replicasets",
    "StatefulSet": "rehearsal-statefulsets",
    "DaemonSet": "rehearsal-daemonsets",
}


class Workloads:
    """Rebuilds the workloads of a state; ``said`` names what could only be guessed."""

    def __init__(self, state: ClusterState, time: str) -> None:
        self._state = state
        self._time = time
        self._known: dict[str, Mapping[str, Object]] = {
            kind: {str(one["metadata"].get("uid")): one for one in state.of(resource) if _selects(one)}
            for kind, resource in {**_LISTS, "Deployment": "rehearsal-deployments"}.items()
        }
        self._taints = {
            name_of(node): [
                taint
                for taint in (node.get("spec") or {}).get("taints") or ()
                if not str(taint.get("key")).startswith(_SCHEDULED_BY_CONDITION)
            ]
            for node in state.of("nodes")
        }
        self._placed = {
            (str(one["metadata"].get("namespace")), name_of(one)): one["spec"] for one in state.of("rehearsal-pods")
        }
        self.guessed: dict[str, int] = defaultdict(int)

    def all(self) -> list[tuple[str, Object]]:
        """(collection, object) of every workload."""
        made: list[tuple[str, Object]] = []
        sets = {group.uid: group for group in groups(self._state)}
        for uid, known in self._known["ReplicaSet"].items():
            sets.setdefault(uid, _empty("ReplicaSet", known))
        for uid, known in self._known["StatefulSet"].items():
            sets.setdefault(uid, _empty("StatefulSet", known))
        for one in (*self._state.of("daemonsets"), *self._known["DaemonSet"].values()):
            sets.setdefault(str(one["metadata"].get("uid")), _empty("DaemonSet", one))
        replica_sets: list[tuple[Group, Object]] = []
        for group in sets.values():
            if group.kind == "ReplicaSet":
                replica_sets.append((group, self._replica_set(group)))
            elif group.kind == "StatefulSet":
                made.append(("statefulsets", self._stateful_set(group)))
            elif group.kind == "DaemonSet":
                made.append(("daemonsets", self._daemon_set(group)))
            elif group.kind == "Job":
                made.append(("jobs", self._job(group)))
        made += [("deployments", one) for one in self._deployments(replica_sets)]
        return [*made, *(("replicasets", one) for _group, one in replica_sets)]

    # -- one kind each -----------------------------------------------------------------------------------------------

    def _replica_set(self, group: Group) -> Object:
        known = self._known["ReplicaSet"].get(group.uid)
        if known is not None:
            made = self._whole("ReplicaSet", known)
            made["spec"]["replicas"] = len(group.live)
            return made
        labels = group.labels()
        return self._made(group, labels, {"replicas": len(group.live)})

    def _deployments(self, replica_sets: Sequence[tuple[Group, Object]]) -> list[Object]:
        """Deployments of ReplicaSets; each ReplicaSet gets its Deployment as its owner."""
        named = {
            (one["metadata"].get("namespace"), name_of(one)): one
            for one in (*self._state.of("deployments"), *self._known["Deployment"].values())
        }
        by_deployment: dict[tuple[str, str], list[tuple[Group, Object]]] = defaultdict(list)
        for group, made in replica_sets:
            owners = made["metadata"].get("ownerReferences") or ()
            owner = next((one["name"] for one in owners if one.get("kind") == "Deployment"), "")
            digest = made["metadata"].get("labels", {}).get(_HASH) or group.labels().get(_HASH, "")
            if not owner and digest and group.name.endswith(f"-{digest}"):
                owner = group.name.removesuffix(f"-{digest}")
            if owner and digest and {key for key in made["spec"]["selector"]["matchLabels"] if key != _HASH}:
                by_deployment[(group.namespace, owner)].append((group, made))
            elif not any(one.get("uid") in self._known["Deployment"] for one in owners):
                # an owner that is nowhere would take the ReplicaSet with it
                made["metadata"].pop("ownerReferences", None)
        found = [self._deployment(key, sets, named.get(key)) for key, sets in by_deployment.items()]
        done = {one["metadata"]["uid"] for one in found}
        return [
            *found,
            *(self._whole("Deployment", one) for uid, one in self._known["Deployment"].items() if uid not in done),
        ]

    def _deployment(self, key: tuple[str, str], sets: Sequence[tuple[Group, Object]], known: Object | None) -> Object:
        _group, newest = max(sets, key=lambda one: (one[1]["spec"]["replicas"], name_of(one[1])))
        namespace, name = key
        uid = str((known or {}).get("metadata", {}).get("uid") or uid_for("Deployment", namespace, name))
        for _other, made in sets:
            made["metadata"]["ownerReferences"] = [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid, "controller": True}
            ]
        template = newest["spec"]["template"]
        labels = {one: value for one, value in template["metadata"]["labels"].items() if one != _HASH}
        selector = (self._known["Deployment"].get(uid) or {}).get("spec", {}).get("selector") or {
            "matchLabels": {
                one: value for one, value in newest["spec"]["selector"]["matchLabels"].items() if one != _HASH
            }
        }
        metadata: Object = {"name": name, "namespace": namespace, "uid": uid, "labels": labels}
        source = (known or {}).get("metadata") or {}
        metadata.update({one: source[one] for one in ("labels", "generation", "creationTimestamp") if one in source})
        metadata["annotations"] = {"deployment.kubernetes.io/revision": "1"}
        replicas = sum(made["spec"]["replicas"] for _other, made in sets)
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": with_uid("Deployment", metadata, self._time),
            "spec": {
                "replicas": replicas,
                "selector": selector,
                "template": {**template, "metadata": {"labels": labels}},
                "strategy": {"type": "RollingUpdate"},
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
            },
            "status": dict((known or {}).get("status") or {}),
        }

    def _stateful_set(self, group: Group) -> Object:
        known = self._known["StatefulSet"].get(group.uid)
        numbers = [int(found[1]) for pod in group.pods if (found := _ORDINAL.search(name_of(pod)))]
        first = min(numbers, default=0)
        spec: Object = {
            "replicas": max(numbers) - first + 1 if numbers else 0,
            "serviceName": group.name,
            "podManagementPolicy": "Parallel",
            # pods that are there are not replaced because their template is not the one that they were made from
            "updateStrategy": {"type": "OnDelete"},
            **({"ordinals": {"start": first}} if first else {}),
        }
        if known is None:
            return self._made(group, group.labels(), spec)
        made = self._whole("StatefulSet", known)
        made["spec"] = {**spec, **made["spec"], "updateStrategy": spec["updateStrategy"]}
        return made

    def _daemon_set(self, group: Group) -> Object:
        known = self._known["DaemonSet"].get(group.uid)
        seen = next((one for one in self._state.of("daemonsets") if one["metadata"].get("uid") == group.uid), None)
        if known is not None:
            made = self._whole("DaemonSet", known)
        else:
            made = self._made(group, group.labels() or dict((seen or {}).get("metadata", {}).get("labels") or {}), {})
            place = made["spec"]["template"]["spec"]
            place["tolerations"] = [{"operator": "Exists"}]
            place.update(self._where(group))
        made["spec"]["updateStrategy"] = {"type": "OnDelete"}
        if seen is not None:
            made["metadata"] = {**made["metadata"], **seen["metadata"]}
            containers = made["spec"]["template"]["spec"]["containers"]
            images = (seen.get("spec") or {}).get("images") or ()
            made["spec"]["template"]["spec"]["containers"] = [
                {**(containers[number] if number < len(containers) else {"name": f"c{number}"}), "image": image}
                for number, image in enumerate(images)
            ] or containers
            made["status"] = dict(seen.get("status") or {})
        return made

    def _where(self, group: Group) -> Object:
        """A placement that holds for exactly the Nodes with a pod of this DaemonSet; nothing where all have one."""
        names = {str((pod.get("spec") or {}).get("nodeName")) for pod in group.pods} - {"None"}
        labels = {name_of(node): node["metadata"].get("labels") or {} for node in self._state.of("nodes")}
        if names >= set(labels):
            return {}
        first = next(iter(sorted(names)), None)
        for key, value in sorted(labels.get(first or "", {}).items()):
            if {name for name, own in labels.items() if own.get(key) == value} == names & set(labels):
                return {"nodeSelector": {key: value}}
        self.guessed["the Nodes of a DaemonSet, which are those that have a pod of it now"] += 1
        terms = [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]} for name in sorted(names)
        ]
        if not terms:
            return {"nodeSelector": {f"{MARK}/no-node": "true"}}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
        return {"affinity": {"nodeAffinity": required}}

    def _job(self, group: Group) -> Object:
        """A Job that no controller works on: what it has still to do is not known."""
        made = self._made(group, group.labels(), {"managedBy": f"{MARK}/nobody", "suspend": False, "backoffLimit": 6})
        made["spec"]["template"]["spec"]["restartPolicy"] = "Never"
        made["spec"]["manualSelector"] = True
        return made

    # -- parts of all ------------------------------------------------------------------------------------------------

    def _made(self, group: Group, labels: Mapping[str, str], spec: Mapping[str, t.Any]) -> Object:
        chosen = dict(labels)
        if not chosen:
            # nothing selects its pods, so that it must not want any either
            chosen = {f"{MARK}/owner": group.uid[:63]}
            spec = {**spec, **({"replicas": 0} if "replicas" in spec else {})}
            self.guessed["a workload whose pods have no label in common; its pods do not come back"] += 1
        elif group.kind != "Job":
            self.guessed["selector and placement of a workload, from its pods"] += 1
        metadata: Object = {"name": group.name, "namespace": group.namespace, "uid": group.uid}
        if _HASH in chosen:
            metadata["labels"] = chosen
        return {
            "apiVersion": API_VERSIONS[group.kind],
            "kind": group.kind,
            "metadata": with_uid(group.kind, metadata, self._time),
            "spec": {
                **spec,
                "selector": {"matchLabels": chosen},
                "template": {"metadata": {"labels": chosen}, "spec": self._place(group)},
            },
        }

    def _place(self, group: Group) -> Object:
        """Of the template: as its pods are placed, else tolerating the taints of the Nodes that they are on."""
        for pod in group.pods:
            placed = self._placed.get((group.namespace, name_of(pod)))
            if placed is not None:
                return with_images({key: value for key, value in placed.items() if key != "claims"})
        nodes = sorted({str((pod.get("spec") or {}).get("nodeName")) for pod in group.pods})
        made: Object = place_of({})
        tolerations = [one for name in nodes for one in tolerated(self._taints.get(name, ()))]
        if tolerations:
            made["tolerations"] = [one for number, one in enumerate(tolerations) if one not in tolerations[:number]]
        if group.pods and all((pod.get("spec") or {}).get("hostNetwork") for pod in group.pods):
            made["hostNetwork"] = True
        account = (group.pods[0].get("spec") or {}).get("serviceAccountName") if group.pods else None
        if account:
            made["serviceAccountName"] = account
        if group.pods and keeps_command_line(group.pods[0]):
            made["containers"] = [dict(one) for one in group.pods[0]["spec"].get("containers") or ()]
        return with_images(made)

    def _whole(self, kind: str, known: Object) -> Object:
        spec = dict(known["spec"])
        template = spec["template"]
        place = {key: value for key, value in template["spec"].items() if key != "claims"}
        spec["template"] = {**template, "spec": with_images(place)}
        return {
            "apiVersion": API_VERSIONS[kind],
            "kind": kind,
            "metadata": with_uid(kind, known["metadata"], self._time),
            "spec": spec,
        }


def _selects(known: Object) -> bool:
    """Whether a workload of the snapshot has selector and labels, without which the API takes none: files may lack them."""
    spec = known.get("spec") or {}
    template = spec.get("template") or {}
    return bool(spec.get("selector") and (template.get("metadata") or {}).get("labels"))


def _empty(kind: str, known: Object) -> Group:
    metadata = known["metadata"]
    return Group(kind, str(metadata.get("namespace") or ""), name_of(known), str(metadata.get("uid")))
