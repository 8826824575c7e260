"""Two testbeds of one name: a living owner's is not replaced, and a later one survives the earlier one's end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from testbed import Testbed, TestbedSpec, paths, processes


def lay_down(name: str, owner: int) -> Path:
    """Lay down the folder of a testbed that a process owns, without any process in it."""
    documents = {
        "spec.json": TestbedSpec(name).to_json(),
        "owner.json": {"pid": owner, "start_time": processes.start_time_of(owner)},
    }
    return paths.claim(name, documents)[0]


def test_testbed_of_a_living_process_is_not_replaced() -> None:
    """Its owner would find its cluster gone in the middle of its work."""
    directory = lay_down("same", os.getppid())
    with pytest.raises(RuntimeError, match=f"'same' is in use by process {os.getppid()}; choose another name"):
        Testbed.create(TestbedSpec("same"), owner=os.getpid())
    assert json.loads((directory / "owner.json").read_text(encoding="utf-8"))["pid"] == os.getppid()


def test_down_leaves_a_later_testbed_of_the_same_name() -> None:
    """The first was removed by hand and made anew by somebody else."""
    lay_down("same", os.getpid())
    first = Testbed.attach("same")
    paths.discard(first.directory)
    later = lay_down("same", os.getpid())
    first.down()
    assert later.exists()
    Testbed.attach("same").down()
    assert not later.exists()
