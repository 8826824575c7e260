# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The part ``label_filter`` of the document: a label filter, or a version of Cilium, that the user wants to be simulated."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_simulation import simulate

# longer lists are for the module that asks nothing else
_MOST_ROWS = 1000


def section(context: Context) -> dict[str, t.Any] | None:
    """What it would do; None where nobody asked."""
    asked = context.settings.label_filter
    if asked is None:
        return None
    found = simulate(
        context,
        asked.labels,
        target_version=asked.target_version,
        version=asked.version,
        target_identities=asked.target_identities,
    )
    return found.to_dict(_MOST_ROWS)
