"""Room in a real etcd by the real etcdctl, one member after the other, each by the host it is on; here all are this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Limits
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError, UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_hosts import Work
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_maintenance import (
    EtcdMaintenance,
    Guards,
    MaintenanceStoppedError,
    Settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_cluster import EtcdctlCluster, Expected
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcdctl_program import (
    EtcdctlProgram,
    Ran,
    Whereabouts,
)
from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from integration.test_kvstore_maintenance import QUOTA, digest
from testbed.binaries import locate
from testbed.etcd_cluster import EtcdCluster, EtcdSpec
from testbed.etcd_requests import EtcdAnswerError

pytestmark = pytest.mark.testbed


@pytest.fixture
def etcd() -> Iterator[EtcdCluster]:
    """Three members that are full."""
    with EtcdCluster.up(EtcdSpec(f"kvmembers-{os.getpid()}", quota=QUOTA)) as cluster:
        cluster.fill()
        yield cluster


class Here:
    """A host that is this machine."""

    def __init__(self, host: str) -> None:
        self.host = host

    def run(self, argv: Sequence[str], timeout: float, beat: Callable[[], None] | None = None) -> Ran:
        """A command of this machine."""
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    def login_id(self) -> str:
        """Not asked."""
        raise NotImplementedError

    def fetch(self, path: str, target: str, beat: Callable[[], None]) -> None:
        """Not asked."""
        raise NotImplementedError


def at(etcd: EtcdCluster, name: str, expected: int = 0, guards: Guards | None = None) -> EtcdMaintenance:
    """Maintenance from the host of one member."""
    where = Whereabouts(
        "host",
        str(locate(["etcdctl"])["etcdctl"]),
        "crictl",
        etcd.endpoint(name),
        str(etcd.ca),
        str(etcd.client.cert),
        str(etcd.client.key),
    )
    cluster = EtcdctlCluster(EtcdctlProgram(Here(f"host-of-{name}"), where, 2), Expected(member=expected))
    return EtcdMaintenance(cluster, Limits(keep_revisions=0), Settings(member_timeout=1), guards)


def play(etcd: EtcdCluster, folder: Path, *arguments: str, **variables: Any) -> PlaybookRun:
    """The playbook with a host for each member; each has its own endpoint."""
    hosts = {
        f"cp{number}": {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "maintain_kvstore_etcdctl_endpoint": etcd.endpoint(name),
        }
        for number, name in enumerate(etcd.names)
    }
    inventory = folder / "inventory.json"
    inventory.write_text(json.dumps({"all": {"children": {"control_plane": {"hosts": hosts}}}}), encoding="utf-8")
    return run_playbook(
        "podnet.upkeep.maintain_kvstore",
        ["-i", str(inventory), *arguments],
        variables={
            "maintain_kvstore_hosts": ["control_plane"],
            "maintain_kvstore_become": False,
            "maintain_kvstore_lock": "local",
            "maintain_kvstore_etcdctl": str(locate(["etcdctl"])["etcdctl"]),
            "maintain_kvstore_etcdctl_ca_cert": str(etcd.ca),
            "maintain_kvstore_etcdctl_client_cert": str(etcd.client.cert),
            "maintain_kvstore_etcdctl_client_key": str(etcd.client.key),
            "maintain_kvstore_snapshot_dir": str(folder / "snapshots"),
            "maintain_kvstore_keep_revisions": 0,
            **variables,
        },
        env={"HOME": str(folder)},
    )


def test_the_playbook_visits_the_leader_last(etcd: EtcdCluster, tmp_path: Path) -> None:
    """Nothing is lost, writes work again, and there is nothing left to do."""
    before, leader = digest(etcd), etcd.leader()
    done = play(etcd, tmp_path)
    assert done.returncode == 0, done.output
    order = re.findall(r"\[kvstore_member\] host \w+: defragmentation of member (\S+)", done.stderr)
    assert sorted(order) == list(etcd.names) and order[-1] == leader != etcd.leader(), done.stderr
    etcd.put("x", b"y")
    etcd.ask("/v3/kv/deleterange", {"key": "eA=="})
    assert {digest(etcd, name) for name in etcd.names} == {before}
    assert all(int(etcd.status(name)["dbSize"]) < QUOTA / 4 for name in etcd.names)
    (snapshot,) = (tmp_path / "snapshots").glob("*.db")
    assert snapshot.stat().st_mode & 0o777 == 0o600
    assert not list((tmp_path / ".local/state/podnet-upkeep").glob("*.claim"))

    again = play(etcd, tmp_path)
    assert again.returncode == 0 and again.changed == 0, again.output
    assert "Could not match" not in again.output


def test_a_member_that_dies_between_two_hosts(etcd: EtcdCluster) -> None:
    """The run stops and names it, the alarm stays; leadership moves meanwhile; the rest is done later, the leader last."""
    before = digest(etcd)
    first = at(etcd, "etcd-0")
    picture, plan = first.look()
    number = min(one.status.cluster for one in picture.answering if one.status)
    work = Work.from_document(json.loads(json.dumps(Work.of(picture, plan, number).to_document())))
    assert work.disarm and len(work.defragment) == 3
    numbers = {one.title: one.identifier for one in picture.members}
    first.begin(picture, work.compact_to)

    leader = etcd.leader()
    one, other = (name for name in etcd.names if name != leader)
    with pytest.raises(UpkeepError, match="must lead to the member of the host itself"):
        at(etcd, one, numbers[other]).visit(numbers[other], work.defragment, [], urgent=True)
    assert at(etcd, leader).visit(numbers[leader], work.defragment, [], urgent=True) == "leads"
    assert at(etcd, one).visit(numbers[one], work.defragment, [], urgent=True) == "done"

    etcd.kill(other)
    with pytest.raises(
        MaintenanceStoppedError, match=rf"Member {other} does not answer: https.*, asked from host host-of-"
    ):
        at(etcd, leader).visit(numbers[leader], work.defragment, [numbers[one]], urgent=True)
    with pytest.raises(RefusedError, match=rf"nothing was changed: Member {other} does not answer"):
        at(etcd, one).look()
    with pytest.raises(UpkeepError, match=rf"host-of-{other}, asking .*connection refused"):
        at(etcd, other).look()
    with pytest.raises(EtcdAnswerError, match="space exceeded"):
        etcd.put("x", b"y", member=leader)

    etcd.start(other)
    etcd.wait_answering()
    picture, plan = wait_until("all members are well", lambda: well(at(etcd, one)))
    left = [picture.named(identifier) for identifier in plan.defragment]
    assert left == [other, leader] or left == [other, etcd.leader()]
    done = [numbers[one]]
    for name in left:
        assert at(etcd, name).visit(numbers[name], plan.defragment, done, urgent=plan.urgent) == "done"
        done.append(numbers[name])
    steps = at(etcd, one).end(work.before())
    assert steps[-1]["step"] == "disarm"
    etcd.put("x", b"y")
    etcd.ask("/v3/kv/deleterange", {"key": "eA=="})
    assert {digest(etcd, name) for name in etcd.names} == {before}


@pytest.mark.long
def test_a_member_that_is_killed_while_etcdctl_defragments_it() -> None:
    """The lost answer is no success: the run stops and names the member, whose file is whole when it starts again."""
    with EtcdCluster.up(EtcdSpec(f"kvmembers-{os.getpid()}", quota=2048 << 20)) as etcd:
        for number in range(600):
            etcd.put(f"filler/{number % 400}", os.urandom(512 << 10))
        before = digest(etcd)
        picture, _plan = at(etcd, "etcd-0").look()
        numbers = {one.title: one.identifier for one in picture.members}
        killed = next(name for name in etcd.names if name != etcd.leader())
        guards = Guards(progress=lambda _line: threading.Timer(0.15, etcd.kill, [killed]).start())
        at(etcd, killed).begin(picture, picture.answering[0].status.revision if picture.answering[0].status else 0)
        with pytest.raises(MaintenanceStoppedError) as stopped:
            at(etcd, killed, numbers[killed], guards).visit(numbers[killed], [numbers[killed]], [], urgent=True)
        print(stopped.value)
        assert killed in str(stopped.value) and "the same command goes on" in str(stopped.value)
        assert stopped.value.steps == []

        etcd.start(killed)
        etcd.wait_answering()
        wait_until("all members are well", lambda: well(at(etcd, killed)))
        assert at(etcd, killed).visit(numbers[killed], [numbers[killed]], [], urgent=True) == "done"
        assert {digest(etcd, name) for name in etcd.names} == {before}


def well(maintenance: EtcdMaintenance) -> Any:
    """What is to be done; nothing while a member is not back."""
    try:
        return maintenance.look()
    except UpkeepError:
        return None
