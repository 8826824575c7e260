"""Files that a user names are written whole or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._files import write_atomically


def test_written_whole_with_its_mode(tmp_path: Path) -> None:
    """Nothing else is left in the folder, also when the file was there before."""
    path = tmp_path / "report.html"
    for data in (b"one", b"two"):
        assert write_atomically(str(path), data, "report_html") == str(path)
        assert path.read_bytes() == data and stat.S_IMODE(path.stat().st_mode) == 0o640
        assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_the_same_content_is_not_written_again(tmp_path: Path) -> None:
    """The file stays the same file."""
    path = tmp_path / "report.html"
    write_atomically(str(path), b"one", "report_html")
    before = path.stat()
    write_atomically(str(path), b"one", "report_html")
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """One sentence with the option, and no temporary file."""
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report_html: .*report.html cannot be written: Is a directory; name a file"):
        write_atomically(str(tmp_path / "report.html"), b"one", "report_html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_no_such_folder(tmp_path: Path) -> None:
    """Folders are not made up."""
    with pytest.raises(InputError, match=r"output_path: .* cannot be written: No such file or directory"):
        write_atomically(str(tmp_path / "absent" / "a.json"), b"one", "output_path")


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tilde is the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert write_atomically("~/a.json", b"one", "output_path") == str(tmp_path / "a.json")
