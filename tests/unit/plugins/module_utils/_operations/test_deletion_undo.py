"""Bringing back what was deleted: what may come back, what stays away and why, and faults in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import Candidate, Outcome
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
    JournalContent,
    read_journal,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_undo import (
    DeletionUndo,
    UndoResult,
    require_same_cluster,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_undo_plan import make_undo_plan

from .conftest import FastClock

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"


@pytest.fixture
def empty() -> Iterator[FakeApi]:
    """An API without objects."""
    with FakeApi() as running:
        yield running


def identity(number: int, app: str = "", created: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    """An identity as the API gives it."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumIdentity",
        "metadata": {
            "name": str(number),
            "uid": f"uid-{number}",
            "resourceVersion": "7",
            "generation": 2,
            "creationTimestamp": created,
            "managedFields": [{"manager": "cilium-agent"}],
            "labels": {"io.kubernetes.pod.namespace": "shop"},
            "annotations": {"io.cilium.heartbeat": "2026-01-01T01:00:00Z", "note": "kept"},
        },
        "security-labels": {"k8s:app": app or f"app-{number}"},
        "status": {},
    }


def cilium_node(name: str, *cidrs: str, owner_uid: str = "") -> dict[str, Any]:
    """A CiliumNode of cluster-pool."""
    owners = [{"apiVersion": "v1", "kind": "Node", "name": name, "uid": owner_uid}] if owner_uid else []
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNode",
        "metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "7", "ownerReferences": owners},
        "spec": {"ipam": {"podCIDRs": list(cidrs)}},
    }


def journal_of(folder: Path, *objects: dict[str, Any], outcome: str = "deleted") -> JournalContent:
    """A journal in which all of them have this outcome; an empty one leaves them planned."""
    journal = DeletionJournal.create(str(folder), "identities", "cluster-1")
    candidates = [Candidate.of(one, f"{IDENTITIES}/{one['metadata']['name']}", "dead") for one in objects]
    journal.plan(candidates)
    if outcome:
        journal.complete([Outcome(one, outcome) for one in candidates])
    journal.close()
    return read_journal(journal.path)


def undo(api: FakeApi, content: JournalContent, *names: str, **options: Any) -> tuple[UndoResult, list[str]]:
    """Plan and create; the result, and the reasons of the plan for what stays away."""
    client = KubeClient.from_options(api.options)
    plan = make_undo_plan(client, content, names)
    result = DeletionUndo(client, **options).run(plan.restore)
    return result, [reason for _entry, reason in plan.kept]


def test_an_identity_comes_back_with_number_and_labels_and_without_its_mark(tmp_path: Path, empty: FakeApi) -> None:
    content = journal_of(tmp_path, identity(300))
    result, kept = undo(empty, content)
    assert (len(result.restored), kept, result.stopped) == (1, [], "")
    (sent,) = [one.body for one in empty.requests if one.method == "POST"]
    assert sent == {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumIdentity",
        "metadata": {
            "name": "300",
            "labels": {"io.kubernetes.pod.namespace": "shop"},
            "annotations": {"note": "kept"},
        },
        "security-labels": {"k8s:app": "app-300"},
    }


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path, empty: FakeApi) -> None:
    content = journal_of(tmp_path, identity(300), identity(301))
    undo(empty, content)
    requests = empty.count("POST")
    plan = make_undo_plan(KubeClient.from_options(empty.options), content)
    assert (len(plan.restore), len(plan.present), plan.kept) == (0, 2, [])
    assert empty.count("POST") == requests


def test_a_number_that_is_taken_stays_taken(tmp_path: Path, empty: FakeApi) -> None:
    empty.store.add(IDENTITIES, identity(300, app="another"))
    result, kept = undo(empty, journal_of(tmp_path, identity(300)))
    assert kept == ["The number 300 was taken for other labels meanwhile."]
    assert not result.restored
    assert empty.store.objects[f"{IDENTITIES}/300"]["security-labels"] == {"k8s:app": "another"}


