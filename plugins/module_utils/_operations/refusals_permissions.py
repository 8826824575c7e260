# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What our credentials may not do, of what a playbook needs."""

from __future__ import annotations

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import Objection
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import Places, missing_rules


def missing(
    client: KubeClient, playbook: str, places: Places | None = None, *, renamed: tuple[str, str] = ("", "")
) -> list[Objection]:
    """One objection that names all that a run of this playbook lacks, or none (see ``missing_rules``). Raises ApiError."""
    lacking = missing_rules(client, playbook, places=places, renamed=renamed, planning=False)
    if not lacking:
        return []
    return [Objection("permission-missing", f"The credentials may not: {', '.join(lacking)}")]
