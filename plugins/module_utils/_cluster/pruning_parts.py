# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What prunings are made of.

Values that many objects share are one value in memory: labels and owners of the pods of a workload, names of namespaces and
Nodes. Nobody writes into a ClusterState.
"""

from __future__ import annotations

import functools
import sys
import typing as t
from collections.abc import Mapping

Object = dict[str, t.Any]


def pick(source: Mapping[str, t.Any] | None, *keys: str) -> Object:
    """The keys of ``source`` that are there."""
    return {key: source[key] for key in keys if key in source} if source else {}


def metadata_of(obj: Mapping[str, t.Any], *more: str) -> Object:
    """Name, namespace, uid, times of an object, and ``more`` keys of its metadata."""
    return pick(obj.get("metadata"), "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", *more)


# as many as workloads of a large cluster; pods that share nothing pass through
@functools.lru_cache(maxsize=4096)
def shared_texts(items: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """One dict in memory for equal labels; nobody writes into it."""
    return {sys.intern(key): sys.intern(value) for key, value in items}


@functools.lru_cache(maxsize=4096)
def shared_owner(kind: str, name: str, uid: str) -> list[Object]:
    """One list in memory for all objects of an owner."""
    return [{"kind": kind, "name": name, "uid": uid, "controller": True}]


def shared(value: t.Any) -> t.Any:
    """One text in memory for all equal ones. What is no text (in a broken file) is left to the check of shapes."""
    return sys.intern(value) if type(value) is str else value


def labels_of(metadata: Mapping[str, t.Any]) -> t.Any:
    """Labels of an object, one dict for all objects with the same."""
    labels = metadata.get("labels")
    if not isinstance(labels, dict):
        return labels
    try:
        return shared_texts(tuple(labels.items()))
    except TypeError:  # a value that is no text
        return labels


def owners_of(metadata: Mapping[str, t.Any]) -> list[Object]:
    """Its ownerReferences."""
    return [
        pick(one, "kind", "name", "uid", "controller")
        for one in metadata.get("ownerReferences") or ()
        if isinstance(one, dict)
    ]


def metadata_with_owners(obj: Mapping[str, t.Any], *more: str) -> Object:
    """``metadata_of`` with the ownerReferences, where there are any."""
    kept = metadata_of(obj, *more)
    owners = owners_of(obj.get("metadata") or {})
    if owners:
        kept["ownerReferences"] = owners
    return kept
