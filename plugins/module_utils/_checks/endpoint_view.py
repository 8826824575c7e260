# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One CiliumEndpoint as checks see it, and results that are made once for each audit."""

from __future__ import annotations

import functools
import typing as t
import weakref
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import PackedEndpoints
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object

_T = t.TypeVar("_T")


def once(function: Callable[[Context], _T]) -> Callable[[Context], _T]:
    """Keeps the result for each audit as long as its Context lives; the result must not refer to the Context."""
    made: weakref.WeakKeyDictionary[Context, _T] = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def result(context: Context) -> _T:
        if context not in made:
            made[context] = function(context)
        return made[context]

    return result


def key_of(obj: Object) -> tuple[str, str]:
    """(namespace, name)."""
    return str(obj["metadata"].get("namespace") or ""), str(obj["metadata"]["name"])


class Endpoint(t.NamedTuple):
    """One CiliumEndpoint. ``address`` is that of its Node, ``node`` the name; each is empty when it is not known.

    ``key`` is (namespace, name), ``created`` RFC 3339 or empty. ``of_pod``: whether it belongs to a pod, ``owner`` the
    uid of that pod. ``state`` is "unknown" when it says none, ``identity`` None.
    """

    key: tuple[str, str]
    address: str
    node: str
    texts: tuple[str, ...]
    created: str
    is_deleting: bool
    of_pod: bool
    owner: str
    state: str
    identity: t.Any

    @property
    def name(self) -> str:
        """namespace/name."""
        return "/".join(self.key)


def endpoints_of(objects: Sequence[Object], names: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints of CiliumEndpoints; ``names`` is {address of a Node: its name}."""
    rows: Sequence[t.Any] = objects.rows if isinstance(objects, PackedEndpoints) else objects
    return [_of_row(one, names) if isinstance(one, tuple) else _endpoint(one, names) for one in rows]


def _of_row(row: tuple[t.Any, ...], names: Mapping[str, str]) -> Endpoint:
    """Most are rows (see ``rows_cilium``)."""
    name, namespace, created, owner, state, node, address, _number, identity = row
    texts = (address,) if address else ()
    key = (namespace, name)
    return Endpoint(key, node, names.get(node, ""), texts, created, False, True, owner, state or "unknown", identity)


def _endpoint(one: Object, names: Mapping[str, str]) -> Endpoint:
    metadata, status = one["metadata"], one.get("status") or {}
    networking = status.get("networking") or {}
    texts = []
    for entry in networking.get("addressing") or ():
        texts += [entry[family] for family in ("ipv4", "ipv6") if entry.get(family)]
    address = str(networking.get("node") or "")
    return Endpoint(
        key_of(one),
        address,
        names.get(address, ""),
        tuple(texts),
        str(metadata.get("creationTimestamp") or ""),
        bool(metadata.get("deletionTimestamp")),
        *_owned_by_pod(metadata.get("ownerReferences") or ()),
        str(status.get("state") or "unknown"),
        (status.get("identity") or {}).get("id"),
    )


def _owned_by_pod(owners: Sequence[Mapping[str, t.Any]]) -> tuple[bool, str]:
    """(whether it belongs to a pod, uid of that pod): those of a CiliumNode are the agents' own."""
    for owner in owners:
        if owner.get("kind") == "Pod":
            return True, str(owner.get("uid") or "")
    return not owners, ""
