"""etcdctl on a host: where it is, what it is told, whom it asks, and what of a snapshot is taken for sound."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit.plugins.module_utils._domain.test_etcd_members import ALARMS, HEADER, MEMBERS, STATUS
from unit.plugins.module_utils._domain.test_etcdctl_output import COMPACTED, LOST_3_6

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import Member, Status
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_errors import EtcdError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_cluster import EtcdctlCluster, Expected
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_program import (
    EtcdctlProgram,
    Ran,
    Whereabouts,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_snapshot import Keeping

OWN = "https://127.0.0.1:20303"
FIRST, SECOND = 10682625041467779237, 16083866642921327977
VERSION = Ran(0, "etcdctl version: 3.6.10\nAPI version: 3.6\n", "")
NONE = Ran(127, "", "")
RUNNING = {"containers": [{"id": "0a1b2c", "labels": {"io.kubernetes.pod.namespace": "kube-system"}}]}


class Host:
    """Answers commands by the first word that it knows in them; all are written down."""

    host = "cp1"

    def __init__(self, **answers: Ran) -> None:
        self.answers: dict[str, Ran | Callable[[Sequence[str]], Ran]] = {
            "which etcdctl": Ran(0, "/usr/bin/etcdctl\n", ""),
            "which crictl": NONE,
            "version": VERSION,
            "status": told,
            "member": Ran(0, MEMBERS, ""),
            "alarm": Ran(0, "{}", ""),
            **answers,
        }
        self.asked: list[list[str]] = []

    def run(self, argv: Sequence[str], timeout: float, beat: Callable[[], None] | None = None) -> Ran:
        """One command."""
        assert timeout > 0 and argv[:3] == ["timeout", "-k", "5"]
        words = list(argv[4:])
        self.asked.append(words)
        name = f"which {words[-1]}" if words[:1] == ["sh"] else next((one for one in self.answers if one in words), "")
        answer = self.answers.get(name, NONE)
        return answer(words) if callable(answer) else answer

    def login_id(self) -> str:
        """Not asked."""
        raise NotImplementedError

    def fetch(self, path: str, target: str, beat: Callable[[], None]) -> None:
        """Not asked."""
        raise NotImplementedError


def where(**changes: Any) -> Whereabouts:
    """As kubeadm has it, on another port."""
    return Whereabouts(endpoint=OWN, ca_cert="/p/ca.crt", client_cert="/p/c.crt", client_key="/p/c.key", **changes)


def told(words: Sequence[str]) -> Ran:
    """Status of those that are asked for; the third member is down."""
    asked = next(one.partition("=")[2].split(",") for one in words if one.startswith("--endpoints="))
    known = {one["Endpoint"]: one for one in json.loads(STATUS)}
    silent = [one for one in asked if one not in known]
    errors = "".join(f"Failed to get the status of endpoint {one} (context deadline exceeded)\n" for one in silent)
    return Ran(1 if silent else 0, json.dumps([known[one] for one in asked if one in known]), errors)


def cluster(host: Host, **expected: int) -> EtcdctlCluster:
    """The etcd as the host sees it."""
    return EtcdctlCluster(EtcdctlProgram(host, where()), Expected(**expected))


# -- where it is -----------------------------------------------------------------------------------------------------


def test_the_one_on_the_host_without_the_settings_of_a_shell() -> None:
    """Each word is an argument, and ETCDCTL_* of the host decide nothing."""
    host = Host()
    program = EtcdctlProgram(host, where(), 7.2)
    assert program.place == "host"
    program.run("alarm", "list")
    words = host.asked[-1]
    assert words[0] == "env" and "ETCDCTL_API" in words and "ETCDCTL_ENDPOINTS" in words
    begin = words.index("/usr/bin/etcdctl")
    assert words[begin + 1 :] == [
        *(f"--endpoints={OWN}", "--cacert=/p/ca.crt", "--cert=/p/c.crt", "--key=/p/c.key"),
        *("--command-timeout=8s", "--write-out=json", "alarm", "list"),
    ]
    assert sum("version" in one for one in host.asked) == 1  # looked for once


@pytest.mark.parametrize("on_host", [NONE, Ran(0, "", "")])
@pytest.mark.parametrize("place", ["auto", "container"])
def test_the_one_in_the_container_of_etcd(on_host: Ran, place: str) -> None:
    """Where there is none on the host; the container of the control plane where there are others of that name."""
    other = {"id": "ff", "labels": {"io.kubernetes.pod.namespace": "tenant"}}
    listed = {"containers": [other, *RUNNING["containers"]]}
    host = Host(
        **{"which etcdctl": on_host, "which crictl": Ran(0, "/usr/local/bin/crictl\n", "")},
        ps=Ran(0, json.dumps(listed, indent=1), ""),
    )
    program = EtcdctlProgram(host, where(place=place))
    assert program.place == "container"
    program.run("alarm", "list")
    assert host.asked[-1][:5] == ["crictl", "--timeout=60s", "exec", "0a1b2c", "etcdctl"]


@pytest.mark.parametrize("place", ["auto", "host", "container"])
@pytest.mark.parametrize("said", ["pilot is not in the sudoers file.", "sudo: sorry, you must have a tty to run sudo"])
def test_who_may_run_nothing_is_not_told_that_programs_are_missing(place: str, said: str) -> None:
    """What sudo says, and who has to be mended."""
    refused = Ran(1, "", f"{said}\n")
    host = Host(**{"which etcdctl": refused, "which crictl": refused})
    with pytest.raises(
        EtcdError, match=rf"^Nothing can be run on host cp1: {said.rstrip('.')}\. .* become root there\.$"
    ):
        EtcdctlProgram(host, where(place=place)).run("alarm", "list")


def test_an_old_one_on_the_host_gives_way_to_the_container() -> None:
    """Before 3.4 its API is another one."""

    def version(words: Sequence[str]) -> Ran:
        return VERSION if "exec" in words else Ran(0, "etcdctl version: 3.3.25\nAPI version: 2\n", "")

    host = Host(**{"which crictl": Ran(0, "/usr/local/bin/crictl\n", "")}, ps=Ran(0, json.dumps(RUNNING), ""))
    host.answers["version"] = version
    assert EtcdctlProgram(host, where()).place == "container"
    with pytest.raises(InputError, match=r"/usr/bin/etcdctl on it is of version 3\.3\.25\."):
        EtcdctlProgram(host, where(place="host")).run("alarm", "list")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, r"it has no program etcdctl and it has no program crictl\. Install etcdctl of 3\.4 or newer"),
        ({"ps": Ran(0, '{"containers": []}', "")}, "shows no running containers with the name etcd"),
        ({"ps": Ran(0, json.dumps({"containers": [{"id": "a"}, {"id": "b"}]}), "")}, "shows 2 running containers"),
        ({"ps": Ran(0, "E1121 oops", "")}, "does not list containers"),
        (
            {"ps": Ran(1, "", "FATA[0000] permission denied\n")},
            r"crictl on it fails \(FATA\[0000\] permission denied\)",
        ),
        ({"ps": Ran(0, json.dumps(RUNNING), ""), "version": NONE}, "cannot be run in its container of etcd"),
    ],
)
def test_no_etcdctl_is_said(answers: dict[str, Ran], words: str) -> None:
    """With what was looked for, and what helps."""
    crictl = Ran(0, "/usr/local/bin/crictl\n", "") if answers else NONE
    host = Host(**{"which etcdctl": NONE, "which crictl": crictl, **answers})
    with pytest.raises(
        InputError, match=rf"Host cp1 has no etcdctl that can be used, and nothing was done there: .*{words}"
    ):
        EtcdctlProgram(host, where()).run("alarm", "list")


@pytest.mark.parametrize(
    ("ran", "words"),
    [
        (Ran(128, "", "Error: open /p/ca.crt: no such file or directory\n"), "Name files that are there"),
        (Ran(1, "null\n", LOST_3_6.replace("20305", "20303")), "are not those that etcd trusts"),
        (Ran(1, "", "Error: dial tcp: connect: connection refused\n"), "Nothing listens there"),
        (Ran(1, "", "Error: etcdserver: request timed out\n"), "bring its members back first"),
        (Ran(124, "", ""), "did not end in time"),
        (Ran(0, "hello", ""), "answered 'endpoint status' with something else: it is no JSON, but 'hello'"),
        (Ran(1, "", ""), "it failed without a word"),
    ],
)
def test_an_own_member_that_does_not_answer(ran: Ran, words: str) -> None:
    """One sentence with the host, and what helps."""
    with pytest.raises(EtcdError, match=words) as failed:
        cluster(Host(status=ran)).picture()
    assert "host cp1" in str(failed.value) and "\n" not in str(failed.value)


def test_a_member_that_is_expected_is_named() -> None:
    """Also when it has not answered once."""
    down = Ran(1, "null\n", f"Failed to get the status of endpoint {OWN} (context deadline exceeded)\n")
    for expected, name in (
        (Expected(member=FIRST, name="etcd-0"), "etcd-0"),
        (Expected(member=FIRST), "94404ee0516128a5"),
    ):
        with pytest.raises(
            EtcdError, match=f"^Member {name} does not answer: etcdctl on host cp1, asking {OWN}: context"
        ):
            EtcdctlCluster(EtcdctlProgram(Host(status=down), where()), expected).picture()

    def unreachable(_words: Sequence[str]) -> Ran:
        raise EtcdError("Host cp1 cannot be reached: timed out.")

    host = Host()
    seen = cluster(host)
    seen.picture()
    host.answers["status"] = unreachable
    with pytest.raises(
        EtcdError, match=r"^Member etcd-0 does not answer: Host cp1 cannot be reached: timed out\.$"
    ) as failed:
        seen.picture()
    assert failed.value.lost


# -- whom it asks ----------------------------------------------------------------------------------------------------


def test_all_members_from_one_host() -> None:
    """The own one at its own endpoint, the others at what they advertise; who does not answer is told with the host."""
    host = Host(alarm=Ran(0, ALARMS, ""))
    picture = cluster(host).picture()
    assert [(one.name, one.endpoint, one.status is not None) for one in picture.members] == [
        ("etcd-0", OWN, True),
        ("etcd-1", "https://127.0.0.1:20304", True),
        ("etcd-2", "https://127.0.0.1:20305", False),
    ]
    assert picture.members[2].error == "https://127.0.0.1:20305, asked from host cp1: context deadline exceeded"
    assert picture.alarms == ((SECOND, "NOSPACE"),) and picture.quorum
    asked = [one for one in host.asked if "status" in one]
    assert f"--endpoints={OWN}" in asked[0]
    assert "--endpoints=https://127.0.0.1:20304,https://127.0.0.1:20305" in asked[1]


def test_the_member_must_be_the_one_that_was_planned() -> None:
    """Another member, or another etcd, behind the endpoint of a host is never worked on."""
    with pytest.raises(EtcdError, match=r"leads to member 94404ee0516128a5 and not to df355f7eea148d69"):
        cluster(Host(), member=SECOND).picture()
    with pytest.raises(EtcdError, match="is of the etcd fc4fca0edbad7706 and not of 7"):
        cluster(Host(), cluster=7).picture()
    seen = cluster(Host(), member=FIRST)
    with pytest.raises(RefusedError, match="Member etcd-1 is not on host cp1"):
        seen.defragment(Member(SECOND, "etcd-1"), 5)


def test_defragmentation_asks_who_is_there_first() -> None:
    """Leadership and addresses may have moved since; it is one member's, with its own time."""
    host = Host(defrag=Ran(0, "Finished", ""))
    seen = cluster(host, member=FIRST)
    seen.defragment(Member(FIRST, "etcd-0"), 600)
    assert "status" in host.asked[-2] and {"defrag", "--command-timeout=600s", f"--endpoints={OWN}"} <= set(
        host.asked[-1]
    )
    host.answers["status"] = Ran(0, STATUS.replace(str(FIRST), "5"), "")
    with pytest.raises(EtcdError, match="and not to"):
        seen.defragment(Member(FIRST, "etcd-0"), 600)
    assert "defrag" not in host.asked[-1]


