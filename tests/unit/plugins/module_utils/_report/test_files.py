"""The report files."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from snapshots.report_documents import full

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._report import older_result
from ansible_collections.podnet.upkeep.plugins.module_utils._report.files import WRITERS, write_reports
from ansible_collections.podnet.upkeep.plugins.module_utils._report.terminal import REPORT_NAMES


def options(folder: Path) -> dict[str, Any]:
    """Every report."""
    return {option: str(folder / f"{option}.out") for option in WRITERS}


def test_every_report_has_a_name() -> None:
    """In the lines for the terminal."""
    assert set(WRITERS) < set(REPORT_NAMES)


def test_files_are_private_and_equal_every_time(tmp_path: Path) -> None:
    """0640 whatever the umask is, metrics 0644: node_exporter has a user of its own. No clock of the reader is in them, and an
    unchanged report is not written again."""
    wanted = options(tmp_path)
    umask = os.umask(0o077)
    try:
        assert write_reports(wanted, full()) == wanted
    finally:
        os.umask(umask)
    first = {name: Path(name).read_bytes() for name in wanted.values()}
    times = {name: Path(name).stat().st_mtime_ns for name in wanted.values()}
    modes = {option: stat.S_IMODE(Path(name).stat().st_mode) for option, name in wanted.items()}
    assert modes == {**dict.fromkeys(WRITERS, 0o640), "report_prometheus": 0o644}
    write_reports(wanted, full())
    assert first == {name: Path(name).read_bytes() for name in wanted.values()}
    assert times == {name: Path(name).stat().st_mtime_ns for name in wanted.values()}
    assert {one.name for one in tmp_path.iterdir()} == {Path(name).name for name in first}


def test_half_a_character_is_no_traceback(tmp_path: Path) -> None:
    """JSON may hold a lone surrogate, a file cannot."""
    document = full()
    document["nodes"][0]["name"] = document["findings"][0]["summary"] = "\ud800"
    for path in write_reports(options(tmp_path), document).values():
        Path(path).read_text(encoding="utf-8")


def test_only_what_was_asked_for(tmp_path: Path) -> None:
    """None is none."""
    wanted = {**dict.fromkeys(WRITERS), "report_junit": str(tmp_path / "a.xml")}
    assert write_reports(wanted, full()) == {"report_junit": str(tmp_path / "a.xml")}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The option is named."""
    with pytest.raises(InputError, match=r"report_prometheus: .* cannot be written"):
        write_reports({**dict.fromkeys(WRITERS), "report_prometheus": str(tmp_path / "no" / "a")}, full())


def test_an_older_result_is_read_back(tmp_path: Path) -> None:
    """What output_path wrote is what compare_to reads."""
    path = write_reports({**dict.fromkeys(WRITERS), "output_path": str(tmp_path / "a.json")}, full())["output_path"]
    assert older_result.load(path) == json.loads(json.dumps(full()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", r"is not the result of an audit \(it is not a JSON object\)"),
        (b'{"format": 1, "resources": {}}', r"\(it is a saved state\)"),
        (b'{"taken_at": "x"}', r"\(it has no list of findings\)"),
        (b'{"findings": []}', r"\(it has no taken_at\)"),
        (b'{"taken_at": "x", "findings": [1]}', r"\(findings\[0\] is not a finding\)"),
    ],
)
def test_what_is_no_older_result(content: bytes | None, words: str, tmp_path: Path) -> None:
    """One sentence, with the remedy."""
    path = tmp_path / "old.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as raised:
        older_result.load(str(path))
    text = str(raised.value)
    assert text.startswith("compare_to: ") and text.endswith("wrote as output_path.") and "\n" not in text
