"""deletion_undo as Ansible runs it, and the options that all clean-up modules share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.doc_fragments.deletion import ModuleDocFragment
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._deletion_options import (
    DeletionStoppedError,
    answer_of,
    complete_journals,
    deletion_argument_spec,
    journal_of,
    limits_of,
    permission_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    Candidate,
    DeletionResult,
    Outcome,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
    read_journal,
)
from ansible_collections.podnet.upkeep.plugins.modules import deletion_undo

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """A cluster without identities."""
    with FakeApi() as running:
        running.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        yield running


def candidates(count: int) -> list[Candidate]:
    """Identities from 300 on."""
    return [
        Candidate.of(
            {
                "kind": "CiliumIdentity",
                "metadata": {"name": str(number), "uid": f"uid-{number}", "resourceVersion": "1"},
                "security-labels": {"k8s:app": str(number)},
            },
            f"{IDENTITIES}/{number}",
            "nothing refers to it",
        )
        for number in range(300, 300 + count)
    ]


@pytest.fixture
def journal(tmp_path: Path) -> str:
    """The journal of three deletions."""
    made = DeletionJournal.create(str(tmp_path), "identities", "cluster-1")
    made.plan(candidates(3))
    made.complete([Outcome(one, "deleted") for one in candidates(3)])
    made.close()
    return made.path


def run(api: FakeApi, capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    """Answer of the module."""
    with patch_module_args({**api.options, **arguments}), pytest.raises(SystemExit):
        deletion_undo.main()
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_check_mode_plans_and_writes_nothing(api: FakeApi, capsys: pytest.CaptureFixture[str], journal: str) -> None:
    answer = run(api, capsys, journal_path=journal, _ansible_check_mode=True)
    assert answer["changed"] is True
    assert [one["name"] for one in answer["restored"]] == ["300", "301", "302"]
    assert answer["counts"] == {"entries": 3, "restored": 0, "present": 0, "not_restored": 0, "remaining": 3}
    assert answer["diff"]["after"] == "CiliumIdentity 300\nCiliumIdentity 301\nCiliumIdentity 302\n"
    assert not api.count("POST")


def test_a_second_run_changes_nothing(api: FakeApi, capsys: pytest.CaptureFixture[str], journal: str) -> None:
    first = run(api, capsys, journal_path=journal, rate=0)
    assert (first["changed"], first["counts"]["restored"]) == (True, 3)
    second = run(api, capsys, journal_path=journal)
    assert (second["changed"], second["counts"]["present"], second["diff"]["after"]) == (False, 3, "")


def test_it_stops_with_what_was_done(api: FakeApi, capsys: pytest.CaptureFixture[str], journal: str) -> None:
    refuse = Fault("POST", IDENTITIES, 403, status_body(403, "Forbidden", "no rule"), times=9)
    api.before_request = lambda request: api.faults.append(refuse) if request.method == "POST" else None
    answer = run(api, capsys, journal_path=journal, concurrency=1)
    assert answer["failed"] and answer["changed"]
    assert "1 objects were created, 2 were not tried or failed" in answer["msg"]
    assert answer["counts"]["remaining"] == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"names": ["300", "999"]}, "has no object named 999"),
        ({"rate": -1}, "rate: -1 is not usable"),
        ({"concurrency": 0}, "concurrency: 0 is not usable"),
        ({"journal_path": "/nowhere.deletions.jsonl"}, "journal_path: /nowhere.deletions.jsonl cannot be read"),
    ],
)
def test_input_that_cannot_be_used_is_one_sentence(
    api: FakeApi, capsys: pytest.CaptureFixture[str], journal: str, arguments: dict[str, Any], words: str
) -> None:
    answer = run(api, capsys, **{"journal_path": journal, **arguments})
    assert answer["failed"]
    assert words in answer["msg"]
    assert not api.requests


def test_another_cluster_is_refused(api: FakeApi, capsys: pytest.CaptureFixture[str], journal: str) -> None:
    api.store.objects["/api/v1/namespaces/kube-system"]["metadata"]["uid"] = "cluster-2"
    answer = run(api, capsys, journal_path=journal)
    assert "is of another cluster" in answer["msg"]
    assert not api.count("POST")


# -- the options of the clean-up modules -------------------------------------------------------------------------


def test_the_fragment_documents_the_options() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    spec = deletion_argument_spec()
    assert set(documented) == set(spec) - {"run", "progress_path"}
    for name, option in documented.items():
        assert (option["type"], option.get("default")) == (spec[name]["type"], spec[name].get("default"))


def defaults(**given: Any) -> dict[str, Any]:
    """Options as Ansible hands them over."""
    return {**{name: option.get("default") for name, option in deletion_argument_spec().items()}, **given}


def test_limits_are_those_of_the_options() -> None:
    limits = limits_of(defaults(rate=3.5, pause=1.0, max_deletions=7, batch_size=20, concurrency=2))
    assert (limits.rate, limits.pause, limits.max_deletions, limits.concurrency) == (3.5, 1.0, 7, 2)
    assert limits.batch_size == 20


def test_nothing_is_asked_in_check_mode(api: FakeApi) -> None:
    client = KubeClient.from_options(api.options)
    named = {"name": "clean", "namespace": "kube-system", "holder": "me", "lease_seconds": 300}
    assert permission_of(defaults(run=named), client, check_mode=True) is None
    assert permission_of(defaults(), client) is None
    assert permission_of(defaults(run=named), client) is not None


def test_a_journal_that_was_left_open_is_completed(api: FakeApi, tmp_path: Path) -> None:
    client = KubeClient.from_options(api.options)
    params = defaults(journal_path=str(tmp_path), run={"holder": "me@here #1"})
    left = DeletionJournal.create(str(tmp_path), "identities", "cluster-1")
    left.plan(candidates(1))
    os.close(left._handle)  # as the end of its process does
    complete_journals(params, client, "endpoints")
    assert not api.requests
    made = journal_of(params, client, "identities")
    assert (made.run, read_journal(made.path).cluster) == ("me@here #1", "cluster-1")
    assert [one.outcome for one in read_journal(left.path).entries.values()] == ["deleted"]
    made.close()


def test_the_answer_of_a_run_that_stopped_has_everything() -> None:
    dead = candidates(4)
    result = DeletionResult(
        deleted=dead[:2], spared=[(dead[2], "in use")], stopped="The switch stop is set.", remaining=1
    )
    with pytest.raises(
        DeletionStoppedError, match=r"stopped: The switch stop is set. 2 objects were deleted, 1 are not"
    ) as caught:
        answer_of(dead, result, before=10, after=8, journal_path="/x.deletions.jsonl")
    answer = caught.value.details()
    assert answer["changed"] is True
    assert answer["counts"] == {
        "before": 10,
        "candidates": 4,
        "deleted": 2,
        "spared": 1,
        "remaining": 1,
        "finalizing": 0,
        "after": 8,
    }
    assert answer["spared"][0]["reason"] == "in use"
    assert answer["diff"]["after"].count("\n") == 2


def test_the_answer_lists_a_thousand_and_counts_all() -> None:
    dead = candidates(1500)
    answer = answer_of(dead, None, before=2000, after=2000)
    assert (len(answer["candidates"]), answer["counts"]["candidates"], answer["changed"]) == (1000, 1500, True)
    assert answer["diff"]["before"].count("\n") == 1500
    assert answer["diff"]["after"] == ""
    assert answer_of([], None, before=2000, after=2000)["changed"] is False
