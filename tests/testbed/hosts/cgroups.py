"""A cgroup of its own for every guest, in every hierarchy.

systemd-nspawn with --keep-unit stays in its caller's cgroup. Two guests that start in the same one share one tree, and
stopping a unit in the first could reach processes of the second.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from .base import HostError

_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")


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
    """Create the guest's cgroup in every hierarchy and return the files a process writes itself into.

    Raises HostError when a machine with cgroup v2 keeps its controllers to itself.
    """
    if is_pure_v2():
        _hand_down_controllers()
    files = []
    for hierarchy in _hierarchies():
        group = hierarchy / name_of(index, host)
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # v1: empty until set, and no process may enter before
            if (group / setting).exists() and not is_pure_v2():
                (group / setting).write_text((hierarchy / setting).read_text(encoding="utf-8"), encoding="utf-8")
        files.append(group / "cgroup.procs")
    return files


def _hand_down_controllers() -> None:
    """Give the children of the root what a kubelet needs; on v2 a cgroup has only what its parent hands down.

    systemd hands down what its own units ask for, often without cpuset. Nothing is taken away, then or later: other
    programs of the machine (docker, a kubelet) ask for the same.
    """
    there, handed_down = (
        (_ROOT / file).read_text(encoding="utf-8").split() for file in ("cgroup.controllers", "cgroup.subtree_control")
    )
    missing = [name for name in _CONTROLLERS if name in there and name not in handed_down]
    if not missing:
        return
    try:
        (_ROOT / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in missing), encoding="utf-8")
    except OSError as error:
        raise HostError(
            f"hosts need the cgroup controllers {' '.join(missing)}, which {_ROOT} does not hand down ({error.strerror});"
            " run it on the machine itself rather than in a container"
        ) from error


def members(index: int, host: str) -> set[int]:
    """Pids of every process in the guest's cgroups, at any depth."""
    pids: set[int] = set()
    for hierarchy in _hierarchies():
        # os.walk passes over folders that vanish while it walks, which cgroups of ending containers do
        for folder, _folders, _files in os.walk(hierarchy / name_of(index, host)):
            try:
                pids.update(int(word) for word in Path(folder, "cgroup.procs").read_text(encoding="utf-8").split())
            except OSError:
                continue  # the cgroup went away, or is a threaded one that is read through its parent
    return pids - {0}


def kill(index: int, host: str, seconds: float = 10) -> None:
    """SIGKILL to every process in the guest's cgroups, until none is left (one can fork while it is being killed).

    Raises RuntimeError when some are still there after `seconds`.
    """
    end = time.monotonic() + seconds
    while left := members(index, host):
        if time.monotonic() > end:
            raise RuntimeError(f"processes {sorted(left)} of guest {host} do not end")
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def remove(index: int, host: str) -> None:
    """Remove the guest's empty cgroups, innermost first; OSError while the kernel keeps one busy."""
    for hierarchy in _hierarchies():
        group = hierarchy / name_of(index, host)
        if group.exists():
            for folder, _folders, _files in os.walk(group, topdown=False):
                Path(folder).rmdir()
