"""Processes that start runs at the same moment, and stay in them until they are told to end."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)

#: Seconds for an answer of a process; a busy machine does not reach it.
_LONGEST = 120.0


class Starter:
    """A process that starts runs of any kind."""

    def __init__(self, kubeconfig: Path, holder: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._mine, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, str(kubeconfig), holder), daemon=True)
        self._process.start()
        theirs.close()
        self._answer()  # it is there

    def start(self, kind: str, moment: float) -> None:
        """Start a run of this kind at this moment (seconds of this machine's clock)."""
        self._mine.send((kind, moment))

    def refusal(self) -> str:
        """Why it did not begin; empty when it did, and then it lasts until `end`."""
        return self._answer()

    def end(self) -> None:
        """Bring the run to its end."""
        self._mine.send(("", 0.0))
        self._answer()

    def stop(self) -> None:
        """End the process."""
        self._mine.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _answer(self) -> str:
        assert self._mine.poll(_LONGEST), "the process that starts runs does not answer"
        return str(self._mine.recv())


@contextlib.contextmanager
def starters(kubeconfig: Path, count: int) -> Iterator[list[Starter]]:
    """So many processes."""
    made: list[Starter] = []
    try:
        for number in range(count):
            made.append(Starter(kubeconfig, f"starter-{number}"))
        yield made
    finally:
        for one in made:
            one.stop()


def serve(connection: Connection, kubeconfig: str, holder: str) -> None:
    """What a process does until its connection is closed."""
    client = KubeClient.from_options({"kubeconfig": kubeconfig})
    client.server_version()  # the connection is open then
    connection.send("")
    run: MaintenanceRun | None = None
    while True:
        try:
            kind, moment = connection.recv()
        except EOFError:
            return
        if not kind:
            if run is not None:
                run.end("finished")
            connection.send("")
            continue
        run = MaintenanceRun(client, RunOptions(kind, "kube-system", holder))
        time.sleep(max(0.0, moment - time.time()))
        try:
            run.start()
        except RefusedError as error:
            connection.send(str(error))
        else:
            connection.send("")
