"""Lines about long waits: few, and none about short ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.progress import Progress, ProgressFile

from .conftest import FastClock


def test_lines_are_rare(fast: FastClock) -> None:
    """None in the first ten seconds, then at most one every ten, and one that says nothing new every minute."""
    lines: list[str] = []
    progress = Progress(lines.append, clock=fast.clock())
    for second in range(200):
        progress("w1: 2 pods to go" if second < 30 else "w1: 1 pods to go")
        fast.sleep(1)
    assert lines == [
        "w1: 2 pods to go (after 10 s)",
        "w1: 1 pods to go (after 30 s)",
        "w1: 1 pods to go (after 90 s)",
        "w1: 1 pods to go (after 150 s)",
    ]


def test_a_new_state_in_every_second(fast: FastClock) -> None:
    """It is still one line every ten seconds."""
    lines: list[str] = []
    progress = Progress(lines.append, clock=fast.clock())
    for second in range(100):
        progress(str(second))
        fast.sleep(1)
    assert len(lines) == 9


def test_file_that_others_read(tmp_path: Path) -> None:
    """A line is there as soon as it was written, after those that were there."""
    path = tmp_path / "progress"
    path.write_text("before\n", encoding="utf-8")
    lines = ProgressFile(str(path))
    lines("w1: 2 pods to go")
    assert path.read_text(encoding="utf-8") == "before\nw1: 2 pods to go\n"
    assert lines.error == ""


def test_file_that_cannot_be_written(tmp_path: Path) -> None:
    """At once it is an error; later it is kept, and no wait ends for it."""
    with pytest.raises(InputError, match=r"progress_path: .* cannot be written to"):
        ProgressFile(str(tmp_path / "nowhere" / "progress"))
    full = ProgressFile("/dev/full")
    full("a")
    full("b")
    assert "No space left on device" in full.error
