# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Security labels of many identities at once: most have the same keys, and most values come again."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import label_fingerprint


class LabelParts(dict[str, int]):
    """{value: ``label_fingerprint``} of one key, made as it is asked for."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self._key = key

    def __missing__(self, value: str) -> int:
        made = self[value] = label_fingerprint(self._key, value)
        return made


class LabelSets:
    """``labels`` has the labels of each identity, at its place."""

    def __init__(self, labels: Sequence[Mapping[str, str]]) -> None:
        self.labels = labels
        self._parts: dict[str, LabelParts] = {}

    @functools.cached_property
    def by_keys(self) -> dict[tuple[str, ...], tuple[list[int], list[Mapping[str, str]]]]:
        """{keys: (places of the identities that have these, their labels)}."""
        found: dict[tuple[str, ...], tuple[list[int], list[Mapping[str, str]]]] = {}
        for place, labels in enumerate(self.labels):
            keys = tuple(labels)
            if keys not in found:
                found[keys] = [], []
            places, of_keys = found[keys]
            places.append(place)
            of_keys.append(labels)
        return found

    def parts(self, key: str) -> LabelParts:
        """What the values of a key add to fingerprints."""
        return self._parts.setdefault(key, LabelParts(key))

    @functools.cached_property
    def fingerprints(self) -> list[int]:
        """A number for each set (see ``fingerprint``): equal sets share it."""
        made = [0] * len(self.labels)
        for keys, (places, labels) in self.by_keys.items():
            sums = [0] * len(places)
            for key in keys:
                parts = self.parts(key)
                sums = [total + parts[one[key]] for total, one in zip(sums, labels, strict=True)]
            for place, total in zip(places, sums, strict=True):
                made[place] = total
        return made
