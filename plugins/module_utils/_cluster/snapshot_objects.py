# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Objects of Kubernetes in one file of any format, one at a time, each with its API group and kind."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot_json, snapshot_yaml
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import (
    CONFIG_MAPS,
    EVENT_REASONS,
    NODE_LEASES_NAMESPACE,
    RESOURCES,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_files import SnapshotFile
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import head_of

Object = dict[str, t.Any]
_JSON = re.compile(rb"\s*[\[{]")
_KUBERNETES = re.compile(
    rb'(?m)^(?:apiVersion|kind|items|serverVersion):|"(?:apiVersion|kind|items|serverVersion)"\s*:'
)
_RESOURCES_OF_KIND: Mapping[str, list[str]] = {
    kind: [one.name for one in RESOURCES.values() if one.kind == kind]
    for kind in {one.kind for one in RESOURCES.values()}
}
# the aggregated API of Calico serves the same pools under another group
_SAME_GROUP = {"projectcalico.org": "crd.projectcalico.org"}
_MANAGED = ((b"metadata", b"managedFields"),)
# Parts of objects that no pruner keeps, by kind; passed over before YAML is parsed, for parsing is what costs time.
_UNNEEDED: snapshot_yaml.Unneeded = {kind: _MANAGED for kind in _RESOURCES_OF_KIND if kind != "ConfigMap"} | {
    "Pod": (
        *_MANAGED,
        *((b"spec", key) for key in (b"volumes", b"tolerations", b"affinity", b"topologySpreadConstraints")),
        (b"status", b"conditions"),
    ),
    "Node": (*_MANAGED, *((b"status", key) for key in (b"images", b"volumesInUse", b"volumesAttached"))),
    "CiliumEndpoint": (*_MANAGED, *((b"status", key) for key in (b"log", b"policy", b"controllers", b"health"))),
}


@dataclass(frozen=True)
class Found:
    """An object, or (``obj`` is None) the end of a list of this kind; ``resource`` is empty when no check needs it."""

    resource: str
    kind: str
    obj: Object | None


def is_kubernetes(head: bytes) -> bool:
    """Whether a text that starts like this can hold objects."""
    return _KUBERNETES.search(head) is not None


def resources_of(group: str | None, kind: str) -> list[str]:
    """Resources that a kind can belong to; ``group`` None: it is not known."""
    names = _RESOURCES_OF_KIND.get(kind, [])
    if group is None:
        return names
    group = _SAME_GROUP.get(group, group)
    return [name for name in names if RESOURCES[name].group == group]


def resource_of(group: str | None, kind: str, obj: Mapping[str, t.Any]) -> str:
    """The resource of an object, or an empty text when the audit does not read it (as it does not over the API)."""
    names = resources_of(group, kind)
    if not names:
        return ""
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if kind == "Lease":
        if namespace == NODE_LEASES_NAMESPACE:
            return "nodeleases"
        # the operator's Lease is where Cilium is
        in_place = namespace == "kube-system" or name == "cilium-operator-resource-lock"
        return "leases" if in_place and name in RESOURCES["leases"].names else ""
    if kind == "Event":
        return "events" if obj.get("reason") in EVENT_REASONS else ""
    if kind == "ConfigMap":
        return "configmaps" if name in CONFIG_MAPS else ""
    wanted = RESOURCES[names[0]].names
    return names[0] if not wanted or name in wanted else ""


def objects(file: SnapshotFile, kind: str = "", seen: Callable[[str, Object], None] | None = None) -> Iterator[Found]:
    """Every object in ``file`` that the audit reads, and the end of every list. Raises BadContent.

    ``kind`` is that of lists which do not say theirs before their items; without it such a file is read twice.
    ``seen`` is called with (kind, object) for every object, also for one that is not read.
    """
    with file.open() as stream:
        head = head_of(stream)
        if not head:
            return
        is_json = _JSON.match(head) is not None
        kinds = _KindOfItems(file, is_json, kind)
        found = snapshot_json.entries(stream) if is_json else snapshot_yaml.entries(stream, _UNNEEDED, kind)
        for header, obj in found:
            if obj is None:
                group, list_kind = kinds.of(header)
                names = resources_of(group, list_kind)
                yield Found(names[0] if names else "", list_kind, None)
                continue
            group, own = _group_and_kind(obj) or kinds.of(header)
            if seen is not None:
                seen(own, obj)
            resource = resource_of(group, own, obj)
            if resource:
                yield Found(resource, own, obj)


def _group_and_kind(obj: Object) -> tuple[str | None, str] | None:
    kind, version = obj.get("kind"), obj.get("apiVersion")
    if not isinstance(kind, str) or not kind:
        return None
    return (version.rpartition("/")[0] if isinstance(version, str) else None), kind


class _KindOfItems:
    """Group and kind of items that do not say theirs: the list's, which often stands behind its items."""

    def __init__(self, file: SnapshotFile, is_json: bool, kind: str) -> None:
        self._file = file
        self._is_json = is_json
        self._kind = kind
        self._headers: Mapping[int, snapshot_json.Header] | None = None

    def of(self, header: snapshot_json.Header) -> tuple[str | None, str]:
        """(group or None, kind of the items)."""
        kind = header.kind.removesuffix("List")
        if not kind and not header.kind and not self._kind:
            header = self._whole(header)
            kind = header.kind.removesuffix("List")
        group = header.api_version.rpartition("/")[0] if header.api_version and kind else None
        return group, kind or self._kind

    def _whole(self, header: snapshot_json.Header) -> snapshot_json.Header:
        if self._headers is None:
            with self._file.open() as stream:
                found = snapshot_json.headers(stream) if self._is_json else snapshot_yaml.headers(stream)
            self._headers = {one.number: one for one in found}
        return self._headers.get(header.number, header)
