"""Processes of a rehearsal: recorded before they run, ended with all that they started, also when nobody is left to ask."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal import control_plane
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.processes import (
    KEEPER,
    Processes,
    started_at,
)


def run(argv: Sequence[str], environ_update: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """AnsibleModule.run_command."""
    done = subprocess.run(
        argv, env={**os.environ, **(environ_update or {})}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def wait(condition: Callable[[], Any], seconds: float = 15) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.05)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Processes in a folder of their own, which are ended whatever happens."""
    (tmp_path / "r").mkdir()
    made = Processes(str(tmp_path / "r"), run)
    yield made
    made.stop_all()


def test_start_and_stop(processes: Processes, tmp_path: Path) -> None:
    """What a process has started ends with it, and its words are kept."""
    children = tmp_path / "child"
    pid = processes.start("one", ["/bin/sh", "-c", f"echo words; sleep 300 & echo $! >{children}; wait"])
    wait(lambda: children.exists() and children.read_text(encoding="utf-8").strip())
    child = int(children.read_text(encoding="utf-8"))
    assert processes.alive("one") and started_at(pid) and started_at(child)
    assert processes.says("one", "words") and processes.tail("one") == "words"
    assert processes.stop_all() == ["one"]
    wait(lambda: not started_at(pid) and not started_at(child))
    assert processes.names() == [] and processes.stop_all() == []


LEAVES = "setsid sleep 300 & echo $! >{0}; wait"


def _who_left(path: Path) -> int:
    """The pid that a process wrote down of what it has started in another session."""
    wait(lambda: path.exists() and path.read_text(encoding="utf-8").strip())
    pid = int(path.read_text(encoding="utf-8"))
    wait(lambda: os.getsid(pid) == pid)
    return pid


def test_what_has_a_session_of_its_own_ends_too(processes: Processes, tmp_path: Path) -> None:
    """Like a worker of ansible-playbook; that of another process stays."""
    for name in ("one", "other"):
        processes.start(name, ["/bin/sh", "-c", LEAVES.format(tmp_path / name)])
    left, others = _who_left(tmp_path / "one"), _who_left(tmp_path / "other")
    processes.stop("one")
    wait(lambda: not started_at(left))
    assert started_at(others)


def test_all_who_left_are_found_in_one_look(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many programs there are."""
    names = ("one", "two", "three")
    for name in names:
        processes.start(name, ["/bin/sh", "-c", LEAVES.format(tmp_path / name)])
    left = [_who_left(tmp_path / name) for name in names]
    looks: list[str] = []
    listed = os.listdir

    def look(path: str) -> list[str]:
        looks.append(str(path))
        return listed(path)

    monkeypatch.setattr(os, "listdir", look)
    assert set(processes.stop_all()) == set(names)
    wait(lambda: not any(map(started_at, left)))
    assert looks.count("/proc") == 1 and processes.names() == []


def test_the_keeper_finds_what_has_a_session_of_its_own(processes: Processes, tmp_path: Path) -> None:
    """After the process that has started it is gone."""
    owner = subprocess.Popen(["sleep", "300"])
    pid = processes.start("one", ["/bin/sh", "-c", LEAVES.format(tmp_path / "one")])
    processes.keep(owner.pid, str(started_at(owner.pid)))
    left = _who_left(tmp_path / "one")
    os.killpg(pid, signal.SIGKILL)
    owner.kill()
    owner.wait()
    wait(lambda: not started_at(left) and not (tmp_path / "r").exists())


def test_a_pid_that_is_used_again_is_left_alone(processes: Processes, tmp_path: Path) -> None:
    """The record is believed only with the time of start; a foreign process has not our environment."""
    processes.start("one", ["env", "-i", "sleep", "300"])
    time.sleep(0.2)
    record = tmp_path / "r" / "processes" / "one"
    pid, started = record.read_text(encoding="utf-8").split()
    record.write_text(f"{pid} {int(started) - 1}\n", encoding="utf-8")
    assert not processes.alive("one")
    processes.stop("one")
    assert started_at(int(pid)) == started
    os.kill(int(pid), signal.SIGKILL)


def test_a_program_that_is_not_there(processes: Processes) -> None:
    """It leaves a record for a moment, and words."""
    processes.start("one", ["/no/such/program"])
    wait(lambda: not processes.alive("one"))
    assert "not found" in processes.tail("one")


def test_the_keeper_ends_everything_with_its_owner(processes: Processes, tmp_path: Path) -> None:
    """Also when the owner is killed without a chance to do anything."""
    owner = subprocess.Popen(["sleep", "300"])
    pid = processes.start("one", ["sleep", "300"])
    processes.keep(owner.pid, str(started_at(owner.pid)))
    time.sleep(1.5)
    assert processes.alive("one") and processes.alive(KEEPER)
    owner.kill()
    owner.wait()
    wait(lambda: not started_at(pid) and not (tmp_path / "r").exists())


def test_the_keeper_knows_what_ran_in_a_folder_that_is_gone(processes: Processes, tmp_path: Path) -> None:
    """Somebody tidied up."""
    pid = processes.start("one", ["sleep", "300"])
    processes.keep(os.getpid(), str(started_at(os.getpid())))
    time.sleep(2)
    shutil.rmtree(tmp_path / "r")
    wait(lambda: not started_at(pid))


def test_sweep_takes_what_a_killed_run_has_left(tmp_path: Path) -> None:
    """When the keeper was killed too; what lives, what was kept and what is no rehearsal stays."""
    owner = subprocess.Popen(["sleep", "300"])
    place = json.loads(_process_text(os.getpid()))
    for name, text in {
        "killed": json.dumps({**place, "pid": owner.pid, "started": started_at(owner.pid)}),
        "living": _process_text(os.getpid()),
        "kept": "",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "owner.json").write_text(json.dumps({"process": text, "kept": not text}), encoding="utf-8")
    (tmp_path / "foreign").mkdir()
    pid = Processes(str(tmp_path / "killed"), run).start("one", ["sleep", "300"])
    assert control_plane.sweep(str(tmp_path), run) == []
    owner.kill()
    owner.wait()
    assert control_plane.sweep(str(tmp_path), run) == ["killed"]
    wait(lambda: not started_at(pid))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["foreign", "kept", "living"]


def _process_text(pid: int) -> str:
    from ansible_collections.podnet.upkeep.plugins.module_utils._operations import run_process

    return run_process.RunProcess(pid=pid, started=str(started_at(pid)), **run_process._place()).to_text()


def test_claim_refuses_a_second_one(tmp_path: Path) -> None:
    """Of the same name; another name is fine."""
    folder = control_plane.claim(str(tmp_path), "one", run, keep=True)
    with pytest.raises(RefusedError, match="runs, or was kept"):
        control_plane.claim(str(tmp_path), "one", run, keep=True)
    control_plane.claim(str(tmp_path), "two", run, keep=True)
    assert control_plane.end(folder, run) == [] and not Path(folder).exists()


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "x" * 41])
def test_names(name: str) -> None:
    """A name is a name of a folder."""
    with pytest.raises(InputError, match="name: "):
        control_plane.folder_of("/tmp", name)
