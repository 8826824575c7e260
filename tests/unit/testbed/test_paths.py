"""Folders and indexes of testbeds: unique, complete or not there, never half removed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from testbed import paths

TESTS = Path(paths.__file__).parents[1]


def test_lowest_free_index_is_claimed() -> None:
    """Indexes are given in order, and one that was freed is the next."""
    claimed = [paths.claim(name, {})[1] for name in ("a", "b", "c")]
    paths.discard(paths.testbeds_root() / "b")
    assert [*claimed, paths.claim("d", {})[1], paths.claim("e", {})[1]] == [0, 1, 2, 1, 3]


def test_index_in_use_elsewhere_on_the_machine_is_passed_over() -> None:
    """A bridge of another cache folder makes an index unusable."""
    assert paths.claim("a", {}, lambda index: index not in (0, 1))[1] == 2


def test_claimed_folder_is_complete() -> None:
    """Index and documents are there as soon as the folder is."""
    directory, index = paths.claim("a", {"owner.json": {"pid": 7, "start_time": 9}})
    assert paths.index_of(directory) == index
    assert json.loads((directory / "owner.json").read_text(encoding="utf-8")) == {"pid": 7, "start_time": 9}


def test_name_in_use_is_refused() -> None:
    """The second of one name is told so."""
    paths.claim("a", {})
    with pytest.raises(FileExistsError, match="'a' exists already"):
        paths.claim("a", {})


def test_all_indexes_taken_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end, and a sentence for it."""
    monkeypatch.setattr(paths, "MAXIMUM_TESTBEDS", 2)
    paths.claim("a", {})
    paths.claim("b", {})
    with pytest.raises(RuntimeError, match="down --name"):
        paths.claim("c", {})
    assert not (paths.testbeds_root() / "c").exists()


def test_claim_of_a_killed_run_is_removed(cache: Path) -> None:
    """What was being prepared when a run was killed is no testbed, and goes with the next claim."""
    killed = cache / "claims" / "killed"
    killed.mkdir(parents=True)
    (killed / "index.json").write_text("0", encoding="utf-8")
    assert paths.claim("a", {})[1] == 0
    assert not killed.exists()


def test_many_processes_at_once_get_different_indexes() -> None:
    """Eight processes, three testbeds each: 24 different indexes without a gap."""
    script = (
        "import sys; from testbed import paths; [print(paths.claim(f'{sys.argv[1]}-{n}', {})[1]) for n in range(3)]"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, f"p{number}"], cwd=TESTS, stdout=subprocess.PIPE, text=True)
        for number in range(8)
    ]
    printed = [process.communicate(timeout=60)[0] for process in running]
    assert sorted(int(word) for text in printed for word in text.split()) == list(range(24))


def test_discarded_folder_is_gone_with_everything_in_it(cache: Path) -> None:
    """The folder is out of sight first, then deleted; leftovers of a killed run go with the next sweep."""
    directory, _index = paths.claim("a", {})
    (directory / "deep" / "er").mkdir(parents=True)
    paths.discard(directory)
    assert list(paths.testbeds_root().iterdir()) == []
    (cache / "discarded" / "left" / "a").mkdir(parents=True)
    paths.sweep()
    assert list((cache / "discarded").iterdir()) == []