def test_compaction_that_was_done_already() -> None:
    """Is no failure; another error is."""
    host = Host(compaction=Ran(1, "", COMPACTED))
    member = Member(FIRST, "etcd-0")
    assert cluster(host).compact(member, 5, 600) is False
    host.answers["compaction"] = Ran(0, "compacted revision 5\n", "")
    assert cluster(host).compact(member, 5, 600) is True
    host.answers["compaction"] = Ran(1, "", "Error: etcdserver: permission denied\n")
    with pytest.raises(EtcdError, match="permission denied"):
        cluster(host).compact(member, 5, 600)


def test_revisions_are_looked_for() -> None:
    """The last compaction is found by what can still be read."""

    def get(words: Sequence[str]) -> Ran:
        revision = next(int(one.partition("=")[2]) for one in words if one.startswith("--rev="))
        return Ran(0, "{}", "") if revision >= 4321 else Ran(1, "", COMPACTED)

    host = Host()
    host.answers["get"] = get
    assert cluster(host).compacted_to(Member(FIRST, "etcd-0"), 91823) == 4321


def test_no_other_alarm_is_disarmed() -> None:
    """etcdctl takes back all of them: not while CORRUPT is raised, and one that came in between is told."""
    both = json.loads(ALARMS)
    both["alarms"].append({"memberID": FIRST, "alarm": 2})
    host = Host(alarm=Ran(0, json.dumps(both), ""))
    seen = cluster(host)
    seen.picture()
    with pytest.raises(
        RefusedError, match="The alarm CORRUPT of etcd-0 is raised, and etcdctl cannot disarm NOSPACE alone"
    ):
        seen.disarm(SECOND)
    assert not any("disarm" in one for one in host.asked)
    host.answers["alarm"] = lambda words: Ran(0, json.dumps(both) if "disarm" in words else ALARMS, "")
    with pytest.raises(RefusedError, match="CORRUPT of etcd-0 was raised in that moment and was disarmed"):
        seen.disarm(SECOND)
    host.answers["alarm"] = Ran(0, "{}", "")
    host.asked.clear()
    seen.disarm(SECOND)
    assert not any("disarm" in one for one in host.asked)  # with that of another member


