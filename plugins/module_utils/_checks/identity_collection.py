# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of what becomes of unused identities: leaked ones, and the operator that should collect them."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import (
    AGING,
    CLASSES,
    LEAKED,
    MARKED,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import BROKEN, OFF, SLOW
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words

_CLUSTER = Subject("Cluster", "cluster")
_SHOWN = 10
_FINDING_OF: t.Final = {OFF: "identity-gc-off", BROKEN: "identity-gc-broken", SLOW: "identity-gc-slow"}
# of the range: less is a matter for later
_FEW = 0.01
# so many unused identities without a mark, and so many for each marked one, are remarkable where the collection works
_MANY_UNMARKED, _UNMARKED_FOR_EACH = 100, 4


def check_collection(view: IdentityView) -> Iterator[Finding]:
    """The verdict on the collection; where classes can be told, leaked identities, and old ones that are not marked."""
    verdict = view.verdict
    if verdict.name in _FINDING_OF:
        full = view.used is not None and view.range is not None and view.used > 0.8 * view.range.capacity
        yield Finding(
            _FINDING_OF[verdict.name],
            _CLUSTER,
            f"Unused identities are not collected as they should be: {'; '.join(verdict.reasons)}",
            {"verdict": verdict.name, "reasons": list(verdict.reasons), "oldest_unused": _oldest(view)},
            CRITICAL if full else "",
        )
    yield from _leaked(view)
    yield from _unmarked(view)


def _oldest(view: IdentityView) -> str | None:
    """Age of the oldest unused identity, in words."""
    if view.classes is None:
        return None
    times = [view.created[place] for place in view.unused if not math.isnan(view.created[place])]
    return words(view.now - min(times)) if times else None


def _names(view: IdentityView, places: list[int]) -> list[str]:
    return [str(view.identities[place]["metadata"]["name"]) for place in sorted(places, key=view.seniority)[:_SHOWN]]


def _leaked(view: IdentityView) -> Iterator[Finding]:
    places = list(view.of_class(LEAKED))
    if not places:
        return
    names = _names(view, places)
    few = view.range is not None and len(places) < _FEW * view.range.capacity
    yield Finding(
        "identities-leaked",
        _CLUSTER,
        f"{len(places)} identities are used by nobody and will not be collected, for example {', '.join(names[:3])}",
        {"count": len(places), "oldest": names, "collection": view.verdict.name, "reasons": list(view.verdict.reasons)},
        INFO if few else WARNING,
    )


def _unmarked(view: IdentityView) -> Iterator[Finding]:
    """Where the collection works, many old unused identities without a mark have one innocent reason only."""
    if view.verdict.collects is not True or view.classes is None:
        return
    since = view.judged_at - view.times.longest.total_seconds()
    places = [place for place in view.of_class(AGING) if view.created[place] < since]
    marked = view.classes.count(CLASSES.index(MARKED))
    if len(places) < _MANY_UNMARKED or len(places) < _UNMARKED_FOR_EACH * marked:
        return
    window = words((view.times.timeout + view.times.interval).total_seconds())
    yield Finding(
        "identities-unmarked",
        _CLUSTER,
        f"{len(places)} unused identities are older than {words(view.times.longest.total_seconds())}, but only {marked} are "
        f"marked for deletion: either the others lost their last endpoint within the last {window}, or agents remove the marks",
        {"count": len(places), "marked": marked, "oldest": _names(view, places)},
    )
