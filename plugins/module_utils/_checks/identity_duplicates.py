# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Identities with the same labels: legal, but each but the oldest is one too many."""

from __future__ import annotations

import weakref

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView

_FOUND: weakref.WeakKeyDictionary[IdentityView, list[list[int]]] = weakref.WeakKeyDictionary()


def duplicates(view: IdentityView) -> list[list[int]]:
    """Groups of places of identities with equal labels, oldest first: agents take the oldest. In the order of numbers."""
    found = _FOUND.get(view)
    if found is None:
        found = _FOUND[view] = _groups(view)
    return found


def _groups(view: IdentityView) -> list[list[int]]:
    first: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for place, number in enumerate(view.fingerprints if len(set(view.fingerprints)) < len(view.fingerprints) else ()):
        other = first.setdefault(number, place)
        if other != place and view.identities[other].get("security-labels") == view.identities[place].get(
            "security-labels"
        ):
            groups.setdefault(other, [other]).append(place)
    for group in groups.values():
        group.sort(key=view.seniority)
    return sorted(groups.values(), key=lambda group: min(view.numbers[place] for place in group))
