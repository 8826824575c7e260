"""Runs ansible-playbook task by task under the eyes of a test, which may kill it or break something at any of them.

The callback plugin `callbacks/step_gate.py` asks for leave at the start of each task and after each result; the
handler of the test runs in between. Output goes to files: a kill of the main process leaves its workers running, and
they would keep a pipe open.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .playbook import PlaybookRun, command, environment

_CALLBACKS = Path(__file__).with_name("callbacks")


@dataclass(frozen=True)
class Step:
    """One task of the playbook: the file it stands in, its name, and the module that it runs."""

    file: str
    task: str
    action: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.file}: {self.task}"


@dataclass(frozen=True)
class StepEvent:
    """`kind` is "start" (nothing of the task is done yet) or "end" (of one host); `at` in seconds, monotonic."""

    kind: str
    step: Step
    host: str
    outcome: str
    at: float


Handler = Callable[["SteppedRun", StepEvent], None]


class SteppedRun:
    """One ansible-playbook process. `finish` runs it to its end, or until the handler has killed it."""

    def __init__(
        self,
        playbook: str,
        arguments: Sequence[str] = (),
        *,
        variables: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        handler: Handler | None = None,
    ) -> None:
        self.events: list[StepEvent] = []
        self.killed_at: StepEvent | None = None
        self._handler: Handler = handler or (lambda run, event: None)
        self._failure: BaseException | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="stepped-")
        self._timers: list[threading.Timer] = []
        path = Path(self._folder.name) / "gate"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.settimeout(60)
        self._stdout = (Path(self._folder.name) / "stdout").open("w+b")
        self._stderr = (Path(self._folder.name) / "stderr").open("w+b")
        self.process = subprocess.Popen(
            command(playbook, *arguments, variables=variables),
            env=environment(
                {
                    "ANSIBLE_CALLBACK_PLUGINS": str(_CALLBACKS),
                    "ANSIBLE_CALLBACKS_ENABLED": "step_gate",
                    "STEP_GATE_SOCKET": str(path),
                    **(env or {}),
                }
            ),
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def finish(self, timeout: float = 1500) -> PlaybookRun:
        """Wait for the end and return what the run left behind; raises what the handler raised."""
        try:
            code = self.process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill(tree=True)
            raise
        finally:
            for timer in self._timers:
                timer.cancel()
        self._listener.close()
        self._thread.join(timeout=5)
        texts = []
        for stream in (self._stdout, self._stderr):
            stream.seek(0)
            texts.append(stream.read().decode(errors="replace"))
            stream.close()
        self._folder.cleanup()
        if self._failure is not None:
            raise self._failure
        return PlaybookRun(code, *texts)

    def kill(self, *, tree: bool) -> None:
        """`kill -9` of the main process alone (its workers and their modules go on), or of all that it started."""
        if self.process.poll() is not None:
            return
        if self.events:
            self.killed_at = self.events[-1]
        victims = [self.process.pid]
        if tree:
            os.kill(self.process.pid, signal.SIGSTOP)  # so that nothing new is started while we look
            victims += descendants(self.process.pid)
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended by itself meanwhile

    def kill_later(self, seconds: float, *, tree: bool) -> None:
        """Kill it `seconds` from now, wherever it is then."""
        self.later(seconds, lambda: self.kill(tree=tree))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something `seconds` from now while the run goes on; not at all when it has ended before."""
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def _serve(self) -> None:
        try:
            connection, _address = self._listener.accept()
        except OSError:  # it ended before it had loaded its callbacks
            return
        try:
            with connection, connection.makefile("r") as lines:
                for line in lines:
                    event = _event(json.loads(line))
                    self.events.append(event)
                    self._handler(self, event)
                    connection.sendall(b"go\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # killed
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for the run
            self._failure = error
            self.kill(tree=True)


def _event(content: Mapping[str, str]) -> StepEvent:
    step = Step(content["file"], content["task"], content["action"])
    return StepEvent(content["kind"], step, content["host"], content["outcome"], time.monotonic())


def descendants(pid: int) -> list[int]:
    """All processes that `pid` started, directly or not; workers of ansible-core are in sessions of their own."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            found.append(child)
            waiting.append(child)
    return found
