# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the configuration of Cilium: keys, values, overrides, and what runs against it."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_config_age import check_age, check_versions
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_config_overrides import check_overrides
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_config_unknown import check_unknown_keys
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_config_values import check_values
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_known_bugs import check_known_issues
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_label_filter_lint import check_label_filter
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.label_filter_broken_selectors import check_selectors

_CHECKS = (
    check_values,
    check_unknown_keys,
    check_label_filter,
    check_selectors,
    check_overrides,
    check_age,
    check_versions,
    check_known_issues,
)


def check(context: Context) -> Iterator[Finding]:
    """Everything about the configuration of Cilium; nothing where there is no Cilium."""
    if context.cilium.installed:
        for one in _CHECKS:
            yield from one(context)


def section(context: Context) -> dict[str, t.Any] | None:
    """Version and modes of Cilium; None where there is no Cilium."""
    return context.cilium.to_dict() if context.cilium.installed else None