def test_labels_that_another_identity_serves_are_not_served_twice(tmp_path: Path, empty: FakeApi) -> None:
    empty.store.add(IDENTITIES, identity(900, app="app-300"))
    _result, kept = undo(empty, journal_of(tmp_path, identity(300)))
    assert kept == ["Its labels are served by CiliumIdentity 900 already, which pods take now."]
    assert f"{IDENTITIES}/300" not in empty.store.objects


def test_of_two_with_the_same_labels_the_older_comes_back(tmp_path: Path, empty: FakeApi) -> None:
    content = journal_of(
        tmp_path,
        identity(300, "cart", created="2026-02-01T00:00:00Z"),
        identity(301, "cart", created="2026-01-01T00:00:00Z"),
    )
    result, kept = undo(empty, content)
    assert [one.body["metadata"]["name"] for one in result.restored] == ["301"]
    assert kept == ["Its labels are served by CiliumIdentity 301 already, which pods take now."]


def test_only_what_is_named_comes_back(tmp_path: Path, empty: FakeApi) -> None:
    undo(empty, journal_of(tmp_path, identity(300), identity(301)), "301")
    assert list(empty.store.objects) == [f"{IDENTITIES}/301"]


@pytest.mark.parametrize("outcome", ["in-use", "refused", "not-sent", "kept", "gone"])
def test_what_the_run_did_not_delete_is_not_ours_to_bring_back(tmp_path: Path, empty: FakeApi, outcome: str) -> None:
    result, kept = undo(empty, journal_of(tmp_path, identity(300), outcome=outcome))
    assert kept == [f"The run did not delete it ({outcome})."]
    assert not result.restored


@pytest.mark.parametrize("outcome", ["", "unknown", "finalizing"])
def test_what_a_killed_run_may_have_deleted_comes_back(tmp_path: Path, empty: FakeApi, outcome: str) -> None:
    result, _kept = undo(empty, journal_of(tmp_path, identity(300), outcome=outcome))
    assert len(result.restored) == 1


