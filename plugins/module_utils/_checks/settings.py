# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a user may state about a cluster."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import AllocatorSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import Version


@dataclass(frozen=True)
class LabelFilterQuestion:
    """Which label filter is to be simulated. ``labels`` None: the present one; versions None: the one that runs."""

    labels: str | None = None
    target_version: Version | None = None
    version: Version | None = None
    target_identities: int | None = None


@dataclass(frozen=True)
class AuditSettings:
    """What a user may state: the allocator's settings, and how many times the Nodes the pool should hold.

    ``label_filter`` None: none is to be simulated.
    """

    allocator: AllocatorSettings | None = None
    headroom_factor: float = 2.0
    label_filter: LabelFilterQuestion | None = None
