# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Check of labels that make a large part of all identities."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_labels import (
    LabelKey,
    dropping_lines,
    label_keys,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView

# a key that accounts for a smaller part of the range, or of all identities, is no explosion
_LEAST_OF_RANGE, _LEAST_OF_ALL = 0.02, 0.2
# of the range; below this a key with many values is no more than worth knowing
_NOTABLE_SHARE = 0.1
_USUAL_CAPACITY = 65280


def check_explosions(context: Context, view: IdentityView) -> Iterator[Finding]:
    """One finding for each label, or each group of labels that change together, with the items that drop them."""
    total = len(view.identities)
    capacity = view.range.capacity if view.range else _USUAL_CAPACITY
    least = max(_LEAST_OF_RANGE * capacity, _LEAST_OF_ALL * total)
    told: set[str] = set()
    for key in label_keys(view):
        contribution = key.contribution_together
        if key.key in told or contribution < least:
            continue
        lines = dropping_lines(context, key)
        if not lines and key.distinct_values < 2:
            continue
        told.update((key.key, *key.together))
        yield _explosion(key, lines, total, WARNING if contribution > _NOTABLE_SHARE * capacity else INFO)


def _explosion(key: LabelKey, lines: list[str], total: int, level: str) -> Finding:
    text = f"Label {key.key} has {key.distinct_values} values; without it there would be "
    text += f"{key.contribution_together} of {total} identities less"
    if key.together:
        text = text.replace("without it", f"without it and {', '.join(key.together)}")
    if lines:
        text += f"; add {' '.join(lines)} to the key labels of cilium-config"
    evidence = {**key.to_dict(), "label_filter": " ".join(lines) or None}
    return Finding("identity-label-explosion", Subject("Label", key.key), text, evidence, level)
