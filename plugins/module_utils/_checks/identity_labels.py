# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Which labels make the identities: distinct values of each key, and how many identities the key alone accounts for."""

from __future__ import annotations

import typing as t
import weakref
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from operator import itemgetter

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_label_sets import LabelSets
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import (
    LabelFilter,
    LabelFilterError,
    LabelFilterNotJudgedError,
    dropping_line,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import NAMESPACE

# so many keys are looked at closely, those with most distinct values first
_SHOWN_KEYS = 15
# what a namespace or a cluster is called is no label that anybody could drop
NEVER_DROPPED = (
    NAMESPACE,
    "k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name",
    "k8s:io.cilium.k8s.policy.cluster",
)


@dataclass(frozen=True)
class LabelKey:
    """One key: its distinct values, the identities that have it, and the identities that there would be fewer without it.

    ``together`` are further keys that part the identities in the same way, as job-name and batch.kubernetes.io/job-name
    do: dropping one of them alone changes nothing, and ``contribution_together`` is that of all.
    """

    key: str
    distinct_values: int
    identities: int
    contribution: int
    together: tuple[str, ...] = ()
    contribution_together: int = 0

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "key": self.key,
            "distinct_values": self.distinct_values,
            "identities": self.identities,
            "contribution": self.contribution,
            "together_with": list(self.together),
            "contribution_together": self.contribution_together,
        }


_FOUND: weakref.WeakKeyDictionary[IdentityView, list[LabelKey]] = weakref.WeakKeyDictionary()


def label_keys(view: IdentityView) -> list[LabelKey]:
    """The keys with most distinct values, most first."""
    found = _FOUND.get(view)
    if found is None:
        found = _FOUND[view] = keys_of(view.label_sets)
    return found


def keys_of(sets: LabelSets, also: Collection[str] = ()) -> list[LabelKey]:
    """The keys of these sets with most distinct values, most first; those of ``also`` are looked at in any case."""
    values: defaultdict[str, set[str]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for keys, (places, labels) in sets.by_keys.items():
        for key in keys:
            counts[key] += len(places)
            values[key].update(map(itemgetter(key), labels))
    distinct = {key: len(found) for key, found in values.items()}
    del values
    ordered = sorted(distinct, key=lambda key: (-distinct[key], key))
    top = [key for place, key in enumerate(ordered) if place < _SHOWN_KEYS or key in also]
    alike = _alike([key for key in top if distinct[key] > 1], sets, counts, distinct)
    everything = set(sets.fingerprints)
    made = []
    for key in top:
        together = tuple(other for other in alike.get(key, ()) if other != key)
        alone = contribution((key,), sets, everything)
        of_all = contribution((key, *together), sets, everything) if together else alone
        made.append(LabelKey(key, distinct[key], counts[key], alone, together, of_all))
    return made


def contribution(wanted: tuple[str, ...], sets: LabelSets, everything: set[int]) -> int:
    """Distinct label sets minus distinct label sets without these keys; ``everything`` are all fingerprints."""
    having: set[int] = set()
    without: set[int] = set()
    numbers = sets.fingerprints
    for keys, (places, labels) in sets.by_keys.items():
        present = [key for key in wanted if key in keys]
        if not present:
            continue
        rest = [numbers[place] for place in places]
        having.update(rest)
        for key in present:
            parts = sets.parts(key)
            rest = [number - parts[one[key]] for number, one in zip(rest, labels, strict=True)]
        without.update(rest)
    # a set that has none of the keys stays; what is left of the others may be one of those
    return len(having) - len(without - (everything - having))


def _alike(keys: list[str], sets: LabelSets, counts: Counter[str], distinct: dict[str, int]) -> dict[str, list[str]]:
    """{key: all keys that part the identities exactly as it does}, for those that are not alone."""
    candidates: dict[tuple[int, int], list[str]] = {}
    for key in keys:
        if key not in NEVER_DROPPED:
            candidates.setdefault((counts[key], distinct[key]), []).append(key)
    found: dict[str, list[str]] = {}
    for group in candidates.values():
        if len(group) < 2:
            continue
        by_parts: dict[int, list[str]] = {}
        for key in group:
            by_parts.setdefault(_parts(key, sets), []).append(key)
        for alike in by_parts.values():
            if len(alike) > 1:
                found.update(dict.fromkeys(alike, alike))
    return found


def _parts(key: str, sets: LabelSets) -> int:
    """A number for how the values of a key part the identities, whatever the values are called."""
    first: dict[str, int] = {}
    total = 0
    for place, labels in enumerate(sets.labels):
        value = labels.get(key)
        if value is not None:
            total = hash((total, place, first.setdefault(value, place)))
    return total


def dropping_lines(context: Context, key: LabelKey) -> list[str]:
    """The items to add to ``labels`` so that the key, and those alike, make no identities; empty where none would do."""
    version = context.cilium.full_version
    names = (key.key, *key.together)
    if version is None or any(name in NEVER_DROPPED for name in names):
        return []
    parted = [name.partition(":") for name in names]
    lines = [dropping_line(plain, source) for source, _colon, plain in parted]
    present = context.cilium.value("labels")
    try:
        changed = LabelFilter(version, " ".join([present, *lines]))
    except (LabelFilterError, LabelFilterNotJudgedError):
        return []
    # Cilium generates some labels itself; those no filter drops
    if any(source == "gen" or changed.keep(source, plain) for source, _colon, plain in parted):
        return []
    return lines
