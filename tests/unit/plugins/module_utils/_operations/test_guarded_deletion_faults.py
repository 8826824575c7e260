"""The engine of all clean-up while the API server misbehaves: nothing wrong is deleted, and the journal tells the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import (
    DeletionLimits,
    GuardedDeletion,
)

from .deletion_scene import FakeTime, add_identities, delete, outcomes


def test_forbidden_in_the_middle_stops_the_run(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 30)
        api.faults.append(
            Fault("DELETE", f"{candidates[14].path}$", 403, status_body(403, "Forbidden", "no rule"), times=99)
        )
        result, content = delete(api, candidates, tmp_path, DeletionLimits(batch_size=10, concurrency=1))
        assert len(api.store.objects) == 16
    assert "No permission to delete ciliumidentities.cilium.io" in result.stopped
    assert (len(result.deleted), result.remaining) == (14, 16)
    assert outcomes(content) == {"deleted": 14, "refused": 1, "not-sent": 5}


def test_throttling_holds_back_and_goes_on(tmp_path: Path) -> None:
    time = FakeTime()
    with FakeApi() as api:
        candidates = add_identities(api, 3)
        throttled = status_body(429, "TooManyRequests", "slow down")
        api.faults.append(Fault("DELETE", candidates[0].path, 429, throttled, {"Retry-After": "5"}, times=3))
        result, _content = delete(api, candidates, tmp_path, DeletionLimits(concurrency=1), clock=time.clock)
    assert (len(result.deleted), result.stopped) == (3, "")
    assert 15 <= time.now < 16


def test_throttling_without_end_stops_the_run(tmp_path: Path) -> None:
    time = FakeTime()
    with FakeApi() as api:
        candidates = add_identities(api, 3)
        throttled = status_body(429, "TooManyRequests", "slow down")
        api.faults.append(Fault("DELETE", candidates[1].path, 429, throttled, {"Retry-After": "7"}, times=10**6))
        result, content = delete(api, candidates, tmp_path, DeletionLimits(concurrency=1), clock=time.clock)
        assert api.count("GET") == 0  # nothing was done, the server says
    assert "slow down" in result.stopped
    assert outcomes(content) == {"deleted": 1, "refused": 1, "not-sent": 1}
    assert 70 <= time.now <= 90


@pytest.mark.parametrize("status", [500, 503, 0])
@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_is_lost_is_looked_into(tmp_path: Path, status: int, after: bool) -> None:
    time = FakeTime()
    with FakeApi() as api:
        candidates = add_identities(api, 4)
        body = status_body(status, "InternalError", "etcdserver: request timed out") if status else None
        api.faults.append(Fault("DELETE", candidates[2].path, status, body, after=after))
        result, content = delete(api, candidates, tmp_path, DeletionLimits(concurrency=1), clock=time.clock)
        assert api.count("DELETE", candidates[2].path) == (1 if after else 2)
        assert api.count("GET", candidates[2].path) == 1
        assert not api.store.objects
    assert (len(result.deleted), result.stopped) == (4, "")
    assert ("answer was lost" in content.entries[candidates[2].uid].note) is after


def test_a_request_that_lands_late_is_ours(tmp_path: Path) -> None:
    """The look after a lost answer may come too early: the server may still be at it."""
    time = FakeTime()
    with FakeApi() as api:
        (candidate,) = add_identities(api, 1)
        api.faults.append(Fault("DELETE", candidate.path))

        def land(request: Any) -> None:
            if request.method == "DELETE":
                api.store.objects.pop(candidate.path)

        api.before_request = land
        result, content = delete(api, [candidate], tmp_path, DeletionLimits(concurrency=1), clock=time.clock)
        assert api.count("DELETE") == 2
    assert (len(result.deleted), result.spared) == (1, [])
    assert "answer was lost" in content.entries[candidate.uid].note


def test_what_was_made_anew_after_a_request_that_landed_late_was_ours(tmp_path: Path) -> None:
    """An agent that still holds an identity makes it anew; the journal must not say that we spared it."""
    time = FakeTime()
    with FakeApi() as api:
        (candidate,) = add_identities(api, 1)
        api.faults.append(Fault("DELETE", candidate.path, 500, status_body(500, "InternalError", "boom")))

        def land(request: Any) -> None:
            if request.method == "DELETE":
                api.store.objects[candidate.path]["metadata"]["uid"] = "made-anew"

        api.before_request = land
        result, content = delete(api, [candidate], tmp_path, DeletionLimits(concurrency=1), clock=time.clock)
        assert candidate.path in api.store.objects
    assert outcomes(content) == {"deleted": 1}
    assert (len(result.deleted), result.stopped) == (1, "")


def test_an_api_server_that_restarts_is_waited_for(tmp_path: Path) -> None:
    time = FakeTime()
    with FakeApi() as api:
        candidates = add_identities(api, 3)
        starting = status_body(500, "InternalError", "not ready")
        api.faults += [Fault("DELETE", "", 0, times=1), Fault("GET", "identities/", 0, times=9)]
        api.faults += [Fault("DELETE", "", 500, starting, times=2)]
        result, _content = delete(api, candidates, tmp_path, DeletionLimits(concurrency=1), clock=time.clock)
        assert not api.store.objects
    assert (len(result.deleted), result.stopped) == (3, "")
    assert 30 <= time.now <= 60


def test_what_waits_for_a_finalizer_is_told(tmp_path: Path) -> None:
    with FakeApi() as api:
        (candidate,) = add_identities(api, 1)
        api.store.sticky_pods.add(candidate.name)
        api.store.objects[candidate.path]["metadata"]["finalizers"] = ["example.com/wait"]
        result, content = delete(api, [candidate], tmp_path)
    assert (len(result.deleted), result.finalizing, result.stopped) == (1, 1, "")
    assert outcomes(content) == {"finalizing": 1}
    assert "waits for example.com/wait" in content.entries[candidate.uid].note


def test_a_kind_that_is_not_served_any_more_stops_the_run(tmp_path: Path) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 3)
        api.faults.append(Fault("DELETE", "identities", 404, "404 page not found", times=9))
        result, content = delete(api, candidates, tmp_path, DeletionLimits(concurrency=1))
    assert "could not be deleted" in result.stopped
    assert outcomes(content) == {"refused": 1, "not-sent": 2}


def test_a_journal_that_cannot_be_written_stops_before_the_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeApi() as api:
        candidates = add_identities(api, 4)
        journal = DeletionJournal.create(str(tmp_path), "identities")
        monkeypatch.setattr("os.fdatasync", _no_space)
        client = KubeClient.from_options(api.options)
        result = GuardedDeletion(client, DeletionLimits(), journal=journal, prove=lambda batch: {}).run(candidates)
        assert api.count("DELETE") == 0
    assert "No space left on device" in result.stopped
    assert result.remaining == 4


def _no_space(_handle: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_server_error_that_stays_stops_the_run(tmp_path: Path) -> None:
    time = FakeTime()
    with FakeApi() as api:
        candidates = add_identities(api, 4)
        body = status_body(500, "InternalError", "admission webhook is broken")
        api.faults.append(Fault("DELETE", candidates[1].path, 500, body, times=10**6))
        result, content = delete(api, candidates, tmp_path, DeletionLimits(concurrency=1), clock=time.clock)
        assert len(api.store.objects) == 3
    assert "admission webhook is broken" in result.stopped
    assert (len(result.deleted), result.remaining) == (1, 3)
    assert outcomes(content) == {"deleted": 1, "refused": 1, "not-sent": 2}
    assert 80 <= time.now <= 100


def test_an_outcome_that_nobody_knows_stops_the_run_and_is_left_open(tmp_path: Path) -> None:
    time = FakeTime()
    with FakeApi() as api:
        candidates = add_identities(api, 4)
        api.faults.append(Fault("DELETE", candidates[1].path, 0, after=True))
        forbidden = status_body(403, "Forbidden", "no rule")
        api.faults.append(Fault("GET", candidates[1].path, 403, forbidden, times=99))
        result, content = delete(api, candidates, tmp_path, DeletionLimits(concurrency=1), clock=time.clock)
    assert result.stopped.startswith("What became of CiliumIdentity 1001 is not known")
    assert content.entries[candidates[1].uid].open
    assert outcomes(content) == {"deleted": 1, "unknown": 1, "not-sent": 2}
