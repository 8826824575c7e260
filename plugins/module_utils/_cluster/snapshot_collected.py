# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What becomes a ClusterState: objects from files, pruned and checked one at a time, and the times they tell of."""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Callable, Iterable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import (
    Gathered,
    PackedEndpoints,
    collected,
    collecting,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import NODE_LEASES_NAMESPACE, RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows import reduced
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.shape import SHAPES, fault
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_files import SnapshotFile
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_objects import (
    Object,
    objects,
    resources_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

_UTC_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z$")
_CUSTOM_RESOURCES = "CustomResourceDefinition"
# namespaces in which the audit looks up ConfigMaps and the operator, besides those of the CNI's DaemonSets
_SYSTEM = "kube-system"
_CNI_DAEMON_SETS = ("cilium", "anetd", "kube-flannel-ds", "kube-flannel")


class Collected:
    """Objects by resource; why others are unknown; the newest time in the data."""

    def __init__(self) -> None:
        self.resources: dict[str, list[Object] | PackedEndpoints] = {}
        self.unknown: dict[str, str] = {}
        self.absent: set[str] = set()
        self.newest: datetime.datetime | None = None
        self.server_version: str | None = None
        self.files_read: list[SnapshotFile] = []
        # {resource: numbers of the files that hold some of it}
        self._sources: dict[str, set[int]] = {}
        self._reading = 0
        self._told = False
        self._definitions: set[str] | None = None
        # namespaces in which objects of a kind were seen, also of ones that are not kept
        self._places: dict[str, set[str]] = {}

    def read(self, file: SnapshotFile, kind: str = "", empty: str = "") -> bool:
        """Take all objects of a file; whether it told of any resource. Raises BadContent.

        ``kind``: of items that do not say theirs. ``empty``: the resource of which an empty list of unknown kind is.
        """
        self._told = False
        self._reading += 1
        for found in objects(file, kind, self._look):
            if found.obj is not None:
                self.add(found.resource, found.obj)
            elif found.resource:
                self._told = True
                # of one namespace, a list says nothing of others: see _complete
                if found.kind not in _LOOKED_UP_IN or kind:
                    for resource in resources_of(None, found.kind):
                        self.resources.setdefault(resource, collecting(resource))
            elif found.kind in ("", "List") and empty:
                self._told = True
                self.resources.setdefault(empty, collecting(empty))
        if self._told:
            self.files_read.append(file)
        return self._told

    def add(self, resource: str, obj: Object) -> None:
        """Take one object. Raises BadContent when it is none of this kind."""
        metadata = obj.get("metadata")
        if isinstance(metadata, dict):
            # what structs of Go write for times that are not set
            obj["metadata"] = {key: value for key, value in metadata.items() if value is not None}
        try:
            found = reduced(resource, obj)
        except (AttributeError, TypeError, KeyError, IndexError, ValueError) as error:
            raise BadContent(f"holds a {RESOURCES[resource].kind} a part of which has the wrong type") from error
        wrong = "" if isinstance(found, tuple) else fault(found, SHAPES[resource], RESOURCES[resource].kind)
        if wrong:
            raise BadContent(f"holds a {RESOURCES[resource].kind} that is none: {wrong}")
        if resource not in self.resources:
            self.resources[resource] = collecting(resource)
        gathered: Gathered | PackedEndpoints = t.cast(t.Any, self.resources[resource])
        gathered.take((found,))
        self._sources.setdefault(resource, set()).add(self._reading)

    def _look(self, kind: str, obj: Object) -> None:
        """Times and definitions, also of objects that are not kept."""
        if resources_of(None, kind):
            self._told = True
            self._places.setdefault(kind, set()).add(str(_of(obj, "metadata", "namespace") or ""))
        if kind in _TIMES:
            for text in _TIMES[kind](obj):
                self._note(text)
        elif kind == _CUSTOM_RESOURCES:
            metadata = obj.get("metadata")
            if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
                self._definitions = self._definitions or set()
                self._definitions.add(metadata["name"])
        elif not kind and isinstance(obj.get("serverVersion"), dict):
            version = obj["serverVersion"].get("gitVersion")
            self.server_version = version if isinstance(version, str) else self.server_version

    def _note(self, text: t.Any) -> None:
        match = _UTC_TIME.match(text) if isinstance(text, str) else None
        if match is None:
            return
        try:
            moment = datetime.datetime.fromisoformat(match[1] + "+00:00")
        except ValueError:
            return
        self.newest = moment if self.newest is None else max(self.newest, moment)

    def state(
        self, taken_at: datetime.datetime, origin: str, skew: datetime.timedelta, reasons: Mapping[str, str]
    ) -> ClusterState:
        """The state; ``reasons`` says for each resource that was not read why it is unknown."""
        if self._definitions is not None:
            for one in RESOURCES.values():
                # what the core serves has no definition
                if "." in one.group and not one.group.endswith(".k8s.io") and one.name not in self.resources:
                    self.absent |= set() if f"{one.plural or one.name}.{one.group}" in self._definitions else {one.name}
        self._complete()
        resources = {
            # names take memory: they are looked at only where an object can be in two files
            name: _each_once(found) if len(self._sources.get(name, ())) > 1 else collected(found)
            for name, found in self.resources.items()
        }
        for name in self.absent:
            resources.setdefault(name, ())
        unknown = {name: text for name, text in {**reasons, **self.unknown}.items() if name not in resources}
        order = [*RESOURCES, *(name for name in resources if name not in RESOURCES)]
        return ClusterState(
            taken_at=taken_at,
            server_version=self.server_version,
            resources={name: resources[name] for name in order if name in resources},
            unknown=unknown,
            absent=frozenset(self.absent),
            origin=origin,
            skew=skew,
        )

    def _complete(self) -> None:
        """Decide on what is looked up in some namespaces only: kube-system and those of the CNI.

        Objects of the same name elsewhere are not those of this cluster's network. Where objects of the kind were seen in
        such a namespace, and none that is wanted, there is none.
        """
        of_network = {
            str(one["metadata"].get("namespace") or _SYSTEM)
            for one in self.resources.get("daemonsets", ())
            if one["metadata"]["name"] in _CNI_DAEMON_SETS
        }
        for kind, names in _LOOKED_UP_IN.items():
            for resource, place in names.items():
                if place in self._places.get(kind, ()) or (not place and of_network & self._places.get(kind, set())):
                    self.resources.setdefault(resource, collecting(resource))
        if "events" not in self.resources and "Event" in self._places:
            self.resources["events"] = []
        if not self.resources.get("daemonsets"):
            return
        for resource in ("configmaps", "deployments"):
            found = self.resources.get(resource, [])
            kept = [one for one in found if one["metadata"].get("namespace", _SYSTEM) in {_SYSTEM, *of_network}]
            if len(kept) < len(found):
                self.resources[resource] = kept


def _each_once(objects: Iterable[Object]) -> tuple[Object, ...]:
    """The first of all objects of one name."""
    found: dict[tuple[t.Any, t.Any], Object] = {}
    for one in objects:
        found.setdefault((one["metadata"].get("namespace"), one["metadata"]["name"]), one)
    return tuple(found.values())


def _of(obj: t.Any, *keys: str) -> t.Any:
    for key in keys:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def _heartbeats(node: Object) -> list[t.Any]:
    conditions = _of(node, "status", "conditions")
    return [_of(one, "lastHeartbeatTime") for one in conditions] if isinstance(conditions, list) else []


# kind -> {resource: the namespace that tells about it; empty: that of the CNI}
_LOOKED_UP_IN: Mapping[str, Mapping[str, str]] = {
    "Lease": {"leases": _SYSTEM, "nodeleases": NODE_LEASES_NAMESPACE},
    "ConfigMap": {"configmaps": _SYSTEM},
    "Deployment": {"deployments": ""},
}
_TIMES: Mapping[str, Callable[[Object], list[t.Any]]] = {
    "Lease": lambda obj: [_of(obj, "spec", "renewTime")],
    "Node": _heartbeats,
    "Event": lambda obj: [_of(obj, "lastTimestamp"), _of(obj, "eventTime"), _of(obj, "series", "lastObservedTime")],
}
