"""The order of steps and every reason to stop, against an etcd that the test makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Limits
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Member, Picture, Status
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_maintenance import (
    EtcdMaintenance,
    Guards,
    MaintenanceStoppedError,
    Settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_lock import exclusive
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock

SIZE, IN_USE = 1000, 100
LIMITS = Limits(keep_revisions=0, min_revisions=1, min_gain=1)


class Etcd:
    """Three members, the first of which leads; all is written down in ``acts``."""

    cluster = 9

    def __init__(self) -> None:
        self.sizes = {1: SIZE, 2: SIZE, 3: SIZE}
        self.leader = 1
        self.down: set[int] = set()
        self.compacted = 0
        self.alarms: tuple[tuple[int, str], ...] = ((2, "NOSPACE"),)
        self.acts: list[str] = []
        self.fail: dict[str, Callable[[], None]] = {}

    def _act(self, name: str) -> None:
        self.acts.append(name)
        self.fail.get(name, lambda: None)()

    def picture(self) -> Picture:
        """All members now."""
        members = []
        for number, size in self.sizes.items():
            status = Status(number, 9, "3.6.10", size, IN_USE, SIZE, self.leader, 2, 50, 50, 50)
            down = number in self.down
            members.append(Member(number, f"m{number}", status=None if down else status, error="gone" if down else ""))
        return Picture(tuple(members), self.alarms)

    def compacted_to(self, _member: Member, _newest: int) -> int:
        """The revision of the last compaction."""
        return self.compacted

    def compact(self, member: Member, revision: int, _timeout: float) -> bool:
        """Forget, and wait for one member."""
        self._act(f"compact {member.title}")
        first, self.compacted = self.compacted != revision, revision
        return first

    def defragment(self, member: Member, _timeout: float) -> None:
        """Shrink one member."""
        self._act(f"defragment {member.title}")
        self.sizes[member.identifier] = IN_USE

    def move_leader(self, _leader: Member, target: Member) -> None:
        """Another one leads."""
        self._act(f"lead {target.title}")
        self.leader = target.identifier

    def disarm(self, member: int) -> None:
        """Take an alarm back."""
        self._act(f"disarm m{member}")
        self.alarms = tuple(one for one in self.alarms if one[0] != member)

    def try_to_write(self) -> None:
        """A write that leaves nothing."""
        self._act("write")


class Now:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0

    def clock(self) -> Clock:
        """As operations take it."""
        return Clock(lambda: self.time, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.time += seconds


def run_of(etcd: Etcd, checkpoint: Callable[[], str] = lambda: "", **settings: Any) -> EtcdMaintenance:
    """Maintenance without a snapshot, with a clock that takes no time."""
    guards = Guards(checkpoint=checkpoint, clock=Now().clock())
    return EtcdMaintenance(etcd, LIMITS, Settings(**settings), guards)  # type: ignore[arg-type]


def run(etcd: Etcd, checkpoint: Callable[[], str] = lambda: "", **settings: Any) -> list[dict[str, Any]]:
    """Look, and do it."""
    made = run_of(etcd, checkpoint, **settings)
    return made.run(*made.look())[0]


def test_all_of_it_in_order() -> None:
    """The leader compacts first and is defragmented last, when another one that is done leads; the alarm is the end."""
    etcd = Etcd()
    steps = run(etcd)
    assert etcd.acts == [
        *("compact m1", "compact m2", "compact m3") * 3,  # twice more for what was freed to count as free
        *("defragment m2", "defragment m3", "lead m2", "defragment m1"),
        *("disarm m2", "write"),
    ]
    assert [one["step"] for one in steps] == [
        "compact",
        "defragment",
        "defragment",
        "move-leader",
        "defragment",
        "disarm",
    ]
    assert run_of(etcd).look()[1].empty


def test_the_leader_may_stay() -> None:
    """Where it is wanted, and where it cannot be moved."""
    etcd = Etcd()
    run(etcd, move_leader=False)
    assert "lead m2" not in etcd.acts and etcd.acts.index("defragment m1") > etcd.acts.index("defragment m3")

    def refuse() -> None:
        raise EtcdError("not possible")

    etcd = Etcd()
    etcd.fail["lead m2"] = refuse
    steps = run(etcd)
    assert {"step": "move-leader", "member": "m2", "error": "not possible"} in steps and "defragment m1" in etcd.acts


def test_a_member_that_is_gone_stops_everything_behind_it() -> None:
    """Nobody else is touched, the alarm stays, and what is done is told."""
    etcd = Etcd()

    def die() -> None:
        etcd.down.add(2)
        raise EtcdError("the connection was lost")

    etcd.fail["defragment m2"] = die
    with pytest.raises(
        MaintenanceStoppedError, match=r"Member m2 does not answer: gone.*the same command goes on"
    ) as stopped:
        run(etcd)
    assert etcd.acts[-1] == "defragment m2" and etcd.alarms
    assert [one["step"] for one in stopped.value.details()["steps"]] == ["compact"]
    with pytest.raises(RefusedError, match="nothing was changed: Member m2 does not answer"):
        run_of(etcd).look()
    etcd.down.clear()
    etcd.fail.clear()
    run(etcd)
    assert set(etcd.sizes.values()) == {IN_USE} and not etcd.alarms


def test_an_answer_that_was_lost_is_looked_after() -> None:
    """It happened all the same: go on. It did not: stop."""
    etcd = Etcd()

    def lose(shrinks: bool) -> None:
        etcd.sizes[2] = IN_USE if shrinks else SIZE
        raise EtcdError("the connection was lost")

    etcd.fail["defragment m2"] = lambda: lose(True)
    assert run(etcd)[-1]["step"] == "disarm"
    etcd = Etcd()
    etcd.fail["defragment m2"] = lambda: lose(False)
    with pytest.raises(MaintenanceStoppedError, match="gave no answer to its defragmentation and still has"):
        run(etcd)
    etcd = Etcd()

    def refuse() -> None:
        raise EtcdError("permission denied", status=403)

    etcd.fail["defragment m2"] = refuse
    with pytest.raises(MaintenanceStoppedError, match="permission denied"):
        run(etcd)


def test_another_alarm_in_the_middle() -> None:
    """CORRUPT stops it before the next member, and stays."""
    etcd = Etcd()

    def corrupt() -> None:
        etcd.alarms = (*etcd.alarms, (3, "CORRUPT"))

    etcd.fail["defragment m2"] = corrupt
    with pytest.raises(MaintenanceStoppedError, match="CORRUPT of m3"):
        run(etcd)
    assert "defragment m3" not in etcd.acts and (3, "CORRUPT") in etcd.alarms


def test_an_alarm_that_comes_back() -> None:
    """Is told, not disarmed again and again."""
    etcd = Etcd()

    def fill() -> None:
        etcd.alarms = ((3, "NOSPACE"),)

    etcd.fail["write"] = fill
    with pytest.raises(MaintenanceStoppedError, match="is raised again"):
        run(etcd)
    assert etcd.acts.count("disarm m2") == 1


@pytest.mark.parametrize(("allowed", "last"), [(0, ""), (1, "compact m3"), (2, "defragment m2"), (4, "defragment m1")])
def test_a_checkpoint_is_asked_before_each_step(allowed: int, last: str) -> None:
    """Compaction, each member, the alarm; what is begun is finished."""
    etcd = Etcd()
    asked: list[int] = []

    def checkpoint() -> str:
        asked.append(1)
        return "The switch stop is set." if len(asked) > allowed else ""

    with pytest.raises(MaintenanceStoppedError, match=r"The switch stop is set\. What is done is done"):
        run(etcd, checkpoint)
    assert (etcd.acts or [""])[-1] == last


def test_a_single_member_has_nobody_to_lead_for_it() -> None:
    """One is a quorum of one."""
    etcd = Etcd()
    etcd.sizes = {1: SIZE}
    etcd.alarms = ()
    run(etcd)
    assert etcd.acts == [*["compact m1"] * 3, "defragment m1"]


def test_nothing_is_disarmed_above_the_quota() -> None:
    """The data itself is too large."""
    etcd = Etcd()
    picture = etcd.picture()
    full = replace(
        picture, members=tuple(replace(one, status=replace(one.status, in_use=990)) for one in picture.members)
    )
    etcd.picture = lambda: replace(full, alarms=etcd.alarms)  # type: ignore[method-assign]
    with pytest.raises(
        MaintenanceStoppedError, match="The alarm NOSPACE stays, because member m1 has 1000 bytes of its quota"
    ):
        run(etcd)
    assert not [one for one in etcd.acts if one.startswith("disarm")]


def test_one_member_after_the_other() -> None:
    """As hosts are visited: who leads when its turn comes waits for the others, and moves the lead before its own turn."""
    etcd = Etcd()
    left = [1, 2, 3]
    assert run_of(etcd).visit(1, left, [], urgent=True) == "leads" and etcd.acts == []
    assert run_of(etcd).visit(2, left, [], urgent=True) == "done"
    etcd.leader = 3  # leadership moves
    assert run_of(etcd).visit(3, [1, 3], [2], urgent=True) == "leads"
    assert run_of(etcd).visit(1, [1, 3], [2], urgent=True) == "done"
    assert run_of(etcd).visit(3, [3], [2, 1], urgent=True) == "done"
    assert etcd.acts == ["defragment m2", "defragment m1", "lead m1", "defragment m3"]
    again = run_of(etcd)
    assert again.visit(2, [2], [], urgent=False) == "not worth it" and again.steps == []
    with pytest.raises(MaintenanceStoppedError, match="Member 7 is in this etcd no more"):
        run_of(etcd).visit(7, [7], [], urgent=True)


def test_a_visit_begins_with_all_members_well() -> None:
    """Not beside a member that is gone, and not after the window."""
    etcd = Etcd()
    etcd.down.add(3)
    with pytest.raises(MaintenanceStoppedError, match="Member m3 does not answer: gone"):
        run_of(etcd).visit(2, [1, 2, 3], [], urgent=True)
    etcd.down.clear()
    with pytest.raises(MaintenanceStoppedError, match="stopped before member m2: The window ended"):
        run_of(etcd, lambda: "The window ended.").visit(2, [1, 2, 3], [], urgent=True)
    assert etcd.acts == []


def test_the_lock_of_this_machine(tmp_path: Path) -> None:
    """One at a time; another etcd has another lock; a folder that cannot be is named."""
    with exclusive(str(tmp_path), "a", "this"):
        with (
            pytest.raises(RefusedError, match="Another process on this machine is at this"),
            exclusive(str(tmp_path), "a", "this"),
        ):
            pass
        with exclusive(str(tmp_path), "b", "that"):
            pass
    with exclusive(str(tmp_path), "a", "this"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(Exception, match="state_dir"), exclusive(str(tmp_path / "file"), "a", "this"):
        pass
