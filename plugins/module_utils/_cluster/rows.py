# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Objects on their way into a state. Of pods, identities and endpoints there are many, and most are alike.

What is kept of one that is like most is a row, one tuple of plain values: quick to make, small to hand from one process
to another, and known to have the right types. In the state it is the mapping that ``prune`` would make, but endpoints,
which take most memory, stay rows until they are looked at. What is not like most is pruned, and checked where it needs be.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import Object
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows_cilium import (
    endpoint_row,
    identity_of_row,
    identity_row,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows_pods import pod_of_row, pod_row

Row: t.TypeAlias = "tuple[t.Any, ...]"
_ROW_OF: t.Final[Mapping[str, Callable[[Mapping[str, t.Any]], Row | None]]] = {
    "pods": pod_row,
    "ciliumidentities": identity_row,
    "ciliumendpoints": endpoint_row,
}
OBJECT_OF: t.Final[Mapping[str, Callable[[Row], Object]]] = {"pods": pod_of_row, "ciliumidentities": identity_of_row}
_BROKEN = (AttributeError, TypeError, KeyError, IndexError, ValueError)


def reduced(resource: str, obj: Mapping[str, t.Any]) -> Row | Object:
    """What is kept of an object, raw or reduced before: its row when it has one, else what ``prune`` leaves of it.

    Raises what ``prune`` raises for an object a part of which has the wrong type.
    """
    row_of = _ROW_OF.get(resource)
    if row_of is not None:
        try:
            row = row_of(obj)
        except _BROKEN:
            row = None
        if row is not None:
            return row
    return prune(resource, obj)
