"""Which host has which member: every member one, in the order of the plan, and the same words from host to host."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Limits, below_quota
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Member, Picture, Status
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import machine_lock
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_hosts import Work, assign
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_process import RunProcess, playbook_process
from ansible_collections.podnet.upkeep.plugins.modules import kvstore_hosts

MEMBERS = [
    {"id": f"{number:x}", "name": f"m{number}", "endpoint": f"https://10.0.0.{number}:2379"} for number in (10, 11, 12)
]


def answer(number: int, **changes: Any) -> dict[str, Any]:
    """What the host of a member tells; the first member leads."""
    return {
        "problem": "",
        "member": {"id": f"{number:x}", "name": f"m{number}", "leader": number == 10},
        "members": MEMBERS,
        "due": True,
        "plan": {"compact_to": 7},
        "work": {"cluster": "9f", "compact_to": 7, "defragment": ["c", "b", "a"], "urgent": True, "disarm": True},
        "lines": {"before": "", "after": ""},
        **changes,
    }


ANSWERS = {"cp1": answer(10), "cp2": answer(11), "cp3": answer(12)}


def test_hosts_follow_the_plan() -> None:
    """The leader's is the last; a follower's takes the snapshot, also where nothing is to be defragmented."""
    made = assign(ANSWERS)
    assert made.order == ("cp3", "cp2", "cp1") and made.first == "cp3"
    assert dict(made.hosts) == {"a": "cp1", "b": "cp2", "c": "cp3"}
    only_alarm = copy.deepcopy(ANSWERS)
    only_alarm["cp1"]["work"]["defragment"] = []
    assert assign(only_alarm).order == () and assign(only_alarm).first == "cp2"
    assert assign({"cp1": answer(10, members=MEMBERS[:1], work={"cluster": "9f", "defragment": ["a"]})}).first == "cp1"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({**ANSWERS, "cp3": answer(11)}, "cp2 and cp3 have the same member m11.*Member m12 .* is on none of the hosts"),
        ({"cp1": answer(10), "cp3": answer(12)}, r"Member m11 \(https://10.0.0.11:2379\) is on none of the hosts"),
        ({**ANSWERS, "x": answer(99, work={"cluster": "1"})}, "different etcds: cp1, cp2, cp3 and x"),
        (
            {**ANSWERS, "cp2": {"problem": "Host cp2 cannot be reached."}},
            r"nothing was changed: Host cp2 cannot be reached\.$",
        ),
        ({"a": {"problem": "No."}, "b": {"problem": "No."}}, r"nothing was changed: No\.$"),
    ],
)
def test_hosts_that_do_not_fit(answers: dict[str, Any], words: str) -> None:
    """Nothing is begun, and every reason is told once."""
    with pytest.raises(RefusedError, match=words):
        assign(answers)


IDS = st.integers(min_value=1, max_value=(1 << 64) - 1)


@given(
    st.builds(
        Work,
        IDS,
        st.integers(min_value=0),
        st.lists(IDS, unique=True).map(tuple),
        st.booleans(),
        st.booleans(),
        st.dictionaries(IDS, st.integers(min_value=0)),
        st.lists(IDS).map(tuple),
        st.dictionaries(IDS, st.text()),
    )
)
def test_work_goes_from_host_to_host(work: Work) -> None:
    """As JSON, through Ansible, without loss."""
    assert Work.from_document(json.loads(json.dumps(work.to_document()))) == work


@pytest.mark.parametrize(
    "document", [{}, {"cluster": "x"}, {**Work(1).to_document(), "defragment": ["no"]}, {"cluster": None}]
)
def test_work_that_is_none(document: dict[str, Any]) -> None:
    """Is refused."""
    with pytest.raises(InputError, match="it is not what kvstore_hosts returns"):
        Work.from_document(document)


def test_the_end_knows_how_it_was() -> None:
    """A quota that nobody tells is judged by the size at which a member was full."""
    work = Work(9, sizes={1: 1000, 2: 1000}, full=(2,))
    now = tuple(Member(one, f"m{one}", status=Status(one, 9, "3.5.21", 950, 9, None, 1, 2, 5, 5, 5)) for one in (1, 2))
    (reason,) = below_quota(Picture(now), work.before(), Limits())
    assert "member m2 has 950 bytes, hardly less" in reason


# -- the lock of this machine, for several tasks ------------------------------------------------------------------------


def test_a_claim_keeps_others_out_until_its_playbook_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours may go on; another one's may not begin; that of a dead one is nobody's."""
    folder = str(tmp_path)
    alive = RunProcess("m", "b", "n", 4711, "1")
    monkeypatch.setattr(machine_lock, "playbook_process", lambda: alive)
    machine_lock.claim(folder, "a", "this")
    with machine_lock.exclusive(folder, "a", "this"):
        pass
    machine_lock.claim(folder, "a", "this")  # the same again

    monkeypatch.setattr(machine_lock, "playbook_process", lambda: RunProcess("m", "b", "n", 1, "1"))
    for ended, words in (
        (False, r"\(process 4711\) is at this; wait for it"),
        (None, "when it has ended, remove .*a.claim"),
    ):
        monkeypatch.setattr(RunProcess, "has_ended", lambda _self, ended=ended: ended)
        with pytest.raises(RefusedError, match=words), machine_lock.exclusive(folder, "a", "this"):
            pass
    assert machine_lock.give_back(folder, "a") is False
    monkeypatch.setattr(RunProcess, "has_ended", lambda _self: True)
    machine_lock.claim(folder, "a", "this")
    assert machine_lock.give_back(folder, "a") is True and machine_lock.give_back(folder, "a") is False
    (tmp_path / "a.claim").write_text("{", encoding="utf-8")
    with machine_lock.exclusive(folder, "a", "this"):
        pass


def module(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    """What kvstore_hosts prints."""
    with patch_module_args(options), pytest.raises(SystemExit):
        kvstore_hosts.main()
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return printed


def test_the_module(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Plans, claims only when it is told and something is due, and gives back."""
    known = {"answers": ANSWERS, "state_dir": str(tmp_path)}
    planned = module(capsys, **known, _ansible_check_mode=True, claim=True)
    assert planned["changed"] and planned["order"] == ["cp3", "cp2", "cp1"] and planned["members"]["cp1"] == "a"
    assert not list(tmp_path.iterdir())
    assert not module(capsys, **known, claim=True)["changed"]
    assert (tmp_path / "kvstore-9f.claim").exists() == (playbook_process() is not None)
    module(capsys, state="released", cluster="9f", state_dir=str(tmp_path))
    assert not (tmp_path / "kvstore-9f.claim").exists()
    assert "there is no host" in module(capsys)["msg"]
    assert "cluster: 'x' is no ID" in module(capsys, state="released", cluster="x")["msg"]
