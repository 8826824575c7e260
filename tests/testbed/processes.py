"""Long-running processes of a testbed, recorded so that anybody can end them later, also after a kill -9.

A record is believed only when the pid is alive *and* its start time is the recorded one: pids are used again.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The shell completes its own record (pid, and field 22 of its /proc stat) and becomes the program: exec changes neither.
# It starts no process of its own, so that the children of the pid are those of the program only.
_RECORD_AND_BECOME = """
beginning=$1 record=$2; shift 2
IFS= read -r stat <"/proc/$$/stat"
start_time_of() { start_time=${20}; }
start_time_of ${stat##*) }
printf '%s, "pid": %s, "start_time": %s}' "$beginning" "$$" "$start_time" >"$record" || exit 1
exec "$@"
"""

_children: dict[int, subprocess.Popen[bytes]] = {}


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
    try:
        values = json.loads((_folder(run_dir) / f"{name}.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):  # half a record: the process is writing it right now
        return None
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
    """Start a process in a session of its own, both streams appended to its log, and record it.

    The process records itself before it becomes the program: there is no moment at which it runs unrecorded, not even
    when this process is killed in between. `env` replaces the whole environment.

    Raises RuntimeError when a process of this name runs already, there is no such program, or it ends at once.
    """
    known = read(run_dir, name)
    if known is not None and alive(known):
        raise RuntimeError(f"{name} runs already with pid {known.pid}")
    if shutil.which(argv[0]) is None:
        raise RuntimeError(f"{name}: there is no program {argv[0]}")
    path = _folder(run_dir) / f"{name}.json"
    path.unlink(missing_ok=True)
    beginning = json.dumps({"name": name, "argv": list(argv)})[:-1]
    with log_of(run_dir, name).open("ab") as log:
        child = subprocess.Popen(
            ["/bin/sh", "-c", _RECORD_AND_BECOME, "sh", beginning, str(path), *argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    _children[child.pid] = child
    while True:
        record = read(run_dir, name)
        if record is not None:
            return record
        if child.poll() is not None:
            raise RuntimeError(f"{name} ended at once: {tail(run_dir, name)}")
        time.sleep(0.001)


def tail(run_dir: Path, name: str, lines: int = 5) -> str:
    """The last lines of a process's log, for messages."""
    text = log_of(run_dir, name).read_text(encoding="utf-8", errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def _reap(pid: int) -> None:
    """Collect the exit status where the process is our own child; otherwise it would stay a zombie of ours."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def send(record: ProcessRecord, number: int) -> bool:
    """Send a signal to exactly the recorded process; False when it has ended (its pid may be somebody else's now)."""
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return False
    try:
        if not alive(record):  # asked after opening: the handle cannot change its process any more
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


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
        if not send(record, signal_number) or wait_gone(record, seconds):
            break
    else:
        raise RuntimeError(f"{name} (pid {record.pid}) does not end")
    _reap(record.pid)
    (_folder(run_dir) / f"{name}.json").unlink(missing_ok=True)


def stop_all(run_dir: Path) -> None:
    """End every recorded process, newest first."""
    for record in records(run_dir):
        stop(run_dir, record.name)
