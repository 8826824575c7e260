# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""One run of a clean-up module: lock, journal, batches. What is dead, and the proof, are the module's."""

from __future__ import annotations

from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._deletion_options import (
    complete_journals,
    journal_of,
    limits_of,
    permission_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    Candidate,
    DeletionResult,
    Prove,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import GuardedDeletion
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permission import RunPermission
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import progress_of


def permission_to_begin(module: AnsibleModule, client: KubeClient) -> RunPermission | None:
    """What keeps the lock of the run; None without a run. Raises RefusedError when the run is to stop, LeaseLostError."""
    permission = permission_of(module.params, client, check_mode=module.check_mode)
    reason = permission() if permission is not None else ""
    if reason:
        raise RefusedError(f"Nothing was changed: {reason}")
    return permission


def delete_candidates(
    module: AnsibleModule,
    client: KubeClient,
    permission: RunPermission | None,
    subject: str,
    candidates: Sequence[Candidate],
    prove: Prove,
) -> tuple[DeletionResult | None, str]:
    """Delete them, unless in check mode; (what was done, path of the journal), (None, "") where nothing was to be done.

    ``subject`` names the kind of run in the journal. Raises InputError, DeletionJournalError, ApiError.
    """
    limits = limits_of(module.params)
    if module.check_mode:
        return None, ""
    if not candidates or limits.max_deletions == 0:
        complete_journals(module.params, client, subject)
        return (DeletionResult(remaining=len(candidates), limited=True), "") if candidates else (None, "")
    journal = journal_of(module.params, client, subject)
    progress = progress_of(module.params)
    engine = GuardedDeletion(client, limits, prove=prove, journal=journal, heartbeat=permission, progress=progress)
    return engine.run(candidates), journal.path


def candidate_lines(candidates: Sequence[Candidate], most: int) -> list[str]:
    """What is to go as lines for a terminal: ``most`` of them, and how many more there are."""
    lines = [
        f"goes: {f'{one.namespace}/' if one.namespace else ''}{one.name}: {one.evidence}" for one in candidates[:most]
    ]
    return [*lines, f"goes: and {len(candidates) - most} more"] if len(candidates) > most else lines


def count_of(client: KubeClient, path: str) -> int:
    """How many objects a collection has, by one page of one. Raises ApiError."""
    page = client.get(path, {"limit": 1})
    return len(page.get("items") or ()) + int((page.get("metadata") or {}).get("remainingItemCount") or 0)
