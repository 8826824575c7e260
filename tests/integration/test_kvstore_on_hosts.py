"""Room in a real etcd on real hosts over SSH: TLS, no gateway, etcdctl on two of them and in the container of the third."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import host_users
from harness.etcd_on_hosts import EtcdFailedError, EtcdOnHosts, Reader
from harness.host_users import NOPASSWD, PASSWORD, HostUser
from harness.playbook import PlaybookRun, run_playbook
from harness.stepped_run import StepEvent, SteppedRun
from harness.waiting import wait_until
from testbed import HostSpec, Testbed, TestbedSpec

pytestmark = [pytest.mark.testbed, pytest.mark.hosts, pytest.mark.long, pytest.mark.once]

PILOT = HostUser("pilot", NOPASSWD)
SECRET = HostUser("secret", PASSWORD, password="open-sesame")
GUEST = HostUser("guest", password="let-me-in")
PASSWORD_OF_GUEST = {"ansible_become_password": GUEST.password}
MEBIBYTE = 1 << 20
QUOTA = 24 * MEBIBYTE
REMEMBERED = "Remember that it is done"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-maintain-kvstore"
JOURNAL = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-maintain-kvstore"


@pytest.fixture(params=["root", "sudo"])
def etcd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EtcdOnHosts]:
    """Three hosts with a member each, full; playbooks log in as root, or as a user who becomes root by sudo."""
    hosts = tuple(HostSpec(name) for name in ("h1", "h2", "h3"))
    with Testbed.up(TestbedSpec(name=f"kvhosts-{os.getpid()}", hosts=hosts)) as testbed:
        cluster = EtcdOnHosts(testbed, tmp_path, QUOTA)
        if request.param == "sudo":
            host_users.create(testbed, PILOT, SECRET, GUEST)
            cluster.inventory = host_users.inventory(testbed, tmp_path, PILOT)
        cluster.start_all()
        cluster.fill()
        yield cluster


def options(etcd: EtcdOnHosts, folder: Path, **variables: Any) -> dict[str, Any]:
    """The playbook's variables, with its lock in the Kubernetes of the testbed."""
    return {
        "maintain_kvstore_hosts": list(etcd.names),
        "maintain_kvstore_kubeconfig": str(etcd.testbed.kubeconfig),
        "maintain_kvstore_snapshot_dir": str(folder / "snapshots"),
        "maintain_kvstore_keep_revisions": 0,
        "maintain_kvstore_member_timeout": 20,
        "maintain_kvstore_etcd_timeout": 5,
        **variables,
    }


def play(
    etcd: EtcdOnHosts, folder: Path, *arguments: str, inventory: Path | None = None, **variables: Any
) -> PlaybookRun:
    """The playbook over SSH."""
    done = run_playbook(
        "podnet.upkeep.maintain_kvstore",
        ["-i", str(inventory or etcd.inventory), *arguments],
        variables=options(etcd, folder, **variables),
        env={"HOME": str(folder)},
    )
    assert "Traceback" not in done.output and "BEGIN " not in done.output, done.output
    return done


def stepped(
    etcd: EtcdOnHosts, folder: Path, handler: Callable[[SteppedRun, StepEvent], None], **variables: Any
) -> PlaybookRun:
    """The playbook, with something that happens in the middle."""
    arguments = ["-i", str(etcd.inventory)]
    given = options(etcd, folder, **variables)
    run = SteppedRun(
        "podnet.upkeep.maintain_kvstore", arguments, variables=given, env={"HOME": str(folder)}, handler=handler
    )
    return run.finish()


def switch(etcd: EtcdOnHosts, value: str) -> None:
    """The switch that a person has."""
    etcd.testbed.client.patch(JOURNAL, {"data": {"stop": value}})


def is_full(etcd: EtcdOnHosts) -> bool:
    """Whether nothing can be written."""
    try:
        etcd.etcdctl("put", "x", "y")
    except EtcdFailedError as error:
        assert "database space exceeded" in str(error)
        return True
    etcd.etcdctl("del", "x")
    return False


def has(etcd: EtcdOnHosts, name: str, digest: str) -> bool:
    """Whether a member answers with everything."""
    try:
        return etcd.digest(name) == digest
    except EtcdFailedError:
        return False


def defragmented(run: PlaybookRun) -> list[str]:
    """Members in the order in which they were defragmented."""
    return re.findall(r"\[kvstore_member\] host (\w+): defragmentation of member (?:\w+)", run.stderr)


IN_ITS_CONTAINER = """
- hosts: h3
  gather_facts: false
  become: true
  tasks:
    - podnet.upkeep.kvstore_member: {state: inspected}
      register: asked
    - ansible.builtin.assert:
        that: asked.place == 'container' and not asked.problem
        fail_msg: "{{ asked | to_json }}"
    - podnet.upkeep.kvstore_member:
        state: begun
        member: "{{ asked.member.id }}"
        work: "{{ asked.work | combine({'compact_to': 0}) }}"
        snapshot_dir: "{{ folder }}"
"""


def refused_without_root(etcd: EtcdOnHosts, folder: Path) -> None:
    """Who cannot become root is told so, for each host, and nothing is begun."""
    cases: tuple[tuple[HostUser, dict[str, Any], dict[str, Any], str], ...] = (
        (SECRET, {}, {}, "On host h1: Missing sudo password. Give the right one (ansible_become_password)"),
        (GUEST, PASSWORD_OF_GUEST, {}, "Nothing can be run on host h1: guest is not in the sudoers file."),
        (GUEST, {}, {"maintain_kvstore_become": False}, "permission denied"),
    )
    for user, login, given, words in cases:
        refused = play(etcd, folder, inventory=host_users.inventory(etcd.testbed, folder, user, **login), **given)
        assert refused.returncode != 0 and refused.changed == 0, refused.output
        assert words in refused.failure and "nothing was changed: " in refused.failure, refused.output
    assert not (folder / "snapshots").exists()


