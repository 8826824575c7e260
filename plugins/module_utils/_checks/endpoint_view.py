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

    The object itself stays in its sequence, where it takes less memory.
    """

    namespace: str
    pod: str
    address: str
    node: str
    texts: tuple[str, ...]
    place: int
    objects: Sequence[Object]

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""
        return self.namespace, self.pod

    @property
    def object(self) -> Object:
        """The CiliumEndpoint."""
        return self.objects[self.place]

    @property
    def name(self) -> str:
        """namespace/name."""
        return "/".join(self.key)

    @property
    def created(self) -> str:
        """RFC 3339; empty when unknown."""
        return str(self.object["metadata"].get("creationTimestamp") or "")

    @property
    def status(self) -> Mapping[str, t.Any]:
        """Its status, which holds all its data."""
        return self.object.get("status") or {}


def endpoints_of(objects: Sequence[Object], names: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints of CiliumEndpoints; ``names`` is {address of a Node: its name}."""
    return [_endpoint(one, names, place, objects) for place, one in enumerate(objects)]


def _endpoint(one: Object, names: Mapping[str, str], place: int, objects: Sequence[Object]) -> Endpoint:
    networking = (one.get("status") or {}).get("networking") or {}
    texts = []
    for entry in networking.get("addressing") or ():
        texts += [entry[family] for family in ("ipv4", "ipv6") if entry.get(family)]
    address = str(networking.get("node") or "")
    return Endpoint(*key_of(one), address, names.get(address, ""), tuple(texts), place, objects)
