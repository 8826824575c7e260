# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What objects are collected in, and CiliumEndpoints in a third of the memory: there are as many as pods.

Each endpoint is kept as its row and becomes a mapping again when it is looked at. What is not alike is kept as it is.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows import OBJECT_OF, Row, reduced
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows_cilium import (
    endpoint_of_row,
    kept_endpoint_row,
)


class Gathered(list[Object]):
    """Objects of one resource. ``unchecked`` are the places of those that were no rows."""

    def __init__(self, resource: str) -> None:
        super().__init__()
        self._object_of = OBJECT_OF.get(resource)
        self.unchecked: list[int] = []

    def take(self, found: Iterable[Row | Object]) -> None:
        """Add these."""
        object_of = self._object_of
        for one in found:
            if isinstance(one, tuple) and object_of is not None:
                super().append(object_of(one))
            else:
                self.append(t.cast(Object, one))

    def append(self, obj: Object) -> None:
        """Add what was pruned."""
        self.unchecked.append(len(self))
        super().append(obj)


class PackedEndpoints(Sequence[Object]):
    """A sequence of pruned CiliumEndpoints; each look at one that is like most makes a new mapping."""

    __slots__ = ("rows",)

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        # what is not like most is here as it is
        self.rows: list[Row | Object] = []
        for one in objects:
            self.append(one)

    def take(self, found: Iterable[Row | Object]) -> None:
        """Add these."""
        self.rows.extend([kept_endpoint_row(one) if isinstance(one, tuple) else one for one in found])

    def append(self, obj: Object) -> None:
        """Add what was pruned."""
        self.take([reduced("ciliumendpoints", obj)])

    @property
    def unchecked(self) -> list[int]:
        """The places of those that are no rows."""
        return [place for place, row in enumerate(self.rows) if isinstance(row, dict)]

    def __len__(self) -> int:
        return len(self.rows)

    @t.overload
    def __getitem__(self, index: int) -> Object: ...

    @t.overload
    def __getitem__(self, index: slice) -> list[Object]: ...

    def __getitem__(self, index: int | slice) -> Object | list[Object]:
        if isinstance(index, slice):
            return [_endpoint(row) for row in self.rows[index]]
        return _endpoint(self.rows[index])

    def __iter__(self) -> Iterator[Object]:
        return map(_endpoint, self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (PackedEndpoints, tuple)) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def named_identities(objects: Iterable[Object]) -> Iterator[tuple[t.Any, str, t.Any]]:
    """(namespace, name, number of its identity) of each CiliumEndpoint, None where it says none; no mappings are made."""
    for one in objects.rows if isinstance(objects, PackedEndpoints) else objects:
        if isinstance(one, tuple):
            yield one[1], one[0], one[8]
        else:
            identity = (one.get("status") or {}).get("identity") or {}
            yield one["metadata"].get("namespace"), str(one["metadata"]["name"]), identity.get("id")


def _endpoint(row: Row | Object) -> Object:
    return row if isinstance(row, dict) else endpoint_of_row(row)


def collecting(resource: str) -> Gathered | PackedEndpoints:
    """What objects of this resource are collected in."""
    return PackedEndpoints() if resource == "ciliumendpoints" else Gathered(resource)


def collected(found: Sequence[Object]) -> Sequence[Object]:
    """The same as a part of a state."""
    return found if isinstance(found, PackedEndpoints) else tuple(found)
