# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which identities are dead, which of them have to be marked first, and when each may be deleted. Nothing is written."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import number_of
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.go_duration import DurationError, parse_timedelta
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import words
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import Candidate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup_refusals import refusals
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_marks import (
    is_ours,
    mark_of,
    marked_since,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_picture import IdentityPicture
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_rules import IdentityRules
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.server_clock import server_time

_PATH = "/apis/cilium.io/v2/ciliumidentities"
_SYNC, _SYNC_DEFAULT = "identity-allocation-sync-interval", "5m0s"
#: Grace for each second of the interval in which agents remove marks: room for late watches and many removals.
_GRACE_FACTOR = 1.2


def least_grace(context: Context) -> float:
    """How long a mark must have stood, in seconds: 1.2 times the longest interval in which an agent removes its marks.

    Raises RefusedError when an interval cannot be read.
    """
    texts = [context.cilium.value(_SYNC, _SYNC_DEFAULT)]
    for one in context.state.of("ciliumnodeconfigs"):
        texts += [value for key, value in ((one.get("spec") or {}).get("defaults") or {}).items() if key == _SYNC]
    try:
        return _GRACE_FACTOR * max(parse_timedelta(str(text)).total_seconds() for text in texts)
    except DurationError as error:
        raise RefusedError(
            f"{_SYNC} cannot be read ({error}), so nobody knows how fast agents remove marks."
        ) from error


@dataclass(frozen=True)
class CleanupOptions:
    """``identities``: only these numbers; empty for all. ``grace``: seconds, None for as long as this cluster needs.

    ``beside_collection``: go on although the operator collects. ``most``: how many at most, None for all.
    """

    identities: Sequence[int] = ()
    grace: float | None = None
    beside_collection: bool = False
    most: int | None = None


@dataclass
class CleanupPlan:
    """``candidates``: the dead, in the order in which they may be deleted; ``due_in``: in how many seconds, by uid.

    ``unmarked``: uids of those that are marked first; their seconds count from the mark. ``kept``: (number, why) of
    those that no endpoint names and that stay nevertheless, and of all others that were asked for. ``left``: how many dead
    ones are beyond ``most``.
    """

    candidates: list[Candidate] = field(default_factory=list)
    due_in: dict[str, float] = field(default_factory=dict)
    unmarked: set[str] = field(default_factory=set)
    kept: list[tuple[int, str]] = field(default_factory=list)
    before: int = 0
    left: int = 0
    grace: float = 0.0
    verdict: str = ""
    reasons: tuple[str, ...] = ()


class Planning:
    """Makes the plan of one run."""

    def __init__(self, client: KubeClient, options: CleanupOptions, picture: IdentityPicture) -> None:
        self._client = client
        self._options = options
        self._picture = picture

    def marks_of_ours(self) -> CleanupPlan:
        """The identities that carry a mark which this collection has set. Raises ApiError."""
        self._picture.refresh()
        asked = set(self._options.identities)
        found = [
            one for one in self._picture.view.identities if is_ours(one) and (not asked or number_of(one) in asked)
        ]
        made = [_candidate(one, f"marked by us since {mark_of(one)}: remove the mark") for one in found]
        return CleanupPlan(candidates=made, before=len(self._picture.view.identities))

    def plan(self) -> CleanupPlan:
        """What would be marked and deleted, and when. Raises RefusedError, InputError, ApiError."""
        self._picture.refresh()
        context, view = self._picture.context, self._picture.view
        found = refusals(context, beside_collection=self._options.beside_collection)
        if found:
            raise RefusedError(f"No identity is deleted, and nothing was changed: {' '.join(found)}", found)
        now = server_time(self._client)
        rules = IdentityRules(context, now)
        plan = CleanupPlan(
            before=len(view.identities),
            grace=self._grace(context),
            verdict=view.verdict.name,
            reasons=view.verdict.reasons,
        )
        dead = self._judge(rules, plan, now)
        dead.sort(key=lambda one: (one[0], -(rules.age(one[1]) or 0.0), number_of(one[1])))
        most = len(dead) if self._options.most is None else self._options.most
        plan.left = max(0, len(dead) - most)
        for wait, identity in dead[:most]:
            _take(plan, rules, identity, wait)
        return plan

    def _grace(self, context: Context) -> float:
        least = least_grace(context)
        chosen = self._options.grace
        if chosen is None:
            return least
        if chosen < least:
            raise InputError(
                f"grace: {chosen:g} seconds are too few; agents of this cluster may take {least / _GRACE_FACTOR:g} seconds "
                f"({_SYNC}) to remove the mark of an identity that they use, so give {least:g} or more, or leave it out."
            )
        return chosen

    def _judge(self, rules: IdentityRules, plan: CleanupPlan, now: datetime.datetime) -> list[tuple[float, JsonObject]]:
        """(seconds until its mark is old enough, infinite without a mark) and the identity, of all that are dead."""
        asked = set(self._options.identities)
        dead = []
        for identity in self._picture.view.identities:
            number = number_of(identity)
            if asked and number not in asked:
                continue
            reason = rules.why_spared(identity)
            if not reason:
                dead.append((_wait(identity, now, plan.grace), identity))
            elif asked or not rules.is_named(identity):
                plan.kept.append((number, reason))
        there = {number_of(one) for one in self._picture.view.identities}
        plan.kept += [(number, "there is no such CiliumIdentity") for number in sorted(asked - there)]
        return dead


def _wait(identity: JsonObject, now: datetime.datetime, grace: float) -> float:
    """Seconds until its mark has stood for ``grace``; infinite when it has none yet.

    A mark whose time nothing proves has stood since now only.
    """
    if mark_of(identity) is None:
        return math.inf
    since = marked_since(identity)
    return grace if since is None else min(grace, max(0.0, grace - (now - since).total_seconds()))


def _take(plan: CleanupPlan, rules: IdentityRules, identity: JsonObject, wait: float) -> None:
    if math.isinf(wait):
        wait = plan.grace
        act = f"mark it now, delete it {words(wait)} after that"
        plan.unmarked.add(str(identity["metadata"]["uid"]))
    else:
        act = f"marked since {mark_of(identity)}, delete it " + (f"in {words(wait)}" if wait else "now")
    candidate = _candidate(identity, f"{rules.evidence(identity)}: {act}")
    plan.candidates.append(candidate)
    plan.due_in[candidate.uid] = wait


def _candidate(identity: JsonObject, evidence: str) -> Candidate:
    whole = {**identity, "apiVersion": "cilium.io/v2", "kind": "CiliumIdentity"}
    return Candidate.of(whole, f"{_PATH}/{identity['metadata']['name']}", evidence)
