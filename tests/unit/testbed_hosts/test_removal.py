"""Removal from files alone, where there is little or nothing to remove."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed import processes
from testbed.hosts import cgroups, cleanup, guest, network, removal


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that stands for /sys/fs/cgroup, so that nothing of this machine can be hit."""
    root = tmp_path / "cgroup"
    root.mkdir()
    (root / "cgroup.controllers").touch()
    monkeypatch.setattr(cgroups, "_ROOT", root)
    monkeypatch.setattr(removal, "_NSPAWN_RUN", tmp_path / "nspawn")
    return root


def test_nothing_there_is_fine(tmp_path: Path) -> None:
    """Twice, as for a testbed that was killed before it had anything."""
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    for _time in range(2):
        cleanup(run_dir, 199)
    assert list(run_dir.iterdir()) == []


def test_record_of_a_pid_that_is_used_again_hits_nobody(tmp_path: Path, elsewhere: Path) -> None:
    """A stale record names a living process that is not the guest: it lives on; cgroup and nspawn's files go."""
    run_dir = tmp_path / "run"
    (run_dir / "guests" / "h1" / "root").mkdir(parents=True)
    (elsewhere / guest.machine_name(199, "h1") / "payload").mkdir(parents=True)
    (tmp_path / "nspawn" / "propagate" / guest.machine_name(199, "h1")).mkdir(parents=True)
    stranger = processes.start(tmp_path, "stranger", ["sleep", "300"])
    try:
        record = {"name": "guest-h1", "pid": stranger.pid, "start_time": stranger.start_time - 1, "argv": ["x"]}
        (run_dir / "processes").mkdir()
        (run_dir / "processes" / "guest-h1.json").write_text(json.dumps(record), encoding="utf-8")
        cleanup(run_dir, 199)
        assert processes.alive(stranger)
        assert [path for path in elsewhere.iterdir() if path.is_dir()] == []
        assert list((tmp_path / "nspawn" / "propagate").iterdir()) == []
    finally:
        processes.stop(tmp_path, "stranger")


@pytest.mark.parametrize(
    ("alias", "deleted"), [("", True), ("/cache/testbeds/mine", True), ("/cache2/testbeds/mine", False), (None, False)]
)
def test_only_the_own_bridge_is_deleted(
    alias: str | None, deleted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that of another cache folder; one without a name is of a testbed that was killed while it made it."""
    calls: list[tuple[str, ...]] = []
    record: Callable[..., None] = lambda *words, **_options: calls.append(words)  # noqa: E731
    monkeypatch.setattr(network, "ip", record)
    monkeypatch.setattr(network, "_LINKS", tmp_path)
    if alias is not None:
        (tmp_path / "pnu7").mkdir()
        (tmp_path / "pnu7" / "ifalias").write_text(f"{alias}\n", encoding="utf-8")
    network.bridge_down(7, Path("/cache/testbeds/mine"))
    assert calls == ([("link", "delete", "pnu7")] if deleted else [])
