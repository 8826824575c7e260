"""The journal of deletions: what a killed run leaves behind, and what the next one makes of it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import Candidate, Outcome
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
    DeletionJournalError,
    read_journal,
    unfinished_journals,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_reconciliation import (
    cluster_of,
    reconcile,
)

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"


def candidate(number: int, uid: str = "", **data: Any) -> Candidate:
    """One identity."""
    obj = {
        "kind": "CiliumIdentity",
        "metadata": {"name": str(number), "uid": uid or f"uid-{number}", "resourceVersion": "7"},
        **data,
    }
    return Candidate.of(obj, f"{IDENTITIES}/{number}", "nothing refers to it")


def test_only_this_user_may_read_it(tmp_path: Path) -> None:
    journal = DeletionJournal.create(str(tmp_path / "new" / "folder"), "identities")
    assert stat.S_IMODE(Path(journal.path).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(journal.path).parent.stat().st_mode) == 0o700
    journal.close()


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    journal = DeletionJournal.create(str(tmp_path), "identities", "cluster-1", "me@here #1")
    one, other = candidate(300, labels={"a": "ä\n"}), candidate(301)
    journal.plan([one, other])
    journal.complete([Outcome(one, "deleted"), Outcome(other, "in-use", "it was changed")])
    journal.close({"deleted": 1})
    content = read_journal(journal.path)
    assert (content.cluster, content.run, content.subject, content.ended) == (
        "cluster-1",
        "me@here #1",
        "identities",
        True,
    )
    assert content.entries["uid-300"].object == one.data
    assert [(entry.outcome, entry.note) for entry in content.entries.values()] == [
        ("deleted", ""),
        ("in-use", "it was changed"),
    ]


def test_an_object_that_is_planned_again_has_the_last_outcome(tmp_path: Path) -> None:
    journal = DeletionJournal.create(str(tmp_path), "identities")
    journal.plan([candidate(300)])
    journal.complete([Outcome(candidate(300), "not-sent")])
    journal.plan([candidate(300)])
    assert read_journal(journal.path).entries["uid-300"].open
    journal.complete([Outcome(candidate(300), "deleted")])
    assert read_journal(journal.path).entries["uid-300"].outcome == "deleted"
    journal.close()


@given(cut=st.integers(min_value=0, max_value=2000))
def test_a_file_that_ends_anywhere_is_read_as_far_as_it_goes(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    journal = DeletionJournal.create(str(folder), "identities")
    for start in (300, 302):
        batch = [candidate(start), candidate(start + 1)]
        journal.plan(batch)
        journal.complete([Outcome(one, "deleted") for one in batch])
    path = Path(journal.path)
    os.close(journal._handle)  # as the end of its process does
    whole = path.read_bytes()
    path.write_bytes(whole[: min(cut, len(whole))])
    lines = whole[:cut].count(b"\n")
    if lines == 0 and (cut < len(whole.split(b"\n")[0])):
        with pytest.raises(InputError, match="no journal of deletions"):
            read_journal(str(path))
        return
    content = read_journal(str(path))
    assert not content.ended
    assert len(content.entries) <= 4
    assert unfinished_journals(str(folder), "identities") == [str(path)]
    again = DeletionJournal.reopen(content)
    assert again is not None
    again.note([(entry.uid, "kept", "") for entry in content.entries.values() if entry.open])
    again.close()
    assert read_journal(str(path)).ended
    assert not any(entry.open for entry in read_journal(str(path)).entries.values())
    assert unfinished_journals(str(folder), "identities") == []


def test_a_line_that_a_person_damaged_is_named(tmp_path: Path) -> None:
    journal = DeletionJournal.create(str(tmp_path), "identities")
    journal.plan([candidate(300), candidate(301)])
    journal.close()
    path = Path(journal.path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], '{"uid": "uid-999", "outcome": "deleted", "time": ""}', *lines[2:]]) + "\n")
    with pytest.raises(InputError, match=r"line 2 of .* is not what a run writes"):
        read_journal(str(path))


@pytest.mark.parametrize("text", ["", "{}\n", '{"format": "other/1"}\n', "no json\n", "[1]\n"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.deletions.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match="is no journal of deletions"):
        read_journal(str(path))


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"journal_path: .* cannot be written"):
        DeletionJournal.create(str(tmp_path / "file"), "identities")


def test_a_full_disk_stops_before_anything_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = DeletionJournal.create(str(tmp_path), "identities")

    def full(_handle: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DeletionJournalError, match="No space left on device; make room"):
        journal.plan([candidate(300)])


def test_a_batch_is_on_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = DeletionJournal.create(str(tmp_path), "identities")
    calls: list[int] = []
    monkeypatch.setattr(os, "fdatasync", calls.append)
    batch = [candidate(number) for number in range(300, 400)]
    journal.plan(batch)
    journal.complete([Outcome(one, "deleted") for one in batch])
    assert len(calls) == 1


# -- after a run that was killed ---------------------------------------------------------------------------------


def killed_run(folder: Path, cluster: str, *candidates: Candidate) -> Path:
    """The journal of a run that was killed after it had written its plan."""
    journal = DeletionJournal.create(str(folder), "identities", cluster)
    journal.plan(candidates)
    os.close(journal._handle)  # as the end of its process does
    return Path(journal.path)


def test_the_next_run_finds_out_what_a_killed_one_did(tmp_path: Path) -> None:
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        api.store.add(IDENTITIES, {"metadata": {"name": "300", "uid": "uid-300"}})
        api.store.add(IDENTITIES, {"metadata": {"name": "302", "uid": "made-anew"}})
        going = {"name": "303", "uid": "uid-303", "deletionTimestamp": "2026-01-01T00:00:00Z"}
        api.store.add(IDENTITIES, {"metadata": going})
        client = KubeClient.from_options(api.options)
        path = killed_run(tmp_path, cluster_of(client), *(candidate(number) for number in range(300, 304)))
        assert reconcile(client, str(tmp_path), "identities", "cluster-1") == [str(path)]
        requests = len(api.requests)
        assert reconcile(client, str(tmp_path), "identities", "cluster-1") == []
        assert len(api.requests) == requests
    content = read_journal(str(path))
    assert content.ended
    assert {uid: entry.outcome for uid, entry in content.entries.items()} == {
        "uid-300": "kept",
        "uid-301": "deleted",
        "uid-302": "deleted",
        "uid-303": "finalizing",
    }


def test_journals_of_other_clusters_and_subjects_are_left_alone(tmp_path: Path) -> None:
    path = killed_run(tmp_path, "cluster-2", candidate(300))
    with FakeApi() as api:
        client = KubeClient.from_options(api.options)
        assert reconcile(client, str(tmp_path), "identities", "cluster-1") == []
        assert reconcile(client, str(tmp_path), "endpoints", "cluster-2") == []
        assert not api.requests
    assert read_journal(str(path)).entries["uid-300"].open


def test_the_journal_of_a_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    journal = DeletionJournal.create(str(tmp_path), "identities", "cluster-1")
    journal.plan([candidate(300)])
    with FakeApi() as api:
        client = KubeClient.from_options(api.options)
        assert reconcile(client, str(tmp_path), "identities", "cluster-1") == []
        assert not api.requests
    journal.close()


def test_a_journal_that_ended_is_not_read_again(tmp_path: Path) -> None:
    journal = DeletionJournal.create(str(tmp_path), "identities")
    journal.close({"stopped": "x" * 3000})
    assert unfinished_journals(str(tmp_path), "identities") == []
    assert json.loads(Path(journal.path).read_text().splitlines()[-1])["ended"]["stopped"] == "x" * 3000
