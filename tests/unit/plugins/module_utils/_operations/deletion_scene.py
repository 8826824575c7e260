"""What the tests of deletions share: identities in a fake API, a clock, and one run over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import Candidate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
    JournalContent,
    read_journal,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import (
    DeletionLimits,
    DeletionResult,
    GuardedDeletion,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"


class FakeTime:
    """A clock whose time passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.clock = Clock(now=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def add_identities(api: FakeApi, count: int, first: int = 1000) -> list[Candidate]:
    """Put identities into the API; each as a candidate."""
    candidates = []
    for number in range(first, first + count):
        made = api.store.add(
            IDENTITIES,
            {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumIdentity",
                "metadata": {"name": str(number)},
                "security-labels": {"k8s:app": f"app-{number}"},
            },
        )
        candidates.append(Candidate.of(made, f"{IDENTITIES}/{number}", "nothing refers to it"))
    return candidates


def delete(
    api: FakeApi, candidates: Sequence[Candidate], folder: Path, limits: DeletionLimits | None = None, **options: Any
) -> tuple[DeletionResult, JournalContent]:
    """Run the engine; its result and its journal."""
    client = KubeClient.from_options(api.options)
    journal = DeletionJournal.create(str(folder), "identities")
    options.setdefault("prove", lambda batch: {})
    result = GuardedDeletion(client, limits or DeletionLimits(), journal=journal, **options).run(candidates)
    return result, read_journal(journal.path)


def outcomes(content: JournalContent) -> dict[str, int]:
    """How often each outcome is in a journal."""
    found: dict[str, int] = {}
    for entry in content.entries.values():
        found[entry.outcome] = found.get(entry.outcome, 0) + 1
    return found
