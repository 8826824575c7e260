# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What prunings are made of, with an eye on memory: an audit holds some hundred thousand objects.

Values that many objects share are one value: labels and owners of the pods of a workload, names of namespaces and Nodes,
points in time. Mappings of one kind share their table of keys. Nobody writes into a ClusterState.
"""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Mapping

Object = dict[str, t.Any]


class KeyTable:
    """Base of classes that stand for one kind of mapping each.

    The namespace of an instance is a dict whose keys are stored once for the whole class (PEP 412), which halves its
    size. The instance itself goes; its namespace stays, as an ordinary dict. ``keys`` are those that are usual: a class
    takes in no further ones once it has some instances, and a mapping with another key is a dict as any. Metadata of a kind
    whose keys have no uid is kept without: who deletes such an object reads it again first.
    """

    has_uid: t.ClassVar[bool] = True

    def __init_subclass__(cls, keys: tuple[str, ...]) -> None:
        cls.has_uid = "uid" in keys
        first = cls()
        for key in keys:
            setattr(first, key, None)


def compact(kind: type[KeyTable], values: Mapping[str, t.Any]) -> Object:
    """``values`` as a dict that shares its keys with all others of this kind."""
    kept = kind().__dict__
    for key, value in values.items():
        kept[key] = value
    return kept


class Metadata(KeyTable, keys=("name", "namespace", "uid", "creationTimestamp")):
    """Of objects that are few."""


class _Owner(KeyTable, keys=("kind", "name", "uid", "controller")):
    pass


def pick(source: Mapping[str, t.Any] | None, *keys: str) -> Object:
    """The keys of ``source`` that are there."""
    return {key: source[key] for key in keys if key in source} if source else {}


# as many as workloads of a large cluster; pods that share nothing pass through
@functools.lru_cache(maxsize=4096)
def shared_texts(items: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """One dict in memory for equal labels."""
    return {one_text(key, key): one_text(value, value) for key, value in items}


@functools.lru_cache(maxsize=4096)
def shared_owner(kind: str, name: str, uid: str) -> list[Object]:
    """One list in memory for all objects of an owner that is their controller."""
    return [compact(_Owner, {"kind": kind, "name": name, "uid": uid, "controller": True})]


# One text in memory for all equal ones, as sys.intern has it; but ansible-core puts a slow function in the place of that
_TEXTS: dict[str, str] = {}
# one_text(text, text) is the text that equals it
one_text: t.Final = _TEXTS.setdefault


def shared(value: t.Any) -> t.Any:
    """One text in memory for all equal ones. What is no text (in a broken file) is left to the check of shapes."""
    return one_text(value, value) if isinstance(value, str) else value


def forget_texts() -> None:
    """Let go of texts that nobody else holds, when a cluster has been read."""
    _TEXTS.clear()


def labels_of(metadata: Mapping[str, t.Any]) -> t.Any:
    """Labels of an object, one dict for all objects with the same."""
    labels = metadata.get("labels")
    if not isinstance(labels, dict):
        return labels
    try:
        return shared_texts(tuple(labels.items()))
    except TypeError:  # a value that is no text
        return labels


def metadata_of(obj: Mapping[str, t.Any], *more: str, kind: type[KeyTable] = Metadata) -> Object:
    """Name, namespace, uid, times of an object, and ``more`` keys of its metadata."""
    source = obj.get("metadata") or {}
    kept = kind().__dict__
    if "name" in source:
        kept["name"] = source["name"]
    if "namespace" in source:
        kept["namespace"] = shared(source["namespace"])
    if "uid" in source and kind.has_uid:
        kept["uid"] = source["uid"]
    if "creationTimestamp" in source:
        kept["creationTimestamp"] = shared(source["creationTimestamp"])
    if "deletionTimestamp" in source:
        kept["deletionTimestamp"] = source["deletionTimestamp"]
    for key in more:
        if key in source:
            kept[key] = source[key]
    return kept


def owners_of(metadata: Mapping[str, t.Any]) -> list[Object]:
    """Its ownerReferences."""
    return [
        compact(_Owner, pick(one, "kind", "name", "uid", "controller"))
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
