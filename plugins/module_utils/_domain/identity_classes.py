# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a CiliumIdentity is to its cluster: in use, pending, marked, aging, leaked or out of range.

The classes exclude one another. A duplicate (equal labels as an older identity) is one of them besides: two agents may
legally create one identity twice, and both may be in use.
"""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import (
    CollectionTimes,
    Verdict,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import IdentityRange
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words

IN_USE, PENDING, MARKED = "in-use", "pending", "marked"
AGING, LEAKED, OUT_OF_RANGE = "aging", "leaked", "out-of-range"
CLASSES: t.Final = (IN_USE, PENDING, MARKED, AGING, LEAKED, OUT_OF_RANGE)
DUPLICATE = "duplicate"


@dataclass(frozen=True)
class UnusedIdentity:
    """What is known of an identity that no endpoint names.

    ``created`` is a POSIX time, None where the object does not tell. ``mark`` is the text of the annotation
    ``io.cilium.heartbeat``, None without it, and ``marked`` its time.
    """

    number: int | None
    created: float | None = None
    mark: str | None = None
    marked: datetime.datetime | None = None
    awaited: bool = False


@dataclass(frozen=True)
class ClassRules:
    """What decides about unused identities at the time ``now``: range, times of the collection, and whether it works."""

    now: float
    times: CollectionTimes
    verdict: Verdict
    allowed: IdentityRange | None = None

    def classify(self, identity: UnusedIdentity) -> tuple[str, str]:
        """(class, why in one sentence) of an identity that no CiliumEndpoint or CiliumEndpointSlice names.

        Leaked is only what nothing will collect: it is older than the longest life of an unused identity, and the
        collection is off, broken, or behind with it. Where it works, an old one may have lost its last endpoint just now.
        """
        if self.allowed is not None and identity.number not in self.allowed:
            return OUT_OF_RANGE, f"its number is not within {self.allowed.minimum} to {self.allowed.maximum}"
        if identity.awaited:
            return PENDING, "no endpoint names it yet, but a live pod without endpoint has its labels"
        if identity.mark is not None:
            return self._marked(identity)
        age = None if identity.created is None else self.now - identity.created
        longest = self.times.longest.total_seconds()
        if age is None:
            return AGING, "no endpoint names it; when it was created is not known"
        if age <= longest:
            return AGING, f"no endpoint names it, and it is only {words(age)} old"
        if self.verdict.collects is False:
            return LEAKED, f"no endpoint names it, it is {words(age)} old, and the collection is {self.verdict.name}"
        if self.verdict.collects is None:
            return AGING, f"no endpoint names it and it is {words(age)} old, but whether it is collected is unknown"
        return (
            AGING,
            f"no endpoint names it; it is {words(age)} old but not marked yet, as one whose last endpoint went only now",
        )

    def _marked(self, identity: UnusedIdentity) -> tuple[str, str]:
        since = None if identity.marked is None else self.now - identity.marked.timestamp()
        text = f"no endpoint names it, and it is marked for deletion since {identity.mark}"
        if self.verdict.collects is False:
            return LEAKED, f"{text}, but the collection is {self.verdict.name}"
        if since is not None and self.overdue(since) and self.verdict.name == "slow":
            return LEAKED, f"{text}, longer than the collection takes"
        return MARKED, text

    def overdue(self, since_mark: float) -> bool:
        """Whether a mark of this age (seconds) should have led to the deletion."""
        return since_mark > self.times.after_mark.total_seconds()
