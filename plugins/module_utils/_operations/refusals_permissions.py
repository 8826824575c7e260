# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What our credentials may not do, of what an act needs."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import (
    Objection,
    missing_permissions,
)


def missing(client: KubeClient, permissions: Iterable[tuple[str, str, str, str]]) -> list[Objection]:
    """One objection that names all of them, or none. ``permissions``: (verb, resource, group, subresource)."""
    return missing_permissions(client, permissions)
