"""The journal against a fake API: what is kept, what has to leave, and what a person may have done to it."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.image_store import ImageStore
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.packed_image import (
    MOST_UNPACKED_BYTES,
    pack,
    unpack,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import (
    COMPLETED,
    MOST_BYTES,
    MOST_BYTES_OF_ENTRY,
    MOST_BYTES_OF_RUN,
    MOST_EARLIER,
    Journal,
    JournalError,
    JournalState,
    key_of,
)

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-test"
SECRET = "/api/v1/namespaces/kube-system/secrets/podnet-upkeep-test-images"


def image_of(name: str = "w1", **annotations: str) -> BeforeImage:
    """A before-image."""
    node = {"metadata": {"name": name, "uid": f"uid-{name}", "annotations": annotations}, "spec": {}}
    return BeforeImage(node, "cluster-1", False, [], [], {}, [], "2026-01-01T00:00:00Z")


@pytest.fixture
def journal(client: KubeClient) -> Journal:
    """The journal of the run "test"."""
    return Journal(client, "test", "kube-system")


def data(api: FakeApi, path: str = CONFIG_MAP) -> dict[str, str]:
    """What is stored."""
    stored: dict[str, str] = api.store.objects[path]["data"]
    return stored


def known(journal: Journal) -> JournalState:
    """The journal, which must be there."""
    state = journal.load()
    assert state is not None
    return state


def test_nothing_there(journal: Journal) -> None:
    """None is no error."""
    assert journal.load() is None and journal.load_image("w1") is None
    journal.drop_image("w1")


def test_run_and_nodes(api: FakeApi, journal: Journal) -> None:
    """One key for each; the unfinished ones are told apart."""
    journal.begin({"holder": "me"})
    journal.record("w1", {"step": "deleted", "old_uid": "a"})
    journal.record("w2", {"step": COMPLETED})
    state = known(journal)
    assert state.run == {"holder": "me"} and state.unfinished() == ["w1"] and not state.stop and not state.damaged
    assert sorted(data(api)) == ["node.w1", "node.w2", "run", "stop"]
    journal.record("w2", {"step": COMPLETED, "old_uid": "b"})
    journal.begin({"holder": "me"})
    assert known(journal).earlier == {"w2": "b"}
    journal.record("w2", {"step": COMPLETED, "old_uid": "c"})
    journal.record("w1", {"step": COMPLETED, "old_uid": "a"})
    journal.begin({"holder": "me"})
    assert known(journal).earlier == {"w2": "c", "w1": "a"} and known(journal).nodes == {}
    journal.record("w1", {"step": "deleted", "old_uid": "a"})
    journal.note_run({"holder": "me", "result": "stopped"})
    assert known(journal).run["result"] == "stopped" and known(journal).unfinished() == ["w1"]


def test_new_run_keeps_what_is_unfinished_and_the_switch(api: FakeApi, journal: Journal) -> None:
    """Entries and before-images of Nodes that are back go."""
    journal.begin({"holder": "me"})
    for name, step in (("w1", "deleted"), ("w2", COMPLETED)):
        journal.record(name, {"step": step})
        journal.save_image(image_of(name))
    data(api)["stop"] = "true"
    journal.begin({"holder": "other"})
    state = known(journal)
    assert state.stop and list(state.nodes) == ["w1"] and state.run == {"holder": "other"}
    assert list(data(api, SECRET)) == ["node.w1"]


def test_run_that_goes_on_keeps_what_the_interrupted_one_has_done(api: FakeApi, journal: Journal) -> None:
    """Its report tells of both; before-images go nevertheless, and the next run but this begins without."""
    journal.begin({"holder": "me"})
    for name, step in (("w1", "deleted"), ("w2", COMPLETED)):
        journal.record(name, {"step": step, "old_uid": f"u{name}", "history": [{"step": "captured", "time": "t"}]})
        journal.save_image(image_of(name))
    journal.begin({"holder": "me"}, goes_on=True)
    state = known(journal)
    assert sorted(state.nodes) == ["w1", "w2"] and state.nodes["w2"]["history"] and state.earlier == {"w2": "uw2"}
    assert state.unfinished() == ["w1"] and list(data(api, SECRET)) == ["node.w1"]
    journal.record("w1", {"step": COMPLETED, "old_uid": "uw1"})
    journal.begin({"holder": "me"})
    assert known(journal).nodes == {} and known(journal).earlier == {"w2": "uw2", "w1": "uw1"}


@pytest.mark.parametrize("text", ["true", "True", " yes ", "1", "on", "y", "stop", "please"])
def test_switch_that_stops(api: FakeApi, journal: Journal, text: str) -> None:
    """Whatever a person in a hurry writes."""
    journal.begin({})
    data(api)["stop"] = text
    assert known(journal).stop


@pytest.mark.parametrize("text", ["false", "False", "", "no", "0", "off", None])
def test_switch_that_does_not(api: FakeApi, journal: Journal, text: str | None) -> None:
    """Taken back, or deleted."""
    journal.begin({})
    data(api).pop("stop")
    if text is not None:
        data(api)["stop"] = text
    assert not known(journal).stop


def test_switch_is_never_overwritten(api: FakeApi, journal: Journal) -> None:
    """By no write of a run, also one that began before."""
    journal.begin({})
    data(api)["stop"] = "true"
    journal.record("w1", {"step": "deleted"})
    journal.note_run({})
    journal.begin({})
    assert known(journal).stop


@pytest.mark.parametrize("text", ["", "x", "[]", "null", "3", '"text"', "{"])
@pytest.mark.parametrize("key", ["run", "node.w1", "earlier"])
def test_damage_is_told_and_stops_a_beginning(api: FakeApi, journal: Journal, key: str, text: str) -> None:
    """It may hide a Node that is out of service; what is sound is still read and written."""
    journal.begin({"holder": "me"})
    journal.record("w1", {"step": "deleted"})
    journal.record("w2", {"step": "deleted"})
    data(api)[key] = text
    state = known(journal)
    assert state.damaged == (key,) and "w2" in state.unfinished()
    journal.record("w2", {"step": "registered"})
    assert known(journal).nodes["w2"]["step"] == "registered"
    with pytest.raises(JournalError, match=f"Key {key} of the ConfigMap kube-system/podnet-upkeep-test is not what"):
        journal.begin({})


def test_keys_of_others_are_left_alone(api: FakeApi, journal: Journal) -> None:
    """A note that a person has added."""
    journal.begin({})
    data(api)["note"] = "ask Ann"
    assert known(journal).damaged == ()
    journal.begin({})
    assert data(api)["note"] == "ask Ann"


def test_journal_that_was_deleted_is_written_again(api: FakeApi, journal: Journal) -> None:
    """Where a Node is must not be lost; what the run said about itself is."""
    journal.begin({"holder": "me"})
    del api.store.objects[CONFIG_MAP]
    journal.record("w1", {"step": "deleted"})
    assert known(journal).unfinished() == ["w1"] and known(journal).run == {}


def test_full_journal_lets_go_of_what_is_done_oldest_first(api: FakeApi, journal: Journal) -> None:
    """Never of a Node that is out of service, and never in the middle of one by refusing."""
    journal.begin({})
    filler = "x" * 12_000
    journal.record("out", {"step": "deleted", "at": "2026-01-01T00:00:00", "filler": filler})
    for number in range(150):
        journal.record(f"w{number}", {"step": COMPLETED, "at": f"2026-01-02T00:00:{number:04}", "filler": filler})
        assert sum(len(key) + len(value) for key, value in data(api).items()) <= MOST_BYTES
    left = known(journal).nodes
    assert known(journal).unfinished() == ["out"] and 60 < len(left) < 80
    assert "w149" in left and "w0" not in left and set(left) - {"out"} == {f"w{n}" for n in range(151 - len(left), 150)}


def test_journal_full_of_unfinished_nodes(journal: Journal) -> None:
    """That many cannot be out at once; the sentence says what to do."""
    journal.begin({})
    with pytest.raises(RefusedError, match="no room for another Node"):
        for number in range(100):
            journal.record(f"w{number}", {"step": "deleted", "filler": "x" * 12_000})


def test_too_long_an_entry(journal: Journal) -> None:
    """Of one Node."""
    with pytest.raises(RefusedError, match=f"more than the {MOST_BYTES_OF_ENTRY}"):
        journal.record("w1", {"step": "x" * MOST_BYTES_OF_ENTRY})


def test_too_long_a_plan_is_left_out(api: FakeApi, journal: Journal) -> None:
    """The rest of what the run says is kept."""
    journal.begin({"holder": "me", "plan": {"nodes": ["w" * 99] * 2000}})
    assert known(journal).run["holder"] == "me" and "left_out" in known(journal).run["plan"]
    assert len(data(api)["run"]) < MOST_BYTES_OF_RUN


def test_images(api: FakeApi, journal: Journal) -> None:
    """In a Secret, packed, equal after unpacking, replaced by a later step, dropped in the end."""
    image = image_of(note="internal")
    journal.save_image(image)
    journal.save_image(image_of("w2"))
    assert api.store.objects[SECRET]["type"] == "Opaque" and "internal" not in str(data(api, SECRET))
    assert journal.load_image("w1") == image
    journal.save_image(image.at("deleting"))
    loaded = journal.load_image("w1")
    assert loaded is not None and loaded.step == "deleting"
    journal.drop_image("w1")
    assert journal.load_image("w1") is None and journal.load_image("w2") is not None


def test_image_whose_secret_was_deleted_is_kept_again(api: FakeApi, journal: Journal) -> None:
    """Between two steps."""
    journal.save_image(image_of())
    del api.store.objects[SECRET]
    journal.save_image(image_of().at("deleting"))
    assert journal.load_image("w1") is not None


def bulky(name: str, size: int) -> BeforeImage:
    """An image that does not shrink."""
    return image_of(name, blob="".join(random.Random(name).choices(string.ascii_lowercase, k=size)))


def test_full_secret_refuses_a_new_node_but_not_a_step_of_an_old_one(api: FakeApi, journal: Journal) -> None:
    """What is new has changed nothing yet; what is there may be out of service."""
    with pytest.raises(RefusedError, match="has no room for the before-image of Node w"):
        for number in range(99):
            journal.save_image(bulky(f"w{number}", 60_000))
    held = len(data(api, SECRET))
    assert 10 < held < 30
    journal.save_image(bulky("w0", 200_000).at("deleting"))
    assert len(data(api, SECRET)) == held


@pytest.mark.parametrize("status", [413, 422])
def test_api_that_finds_it_too_long(api: FakeApi, journal: Journal, status: int) -> None:
    """Limits of the server, whatever they are."""
    journal.save_image(image_of("w2"))
    api.faults.append(Fault("PATCH", "/secrets/", status, status_body(status, "Invalid", "Too long")))
    with pytest.raises(RefusedError, match="no room"):
        journal.save_image(image_of())


def test_other_errors_are_passed_on(api: FakeApi, journal: Journal) -> None:
    """A missing permission is named by the API itself."""
    journal.save_image(image_of("w2"))
    for method, act in (("PATCH", lambda: journal.save_image(image_of())), ("PATCH", lambda: journal.drop_image("w1"))):
        api.faults = [Fault(method, "/secrets/", 403, status_body(403, "Forbidden", "no"))]
        with pytest.raises(ApiError, match="No permission"):
            act()
    journal.begin({})
    api.faults = [Fault("PATCH", "/configmaps/", 403, status_body(403, "Forbidden", "no"))]
    with pytest.raises(ApiError, match="No permission"):
        journal.record("w1", {"step": "deleted"})


def _packed(content: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(content).encode())).decode()


GOOD = image_of().to_dict()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        "AAAA",
        base64.b64encode(b"no gzip").decode(),
        base64.b64encode(gzip.compress(b"no json")).decode(),
        base64.b64encode(gzip.compress(b"[1]")).decode(),
        base64.b64encode(gzip.compress(b'["abc"]')).decode(),
        base64.b64encode(gzip.compress(b"x" * 500)[:-12]).decode(),
        base64.b64encode(gzip.compress(b" " * (MOST_UNPACKED_BYTES + 1))).decode(),
        _packed({}),
        _packed({**GOOD, "format": "other/1"}),
        _packed({**GOOD, "step": "unknown"}),
        _packed({**GOOD, "node": "w1"}),
        _packed({**GOOD, "more": 1}),
        _packed({key: value for key, value in GOOD.items() if key != "node"}),
        pack(image_of("w2")),
    ],
)
def test_damaged_image(api: FakeApi, journal: Journal, text: str) -> None:
    """One sentence that says where another copy is."""
    journal.save_image(image_of())
    data(api, SECRET)["node.w1"] = text
    with pytest.raises(JournalError, match=r"before-image of Node w1 in the Secret .* cannot be read; use the file"):
        journal.load_image("w1")


@given(st.text(max_size=200))
def test_any_text_is_an_image_or_a_value_error(text: str) -> None:
    """Never anything else, and hardly ever an image."""
    with pytest.raises(ValueError, match=r"^no before-image of w1"):
        unpack(text, "w1")


def test_packing_is_stable() -> None:
    """Equal images have equal texts, so that a write that changes nothing is none."""
    assert pack(image_of(a="1")) == pack(image_of(a="1"))
    assert unpack(pack(image_of(a="1")), "w1") == image_of(a="1")


def test_earlier_runs_are_bounded(api: FakeApi, journal: Journal) -> None:
    """The oldest leave."""
    journal.begin({})
    for _round in range(3):
        for number in range(400):
            name = f"w{_round}-{number}"
            data(api)[key_of(name)] = json.dumps({"node": name, "step": COMPLETED, "old_uid": "u"})
        journal.begin({})
    earlier = known(journal).earlier
    assert len(earlier) == MOST_EARLIER and "w2-399" in earlier and "w0-0" not in earlier


def test_file_of_a_node_that_another_machine_brought_back(journal: Journal, tmp_path: Path) -> None:
    """It is of the past, in the run that did it and in all later ones; a new Node of that name is not."""
    before_image.save(str(tmp_path), image_of().at("deleting"))
    store = ImageStore(str(tmp_path), journal)
    journal.begin({})
    assert list(store.unfinished()) == ["w1"]
    journal.record("w1", {"step": COMPLETED, "old_uid": "uid-w1"})
    for _run in range(3):
        assert store.unfinished() == {} and store.load("w1") is None
        journal.begin({})
    newer = dataclasses.replace(image_of(), node={"metadata": {"name": "w1", "uid": "uid-2"}})
    before_image.save(str(tmp_path), newer)
    assert list(store.unfinished()) == ["w1"]


@given(st.lists(st.from_regex(r"\A[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?\Z"), unique=True, max_size=20))
def test_keys_are_valid_and_different(names: list[str]) -> None:
    """For every name that a Node can have."""
    keys = [key_of(name) for name in names]
    assert len(set(keys)) == len(names) and all(len(key) <= 253 for key in keys)


def test_longest_names(journal: Journal) -> None:
    """Two that differ in their last character only."""
    names = ["n" * 252 + end for end in "ab"]
    journal.begin({})
    for name in names:
        journal.record(name, {"step": "deleted"})
    assert known(journal).unfinished() == names
