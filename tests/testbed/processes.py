"""Long-running processes of a testbed, recorded so that anybody can end them later, also after a kill -9.

A record is believed only when the pid is alive *and* its start time is the recorded one: pids are used again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessRecord:
    """A started process: `start_time` is field 22 of /proc/PID/stat (clock ticks since boot)."""

    name: str
    pid: int
    start_time: int
    argv: tuple[str, ...]


def start_time_of(pid: int) -> int | None:
    """Clock ticks since boot when `pid` was started; None when there is no such process or it is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def alive(record: ProcessRecord) -> bool:
    """Whether exactly the recorded process still runs."""
    return start_time_of(record.pid) == record.start_time


def _folder(run_dir: Path) -> Path:
    folder = run_dir / "processes"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read(run_dir: Path, name: str) -> ProcessRecord | None:
    """The record of one process, or None."""
    path = _folder(run_dir) / f"{name}.json"
    if not path.exists():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    return ProcessRecord(values["name"], values["pid"], values["start_time"], tuple(values["argv"]))


def records(run_dir: Path) -> list[ProcessRecord]:
    """All records of a testbed, newest first (the order in which to end them)."""
    files = sorted(_folder(run_dir).glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    found = [read(run_dir, path.stem) for path in files]
    return [record for record in found if record is not None]


def log_of(run_dir: Path, name: str) -> Path:
    """The file that has both streams of a process."""
    folder = run_dir / "log"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def start(
    run_dir: Path,
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> ProcessRecord:
    """Start a process in a session of its own with its output in log/NAME.log (appended), and record it.

    Raises RuntimeError when a process of this name runs already or ends at once.
    """
    known = read(run_dir, name)
    if known is not None and alive(known):
        raise RuntimeError(f"{name} runs already with pid {known.pid}")
    with log_of(run_dir, name).open("ab") as log:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    started = start_time_of(child.pid)
    if started is None:
        raise RuntimeError(f"{name} ended at once: {tail(run_dir, name)}")
    record = ProcessRecord(name, child.pid, started, tuple(argv))
    path = _folder(run_dir) / f"{name}.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(record)), encoding="utf-8")
    partial.rename(path)
    return record


def tail(run_dir: Path, name: str, lines: int = 5) -> str:
    """The last lines of a process's log, for messages."""
    text = log_of(run_dir, name).read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _reap(pid: int) -> None:
    """Collect the exit status where the process is our own child; otherwise it stays a zombie of ours."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # somebody else's child


def wait_gone(record: ProcessRecord, seconds: float) -> bool:
    """Wait until the recorded process has ended; False when it still runs after `seconds`."""
    end = time.monotonic() + seconds
    while alive(record):
        _reap(record.pid)
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    _reap(record.pid)
    return True


def stop(run_dir: Path, name: str, *, timeout: float = 10.0, number: int = signal.SIGTERM) -> None:
    """End a recorded process: first `number`, after `timeout` seconds SIGKILL; no record or a dead one is fine."""
    record = read(run_dir, name)
    if record is None:
        return
    for signal_number, seconds in ((number, timeout), (signal.SIGKILL, 10.0)):
        if not alive(record):
            break
        os.kill(record.pid, signal_number)
        if wait_gone(record, seconds):
            break
    else:
        raise RuntimeError(f"{name} (pid {record.pid}) does not end")
    (_folder(run_dir) / f"{name}.json").unlink(missing_ok=True)


def stop_all(run_dir: Path) -> None:
    """End every recorded process, newest first."""
    for record in records(run_dir):
        stop(run_dir, record.name)
