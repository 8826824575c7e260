"""Work beside us: the same by threads and by processes, also when a job fails, a process is killed, or we stop early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import readers as subject
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

TESTS = Path(__file__).parents[4]


def handle(job: Any) -> Iterator[Any]:
    """Says some things, or fails as the job wants."""
    if job == "refused":
        raise ApiError("no", status=403, path="/x", body={"message": "words"})
    if job == "strange":
        raise Strange(3, 4)
    if job == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "slow":
        time.sleep(60)
    yield from (job, {"pid": os.getpid()})


class Strange(Exception):
    """An error that cannot be unpickled."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} {other}")


def made(kind: str) -> subject.Readers:
    """Readers of one of the two kinds; forked although pytest may have threads, for nothing but these files runs."""
    return subject._Processes(lambda: handle) if kind == "processes" else subject._Threads(handle)


def all_said(workers: subject.Readers, jobs: list[Any]) -> dict[int, list[Any]]:
    """What was said by job; an error stands for itself."""
    said: dict[int, list[Any]] = {}
    left, done = list(enumerate(jobs)), 0
    while done < len(jobs):
        while left and workers.is_free():
            workers.give(*left.pop(0))
        one = workers.next()
        done += one.done
        if one.error is not None or not one.done:
            said.setdefault(one.number, []).append(one.error or one.value)
    return said


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_every_job_is_done_once(kind: str) -> None:
    """More jobs than readers, larger than what a line takes at once; by others than us where they are apart."""
    workers = made(kind)
    jobs = [f"{number} " * 50_000 for number in range(9)]
    try:
        said = all_said(workers, jobs)
    finally:
        workers.close()
    assert [said[number][0] for number in range(9)] == jobs
    pids = {one[1]["pid"] for one in said.values()}
    assert (os.getpid() not in pids and len(pids) == subject.COUNT) if kind == "processes" else pids == {os.getpid()}
    for pid in pids - {os.getpid()}:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_errors_arrive(kind: str) -> None:
    """With all that they carry; the others go on."""
    workers = made(kind)
    try:
        said = all_said(workers, ["refused", "strange", "good"])
    finally:
        workers.close()
    (refused,), (strange,), good = said[0], said[1], said[2]
    assert isinstance(refused, ApiError) and refused.status == 403 and refused.server_message == "words"
    assert "3 4" in str(strange) and good[0] == "good"


def test_a_process_that_is_killed_is_noticed() -> None:
    """Not waited for."""
    workers = made("processes")
    try:
        with pytest.raises(subject.ReadersLostError):
            all_said(workers, ["killed", "good"])
    finally:
        workers.close()


def test_stopping_early_waits_for_nobody() -> None:
    """An error elsewhere ends the audit: no job is waited for."""
    workers = made("processes")
    workers.give(0, "slow")
    started = time.monotonic()
    workers.close()
    assert time.monotonic() - started < 5


def test_with_threads_nothing_is_forked() -> None:
    """A lock that another thread holds would be held for ever in the child."""
    blocked = threading.Event()
    thread = threading.Thread(target=blocked.wait)
    thread.start()
    try:
        workers = subject.readers(handle, lambda: handle)
        assert not workers.apart
        workers.close()
    finally:
        blocked.set()
        thread.join()


def test_where_no_more_processes_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads do it, and the one process that there was is gone."""
    forked: list[int] = []
    fork = os.fork

    def refused() -> int:
        if forked:
            raise BlockingIOError("Resource temporarily unavailable")
        forked.append(fork())
        return forked[0]

    monkeypatch.setattr(subject.os, "fork", refused)
    monkeypatch.setattr(subject.threading, "active_count", lambda: 1)
    monkeypatch.setattr(subject.os, "sched_getaffinity", lambda pid: {0, 1})
    workers = subject.readers(handle, lambda: handle)
    try:
        assert not workers.apart and all_said(workers, ["good"])[0][0] == "good"
    finally:
        workers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(forked[0], 0)


def test_the_processes_go_with_their_parent(tmp_path: Path) -> None:
    """Killed without a word, it leaves none behind."""
    program = f"""
        import os, signal, sys
        sys.path.insert(0, {str(TESTS)!r})
        from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import readers
        def handle(job):
            yield os.getpid()
        workers = readers._Processes(lambda: handle)
        for number in range(4):
            workers.give(number, None)
        said = [workers.next() for _one in range(8)]
        print(*{{one.value for one in said if not one.done}}, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    pids = [int(one) for one in done.stdout.split()]
    assert len(pids) == subject.COUNT, done.stderr
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [
        pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text()
    ]
