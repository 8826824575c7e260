"""A cgroup of its own for every guest, in every hierarchy.

systemd-nspawn with --keep-unit stays in its caller's cgroup. Two guests that start in the same one share one tree, and
stopping a unit in the first could reach processes of the second.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def is_pure_v2() -> bool:
    """Whether this machine has the unified hierarchy only."""
    return (_ROOT / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if is_pure_v2():
        return [_ROOT]
    mounted = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    return [
        Path(words[1]) for words in mounted if words[2] in ("cgroup", "cgroup2") and words[1].startswith(f"{_ROOT}/")
    ]


def name_of(index: int, host: str) -> str:
    """Name of the cgroup of one guest."""
    return f"podnet-{index}-{host}"


def create(index: int, host: str) -> list[Path]:
    """Create the guest's cgroup in every hierarchy and return the files a process writes itself into."""
    files = []
    for hierarchy in _hierarchies():
        group = hierarchy / name_of(index, host)
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # v1: empty until set, and no process may enter before
            if (group / setting).exists() and not is_pure_v2():
                (group / setting).write_text((hierarchy / setting).read_text(encoding="utf-8"), encoding="utf-8")
        files.append(group / "cgroup.procs")
    return files


def members(index: int, host: str) -> set[int]:
    """Pids of every process in the guest's cgroups, at any depth."""
    pids: set[int] = set()
    for hierarchy in _hierarchies():
        for file in (hierarchy / name_of(index, host)).rglob("cgroup.procs"):
            try:
                pids.update(int(word) for word in file.read_text(encoding="utf-8").split())
            except OSError:
                continue  # the cgroup went away, or is a threaded one that is read through its parent
    return pids - {0}


def kill(index: int, host: str) -> None:
    """SIGKILL to every process in the guest's cgroups."""
    for pid in members(index, host):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def remove(index: int, host: str) -> None:
    """Remove the guest's empty cgroups, innermost first."""
    for hierarchy in _hierarchies():
        group = hierarchy / name_of(index, host)
        if group.exists():
            for folder, _folders, _files in os.walk(group, topdown=False):
                Path(folder).rmdir()