def test_what_is_still_being_deleted_is_left_alone(tmp_path: Path, empty: FakeApi) -> None:
    going = identity(300)
    going["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z"
    empty.store.add(IDENTITIES, going)
    _result, kept = undo(empty, journal_of(tmp_path, identity(300), outcome="finalizing"))
    assert kept == ["CiliumIdentity 300 is still being deleted; undo it again when it is gone."]


@pytest.mark.parametrize("kind", ["Pod", "CiliumEndpoint", "Unheard"])
def test_kinds_that_others_make_again_stay_away(tmp_path: Path, empty: FakeApi, kind: str) -> None:
    obj = {"kind": kind, "metadata": {"name": "a", "namespace": "b", "uid": "u", "resourceVersion": "1"}}
    result, kept = undo(empty, journal_of(tmp_path, obj))
    assert len(kept) == 1
    assert not result.restored
    assert not empty.requests


def test_a_cilium_node_comes_back_to_the_node_that_owned_it(tmp_path: Path, empty: FakeApi) -> None:
    empty.store.add("/api/v1/nodes", {"metadata": {"name": "w1", "uid": "node-1"}})
    result, kept = undo(empty, journal_of(tmp_path, cilium_node("w1", "10.0.1.0/24", owner_uid="node-1")))
    assert (len(result.restored), kept) == (1, [])
    (sent,) = [one.body for one in empty.requests if one.method == "POST"]
    assert sent["metadata"]["ownerReferences"][0]["uid"] == "node-1"


@pytest.mark.parametrize(
    ("node_uid", "owner_uid", "others", "words"),
    [
        ("node-2", "node-1", {}, "Node w1 with uid node-1, which owned CiliumNode w1, is gone"),
        ("", "node-1", {}, "Node w1 with uid node-1, which owned CiliumNode w1, is gone"),
        ("node-1", "", {}, "CiliumNode w1 was owned by no Node"),
        ("node-1", "node-1", {"w2": "10.0.1.0/24"}, "Its block 10.0.1.0/24 belongs to CiliumNode w2 now."),
        ("node-1", "node-1", {"w2": "10.0.0.0/16"}, "Its block 10.0.1.0/24 belongs to CiliumNode w2 now."),
        ("node-1", "node-1", {"w1": "10.0.9.0/24"}, "There is another CiliumNode w1 by now"),
    ],
)
def test_a_cilium_node_that_would_do_harm_stays_away(
    tmp_path: Path, empty: FakeApi, node_uid: str, owner_uid: str, others: dict[str, str], words: str
) -> None:
    if node_uid:
        empty.store.add("/api/v1/nodes", {"metadata": {"name": "w1", "uid": node_uid}})
    for name, cidr in others.items():
        empty.store.add(CILIUM_NODES, cilium_node(name, cidr))
    result, kept = undo(empty, journal_of(tmp_path, cilium_node("w1", "10.0.1.0/24", owner_uid=owner_uid)))
    assert len(kept) == 1 and kept[0].startswith(words)
    assert not result.restored


# -- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 500, 503])
@pytest.mark.parametrize("after", [False, True])
def test_an_answer_that_is_lost_creates_nothing_twice(
    tmp_path: Path, empty: FakeApi, fast: FastClock, status: int, after: bool
) -> None:
    body = status_body(status, "InternalError", "boom") if status else None
    empty.faults.append(Fault("POST", IDENTITIES, status, body, after=after))
    result, _kept = undo(empty, journal_of(tmp_path, identity(300)), clock=fast.clock())
    assert (len(result.restored), result.kept, result.stopped) == (1, [], "")


def test_forbidden_stops_and_says_so(tmp_path: Path, empty: FakeApi) -> None:
    empty.faults.append(Fault("POST", IDENTITIES, 403, status_body(403, "Forbidden", "no rule"), times=9))
    result, _kept = undo(empty, journal_of(tmp_path, *(identity(n) for n in range(300, 309))), concurrency=1)
    assert "CiliumIdentity 300 could not be created: No permission to create" in result.stopped
    assert (len(result.restored), result.remaining) == (0, 9)


def test_a_name_that_is_taken_at_the_last_moment_stays_taken(tmp_path: Path, empty: FakeApi) -> None:
    def take(request: Any) -> None:
        if request.method == "POST" and f"{IDENTITIES}/300" not in empty.store.objects:
            empty.store.add(IDENTITIES, identity(300, app="quick"))

    empty.before_request = take
    result, _kept = undo(empty, journal_of(tmp_path, identity(300)))
    assert [reason for _one, reason in result.kept] == ["Its name was taken by somebody else meanwhile."]
    assert (result.restored, result.remaining, result.stopped) == ([], 0, "")


def test_a_long_run_looks_again(tmp_path: Path, empty: FakeApi, fast: FastClock) -> None:
    content = journal_of(tmp_path, *(identity(number) for number in range(300, 600)))

    def serve(request: Any) -> None:
        if empty.count("POST") == 60 and f"{IDENTITIES}/900" not in empty.store.objects:
            empty.store.add(IDENTITIES, identity(900, app="app-599"))

    empty.before_request = serve
    result, _kept = undo(empty, content, rate=2, concurrency=1, clock=fast.clock())
    assert (len(result.restored), result.remaining) == (299, 0)
    assert [one.body["metadata"]["name"] for one, _reason in result.kept] == ["599"]


def test_a_person_stops_it_between_batches(tmp_path: Path, empty: FakeApi) -> None:
    content = journal_of(tmp_path, *(identity(number) for number in range(300, 550)))
    answers = iter([""])
    result, _kept = undo(empty, content, heartbeat=lambda: next(answers, "The switch stop is set."), concurrency=1)
    assert result.stopped == "The switch stop is set."
    assert len(result.restored) + result.remaining == 250


@pytest.mark.parametrize("here", ["cluster-2", ""])
def test_the_journal_of_another_cluster_is_refused(tmp_path: Path, here: str) -> None:
    content = journal_of(tmp_path, identity(300))
    require_same_cluster(content, "cluster-1")
    with pytest.raises(RefusedError, match="is of another cluster"):
        require_same_cluster(content, here)
