"""The engine of all clean-up: what it deletes, what it spares, how fast, and when it ends."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import Candidate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import (
    DeletionLimits,
)

from .deletion_scene import FakeTime, add_identities, delete, outcomes


def test_all_that_is_dead_is_deleted_and_written_down(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 25)
        result, content = delete(api, candidates, tmp_path, DeletionLimits(batch_size=10))
        assert not api.store.objects
    assert len(result.deleted) == 25
    assert (result.spared, result.stopped, result.remaining, result.limited) == ([], "", 0, False)
    assert outcomes(content) == {"deleted": 25}
    assert content.ended
    assert content.entries[candidates[0].uid].object["security-labels"] == {"k8s:app": "app-1000"}
    assert content.entries[candidates[0].uid].evidence == "nothing refers to it"


def test_every_request_names_uid_and_resource_version(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 3)
        delete(api, candidates, tmp_path)
        sent = {one.path: one.body["preconditions"] for one in api.requests if one.method == "DELETE"}
    assert sent == {one.path: {"uid": one.uid, "resourceVersion": one.resource_version} for one in candidates}


def test_what_was_changed_since_the_plan_is_spared(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 20)
        api.store.objects[candidates[4].path]["metadata"]["resourceVersion"] = "999999"
        api.store.objects[candidates[7].path]["metadata"]["uid"] = "another"
        result, content = delete(api, candidates, tmp_path)
        assert sorted(api.store.objects) == sorted([candidates[4].path, candidates[7].path])
    assert {one.uid for one, _reason in result.spared} == {candidates[4].uid, candidates[7].uid}
    assert (len(result.deleted), result.stopped, result.remaining) == (18, "", 0)
    assert outcomes(content) == {"deleted": 18, "in-use": 2}


def test_what_the_proof_spares_gets_no_request(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 4)
        result, content = delete(
            api, candidates, tmp_path, prove=lambda batch: {candidates[1].uid: "pod shop/cart-1 uses it"}
        )
        assert api.count("DELETE", candidates[1].path) == 0
    assert result.spared == [(candidates[1], "pod shop/cart-1 uses it")]
    assert candidates[1].uid not in content.entries


def test_objects_are_in_the_journal_before_the_first_request(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 5)
        seen: list[int] = []

        def look(request: Any) -> None:
            if request.method == "DELETE":
                (path,) = tmp_path.iterdir()
                lines = [json.loads(line) for line in path.read_text().splitlines()]
                seen.append(sum(line.get("outcome") == "planned" for line in lines))

        api.before_request = look
        delete(api, candidates, tmp_path, DeletionLimits(concurrency=1))
    assert seen == [5, 5, 5, 5, 5]


def test_what_is_gone_already_is_no_deed_of_ours(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 3)
        del api.store.objects[candidates[1].path]
        result, content = delete(api, candidates, tmp_path)
    assert [(one.name, reason) for one, reason in result.spared] == [("1001", "gone already")]
    assert outcomes(content) == {"deleted": 2, "gone": 1}


def test_a_proof_that_became_too_old_is_made_again(tmp_path: Path) -> None:
    time = FakeTime()
    proofs: list[list[str]] = []

    def prove(batch: Sequence[Candidate]) -> dict[str, str]:
        proofs.append([one.name for one in batch])
        return {}

    with FakeApi() as api:
        candidates = add_identities(api, 4)
        throttled = status_body(429, "TooManyRequests", "slow down")
        api.faults.append(Fault("DELETE", candidates[1].path, 429, throttled, {"Retry-After": "40"}))
        result, _content = delete(
            api, candidates, tmp_path, DeletionLimits(concurrency=1), clock=time.clock, prove=prove
        )
    assert proofs == [["1000", "1001", "1002", "1003"], ["1002", "1003"]]
    assert (len(result.deleted), result.remaining) == (4, 0)


def test_a_proof_that_fails_stops_the_run_before_its_batch(tmp_path: Path) -> None:
    proofs: list[int] = []

    def prove(batch: Sequence[Candidate]) -> dict[str, str]:
        proofs.append(len(batch))
        if len(proofs) == 2:
            raise RefusedError("The list of pods is not complete.")
        return {}

    with FakeApi() as api:
        candidates = add_identities(api, 9)
        result, content = delete(api, candidates, tmp_path, DeletionLimits(batch_size=4), prove=prove)
        assert len(api.store.objects) == 5
    assert result.stopped == "The list of pods is not complete."
    assert (len(result.deleted), result.remaining) == (4, 5)
    assert len(content.entries) == 4


def test_a_chosen_limit_is_no_stop(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 9)
        limits = DeletionLimits(batch_size=4, max_deletions=6)
        result, _content = delete(api, candidates, tmp_path, limits, prove=lambda batch: {candidates[0].uid: "used"})
        assert len(api.store.objects) == 3
    assert (len(result.deleted), len(result.spared), result.remaining) == (6, 1, 2)
    assert (result.limited, result.stopped) == (True, "")


def test_many_conflicts_in_one_batch_stop_the_run(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 60)
        for one in candidates[:18]:
            api.store.objects[one.path]["metadata"]["resourceVersion"] = "999999"
        result, _content = delete(api, candidates, tmp_path, DeletionLimits(batch_size=30))
    assert result.stopped.startswith("18 of 30 objects of one batch were changed")
    assert (len(result.deleted), len(result.spared), result.remaining) == (12, 18, 30)


def test_a_person_stops_the_run_between_batches(tmp_path: Path) -> None:
    answers = iter(["", "", "The switch stop is set."])
    with FakeApi() as api:
        candidates = add_identities(api, 30)
        result, content = delete(
            api, candidates, tmp_path, DeletionLimits(batch_size=10, concurrency=1), heartbeat=lambda: next(answers)
        )
    assert result.stopped == "The switch stop is set."
    assert (len(result.deleted), result.remaining) == (20, 10)
    assert content.ended


def test_a_lock_that_is_lost_stops_the_run(tmp_path: Path) -> None:
    def heartbeat() -> str:
        raise RefusedError("The Lease is held by somebody else now.")

    with FakeApi() as api:
        candidates = add_identities(api, 3)
        result, _content = delete(api, candidates, tmp_path, heartbeat=heartbeat)
        assert len(api.store.objects) == 3
    assert result.stopped == "The Lease is held by somebody else now."


def test_the_rate_is_kept_whatever_the_batches(tmp_path: Path) -> None:
    time = FakeTime()
    with FakeApi() as api:
        candidates = add_identities(api, 200)
        limits = DeletionLimits(batch_size=15, rate=50, concurrency=1)
        result, _content = delete(api, candidates, tmp_path, limits, clock=time.clock)
    assert len(result.deleted) == 200
    assert 3.9 <= time.now <= 4.1


def test_pauses_lie_between_batches_and_listen(tmp_path: Path) -> None:
    time = FakeTime()
    beats: list[float] = []
    with FakeApi() as api:
        candidates = add_identities(api, 30)
        limits = DeletionLimits(batch_size=10, pause=20, concurrency=1)
        delete(api, candidates, tmp_path, limits, clock=time.clock, heartbeat=lambda: beats.append(time.now))
    assert time.now == pytest.approx(40)
    assert max(b - a for a, b in itertools.pairwise(beats)) <= 1


def test_a_slow_rate_makes_small_batches() -> None:
    assert DeletionLimits(batch_size=100, rate=50).size_of_batch == 100
    assert DeletionLimits(batch_size=100, rate=2).size_of_batch == 20
    assert DeletionLimits(batch_size=100, rate=0.01).size_of_batch == 1
    assert DeletionLimits(batch_size=100).size_of_batch == 100


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "batch_size: 0"),
        ({"rate": -1}, "rate: -1"),
        ({"rate": float("nan")}, "rate: nan"),
        ({"pause": float("inf")}, "pause: inf"),
        ({"max_deletions": -1}, "max_deletions: -1"),
        ({"concurrency": 65}, "concurrency: 65"),
        ({"max_conflict_share": 1.5}, "max_conflict_share: 1.5"),
    ],
)
def test_limits_that_make_no_sense_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        DeletionLimits(**options)


def test_an_object_without_guards_is_no_candidate() -> None:
    with pytest.raises(RefusedError, match="uid or resourceVersion is not known"):
        Candidate.of({"kind": "Pod", "metadata": {"name": "a", "namespace": "b"}}, "/api/v1/namespaces/b/pods/a", "")
