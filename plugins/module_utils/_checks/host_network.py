# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of CNI state on hosts."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding


def check(_context: Context) -> Iterator[Finding]:
    """Nothing yet."""
    yield from ()


def section(_context: Context) -> dict[str, t.Any] | None:
    """Nothing yet."""
    return None
