"""A cgroup for every guest, on machines with cgroup v2 only and on others, shown on folders that look like them."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from testbed.hosts import cgroups
from testbed.hosts.base import HostError


@pytest.fixture
def unified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that looks like the root of cgroup v2, with cpuset and hugetlb not handed down."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory hugetlb pids rdma misc\n", encoding="utf-8")
    (tmp_path / "cgroup.subtree_control").write_text("cpu io memory pids\n", encoding="utf-8")
    monkeypatch.setattr(cgroups, "_ROOT", tmp_path)
    return tmp_path


def test_unified_hierarchy_hands_its_controllers_down(unified: Path) -> None:
    """Only what is missing is asked for, and only of what there is."""
    assert cgroups.create(7, "h1") == [unified / "podnet-7-h1" / "cgroup.procs"]
    assert (unified / "cgroup.subtree_control").read_text(encoding="utf-8") == "+cpuset +hugetlb"


def test_unified_hierarchy_that_has_everything_is_left_alone(unified: Path) -> None:
    """Nothing is written where nothing is missing."""
    everything = "cpuset cpu io memory hugetlb pids rdma misc\n"
    (unified / "cgroup.subtree_control").write_text(everything, encoding="utf-8")
    cgroups.create(7, "h1")
    assert (unified / "cgroup.subtree_control").read_text(encoding="utf-8") == everything


def test_unified_hierarchy_that_refuses_is_one_sentence(unified: Path) -> None:
    """A container's root has processes of its own and cannot hand controllers down: the kernel refuses the write."""
    (unified / "cgroup.subtree_control").unlink()
    (unified / "cgroup.subtree_control").symlink_to("/proc/self/cgroup")  # readable, refuses what is written
    with pytest.raises(HostError, match=r"cgroup controllers cpu cpuset hugetlb io memory pids.*on the machine itself"):
        cgroups.create(7, "h1")


def test_kill_ends_what_is_inside_at_any_depth(unified: Path) -> None:
    """And nothing else; pid 0 stands for a process of another pid namespace and is never signalled."""
    cgroups.create(7, "h1")
    inside, outside = (subprocess.Popen(["sleep", "300"]) for _number in range(2))
    try:
        deep = unified / "podnet-7-h1" / "payload" / "kubelet.service"
        deep.mkdir(parents=True)
        (deep / "cgroup.procs").write_text(f"0\n{inside.pid}\n", encoding="utf-8")
        assert cgroups.members(7, "h1") == {inside.pid}
        assert cgroups.members(7, "h2") == set()
        # a folder does not forget a process that has ended, as a cgroup does
        with pytest.raises(RuntimeError, match=f"processes \\[{inside.pid}\\] of guest h1 do not end"):
            cgroups.kill(7, "h1", seconds=0.05)
        assert inside.wait(10) == -signal.SIGKILL
        assert outside.poll() is None
    finally:
        for process in (inside, outside):
            process.kill()
            process.wait()


def test_remove_goes_from_the_inside_out(unified: Path) -> None:
    """A cgroup with children cannot be removed; none at all is fine."""
    (unified / "podnet-7-h1" / "payload" / "system.slice").mkdir(parents=True)
    (unified / "podnet-7-h2").mkdir()
    cgroups.remove(7, "h1")
    cgroups.remove(7, "h1")
    assert not (unified / "podnet-7-h1").exists()
    assert (unified / "podnet-7-h2").exists()


def test_hierarchies_of_version_1_get_cpus_and_memory_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cpuset is empty when made, and takes no process until it has both."""
    hierarchies = [tmp_path / name for name in ("cpuset", "systemd", "unified")]
    for hierarchy in hierarchies:
        hierarchy.mkdir()
    group = hierarchies[0] / "podnet-7-h1"
    group.mkdir()
    for setting, value in (("cpuset.cpus", "0-3\n"), ("cpuset.mems", "0\n")):
        (hierarchies[0] / setting).write_text(value, encoding="utf-8")
        (group / setting).write_text("\n", encoding="utf-8")
    monkeypatch.setattr(cgroups, "_ROOT", tmp_path)
    monkeypatch.setattr(cgroups, "_hierarchies", lambda: hierarchies)
    assert cgroups.create(7, "h1") == [hierarchy / "podnet-7-h1" / "cgroup.procs" for hierarchy in hierarchies]
    assert (group / "cpuset.cpus").read_text(encoding="utf-8") == "0-3\n"
    assert (group / "cpuset.mems").read_text(encoding="utf-8") == "0\n"
