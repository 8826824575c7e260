"""Room for guests: waited for while other testbeds may end, and named where it stays too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.hosts import base, limits


@pytest.fixture
def used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Instances that are in use, one number for each look; the last one stays. The limit is 128."""
    numbers: list[int] = []
    limit = tmp_path / "limit"
    limit.write_text("128\n", encoding="utf-8")
    monkeypatch.setattr(limits, "_LIMIT", limit)
    monkeypatch.setattr(limits, "inotify_instances", lambda: numbers.pop(0) if len(numbers) > 1 else numbers[0])
    monkeypatch.setattr(limits.time, "sleep", lambda seconds: None)
    return numbers


def test_room_is_waited_for(used: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    """Another testbed ends meanwhile."""
    used += [110, 110, 20]
    limits.require_room_for(2)
    assert capsys.readouterr().err.count("waiting for other testbeds to end") == 1
    assert used == [20]


def test_no_room_is_said(used: list[int]) -> None:
    """With the number that is lacking and what to do."""
    used += [110]
    with pytest.raises(base.HostError, match=r"2 more hosts need about 142 .* limit is 128: take other testbeds down"):
        limits.require_room_for(2, patience=-1)


def test_more_hosts_than_ever_fit_are_not_waited_for(used: list[int]) -> None:
    """Nobody's end would make room."""
    used += [0]
    with pytest.raises(base.HostError, match="max_user_instances=512"):
        limits.require_room_for(9)