def test_members_on_hosts(etcd: EtcdOnHosts, tmp_path: Path) -> None:
    """Refused with a member gone; then plan, repair, nothing left; then a member that dies in the middle."""
    before = etcd.digest("h1")
    assert is_full(etcd)
    if etcd.inventory != etcd.testbed.inventory:
        refused_without_root(etcd, tmp_path)

    # one that is stopped: nothing is begun
    etcd.stop("h2")
    refused = play(etcd, tmp_path)
    assert refused.returncode != 0 and refused.changed == 0, refused.output
    assert "nothing was changed: " in refused.flat_output and "Member h2 does not answer" in refused.flat_output
    assert not (tmp_path / "snapshots").exists()
    etcd.start("h2")
    wait_until("the member is back", lambda: has(etcd, "h2", before))

    planned = play(etcd, tmp_path, "--check", "--diff")
    assert planned.returncode == 0 and planned.changed == 1, planned.output
    assert "+alarms: none" in planned.stdout and is_full(etcd) and etcd.digest("h1") == before

    leader = etcd.leader()
    with Reader(etcd) as reader:
        done = play(etcd, tmp_path)
    assert done.returncode == 0, done.output
    order = defragmented(done)
    assert sorted(order) == sorted(etcd.names) and order[-1] == leader, (order, leader)
    print(f"order {order};", end=" ")
    print(f"reads: {len(reader.gaps)}, longest gap {max(reader.gaps):.3f} s, failures {reader.failures}")
    assert len(reader.gaps) > 20 and max(reader.gaps) < 10
    assert {etcd.digest(name) for name in etcd.names} == {before}
    assert not is_full(etcd) and etcd.alarms() == ""
    assert all(etcd.status(name)["dbSize"] < QUOTA / 2 for name in etcd.names)
    assert etcd.leader() != leader
    (snapshot,) = (tmp_path / "snapshots").glob("*.db")
    data = snapshot.read_bytes()
    assert hashlib.sha256(data[:-32]).digest() == data[-32:] and snapshot.stat().st_mode & 0o777 == 0o600
    for host in etcd.testbed.hosts.values():
        assert host.run("ls -A /var/tmp | grep podnet; ls -A /var/lib/etcd | grep podnet; true").stdout == ""

    # a snapshot of the member in its container, by way of the folder of its data
    (tmp_path / "one.yml").write_text(IN_ITS_CONTAINER, encoding="utf-8")
    arguments = ["-i", str(etcd.inventory)]
    folder = {"folder": str(tmp_path / "of-h3")}
    taken = run_playbook(str(tmp_path / "one.yml"), arguments, variables=folder, env={"HOME": str(tmp_path)})
    assert taken.returncode == 0, taken.output
    (snapshot,) = (tmp_path / "of-h3").glob("*.db")
    assert hashlib.sha256(snapshot.read_bytes()[:-32]).digest() == snapshot.read_bytes()[-32:]
    assert etcd.testbed.hosts["h3"].run("ls -A /var/lib/etcd /var/tmp").stdout.split().count("member") == 1

    again = play(etcd, tmp_path)
    assert again.returncode == 0 and again.changed == 0, again.output

    # full again, and a member that dies when another one is done; three runs, of which a person stops one
    etcd.fill()
    before = etcd.digest("h1")
    killed: list[str] = []

    def kill_another(_run: SteppedRun, event: StepEvent) -> None:
        if event.kind == "end" and event.step.task == REMEMBERED and not killed:
            candidates = [name for name in ("h1", "h2") if name != event.host]
            killed.append(next((name for name in candidates if name != etcd.leader()), candidates[0]))
            etcd.stop(killed[0], kill=True)

    def stop_all(_run: SteppedRun, event: StepEvent) -> None:
        if event.kind == "end" and event.step.task == REMEMBERED:
            assert etcd.testbed.client.get(LEASE)["spec"]["holderIdentity"]
            switch(etcd, "true")

    # a person stops it behind the first member; the snapshot stays on its host
    stopped = stepped(etcd, tmp_path, stop_all, maintain_kvstore_snapshot_on="host")
    assert stopped.returncode != 0 and "stopped before member" in stopped.flat_output, stopped.output
    first = defragmented(stopped)
    assert len(first) == 1 and not etcd.testbed.client.get(LEASE)["spec"].get("holderIdentity")
    kept = etcd.testbed.hosts[first[0]].run("ls /var/lib/podnet-upkeep/kvstore/*.db").stdout.split()
    assert len(kept) == 1 and len(list((tmp_path / "snapshots").glob("*.db"))) == 1
    switch(etcd, "false")

    stopped = stepped(etcd, tmp_path, kill_another)
    assert killed and stopped.returncode != 0, stopped.output
    assert f"Member {killed[0]} does not answer" in stopped.flat_output, stopped.flat_output[-3000:]
    assert "the same command goes on" in stopped.flat_output
    second = defragmented(stopped)
    assert len(second) == 1 and second != first and is_full(etcd)

    etcd.start(killed[0])
    wait_until("the member is back", lambda: has(etcd, killed[0], before))
    done = play(etcd, tmp_path)
    assert done.returncode == 0, done.output
    assert set(defragmented(done)) == set(etcd.names) - {*first, *second}, done.stderr
    assert {etcd.digest(name) for name in etcd.names} == {before} and not is_full(etcd) and etcd.alarms() == ""
