"""The engine while others write: whatever they do and whenever, nothing but exactly a candidate is ever deleted."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import Candidate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
    read_journal,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import (
    DeletionLimits,
    DeletionResult,
    GuardedDeletion,
)

from .conftest import FastClock

COLLECTION = "/apis/cilium.io/v2/ciliumidentities"
#: What others do to one object before one request.
ACTS = ("bump", "recreate", "remove", "use")
#: What happens to one request.
FAULTS = ("429", "500", "503", "reset", "500-after", "503-after", "reset-after", "403")


class World:
    """Objects of one kind as {name: (uid, resourceVersion)}, the client that reaches them, and a log of deletions."""

    def __init__(self, count: int, script: Sequence[tuple[str, int]], faults: Sequence[str]) -> None:
        self.objects = {str(number): (f"uid-{number}-0", "1") for number in range(count)}
        self.used: set[str] = set()
        self.deleted: list[tuple[str, str, str]] = []
        self.wrong: list[str] = []
        self._script = list(script)
        self._faults = list(faults)
        self._version = 1

    def candidates(self) -> list[Candidate]:
        """Every object, as a plan sees it."""
        return [
            Candidate(
                f"{COLLECTION}/{name}", "CiliumIdentity", "", name, uid, version, "dead", {"metadata": {"name": name}}
            )
            for name, (uid, version) in self.objects.items()
        ]

    def prove(self, batch: Sequence[Candidate]) -> dict[str, str]:
        """What somebody uses is spared; others go on meanwhile."""
        self._others()
        return {one.uid: "used" for one in batch if one.name in self.used}

    # -- the client ------------------------------------------------------------------------------------------------

    def delete(self, path: str, *, uid: str, resource_version: str, repeat: bool) -> dict[str, Any]:
        """As the API server does it."""
        assert not repeat
        self._others()
        fault = self._faults.pop() if self._faults else ""
        if fault == "429":
            raise ApiError("slow down", status=429, retry_after=40.0)  # a proof is too old then
        if fault == "403":
            raise ApiError("no rule", status=403, reason="Forbidden")
        if fault and not fault.endswith("-after"):
            raise ApiError(fault, status=int(fault) if fault.isdigit() else 0)
        try:
            self._delete(path.rpartition("/")[2], uid, resource_version)
        finally:
            self._others()
        if fault:
            code = fault.removesuffix("-after")
            raise ApiError(fault, status=int(code) if code.isdigit() else 0)
        return {"kind": "Status"}

    def request(self, method: str, path: str, *, repeat: bool) -> dict[str, Any]:
        """A look, as the API server answers it."""
        assert method == "GET"
        assert not repeat
        self._others()
        found = self.objects.get(path.rpartition("/")[2])
        if found is None:
            raise ApiError("not found", status=404, reason="NotFound")
        return {"metadata": {"uid": found[0], "resourceVersion": found[1]}}

    def _delete(self, name: str, uid: str, version: str) -> None:
        found = self.objects.get(name)
        if found is None:
            raise ApiError("not found", status=404, reason="NotFound")
        if found != (uid, version):
            raise ApiError("changed", status=409, reason="Conflict")
        if name in self.used:
            self.wrong.append(name)
        self.deleted.append((name, uid, version))
        del self.objects[name]

    def _others(self) -> None:
        if not self._script:
            return
        act, number = self._script.pop()
        name = str(number)
        self._version += 1
        if act == "remove":
            self.objects.pop(name, None)
        elif act == "recreate":
            self.objects[name] = (f"uid-{number}-{self._version}", str(self._version))
        elif name in self.objects:
            # who begins to use an object writes to it, which is what protects it
            self.objects[name] = (self.objects[name][0], str(self._version))
            if act == "use":
                self.used.add(name)


interleavings = given(
    count=st.integers(min_value=1, max_value=24),
    script=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(min_value=0, max_value=23)), max_size=60),
    faults=st.lists(st.sampled_from((*FAULTS, "", "")), max_size=30),
    batch_size=st.integers(min_value=1, max_value=9),
    max_deletions=st.one_of(st.none(), st.integers(min_value=0, max_value=24)),
    rate=st.sampled_from([0, 0.05, 5]),
    stop_after=st.one_of(st.none(), st.integers(min_value=0, max_value=12)),
    proof_fails_after=st.one_of(st.none(), st.integers(min_value=0, max_value=12)),
)


def run_one(
    count: int,
    script: list[tuple[str, int]],
    faults: list[str],
    batch_size: int,
    max_deletions: int | None,
    rate: float,
    stop_after: int | None,
    proof_fails_after: int | None,
) -> None:
    """One run among others who write; fail when it did what it must not."""
    world, fast = World(count, script, faults), FastClock()
    candidates = world.candidates()
    guards = {(one.name, one.uid, one.resource_version) for one in candidates}
    calls: Counter[str] = Counter()

    def heartbeat() -> str:
        calls["heartbeat"] += 1
        return "stop" if stop_after is not None and calls["heartbeat"] > stop_after else ""

    def prove(batch: Sequence[Candidate]) -> dict[str, str]:
        calls["prove"] += 1
        assert len(batch) <= batch_size
        if proof_fails_after is not None and calls["prove"] > proof_fails_after:
            raise RefusedError("The picture is not complete.")
        return world.prove(batch)

    with tempfile.TemporaryDirectory() as folder:
        journal = DeletionJournal.create(folder, "identities")
        limits = DeletionLimits(batch_size=batch_size, rate=rate, max_deletions=max_deletions, concurrency=1)
        engine = GuardedDeletion(
            world,
            limits,
            prove=prove,
            journal=journal,
            heartbeat=heartbeat,
            clock=fast.clock(),  # type: ignore[arg-type]
        )
        result = engine.run(candidates)
        content = read_journal(journal.path)

    # only what was planned, in exactly the state that was planned, and nothing that somebody used
    assert set(world.deleted) <= guards
    assert not world.wrong
    # every candidate has one end
    ends = Counter([one.uid for one in result.deleted] + [one.uid for one, _reason in result.spared])
    assert not [uid for uid, number in ends.items() if number > 1]
    assert len(result.deleted) + len(result.spared) + result.remaining == count
    if max_deletions is not None:
        assert len(result.deleted) <= max_deletions
    # an end that nobody chose says why, and one that somebody chose is no stop
    assert bool(result.stopped or result.limited) == bool(result.remaining)
    # the journal has every object before its request, and says what the cluster says
    assert {uid for _name, uid, _version in world.deleted} <= set(content.entries)
    there = {uid for uid, _version in world.objects.values()}
    for uid, entry in content.entries.items():
        assert entry.outcome != "unknown" or result.stopped
        if entry.outcome in ("deleted", "gone"):
            assert uid not in there
    said = {uid for uid, entry in content.entries.items() if entry.outcome in ("deleted", "unknown")}
    assert {uid for _name, uid, _version in world.deleted} <= said
    assert content.ended


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@interleavings
def test_nothing_but_the_very_candidate_is_deleted(**case: Any) -> None:
    run_one(**case)


@pytest.mark.long
@settings(max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@interleavings
def test_nothing_but_the_very_candidate_is_deleted_in_many_runs(**case: Any) -> None:
    run_one(**case)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_threads_share_one_batch_and_leave_nothing_out(concurrency: int, tmp_path: Any) -> None:
    world = World(500, [], [])
    journal = DeletionJournal.create(str(tmp_path), "identities")
    limits = DeletionLimits(batch_size=70, concurrency=concurrency)
    result: DeletionResult = GuardedDeletion(
        world,
        limits,
        prove=world.prove,
        journal=journal,  # type: ignore[arg-type]
    ).run(world.candidates())
    assert (len(result.deleted), len(world.deleted), result.remaining) == (500, 500, 0)
