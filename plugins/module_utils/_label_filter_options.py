# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Options that say which label filter is to be simulated."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.settings import LabelFilterQuestion
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import parse_version
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import Version
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

# what the defaults of older versions were is not known here
_OLDEST: t.Final[Version] = (1, 8)


def question(options: Mapping[str, t.Any], prefix: str = "") -> LabelFilterQuestion:
    """The question that options ask. Raises InputError naming the one whose value cannot be used.

    ``prefix`` stands before the names of the options in sentences.
    """
    target = options.get("target_identities")
    if target is not None and target < 1:
        raise InputError(f"{prefix}target_identities: {target} identities cannot be reached; give 1 or more.")
    return LabelFilterQuestion(
        labels=options.get("labels"),
        target_version=_version(options.get("target_version"), f"{prefix}target_version"),
        version=_version(options.get("version"), f"{prefix}version"),
        target_identities=target,
    )


def _version(text: str | None, name: str) -> Version | None:
    if text is None or not text.strip():
        return None
    found = parse_version(text)
    if found is None or found < _OLDEST:
        raise InputError(f"{name}: '{text}' is no version of Cilium whose filter is known; give one such as 1.18.4.")
    return found
