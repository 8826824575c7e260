"""Which ansible-playbook a module belongs to, with real processes: alive, killed, gone, somebody else's, unseen."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._operations import run_process
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_process import (
    RunProcess,
    playbook_process,
)

# as Ansible does: the playbook forks a worker with its own command line, which starts a shell, which starts the module
PLAYBOOK = """#!{python}
import os, subprocess, sys
if os.fork() == 0:
    subprocess.run(["/bin/sh", "-c", sys.executable + " -c '{module}'; true"])
    os._exit(0)
os.wait()
print("playbook", os.getpid(), flush=True)
sys.stdin.read()
"""
MODULE = (
    "from ansible_collections.podnet.upkeep.plugins.module_utils._operations import run_process as it;"
    "found = it.playbook_process(); print(found and found.to_text(), flush=True)"
)


@pytest.fixture
def playbook(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running stand-in for ansible-playbook, and what a module that it started has seen."""
    program = tmp_path / "ansible-playbook"
    program.write_text(PLAYBOOK.format(python=sys.executable, module=MODULE), encoding="utf-8")
    program.chmod(0o755)
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [str(program), "site.yml"]
    with subprocess.Popen(
        command, env={**os.environ, **path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        seen = process.stdout.readline().strip()
        assert process.stdout.readline().split() == ["playbook", str(process.pid)]
        yield process, seen
        process.kill()


def test_module_finds_its_playbook_and_not_the_worker(playbook: tuple[subprocess.Popen[str], str]) -> None:
    """The eldest process of that command line."""
    process, seen = playbook
    found = RunProcess.from_text(seen)
    assert found is not None and found.pid == process.pid


def test_life_and_death(playbook: tuple[subprocess.Popen[str], str]) -> None:
    """Alive, then a zombie that nobody has waited for, then gone, then somebody else with the same pid."""
    process, seen = playbook
    found = RunProcess.from_text(seen)
    assert found is not None and found.has_ended() is False
    assert dataclasses.replace(found, started="1").has_ended() is True
    os.kill(process.pid, signal.SIGKILL)
    end = time.monotonic() + 5
    while not found.has_ended() and time.monotonic() < end:
        time.sleep(0.01)
    assert process.returncode is None and found.has_ended() is True
    process.wait()
    assert found.has_ended() is True


def test_without_proc_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS the run has to wait until its Lease is expired."""
    monkeypatch.setattr(run_process, "_look", lambda pid: None)
    assert playbook_process() is None


def test_module_without_a_playbook_belongs_to_none() -> None:
    """These tests have none."""
    assert playbook_process() is None


@pytest.mark.parametrize(
    ("change", "ended"),
    [({"machine": "other"}, None), ({"boot": "earlier"}, True), ({"namespace": "pid:[1]"}, None), ({"boot": ""}, None)],
)
def test_other_places(change: dict[str, str], ended: bool | None) -> None:
    """Another machine or container cannot be seen from here; what ran before a restart of this one has ended."""
    stat = run_process._look(os.getpid())
    assert stat is not None
    here = RunProcess(pid=os.getpid(), started=stat.started, **run_process._place())
    assert here.has_ended() is False
    assert dataclasses.replace(here, **change).has_ended() is ended  # type: ignore[arg-type]


def test_process_that_is_not_for_us(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc may hide those of others (hidepid): that one is not seen does not mean that it is gone."""

    def refuse(pid: int, signal_number: int) -> None:
        raise PermissionError

    hidden = RunProcess(pid=4711, started="1", **run_process._place())
    monkeypatch.setattr(run_process, "_look", lambda pid: None)
    monkeypatch.setattr(run_process.os, "kill", refuse)
    assert hidden.has_ended() is None


@pytest.mark.parametrize("text", ["", "none", "[]", "{}", '{"pid": 3}', "\x00"])
def test_what_is_no_process(text: str) -> None:
    """An annotation that a person has written."""
    assert RunProcess.from_text(text) is None


def test_text_and_back() -> None:
    """Nothing is lost, and the machine's id does not show."""
    process = RunProcess(pid=7, started="99", **run_process._place())
    assert RunProcess.from_text(process.to_text()) == process
    if Path("/etc/machine-id").exists():
        assert (Path("/etc/machine-id").read_text().strip() or "?") not in process.to_text()
