# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Work that is done beside ours, a few jobs at once: by processes where the system can fork, else by threads.

Parsing JSON is what an audit of a large cluster does most. Threads of Python do that one after the other, processes on as
many processors as there are; and the memory in which whole pages were parsed goes with them.
"""

from __future__ import annotations

import marshal
import os
import pickle
import queue
import signal
import sys
import threading
import typing as t
from collections.abc import Callable, Iterator
from multiprocessing import connection

# What a job is told and what it says: plain values, which marshal can carry from one process to another.
Job: t.TypeAlias = t.Any
Handle = Callable[[Job], Iterator[t.Any]]
_SAID, _DONE, _FAILED = 0, 1, 2
# a second job waits in each process, so that none stands still while we take what it said
_JOBS_EACH = 2
COUNT: t.Final = 2


class ReadersLostError(Exception):
    """A process that worked for us ended: it was killed, perhaps for want of memory."""


class Said(t.NamedTuple):
    """What a job says; ``done``: nothing more follows. A job that failed is done, and ``error`` says why."""

    number: int
    value: t.Any = None
    done: bool = False
    error: BaseException | None = None


class Readers(t.Protocol):
    """Who works beside us. Numbers tell jobs apart."""

    # whether what they say has come from another process, so that it shares nothing with what we have
    apart: bool

    def is_free(self) -> bool:
        """Whether another job may be given."""

    def give(self, number: int, job: Job) -> None:
        """Let somebody do this."""

    def next(self) -> Said:
        """Wait for what any job says next. Raises ReadersLostError."""

    def close(self) -> None:
        """Let all go, also those that are in the middle of a job."""


def readers(handle: Handle, fresh: Callable[[], Handle] | None = None) -> Readers:
    """Readers that do their jobs by ``handle``.

    ``fresh`` makes the handle of a forked process, which must not share connections with us; without it there are only
    threads. Forking is safe only while there is one thread, and gains something only where there are two processors.
    """
    can_fork = sys.platform == "linux" and threading.active_count() == 1 and len(os.sched_getaffinity(0)) > 1
    if fresh is not None and can_fork:
        try:
            return _Processes(fresh)
        except OSError:  # as many processes as are allowed, or as there is memory for
            pass
    return _Threads(handle)


class _Threads:
    apart = False

    def __init__(self, handle: Handle) -> None:
        self._jobs: queue.SimpleQueue[tuple[int, Job] | None] = queue.SimpleQueue()
        self._said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self._given = 0
        self._threads = [threading.Thread(target=self._work, args=(handle,), daemon=True) for _one in range(COUNT)]
        for thread in self._threads:
            thread.start()

    def _work(self, handle: Handle) -> None:
        while (given := self._jobs.get()) is not None:
            number, job = given
            try:
                for value in handle(job):
                    self._said.put(Said(number, value))
                self._said.put(Said(number, done=True))
            except BaseException as error:  # noqa: BLE001 (it is raised where the answer is awaited)
                self._said.put(Said(number, done=True, error=error))

    def is_free(self) -> bool:
        return self._given < COUNT

    def give(self, number: int, job: Job) -> None:
        self._given += 1
        self._jobs.put((number, job))

    def next(self) -> Said:
        said = self._said.get()
        self._given -= said.done
        return said

    def close(self) -> None:
        for _thread in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()


class _Process:
    def __init__(self, fresh: Callable[[], Handle], others: list[_Process]) -> None:
        self.jobs = 0
        self.line, theirs = connection.Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            # nothing of what the parent would do at its end is ours to do
            try:
                for one in (self, *others):
                    one.line.close()  # who reads is to see the end of the parent
                _serve(theirs, fresh())
            finally:
                os._exit(0)
        theirs.close()


def _serve(line: connection.Connection[t.Any, t.Any], handle: Handle) -> None:
    try:
        while True:
            number, job = marshal.loads(line.recv_bytes())
            try:
                for value in handle(job):
                    line.send_bytes(marshal.dumps((number, _SAID, value)))
                line.send_bytes(marshal.dumps((number, _DONE, None)))
            except (EOFError, BrokenPipeError):
                raise
            except Exception as error:  # noqa: BLE001 (it is raised where the answer is awaited)
                line.send_bytes(marshal.dumps((number, _FAILED, _packed(error))))
    except (EOFError, OSError, KeyboardInterrupt):
        return  # the parent is gone, or has enough


def _packed(error: Exception) -> bytes:
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:  # noqa: BLE001 (whatever an error of a library does)
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return data


class _Processes:
    apart = True

    def __init__(self, fresh: Callable[[], Handle]) -> None:
        self._all: list[_Process] = []
        try:
            for _one in range(COUNT):
                self._all.append(_Process(fresh, list(self._all)))
        except OSError:
            self.close()
            raise
        self._by_line: dict[t.Any, _Process] = {one.line: one for one in self._all}
        self._ready: list[t.Any] = []

    def is_free(self) -> bool:
        return any(one.jobs < _JOBS_EACH for one in self._all)

    def give(self, number: int, job: Job) -> None:
        chosen = min(self._all, key=lambda one: one.jobs)
        chosen.jobs += 1
        try:
            chosen.line.send_bytes(marshal.dumps((number, job)))
        except OSError as error:
            raise ReadersLostError(str(error)) from error

    def next(self) -> Said:
        # everybody is heard who has something to say before anybody is heard again
        self._ready = self._ready or connection.wait(list(self._by_line))
        chosen = self._by_line[self._ready.pop(0)]
        try:
            number, what, value = marshal.loads(chosen.line.recv_bytes())
        except (OSError, EOFError) as error:
            raise ReadersLostError(str(error)) from error
        if what == _SAID:
            return Said(number, value)
        chosen.jobs -= 1
        return Said(number, done=True, error=pickle.loads(value) if what == _FAILED else None)

    def close(self) -> None:
        for one in self._all:
            one.line.close()
            # it only reads; it may be in the middle of waiting for an answer that nobody wants any more
            os.kill(one.pid, signal.SIGKILL)
        for one in self._all:
            os.waitpid(one.pid, 0)
