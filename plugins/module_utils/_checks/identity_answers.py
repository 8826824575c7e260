# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What single identities are, with the evidence: the answer to "may this number go?"."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Iterable

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_duplicates import duplicates
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import (
    IdentityView,
    number_of,
    view_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import (
    CLASSES,
    IN_USE,
    OUT_OF_RANGE,
    PENDING,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words

_SHOWN = 10
_LOCAL_SCOPE = 1 << 24


def answers(context: Context, numbers: Iterable[int]) -> list[dict[str, t.Any]]:
    """For each number, in their order: whether its CiliumIdentity exists, its class and why, labels, age, and who uses it.

    ``class`` is None where there is no such object or where it cannot be told; ``why`` then says so. Names of endpoints are
    cut at 10; ``endpoints`` counts all, None where they are unknown.
    """
    view = view_of(context)
    asked = list(dict.fromkeys(numbers))
    wanted = set(asked)
    places = {number_of(one): place for place, one in enumerate(view.identities) if number_of(one) in wanted}
    users = _users(context, wanted)
    oldest = {
        view.numbers[place]: name_of(view.identities[group[0]])
        for group in duplicates(view)
        for place in group[1:]
        if view.numbers[place] in wanted
    }
    users_known = context.state.knows("ciliumendpoints", "ciliumendpointslices")
    readable = context.state.knows("ciliumidentities")
    return [
        {
            "id": number,
            "exists": number in places if readable else None,
            **_object(view, places.get(number)),
            **_class(view, number, places.get(number), len(users.get(number, ())), readable),
            "in_range": None if view.range is None else number in view.range,
            "duplicate_of": oldest.get(number),
            "endpoints": len(users.get(number, ())) if users_known else None,
            "endpoint_names": sorted(users.get(number, ()))[:_SHOWN],
        }
        for number in asked
    ]


def _users(context: Context, numbers: set[int]) -> dict[int, set[str]]:
    """{number: namespace/name of the endpoints that name it}."""
    found: dict[int, set[str]] = {}
    for endpoint in context.state.of("ciliumendpoints"):
        number = ((endpoint.get("status") or {}).get("identity") or {}).get("id")
        if number in numbers:
            found.setdefault(number, set()).add(f"{endpoint['metadata'].get('namespace') or ''}/{name_of(endpoint)}")
    for endpoint_slice in context.state.of("ciliumendpointslices"):
        for one in endpoint_slice.get("endpoints") or ():
            if one.get("id") in numbers:
                name = f"{endpoint_slice.get('namespace') or ''}/{one.get('name')}"
                found.setdefault(one["id"], set()).add(name)
    return found


def _object(view: IdentityView, place: int | None) -> dict[str, t.Any]:
    if place is None:
        return {"security_labels": None, "created": None, "age": None, "marked_at": None}
    metadata = view.identities[place]["metadata"]
    created = view.created[place]
    return {
        "security_labels": dict(view.identities[place].get("security-labels") or {}),
        "created": metadata.get("creationTimestamp"),
        "age": None if math.isnan(created) else words(view.now - created),
        "marked_at": view.describe(place).mark,
    }


def _class(view: IdentityView, number: int, place: int | None, users: int, readable: bool) -> dict[str, t.Any]:
    if place is None:
        return {"class": None, "why": _why_absent(number, users) if readable else "ciliumidentities could not be read"}
    if view.classes is None:
        return {"class": None, "why": "; ".join(view.why_unclassified)}
    name = CLASSES[view.classes[place]]
    if name == IN_USE:
        return {"class": name, "why": f"{users} endpoints name it, so nothing collects it"}
    why = view.rules.classify(view.describe(place))[1]
    if name == OUT_OF_RANGE:
        why += f"; {users} endpoints name it"
    if name == PENDING:
        why += f": {view.awaited.reason(view.identities[place].get('security-labels') or {})}"
    return {"class": name, "why": why}


def _why_absent(number: int, users: int) -> str:
    if number >= _LOCAL_SCOPE:
        return "it is of the part that each Node gives out itself, for which there are no CiliumIdentities"
    if 0 < number < 256:
        return "it is reserved or well-known, for which there are no CiliumIdentities"
    return "there is no such CiliumIdentity" + (f", although {users} endpoints name it" if users else "")
