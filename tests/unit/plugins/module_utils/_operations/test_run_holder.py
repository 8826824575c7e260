"""The name of this machine to other runs."""

from __future__ import annotations

import getpass
import os
import socket
import threading
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import run_holder
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_holder import holder_of


def test_name_stays(tmp_path: Path) -> None:
    """User, host and a number, for the owner only; another folder is somebody else."""
    name = holder_of(str(tmp_path / "a"))
    assert name.startswith(f"{getpass.getuser()}@{socket.gethostname()} ")
    assert holder_of(str(tmp_path / "a")) == name != holder_of(str(tmp_path / "b"))
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["holder"]
    assert (tmp_path / "a" / "holder").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    """A name all the same."""
    assert "@" in holder_of(str(tmp_path / "a"), write=False)
    assert list(tmp_path.iterdir()) == []


def test_two_first_runs_at_once_have_one_name(tmp_path: Path) -> None:
    """Whoever comes second takes what the first has written."""
    names: list[str] = []
    threads = [threading.Thread(target=lambda: names.append(holder_of(str(tmp_path)))) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1 and [file.name for file in tmp_path.iterdir()] == ["holder"]


@pytest.mark.parametrize("content", ["", "\n", "two\nlines\n", "\u00e4", "x" * 300, "tab\there"])
def test_file_that_holds_something_else(tmp_path: Path, content: str) -> None:
    """One sentence."""
    (tmp_path / "holder").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"state_dir: .*holder does not hold the name of a holder; delete it"):
        holder_of(str(tmp_path))


def test_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A file in its place, and a file that is no text."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="state_dir: "):
        holder_of(str(tmp_path / "file" / "folder"))
    (tmp_path / "holder").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        holder_of(str(tmp_path))


def test_user_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in containers."""

    def unknown() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(run_holder.getpass, "getuser", unknown)
    assert holder_of(str(tmp_path)).startswith(f"uid-{os.getuid()}@")
