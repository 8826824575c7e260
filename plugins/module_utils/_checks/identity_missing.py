# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Check of endpoints whose identity does not exist: no peer knows which policy applies to them."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment

_SHOWN = 10
# younger endpoints may name an identity that was created while the picture was taken
_SETTLED_SECONDS = 300


def check_missing(context: Context, view: IdentityView) -> Iterator[Finding]:
    """One finding for all endpoints that name a number of the range for which there is no CiliumIdentity."""
    if view.range is None:
        return
    allowed = view.range
    there = set(view.numbers)
    missing = {one for one in view.references if one in allowed and one not in there}
    if not missing:
        return
    latest = view.judged_at - _SETTLED_SECONDS
    named = [one for one in context.state.of("ciliumendpoints") if _number(one) in missing and _is_older(one, latest)]
    if not named:
        return
    numbers = sorted({_number(one) for one in named})
    names = sorted(f"{one['metadata'].get('namespace')}/{name_of(one)}" for one in named)
    yield Finding(
        "identity-missing",
        Subject("Cluster", "cluster"),
        f"{len(named)} endpoints have {len(numbers)} identities that do not exist, for example {names[0]}",
        {"endpoints": names[:_SHOWN], "count": len(named), "identities": numbers[:_SHOWN], "missing": len(numbers)},
    )


def _number(endpoint: Object) -> int:
    return ((endpoint.get("status") or {}).get("identity") or {}).get("id") or 0


def _is_older(endpoint: Object, latest: float) -> bool:
    created = moment(endpoint["metadata"].get("creationTimestamp"))
    return created is None or created.timestamp() < latest
