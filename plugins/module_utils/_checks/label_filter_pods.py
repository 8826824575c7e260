# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The security labels of all pods under the present label filter and under another one, pods of equal labels together."""

from __future__ import annotations

import functools
import re
import typing as t
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_label_sets import LabelSets
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, ClusterState, Object
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import (
    SecurityLabels,
    label_fingerprint,
)

_SUFFIX: t.Final = re.compile(r"-[0-9a-z]{1,10}$")
_NUMBERS: t.Final = re.compile(r"-\d{6,}$")
#: (namespace, kind, name) of what a pod belongs to.
Workload: t.TypeAlias = tuple[str, str, str]


@dataclass(frozen=True)
class PodGroup:
    """Pods of one workload that share both identities. ``now`` and ``after`` are places in the lists of label sets."""

    workload: Workload
    now: int
    after: int
    pods: int

    @property
    def changes(self) -> bool:
        """Whether they get another identity; of a list that both share, equal places are equal labels."""
        return self.now != self.after


class SimulatedPods:
    """Live pods of the pod network, grouped. ``sets`` are all label sets of both filters, each once.

    ``judged`` pods were looked at; ``without_namespace`` pods could not be, because the labels of their namespaces are not
    known.
    """

    def __init__(self, state: ClusterState, now: SecurityLabels, after: SecurityLabels) -> None:
        self.sets: list[Mapping[str, str]] = []
        self.judged = self.without_namespace = 0
        self._places: dict[int, int] = {}
        self._hashes: dict[str, dict[str, int]] = {}
        counts: Counter[tuple[Workload, int, int]] = Counter()
        for pod in network_pods(state):
            before, later = now.of(pod), after.of(pod)
            if before is None or later is None:
                self.without_namespace += 1
                continue
            self.judged += 1
            place = self._place(before)
            counts[workload_of(pod), place, place if later == before else self._place(later)] += 1
        self.groups = [PodGroup(*key, count) for key, count in counts.items()]

    def _place(self, labels: Mapping[str, str]) -> int:
        number = 0
        hashes = self._hashes
        for key, value in labels.items():
            of_key = hashes.get(key)
            if of_key is None:
                of_key = hashes[key] = {}
            part = of_key.get(value)
            if part is None:
                part = of_key[value] = label_fingerprint(key, value)
            number += part
        place = self._places.get(number)
        if place is None:
            place = self._places[number] = len(self.sets)
            self.sets.append(labels)
        return place

    def fingerprint_of(self, place: int) -> int:
        """The fingerprint of a label set."""
        return self._numbers[place]

    @functools.cached_property
    def _numbers(self) -> list[int]:
        # places were given in the order of their numbers
        return list(self._places)

    @functools.cached_property
    def places_now(self) -> list[int]:
        """Places of the sets that the present filter makes."""
        return sorted({one.now for one in self.groups})

    @functools.cached_property
    def places_after(self) -> list[int]:
        """Places of the sets that the other filter makes."""
        return sorted({one.after for one in self.groups})

    @functools.cached_property
    def now(self) -> LabelSets:
        """The label sets, which are the identities, under the present filter."""
        return LabelSets([self.sets[place] for place in self.places_now])

    @functools.cached_property
    def after(self) -> LabelSets:
        """The same under the other filter."""
        if self.places_now == self.places_after:
            return self.now
        return LabelSets([self.sets[place] for place in self.places_after])

    def by_namespace(self) -> list[dict[str, t.Any]]:
        """[{namespace, now, after}]: identities of the pods of each, most of now first."""
        now: Counter[str] = Counter()
        after: Counter[str] = Counter()
        for counts, pick in ((now, _now), (after, _after)):
            counts.update(namespace for namespace, _place in {(one.workload[0], pick(one)) for one in self.groups})
        ordered = sorted(now, key=lambda name: (-max(now[name], after[name]), name))
        return [{"namespace": name, "now": now[name], "after": after[name]} for name in ordered]

    def changed(self) -> list[dict[str, t.Any]]:
        """Workloads with pods that get another identity, most pods first."""
        found: dict[Workload, dict[str, t.Any]] = {}
        for group in self.groups:
            if not group.changes:
                continue
            namespace, kind, name = group.workload
            row = found.setdefault(
                group.workload,
                {"namespace": namespace, "kind": kind, "name": name, "pods": 0, "lost": [], "gained": []},
            )
            row["pods"] += group.pods
            before, later = self.sets[group.now], self.sets[group.after]
            for key, one, other in (("lost", before, later), ("gained", later, before)):
                row[key] += [label for label in one if label not in other and label not in row[key]]
        rows = [{**row, "lost": sorted(row["lost"]), "gained": sorted(row["gained"])} for row in found.values()]
        return sorted(rows, key=lambda row: (-row["pods"], row["namespace"], row["kind"], row["name"]))


def _now(group: PodGroup) -> int:
    return group.now


def _after(group: PodGroup) -> int:
    return group.after


Pick: t.TypeAlias = Callable[[PodGroup], int]


def network_pods(state: ClusterState) -> Iterator[Object]:
    """Pods that have, or will have, an identity of their own: not on the host's network, and not at their end."""
    for pod in state.of("pods"):
        if (pod.get("spec") or {}).get("hostNetwork"):
            continue
        if (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES:
            yield pod


def workload_of(pod: Object) -> Workload:
    """What a pod belongs to: a Deployment by its ReplicaSet, a CronJob by its Job, else its controller, else itself.

    By names, for ReplicaSets and Jobs are not read: those of a Deployment end in a hash, those of a CronJob in minutes.
    """
    metadata = pod["metadata"]
    namespace = str(metadata.get("namespace") or "")
    owners: t.Sequence[Mapping[str, t.Any]] = metadata.get("ownerReferences") or ()
    owner = next((one for one in owners if one.get("controller")), None)
    if owner is None:
        return namespace, "Pod", str(metadata["name"])
    kind, name = str(owner.get("kind")), str(owner.get("name"))
    if kind == "ReplicaSet" and "pod-template-hash" in (metadata.get("labels") or {}):
        return namespace, "Deployment", _SUFFIX.sub("", name)
    if kind == "Job" and _NUMBERS.search(name):
        return namespace, "CronJob", _NUMBERS.sub("", name)
    return namespace, kind, name
