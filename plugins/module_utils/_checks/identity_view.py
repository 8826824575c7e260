# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""All CiliumIdentities of one audit: range, references, class of each one, and whether unused ones are collected."""

from __future__ import annotations

import functools
import math
import weakref
from array import array
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_collector import (
    collection_rounds,
    forbidden_verbs,
    leader_lease,
    operator_replicas,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_label_sets import LabelSets
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_pending import Awaited
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import named_identities
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import (
    CLASSES,
    OUT_OF_RANGE,
    ClassRules,
    UnusedIdentity,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import (
    CollectionTimes,
    CollectorEvidence,
    Verdict,
    judge,
    times_of_config,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_range import (
    IdentityRange,
    IdentityRangeError,
    range_of_config,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment

HEARTBEAT = "io.cilium.heartbeat"
_NO_NUMBER = -1
_LARGEST_NUMBER = (1 << 32) - 1


def number_of(identity: Object) -> int:
    """The number that is the name of a CiliumIdentity; -1 where it is none."""
    name = name_of(identity)
    number = int(name) if name.isascii() and name.isdecimal() and len(name) < 11 else _NO_NUMBER
    return number if number <= _LARGEST_NUMBER else _NO_NUMBER


class IdentityView:
    """The identities of one cluster. What belongs to one identity is at its place in ``identities``."""

    def __init__(self, context: Context) -> None:
        # the context keeps this view (see view_of): a reference back would keep both for ever
        self._state, self._cilium = context.state, context.cilium
        self._context = weakref.ref(context)
        self.identities = context.state.of("ciliumidentities")
        self.known = context.state.knows("ciliumidentities") and "ciliumidentities" not in context.state.absent
        self.now = context.state.taken_at.timestamp()

    @functools.cached_property
    def why_unclassified(self) -> tuple[str, ...]:
        """Why no classes can be told; empty when they can."""
        state, config = self._state, self._cilium.config
        reasons = [f"{one} could not be read" for one in ("ciliumidentities", "pods") if not state.knows(one)]
        if not state.knows("ciliumendpoints"):
            reasons.append("ciliumendpoints could not be read, so nobody knows which identities are in use")
        slices_count = not config or config.get("enable-cilium-endpoint-slice", "false").lower() == "true"
        if slices_count and not state.knows("ciliumendpointslices"):
            reasons.append("ciliumendpointslices could not be read, so nobody knows which identities are in use")
        if not config:
            reasons.append("cilium-config could not be read, so nobody knows where identities are kept")
        elif self._cilium.identity_mode == "kvstore":
            reasons.append("identities are kept in the kvstore; CiliumIdentities say nothing about their use")
        elif not self._cilium.has_endpoint_objects:
            reasons.append("disable-endpoint-crd is on, so there are no CiliumEndpoints that would show use")
        return tuple(reasons)

    @functools.cached_property
    def range_or_problem(self) -> IdentityRange | str:
        """The range of this cluster: as an agent says, else by cilium-config; otherwise why it is not known."""
        for answer in self._state.of("agents"):
            told = (answer.get("status") or {}).get("identity-range") or {}
            least, most = told.get("min-identity"), told.get("max-identity")
            if isinstance(least, int) and isinstance(most, int) and 0 < least <= most:
                return IdentityRange(least, most, self._cilium.cluster_id)
        if not self._cilium.config:
            return "cilium-config could not be read"
        try:
            return range_of_config(self._cilium.config)
        except IdentityRangeError as error:
            return str(error)

    @property
    def range(self) -> IdentityRange | None:
        """The range of this cluster; None when it is not known."""
        found = self.range_or_problem
        return found if isinstance(found, IdentityRange) else None

    @functools.cached_property
    def numbers(self) -> array[int]:
        """The number of each identity; -1 where its name is none."""
        return array("q", map(number_of, self.identities))

    @functools.cached_property
    def created(self) -> array[float]:
        """When each identity was created, as POSIX time; not a number where it does not say."""
        known: dict[str | None, float] = {}
        made = array("d")
        for identity in self.identities:
            text = identity["metadata"].get("creationTimestamp")
            if text not in known:
                found = moment(text)
                known[text] = math.nan if found is None else found.timestamp()
            made.append(known[text])
        return made

    def seniority(self, place: int) -> tuple[float, int]:
        """Sorts identities: the oldest first, those that do not say last, then by number."""
        created = self.created[place]
        return (math.inf if math.isnan(created) else created), self.numbers[place]

    @functools.cached_property
    def label_sets(self) -> LabelSets:
        """The security labels of all of them."""
        return LabelSets([identity.get("security-labels") or {} for identity in self.identities])

    @property
    def fingerprints(self) -> list[int]:
        """A number for the labels of each identity: equal sets share it."""
        return self.label_sets.fingerprints

    @functools.cached_property
    def used(self) -> int | None:
        """Identities within the range; None when range, identities or the place where they are kept are not known."""
        allowed = self.range
        if not self.known or allowed is None or not self._cilium.config or self._cilium.identity_mode == "kvstore":
            return None
        return sum(1 for number in self.numbers if allowed.minimum <= number <= allowed.maximum)

    @functools.cached_property
    def references(self) -> set[int]:
        """Numbers that CiliumEndpoints and CiliumEndpointSlices name."""
        found = {number for _space, _name, number in named_identities(self._state.of("ciliumendpoints"))}
        for endpoint_slice in self._state.of("ciliumendpointslices"):
            found.update(one.get("id") for one in endpoint_slice.get("endpoints") or ())
        found.discard(None)
        return found

    @functools.cached_property
    def unused(self) -> list[int]:
        """Places of the identities that no endpoint names."""
        references = self.references
        return [place for place, number in enumerate(self.numbers) if number not in references]

    @functools.cached_property
    def awaited(self) -> Awaited:
        """What live pods without endpoint wait for."""
        context = self._context()
        if context is None:
            raise AssertionError("who asks holds the context")
        return Awaited(context)

    def describe(self, place: int) -> UnusedIdentity:
        """What is known of an unused identity."""
        identity = self.identities[place]
        mark = (identity["metadata"].get("annotations") or {}).get(HEARTBEAT)
        created = self.created[place]
        return UnusedIdentity(
            number=self.numbers[place],
            created=None if math.isnan(created) else created,
            mark=mark,
            marked=moment(mark),
            awaited=bool(self.awaited.reason(identity.get("security-labels") or {})),
        )

    @functools.cached_property
    def times(self) -> CollectionTimes:
        """Settings of the collection; the defaults where they are not known."""
        return times_of_config(self._cilium.config or {})

    @functools.cached_property
    def verdict(self) -> Verdict:
        """Whether unused identities are collected."""
        overdue = self._overdue_marks()
        return judge(
            CollectorEvidence(
                times=self.times if self._cilium.config else None,
                replicas=operator_replicas(self._cilium),
                lease=leader_lease(self._state, self._cilium),
                forbidden=forbidden_verbs(self._state, "update", "delete"),
                overdue=len(overdue),
                oldest_mark=max(overdue, default=0.0),
                rounds=collection_rounds(self._state),
            )
        )

    def _overdue_marks(self) -> list[float]:
        """Ages of the marks that should have led to a deletion, in seconds."""
        if self.why_unclassified:
            return []
        latest = self.judged_at - self.times.after_mark.total_seconds()
        ages = []
        for place in self.unused:
            annotations = self.identities[place]["metadata"].get("annotations")
            marked = moment(annotations.get(HEARTBEAT)) if annotations else None
            if marked is not None and marked.timestamp() < latest and not self.describe(place).awaited:
                ages.append(self.judged_at - marked.timestamp())
        return ages

    @property
    def judged_at(self) -> float:
        """The time that ages count to: parts of a snapshot that were read later make nothing older."""
        return self.now - self._state.skew.total_seconds()

    @functools.cached_property
    def may_create(self) -> bool | None:
        """Whether the operator's ClusterRole allows it to create identities; None is unknown."""
        forbidden = forbidden_verbs(self._state, "create")
        return None if forbidden is None else not forbidden

    @functools.cached_property
    def rules(self) -> ClassRules:
        """What decides about unused identities."""
        return ClassRules(self.judged_at, self.times, self.verdict, self.range)

    @functools.cached_property
    def classes(self) -> bytearray | None:
        """Of each identity the place of its class in CLASSES; None when it cannot be told."""
        if self.why_unclassified:
            return None
        made = bytearray(len(self.identities))  # zero is in use
        if self.range is not None:
            low, high, outside = self.range.minimum, self.range.maximum, CLASSES.index(OUT_OF_RANGE)
            for place, number in enumerate(self.numbers):
                if not low <= number <= high:
                    made[place] = outside
        for place in self.unused:
            made[place] = CLASSES.index(self.rules.classify(self.describe(place))[0])
        return made

    def of_class(self, name: str) -> Iterator[int]:
        """Places of the identities of one class; none when classes cannot be told."""
        wanted = CLASSES.index(name)
        return (place for place, found in enumerate(self.classes or b"") if found == wanted)

    def counts(self) -> dict[str, int] | None:
        """{class: identities}; None when it cannot be told."""
        if self.classes is None:
            return None
        return {name: self.classes.count(index) for index, name in enumerate(CLASSES)}


_VIEWS: weakref.WeakKeyDictionary[Context, IdentityView] = weakref.WeakKeyDictionary()


def view_of(context: Context) -> IdentityView:
    """The view of one audit; every check of it shares one."""
    found = _VIEWS.get(context)
    if found is None:
        found = _VIEWS[context] = IdentityView(context)
    return found