def test_a_write_that_leaves_nothing() -> None:
    """The lease is revoked by the name that etcdctl takes."""
    host = Host()
    host.answers["lease"] = lambda words: Ran(
        0, '{"ID": 4573020589923319333, "TTL": 30}' if "grant" in words else "", ""
    )
    cluster(host).try_to_write()
    assert host.asked[-1][-2] == "revoke" and int(host.asked[-1][-1], 16) == 4573020589923319333
    host.answers["lease"] = Ran(0, "{}", "")
    with pytest.raises(EtcdError, match="there is no lease in it"):
        cluster(host).try_to_write()


def test_without_a_quorum_the_list_is_that_of_the_member() -> None:
    """Only from 3.6 on it tells it without the others; before that, it is said in words."""
    alone = f'[{{"Endpoint":"{OWN}","Status":{{{HEADER % FIRST},"version":"3.6.10","dbSize":1,"raftTerm":3}}}}]'
    late = Ran(1, "", "Error: context deadline exceeded\n")
    host = Host(status=Ran(0, alone, ""))
    host.answers["member"] = lambda words: Ran(0, MEMBERS, "") if "--consistency=s" in words else late
    picture = cluster(host).picture()
    assert not picture.quorum and picture.alarms is None and len(picture.members) == 3
    host.answers["member"] = late
    with pytest.raises(EtcdError, match="The etcd has no quorum: the member on host cp1 knows of no leader"):
        cluster(host).picture()


