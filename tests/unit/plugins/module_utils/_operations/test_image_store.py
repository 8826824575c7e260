"""Before-images in a folder and in the cluster: whichever has got farther counts, and what another machine finished does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.fake_api import FakeApi, Fault

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import BeforeImage
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.image_store import ImageStore
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal

from .conftest import FastClock, node


def image(step: str = "captured", uid: str = "u1", at: str = "2026-01-01T00:00:00Z") -> BeforeImage:
    """A before-image of w1."""
    captured = node()
    captured["metadata"]["uid"] = uid
    first = BeforeImage(captured, "cluster-1", False, [], [], {}, [], at, history=[{"step": "captured", "time": at}])
    return first.at(step)


@pytest.fixture
def journal(client: KubeClient) -> Journal:
    """The journal of a run."""
    made = Journal(client, "test", "kube-system")
    made.begin({"holder": "me"})
    return made


def store(folder: Path, journal: Journal | None, fast: FastClock) -> ImageStore:
    """The store of one machine."""
    return ImageStore(str(folder), journal, clock=fast.clock())


def test_another_machine_goes_on(journal: Journal, fast: FastClock, tmp_path: Path) -> None:
    """It finds image and step in the cluster, and goes on from there; the first machine takes that up again."""
    here, there = store(tmp_path / "here", journal, fast), store(tmp_path / "there", journal, fast)
    here.save(image("deleting"))
    assert there.load("w1") == here.load("w1")
    assert set(there.unfinished()) == {"w1"} and there.is_current("w1")
    there.save(image("registered"))
    found = here.load("w1")
    assert found is not None and found.step == "registered"


def test_a_file_is_ahead_when_the_second_write_was_lost(
    api: FakeApi, journal: Journal, fast: FastClock, tmp_path: Path
) -> None:
    """Killed between the two: the file has the later step."""
    made = store(tmp_path, journal, fast)
    made.save(image("deleting"))
    before_image.save(str(tmp_path), image("deleted"))
    found = made.load("w1")
    assert found is not None and found.step == "deleted"


def test_what_another_machine_finished_is_not_begun_again(journal: Journal, fast: FastClock, tmp_path: Path) -> None:
    """Neither while the journal says completed, nor in a later run."""
    here, there = store(tmp_path / "here", journal, fast), store(tmp_path / "there", journal, fast)
    here.save(image("deleting"))
    finished = image("restored")
    there.save(finished)
    there.complete(finished)
    assert here.load("w1") is None and here.unfinished() == {} and not here.is_current("w1")
    assert journal.load_image("w1") is None
    journal.begin({"holder": "me"})
    assert here.load("w1") is None and not here.is_current("w1")


def test_the_later_capture_counts(journal: Journal, fast: FastClock, tmp_path: Path) -> None:
    """Two images of one name that are about different Nodes."""
    made = store(tmp_path, journal, fast)
    made.save(image("captured", "u2", "2026-02-01T00:00:00Z"))
    before_image.save(str(tmp_path), image("registered", "u1", "2026-01-01T00:00:00Z"))
    found = made.load("w1")
    assert found is not None and found.uid == "u2"


def test_an_api_server_that_restarts_is_waited_for(
    api: FakeApi, journal: Journal, fast: FastClock, tmp_path: Path
) -> None:
    """Both writes into the journal are repeated; the file is there from the first moment."""
    made = store(tmp_path, journal, fast)
    api.faults += [Fault("PATCH", "-images$", status=503), Fault("PATCH", "configmaps", status=503)]
    made.save(image("deleting"))
    known = journal.load()
    assert known is not None and known.nodes["w1"]["step"] == "deleting"
    assert journal.load_image("w1") is not None


def test_without_a_journal_only_the_folder_counts(fast: FastClock, tmp_path: Path) -> None:
    """As before there were journals."""
    made = store(tmp_path, None, fast)
    assert made.unfinished() == {} and made.load("w1") is None
    made.save(image())
    assert set(made.unfinished()) == {"w1"} and made.is_current("w1")
    made.complete(image("restored"))
    assert made.load("w1") is None and [path.name for path in (tmp_path / "completed").iterdir()] == ["w1-u1.json"]


def test_image_is_found_when_config_map_and_file_are_lost(
    client: KubeClient, journal: Journal, fast: FastClock, tmp_path: Path
) -> None:
    """The Secret alone is enough to go on with, as long as the Node is not back in service."""
    store(tmp_path / "here", journal, fast).save(image("deleting"))
    client.delete("/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-test")
    there = store(tmp_path / "there", journal, fast)
    found = there.load("w1")
    assert found is not None and found.step == "deleting"
    assert set(there.unfinished()) == {"w1"} and there.is_current("w1")
    # a later run has a new ConfigMap, which does not know it either
    journal.begin({"holder": "me"})
    assert set(there.unfinished()) == {"w1"} and there.is_current("w1")
    there.save(found)
    assert (known := journal.load()) is not None and known.unfinished() == ["w1"]
    there.complete(found)
    assert there.unfinished() == {} and not there.is_current("w1")


def test_image_of_an_earlier_run_that_stayed_in_the_secret(journal: Journal, fast: FastClock, tmp_path: Path) -> None:
    """Killed before it was dropped: the journal knows that its Node is back."""
    made = store(tmp_path, journal, fast)
    made.save(image("restored"))
    made.complete(image("restored"))
    journal.save_image(image("restored"))
    assert made.unfinished() == {}
    journal.begin({"holder": "me"})
    journal.save_image(image("restored"))
    assert made.unfinished() == {} and made.load("w1") is None


@pytest.mark.parametrize("later_run", [False, True])
def test_a_file_that_another_machine_finished_is_put_aside(
    later_run: bool, journal: Journal, fast: FastClock, tmp_path: Path
) -> None:
    """With a message, once; one that is still needed stays."""
    here, there = store(tmp_path / "here", journal, fast), store(tmp_path / "there", journal, fast)
    here.save(image("deleting"))
    assert here.put_aside_finished() == []
    there.complete(image("restored"))
    if later_run:
        journal.begin({"holder": "me"})
    (sentence,) = here.put_aside_finished()
    kept = tmp_path / "here/completed/w1-u1.json"
    assert (
        kept.exists() and str(kept) in sentence and sentence.startswith("The before-image of Node w1 that this machine")
    )
    assert not (tmp_path / "here/w1.json").exists() and here.put_aside_finished() == []
    here.save(image("captured", uid="u2"))
    assert here.put_aside_finished() == [] and (tmp_path / "here/w1.json").exists()
