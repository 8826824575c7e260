# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""CiliumEndpoints in a third of the memory: there are as many as pods, and nearly all are alike.

Each is kept as one tuple and becomes a mapping again when it is looked at. What is not alike is kept as it is.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import Object

_Row: t.TypeAlias = "tuple[t.Any, ...] | Object"


class PackedEndpoints(Sequence[Object]):
    """A sequence of pruned CiliumEndpoints; each look at one makes a new mapping."""

    __slots__ = ("_rows",)

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self._rows: list[_Row] = [_pack(one) for one in objects]

    def append(self, obj: Object) -> None:
        """Take one more, while the state is being made."""
        self._rows.append(_pack(obj))

    def __len__(self) -> int:
        return len(self._rows)

    @t.overload
    def __getitem__(self, index: int) -> Object: ...

    @t.overload
    def __getitem__(self, index: slice) -> list[Object]: ...

    def __getitem__(self, index: int | slice) -> Object | list[Object]:
        if isinstance(index, slice):
            return [_unpack(row) for row in self._rows[index]]
        return _unpack(self._rows[index])

    def __iter__(self) -> Iterator[Object]:
        return map(_unpack, self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (PackedEndpoints, tuple)) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


def collecting(resource: str) -> list[Object] | PackedEndpoints:
    """What objects of this resource are collected in."""
    return PackedEndpoints() if resource == "ciliumendpoints" else []


def collected(found: list[Object] | PackedEndpoints) -> Sequence[Object]:
    """The same as a part of a state."""
    return tuple(found) if isinstance(found, list) else found


def _pack(obj: Object) -> _Row:
    """``obj`` as a tuple when it is like most endpoints, else ``obj``."""
    try:
        metadata, status = obj["metadata"], obj["status"]
        (owner,) = metadata["ownerReferences"]
        (address,) = status["networking"]["addressing"]
        row = (
            metadata["name"],
            metadata["namespace"],
            metadata["creationTimestamp"],
            owner["uid"],
            status["id"],
            status["identity"]["id"],
            status["state"],
            status["networking"]["node"],
            address["ipv4"],
        )
    except (KeyError, TypeError, ValueError):
        return obj
    return row if _unpack(row) == obj else obj


def _unpack(row: _Row) -> Object:
    if isinstance(row, dict):
        return row
    name, namespace, created, owner, number, identity, state, node, address = row
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": created,
            "ownerReferences": [{"kind": "Pod", "name": name, "uid": owner}],
        },
        "status": {
            "id": number,
            "identity": {"id": identity},
            "state": state,
            "networking": {"addressing": [{"ipv4": address}], "node": node},
        },
    }
