# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How objects stand in the etcd of an API server: the key of each, the versions of stored ones, and definitions of their own.

An API server reads JSON where it would write protobuf, so a whole cluster can be written before it starts, with the uids
and times that its objects have.
"""

from __future__ import annotations

import typing as t
import uuid
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object

ROOT: t.Final = "/registry"
#: Our marks on objects of a rehearsal.
MARK: t.Final = "rehearsal.podnet.upkeep"
_UIDS: t.Final = uuid.UUID("b7f3f3a6-9f2a-4a53-9a30-2f6f0c6d4b11")
# what is stored under another name than that of its collection
_PREFIXES: t.Final = {"nodes": "minions"}
_BUILT_IN: t.Final = (
    "",
    "apps",
    "batch",
    "policy",
    "coordination.k8s.io",
    "storage.k8s.io",
    "rbac.authorization.k8s.io",
)


def stored(prefix: str, obj: Mapping[str, t.Any]) -> tuple[str, Object]:
    """(key, object) of an object of a built-in kind."""
    return f"{ROOT}/{_PREFIXES.get(prefix, prefix)}/{_place(obj)}", dict(obj)


def stored_custom(resource: str, obj: Mapping[str, t.Any]) -> tuple[str, Object]:
    """(key, object) of a custom resource that an audit reads, with its version and kind."""
    known = RESOURCES[resource]
    whole = {"apiVersion": f"{known.group}/{known.versions[0]}", "kind": known.kind, **obj}
    return f"{ROOT}/{known.group}/{known.plural or known.name}/{_place(obj)}", whole


def _place(obj: Mapping[str, t.Any]) -> str:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def uid_for(*words: str) -> str:
    """The uid of an object whose own one the snapshot does not hold; the same words give the same."""
    return str(uuid.uuid5(_UIDS, "/".join(words)))


def with_uid(kind: str, metadata: Mapping[str, t.Any], time: str) -> Object:
    """The metadata with a uid and a time of creation, which every stored object has."""
    return {
        **metadata,
        "uid": metadata.get("uid") or uid_for(kind, str(metadata.get("namespace") or ""), str(metadata["name"])),
        "creationTimestamp": metadata.get("creationTimestamp") or time,
    }


def is_custom(resource: str) -> bool:
    """Whether this kind of object is defined by a CustomResourceDefinition."""
    group = RESOURCES[resource].group
    return group not in _BUILT_IN and not group.endswith("networking.k8s.io") and group != "apiregistration.k8s.io"


def definition(resource: str, time: str) -> tuple[str, Object]:
    """(key, object) of a definition that takes every object of this kind; a real operator puts its own in its place."""
    known = RESOURCES[resource]
    plural = known.plural or known.name
    names = {"kind": known.kind, "listKind": f"{known.kind}List", "plural": plural, "singular": known.kind.lower()}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [
        {"name": version, "served": True, "storage": number == 0, "schema": schema}
        for number, version in enumerate(known.versions)
    ]
    said = {"status": "True", "reason": "Rehearsal", "message": "", "lastTransitionTime": time}
    metadata = {"name": f"{plural}.{known.group}"}
    made: Object = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": with_uid("CustomResourceDefinition", metadata, time),
        "spec": {
            "group": known.group,
            "names": names,
            "scope": "Namespaced" if known.namespaced else "Cluster",
            "versions": versions,
            "conversion": {"strategy": "None"},
        },
        "status": {
            "acceptedNames": names,
            "storedVersions": [known.versions[0]],
            "conditions": [{"type": "NamesAccepted", **said}, {"type": "Established", **said}],
        },
    }
    return stored("apiextensions.k8s.io/customresourcedefinitions", made)
