# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Look at objects that an earlier run planned to delete and did not write an outcome for, because it was killed."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    DELETED,
    FINALIZING,
    KEPT,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
    Entry,
    read_journal,
    unfinished_journals,
)

_BY_A_LOOK = "found gone by a later look, after a run that was killed"


def cluster_of(client: KubeClient) -> str:
    """What tells one cluster from another: the uid of the namespace kube-system; empty where it may not be read."""
    try:
        found = client.find("/api/v1/namespaces/kube-system")
    except UpkeepError:
        return ""
    return str(((found or {}).get("metadata") or {}).get("uid") or "")


def reconcile(
    client: KubeClient, folder: str, subject: str, cluster: str, *, heartbeat: Callable[[], object] | None = None
) -> list[str]:
    """Complete the journals of this cluster whose run was killed; their paths. One whose process is alive is left alone.

    Each object that was planned and has no outcome is looked at once. Raises InputError, DeletionJournalError, ApiError.
    """
    completed = []
    for path in unfinished_journals(folder, subject):
        content = read_journal(path)
        if content.cluster != cluster:
            continue
        journal = DeletionJournal.reopen(content)
        if journal is None:
            continue
        journal.note([_look(client, entry, heartbeat) for entry in content.entries.values() if entry.open])
        journal.close({"stopped": "the run was killed; a later run completed its journal"})
        completed.append(path)
    return completed


def _look(client: KubeClient, entry: Entry, heartbeat: Callable[[], object] | None) -> tuple[str, str, str]:
    if heartbeat is not None:
        heartbeat()
    metadata = (client.find(entry.path) or {}).get("metadata") or {}
    if metadata.get("uid") != entry.uid:
        return entry.uid, DELETED, _BY_A_LOOK
    if metadata.get("deletionTimestamp"):
        return entry.uid, FINALIZING, _BY_A_LOOK.replace("gone", "going")
    return entry.uid, KEPT, "found unharmed by a later look, after a run that was killed"