# -- snapshots -------------------------------------------------------------------------------------------------------

PAGE = b"\0" * 16 + struct.pack("<I", 0xED0CDAED) + os.urandom(4076)


class Here(Host):
    """This machine, on which ``snapshot save`` writes ``data``."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data

    def run(self, argv: Sequence[str], timeout: float, beat: Callable[[], None] | None = None) -> Ran:
        """Real commands but for etcdctl."""
        if argv[0] == "timeout":
            if "snapshot" in argv:
                Path(argv[-1]).write_bytes(self._data)
                return Ran(0, "", "")
            return super().run(argv, timeout, beat)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    def login_id(self) -> str:
        """Ours."""
        return str(os.getuid())

    def fetch(self, path: str, target: str, beat: Callable[[], None]) -> None:
        """A copy."""
        shutil.copyfile(path, target)


def taken(tmp_path: Path, data: bytes, on: str) -> str:
    """Path of a snapshot of a member with a small database."""
    keeping = Keeping(on=on, host_folder=str(tmp_path / "host"))
    seen = EtcdctlCluster(EtcdctlProgram(Here(data), where()), Expected(member=FIRST), keeping)
    status = Status(FIRST, 9, "3.6.10", len(data), 1, None, FIRST, 2, 5, 5, 5)
    (tmp_path / "host" / ".podnet-upkeep-etcd-1f-killed12").mkdir(
        exist_ok=True, parents=True
    )  # of a run that was killed
    (tmp_path / "host" / ".podnet-upkeep-etcd-1f-killed12" / "one.db").write_bytes(b"secret")
    made = seen.take_snapshot(
        Member(FIRST, "etcd-0", status=status), str(tmp_path / "here"), "etcd-1f-7.db", lambda: None
    )
    assert made.size == len(data) and made.sha256 == hashlib.sha256(data[:-32]).hexdigest()
    return made.path


@pytest.mark.parametrize("on", ["host", "controller"])
def test_a_snapshot_is_kept_where_it_is_wanted(tmp_path: Path, on: str) -> None:
    """For its owner only, and nothing else is left."""
    data = PAGE + hashlib.sha256(PAGE).digest()
    path = taken(tmp_path, data, on)
    file = Path(path.removeprefix("cp1:"))
    assert path.startswith("cp1:") == (on == "host") and file.parent.name == ("host" if on == "host" else "here")
    assert file.read_bytes() == data and file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["etcd-1f-7.db"]
    assert list((tmp_path / "host").iterdir()) == ([file] if on == "host" else [])


@pytest.mark.parametrize("on", ["host", "controller"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PAGE, "is not sound"),
        (PAGE[:-1] + b"x" + hashlib.sha256(PAGE).digest(), "is not sound"),
        (b"x" * 4096 + hashlib.sha256(b"x" * 4096).digest(), "is not a database of etcd"),
        (b"", "is not sound"),
    ],
)
def test_a_snapshot_that_is_not_sound_is_not_kept(tmp_path: Path, on: str, data: bytes, words: str) -> None:
    """Neither there nor here."""
    with pytest.raises(RefusedError, match=words):
        taken(tmp_path, data, on)
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


SOUND = PAGE + hashlib.sha256(PAGE).digest()


@pytest.mark.parametrize(
    ("comes", "words"),
    [(SOUND[:100], "is not complete"), (SOUND[:50] + b"x" + SOUND[51:], "is not sound")],
    ids=["cut", "changed"],
)
def test_a_snapshot_that_changes_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, comes: bytes, words: str
) -> None:
    """Is not kept here."""

    def cut(_self: Here, _path: str, target: str, _beat: Callable[[], None]) -> None:
        Path(target).write_bytes(comes)

    monkeypatch.setattr(Here, "fetch", cut)
    with pytest.raises(UpkeepError, match=words):
        taken(tmp_path, SOUND, "controller")
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


def test_no_room_for_a_snapshot(tmp_path: Path) -> None:
    """Is said before, with the folder."""
    status = Status(FIRST, 9, "3.6.10", 1 << 60, 1, None, FIRST, 2, 5, 5, 5)
    program = EtcdctlProgram(Here(b""), where())
    seen = EtcdctlCluster(program, Expected(member=FIRST), Keeping("host", host_folder=str(tmp_path)))
    with pytest.raises(InputError, match=f"host_snapshot_dir: {tmp_path} on host cp1 has .* left"):
        seen.take_snapshot(replace(Member(FIRST, "etcd-0"), status=status), "", "one.db", lambda: None)
