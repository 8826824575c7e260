# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The options of the modules that clean up, and the answer that all of them give."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    Candidate,
    DeletionLimits,
    DeletionResult,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
    unfinished_journals,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_reconciliation import (
    cluster_of,
    reconcile,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import RunOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permission import RunPermission
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    progress_argument_spec,
    run_argument_spec,
)

_MOST_LISTED = 1000
_MOST_DIFFERENCES = 20_000


class DeletionStoppedError(UpkeepError):
    """A run of clean-up stopped before its end; ``details`` is the whole result of the module."""

    def __init__(self, message: str, result: Mapping[str, t.Any]) -> None:
        super().__init__(message)
        self._result = dict(result)

    def details(self) -> dict[str, t.Any]:
        return self._result


def deletion_argument_spec() -> dict[str, dict[str, t.Any]]:
    """A fresh dict at every call; documented by the fragments ``deletion``, ``run`` and ``run.progress``."""
    return {
        **run_argument_spec(),
        **progress_argument_spec(),
        "batch_size": {"type": "int", "default": 100},
        "rate": {"type": "float", "default": 50.0},
        "pause": {"type": "float", "default": 0.0},
        "max_deletions": {"type": "int"},
        "max_conflict_share": {"type": "float", "default": 0.5},
        "concurrency": {"type": "int", "default": 8},
        "journal_path": {"type": "path", "default": "~/.local/state/podnet-upkeep/deletions"},
    }


def limits_of(params: Mapping[str, t.Any]) -> DeletionLimits:
    """How fast and how far the run goes. Raises InputError naming the option that cannot be used."""
    return DeletionLimits(
        batch_size=params["batch_size"],
        rate=params["rate"],
        pause=params["pause"],
        max_deletions=params["max_deletions"],
        concurrency=params["concurrency"],
        max_conflict_share=params["max_conflict_share"],
    )


def permission_of(params: Mapping[str, t.Any], client: KubeClient, *, check_mode: bool = False) -> RunPermission | None:
    """The ``heartbeat`` of GuardedDeletion: keeps the lock, hears the switch ``stop``. None without a run or in check mode."""
    run = params.get("run")
    if not run or check_mode:
        return None
    options = RunOptions(
        name=run["name"], namespace=run["namespace"], holder=run["holder"], lease_seconds=run["lease_seconds"]
    )
    return RunPermission(client, options)


def complete_journals(params: Mapping[str, t.Any], client: KubeClient, subject: str) -> None:
    """Complete journals of runs of the same subject and cluster that were killed.

    Call it when there is nothing to delete: ``journal_of`` does it itself. Not for check mode.
    Raises InputError, DeletionJournalError, ApiError.
    """
    if unfinished_journals(params["journal_path"], subject):
        reconcile(client, params["journal_path"], subject, cluster_of(client))


def journal_of(params: Mapping[str, t.Any], client: KubeClient, subject: str) -> DeletionJournal:
    """The journal of this run, a new file in ``journal_path``; call it only when there is something to delete.

    Journals of killed runs are completed first. Not for check mode. Raises InputError, DeletionJournalError, ApiError.
    """
    complete_journals(params, client, subject)
    holder = str((params.get("run") or {}).get("holder") or "")
    return DeletionJournal.create(params["journal_path"], subject, cluster_of(client), holder)


def answer_of(
    candidates: Sequence[Candidate],
    result: DeletionResult | None,
    *,
    before: int,
    after: int,
    journal_path: str = "",
) -> dict[str, t.Any]:
    """The keys that all clean-up modules return. ``before`` and ``after``: how many objects of the kind there are.

    ``result`` is None in check mode and where there is nothing to delete; every candidate counts as deleted in the diff
    then. Raises DeletionStoppedError with the same keys when the run stopped before its end.
    """
    done = result or DeletionResult(remaining=len(candidates))
    decided = {one.uid for one in done.deleted} if result is not None else {one.uid for one in candidates}
    answer: dict[str, t.Any] = {
        "changed": bool(decided),
        "candidates": [one.to_dict() for one in candidates[:_MOST_LISTED]],
        "counts": {
            "before": before,
            "candidates": len(candidates),
            "deleted": len(done.deleted),
            "spared": len(done.spared),
            "remaining": done.remaining,
            "finalizing": done.finalizing,
            "after": after,
        },
        "spared": [{**one.to_dict(), "reason": reason} for one, reason in done.spared[:_MOST_LISTED]],
        "stopped": done.stopped,
        "limited": done.limited,
        "journal_path": journal_path,
        "diff": {
            "before_header": "objects that are dead",
            "after_header": "objects that are dead",
            "before": _lines(candidates),
            "after": _lines([one for one in candidates if one.uid not in decided]),
        },
    }
    if done.stopped:
        raise DeletionStoppedError(
            f"The clean-up stopped: {done.stopped} {len(done.deleted)} objects were deleted, {done.remaining} are not "
            "decided yet. The same command makes a new plan and goes on when that is mended"
            + (f"; {journal_path} has what was deleted." if journal_path else "."),
            answer,
        )
    return answer


def _lines(candidates: Sequence[Candidate]) -> str:
    shown = [f"{one.words} uid {one.uid}: {one.evidence}\n" for one in candidates[:_MOST_DIFFERENCES]]
    if len(candidates) > _MOST_DIFFERENCES:
        shown.append(f"and {len(candidates) - _MOST_DIFFERENCES} more\n")
    return "".join(shown)
