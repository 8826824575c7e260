# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The smallest addition to a label filter with which not more identities than wanted are left.

Labels are dropped one after the other, each time the one (or the group of labels that change together) that costs most; then
each is put back that is not needed after all. So no item of the answer can be left out. Then every smaller set of labels is
tried, as far as that is done in about a second: only then is the answer known to be the smallest.
"""

from __future__ import annotations

import itertools
import typing as t
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_label_sets import LabelSets
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_labels import NEVER_DROPPED, keys_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import dropping_line

_MOST_STEPS = 40
# so many label sets are compared in search of a smaller answer
_MOST_COMPARED = 400_000


@dataclass(frozen=True)
class Suggestion:
    """``items`` to add to ``labels``, by which ``identities`` are left; ``reached``: not more than wanted.

    ``smallest``: no fewer items reach it; otherwise only none of these can be left out. ``spared`` are labels that would help
    and that policies select by: they are kept unless the target cannot be reached without them, and then ``reached`` is false.
    """

    target: int
    labels: str
    items: tuple[str, ...]
    keys: tuple[str, ...]
    identities: int
    reached: bool
    smallest: bool = False
    spared: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, t.Any]:
        """JSON form."""
        return {
            "target": self.target,
            "labels": self.labels,
            "items": list(self.items),
            "dropped": list(self.keys),
            "identities": self.identities,
            "reached": self.reached,
            "smallest": self.smallest,
            "spared_for_policies": list(self.spared),
        }


def suggest(
    sets: Sequence[Mapping[str, str]],
    labels: str,
    target: int,
    used: Collection[str],
    drops: Callable[[str, str], bool],
) -> Suggestion:
    """What to add to ``labels`` so that at most ``target`` of these identities are left.

    ``used`` are keys that policies select by; ``drops(item, key)`` says whether the item, added to the filter, drops it.
    """
    dropped: list[str] = []
    rest = list(sets)
    for _step in range(_MOST_STEPS):
        if len(rest) <= target:
            break
        chosen = _next(rest, used, drops)
        if not chosen:
            break
        dropped += chosen
        rest = without(rest, chosen)
    reached = len(rest) <= target
    # what does not help is put back, also where all together does not help enough
    dropped = _needed(sets, dropped, max(target, len(rest)))
    smallest = False
    if reached:
        dropped, smallest = _fewest(sets, dropped, target, used, drops)
    left = len(without(sets, dropped))
    items = tuple(dropping_line(key.partition(":")[2]) for key in dropped)
    return Suggestion(
        target=target,
        labels=" ".join([*labels.split(), *items]),
        items=items,
        keys=tuple(dropped),
        identities=left,
        reached=reached,
        smallest=smallest,
        spared=() if reached else tuple(_spared(without(sets, dropped), used)),
    )


def _next(sets: Sequence[Mapping[str, str]], used: Collection[str], drops: Callable[[str, str], bool]) -> list[str]:
    """The label, or the labels that change together, whose loss leaves fewest; without any gain the one with most values."""
    candidates = [
        one
        for one in keys_of(LabelSets(sets))
        if one.distinct_values > 1 or one.identities < len(sets)
        if all(_may_go(key, used, drops) for key in (one.key, *one.together))
    ]
    if not candidates:
        return []
    best = max(candidates, key=lambda one: (one.contribution_together, one.distinct_values, one.key))
    return [best.key, *best.together] if best.contribution < best.contribution_together else [best.key]


def _may_go(key: str, used: Collection[str], drops: Callable[[str, str], bool]) -> bool:
    plain = key.removeprefix("k8s:")
    if not key.startswith("k8s:") or key in NEVER_DROPPED or plain in used:
        return False
    return drops(dropping_line(plain), plain)


def _needed(sets: Sequence[Mapping[str, str]], dropped: list[str], target: int) -> list[str]:
    """Without those that can stay, the latest chosen first: the first ones cost most."""
    needed = list(dropped)
    for key in reversed(dropped):
        others = [one for one in needed if one != key]
        if len(without(sets, others)) <= target:
            needed = others
    return needed


def _fewest(
    sets: Sequence[Mapping[str, str]],
    found: list[str],
    target: int,
    used: Collection[str],
    drops: Callable[[str, str], bool],
) -> tuple[list[str], bool]:
    """(the first smallest set of labels that reaches the target, else ``found``; whether all that are smaller were tried)."""
    values: dict[str, set[str | None]] = {}
    for key in sorted({key for one in sets for key in one} if len(found) > 1 else ()):
        values[key] = {one.get(key) for one in sets}
    candidates = [key for key, seen in values.items() if len(seen) > 1 and _may_go(key, used, drops)]
    candidates.sort(key=lambda key: (-len(values[key]), key))
    left = _MOST_COMPARED
    for size in range(1, len(found)):
        for some in itertools.combinations(candidates, size):
            left -= len(sets)
            if left < 0:
                return found, False
            if len(without(sets, some)) <= target:
                return list(some), True
    return found, True


def _spared(sets: Sequence[Mapping[str, str]], used: Collection[str]) -> list[str]:
    return [one.key for one in keys_of(LabelSets(sets)) if one.contribution and one.key.removeprefix("k8s:") in used]


def without(sets: Sequence[Mapping[str, str]], keys: Collection[str]) -> list[Mapping[str, str]]:
    """The label sets that are left without these keys, each once."""
    gone = frozenset(keys)
    if not gone:
        return list(sets)
    kept: dict[frozenset[tuple[str, str]], Mapping[str, str]] = {}
    for labels in sets:
        left = labels if gone.isdisjoint(labels) else {key: one for key, one in labels.items() if key not in gone}
        kept.setdefault(frozenset(left.items()), left)
    return list(kept.values())
