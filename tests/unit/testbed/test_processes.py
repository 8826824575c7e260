"""Recorded processes: never unrecorded, never mistaken for another one, always ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from testbed import processes

TESTS = Path(processes.__file__).parents[1]


def wait_for_record(run_dir: Path, name: str) -> processes.ProcessRecord:
    """The record of a process, as soon as it is there."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        record = processes.read(run_dir, name)
        if record is not None:
            return record
        time.sleep(0.01)
    raise AssertionError(f"no record of {name}")


def write_record(run_dir: Path, record: dict[str, object]) -> None:
    """Put a record in place by hand."""
    (run_dir / "processes").mkdir(parents=True, exist_ok=True)
    (run_dir / "processes" / f"{record['name']}.json").write_text(json.dumps(record), encoding="utf-8")


def test_started_process_is_recorded_and_stopped(tmp_path: Path) -> None:
    """The record names the program itself, although a shell wrote it."""
    record = processes.start(tmp_path, "sleeper", ["sleep", "300"])
    try:
        assert processes.alive(record)
        assert record == processes.read(tmp_path, "sleeper")
        assert record.argv == ("sleep", "300")
        assert os.getsid(record.pid) == record.pid
    finally:
        processes.stop(tmp_path, "sleeper")
    assert not processes.alive(record)
    assert processes.records(tmp_path) == []
    assert not Path(f"/proc/{record.pid}").exists()  # not even a zombie


def test_streams_environment_and_folder(tmp_path: Path) -> None:
    """Both streams are in the log, the environment is the given one only, and so is the working folder."""
    script = "pwd; echo err >&2; echo $ONLY-${HOME:-none}"
    record = processes.start(tmp_path, "teller", ["/bin/sh", "-c", script], env={"ONLY": "this"}, cwd=Path("/usr"))
    assert processes.wait_gone(record, 10)
    assert processes.tail(tmp_path, "teller").split("\n") == ["/usr", "err", "this-none"]


def test_arguments_arrive_unchanged(tmp_path: Path) -> None:
    """Quotes, spaces, newlines, percent signs and braces survive the shell in between, in record and process."""
    words = ["a b", "'\"$x`", "%s%d\\n", '{"k": "v"}', "two\nlines", "", "*"]
    record = processes.start(tmp_path, "echo", ["/usr/bin/env", "printf", "<%s>", *words])
    assert processes.wait_gone(record, 10)
    assert record.argv == ("/usr/bin/env", "printf", "<%s>", *words)
    assert processes.log_of(tmp_path, "echo").read_text(encoding="utf-8") == "".join(f"<{word}>" for word in words)


def test_second_of_one_name_is_refused(tmp_path: Path) -> None:
    """A running process is not recorded over."""
    record = processes.start(tmp_path, "sleeper", ["sleep", "300"])
    try:
        with pytest.raises(RuntimeError, match=f"runs already with pid {record.pid}"):
            processes.start(tmp_path, "sleeper", ["sleep", "300"])
    finally:
        processes.stop_all(tmp_path)


def test_absent_program_is_named(tmp_path: Path) -> None:
    """One sentence, and no record."""
    with pytest.raises(RuntimeError, match="there is no program /nonexistent"):
        processes.start(tmp_path, "nothing", ["/nonexistent"])
    assert processes.records(tmp_path) == []


def test_stop_kills_what_does_not_end(tmp_path: Path) -> None:
    """SIGKILL follows when the first signal is ignored."""
    record = processes.start(tmp_path, "stubborn", ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
    time.sleep(0.2)  # lets the trap be set
    started = time.monotonic()
    processes.stop(tmp_path, "stubborn", timeout=0.5)
    assert not processes.alive(record)
    assert 0.5 <= time.monotonic() - started < 5


def test_reused_pid_is_not_believed_and_not_touched(tmp_path: Path) -> None:
    """A process that has the recorded pid but started at another time is somebody else."""
    bystander = subprocess.Popen(["sleep", "300"])
    try:
        started = processes.start_time_of(bystander.pid)
        assert started is not None
        write_record(tmp_path, {"name": "old", "pid": bystander.pid, "start_time": started - 1, "argv": ["sleep"]})
        record = processes.read(tmp_path, "old")
        assert record is not None and not processes.alive(record)
        assert processes.send(record, signal.SIGKILL) is False
        processes.stop(tmp_path, "old")
        assert bystander.poll() is None
        assert processes.records(tmp_path) == []
    finally:
        bystander.kill()
        bystander.wait()


def test_zombie_counts_as_ended(tmp_path: Path) -> None:
    """A process that ended but was not collected is not alive."""
    child = subprocess.Popen(["true"])
    end = time.monotonic() + 10
    while processes.start_time_of(child.pid) is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert Path(f"/proc/{child.pid}").exists()
    assert processes.start_time_of(child.pid) is None
    child.wait()


def test_half_written_record_is_none(tmp_path: Path) -> None:
    """A record that is being written is not there yet."""
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "half.json").write_text('{"name": "half", "argv": ["x"], "pid": 12', encoding="utf-8")
    assert processes.read(tmp_path, "half") is None
    assert processes.records(tmp_path) == []


def test_process_of_a_starter_that_is_killed_at_once_is_recorded(tmp_path: Path) -> None:
    """Kill the starter after the fork and before it could write anything: the record comes all the same."""
    script = """
import os, signal, subprocess, sys
from pathlib import Path
from testbed import processes
class Killing(subprocess.Popen):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
processes.subprocess.Popen = Killing
processes.start(Path(sys.argv[1]), "orphan", ["sleep", "300"])
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=TESTS, check=False)
    assert done.returncode == -signal.SIGKILL
    record = wait_for_record(tmp_path, "orphan")
    try:
        assert processes.alive(record)
    finally:
        processes.stop(tmp_path, "orphan")
    assert not processes.alive(record)


def test_newest_is_ended_first(tmp_path: Path) -> None:
    """The order of ending is the reverse of starting."""
    try:
        for name in ("first", "second", "third"):
            processes.start(tmp_path, name, ["sleep", "300"])
            time.sleep(0.02)  # one tick of the file system's clock
        assert [record.name for record in processes.records(tmp_path)] == ["third", "second", "first"]
    finally:
        processes.stop_all(tmp_path)
