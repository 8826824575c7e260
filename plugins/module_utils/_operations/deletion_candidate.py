# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What clean-up works on: one object that a plan found dead, what became of it, and what a whole run did."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError

#: What can become of an object; the words of the journal.
PLANNED = "planned"  # written before the request is sent; as the last word: nobody knows yet
DELETED = "deleted"
FINALIZING = "finalizing"  # the deletion is accepted and waits for the finalizers of the object
GONE = "gone"  # somebody else was quicker
IN_USE = "in-use"  # changed since the plan (409), so somebody uses it
REFUSED = "refused"  # the API refused the request; the object is there
NOT_SENT = "not-sent"  # the run stopped, or the proof became too old, before its request
UNKNOWN = "unknown"  # sent, and neither answer nor look said what became of it
KEPT = "kept"  # found by a later look: it is still there
OUTCOMES = frozenset({DELETED, FINALIZING, GONE, IN_USE, REFUSED, NOT_SENT, UNKNOWN, KEPT})


@dataclass(frozen=True)
class Candidate:
    """One object that a plan says is dead. ``data`` is the whole object as the API gave it; it goes to the journal."""

    path: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    evidence: str
    data: JsonObject

    @classmethod
    def of(cls, obj: JsonObject, path: str, evidence: str) -> Candidate:
        """The candidate of an object. Raises RefusedError when it has no uid or resourceVersion."""
        metadata = obj.get("metadata") or {}
        return cls(
            path=path,
            kind=str(obj.get("kind") or ""),
            namespace=str(metadata.get("namespace") or ""),
            name=str(metadata.get("name") or ""),
            uid=str(metadata.get("uid") or ""),
            resource_version=str(metadata.get("resourceVersion") or ""),
            evidence=evidence,
            data=obj,
        )

    def __post_init__(self) -> None:
        """Without both guards a request could delete another object than the one that was judged."""
        if not (self.path and self.uid and self.resource_version):
            raise RefusedError(
                f"{self.words} is not deleted: its uid or resourceVersion is not known, so it cannot be told from another "
                "object of this name."
            )

    @property
    def words(self) -> str:
        """Kind and name: ``Pod shop/cart-1``."""
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind or 'object'} {where}"

    def to_dict(self) -> dict[str, str]:
        """What a result shows of it."""
        return {
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "evidence": self.evidence,
        }


@dataclass(frozen=True)
class Outcome:
    """What became of one candidate: a word of this module, and a sentence where there is more to say."""

    candidate: Candidate
    outcome: str
    note: str = ""


@dataclass(frozen=True)
class DeletionLimits:
    """How fast and how far a run goes.

    ``rate``: deletes per second on average, 0 for as fast as the server takes them. ``pause``: seconds between batches.
    ``max_deletions``: where the run ends by choice. ``max_conflict_share``: of one batch; above it (and above ten
    objects) the picture is not the cluster's any more, and the run stops. ``proof_seconds``: how old a proof may become
    before the rest of its batch is proved again. ``patience``: seconds for which one request is tried again.
    """

    batch_size: int = 100
    rate: float = 0
    pause: float = 0
    max_deletions: int | None = None
    concurrency: int = 8
    max_conflict_share: float = 0.5
    proof_seconds: float = 30.0
    patience: float = 90.0

    def __post_init__(self) -> None:
        """Raises InputError naming the option that cannot be used."""
        for name, lowest, highest in (("batch_size", 1, 10_000), ("concurrency", 1, 64)):
            value = getattr(self, name)
            if not lowest <= value <= highest:
                raise InputError(f"{name}: {value} is not usable; give {lowest} to {highest}.")
        for name in ("rate", "pause"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise InputError(f"{name}: {value:g} is not usable; give 0 or more.")
        if self.max_deletions is not None and self.max_deletions < 0:
            raise InputError(f"max_deletions: {self.max_deletions} is not usable; give 0 or more.")
        if not 0 <= self.max_conflict_share <= 1:
            raise InputError(f"max_conflict_share: {self.max_conflict_share:g} is no share; give 0 to 1.")

    @property
    def size_of_batch(self) -> int:
        """Objects of one batch: not more than the rate allows in a third of the time for which a proof is good."""
        if not self.rate:
            return self.batch_size
        return max(1, min(self.batch_size, int(self.rate * self.proof_seconds / 3)))


@dataclass
class DeletionResult:
    """What a run did. ``deleted`` + ``spared`` + ``remaining`` are all candidates.

    ``stopped`` says why the run ended early, and is empty when it did not; ending at ``max_deletions`` is no stop but
    ``limited``. ``remaining`` is the number of candidates that were not decided.
    """

    deleted: list[Candidate] = field(default_factory=list)
    spared: list[tuple[Candidate, str]] = field(default_factory=list)
    stopped: str = ""
    remaining: int = 0
    limited: bool = False
    finalizing: int = 0
    seconds: float = 0.0

    def counts(self) -> dict[str, int]:
        """Numbers for a result."""
        return {"deleted": len(self.deleted), "spared": len(self.spared), "remaining": self.remaining}


#: Looks at a fresh picture: {uid: why this one is spared}; nothing about those that are still dead. It may raise.
Prove = t.Callable[[t.Sequence[Candidate]], Mapping[str, str]]
