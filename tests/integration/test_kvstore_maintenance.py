"""Maintenance of a real etcd of three members that is full, and what stops it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_maintenance_plan import Limits, order
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_cluster import EtcdCluster as Product
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_door import EtcdCredentials
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_maintenance import (
    EtcdMaintenance,
    Guards,
    MaintenanceStoppedError,
    Settings,
)
from harness.playbook import PlaybookRun, run_playbook
from testbed.etcd_cluster import EtcdCluster, EtcdSpec
from testbed.etcd_requests import EtcdAnswerError

pytestmark = pytest.mark.testbed

MEBIBYTE = 1 << 20
QUOTA = 16 * MEBIBYTE
LIMITS = Limits(keep_revisions=0)


@pytest.fixture
def etcd() -> Iterator[EtcdCluster]:
    """Three members with a small quota."""
    with EtcdCluster.up(EtcdSpec(f"kvstore-{os.getpid()}", quota=QUOTA)) as cluster:
        yield cluster


def digest(etcd: EtcdCluster, member: str = "") -> str:
    """One hash of all keys, values, revisions and leases, without what the prober writes."""
    found = hashlib.sha256()
    for key, entry in sorted(etcd.everything(member=member).items()):
        if not key.startswith(b"prober"):
            found.update(repr((key, entry)).encode())
    return found.hexdigest()


def credentials(etcd: EtcdCluster) -> EtcdCredentials:
    """Those of a client that members accept."""
    return EtcdCredentials(str(etcd.ca), str(etcd.client.cert), str(etcd.client.key))


def maintenance(etcd: EtcdCluster, folder: Path, guards: Guards | None = None, **settings: Any) -> EtcdMaintenance:
    """The product's maintenance, reached through one endpoint."""
    product = Product([etcd.endpoints[0]], credentials(etcd), 5)
    return EtcdMaintenance(product, LIMITS, Settings(snapshot_dir=str(folder), **settings), guards)


def play(etcd: EtcdCluster, folder: Path, *arguments: str, timeout: float = 300, **variables: Any) -> PlaybookRun:
    """The playbook, without Kubernetes."""
    return run_playbook(
        "podnet.upkeep.maintain_kvstore",
        arguments,
        variables={
            "maintain_kvstore_endpoints": etcd.endpoints,
            "maintain_kvstore_etcd_ca_cert": str(etcd.ca),
            "maintain_kvstore_etcd_client_cert": str(etcd.client.cert),
            "maintain_kvstore_etcd_client_key": str(etcd.client.key),
            "maintain_kvstore_snapshot_dir": str(folder),
            "maintain_kvstore_keep_revisions": 0,
            "maintain_kvstore_lock": "local",
            **variables,
        },
        env={"HOME": str(folder)},
        timeout=timeout,
    )


@dataclass
class Prober:
    """Reads, and writes where asked for, through each member all the time, as agents do: the next one when one is silent."""

    etcd: EtcdCluster
    write: bool
    gaps: list[float] = field(default_factory=list)
    successes: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    _end: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Prober:
        self._thread = threading.Thread(target=self._probe)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def longest(self) -> float:
        """Longest time without a success, in seconds."""
        return max(self.gaps, default=0)

    def _probe(self) -> None:
        last, number = time.monotonic(), 0
        while not self._end.is_set():
            member = self.etcd.names[number % len(self.etcd.names)]
            number += 1
            try:
                if self.write:
                    self.etcd.ask("/v3/kv/put", {"key": "cHJvYmVy", "value": "eA=="}, member=member, timeout=1)
                else:
                    self.etcd.ask("/v3/kv/range", {"key": "cHJvYmVy"}, member=member, timeout=1)
            except (EtcdAnswerError, urllib3.exceptions.HTTPError) as error:
                name = type(error).__name__
                self.errors[name] = self.errors.get(name, 0) + 1
                continue
            now = time.monotonic()
            self.gaps.append(now - last)
            self.successes += 1
            last = now
            time.sleep(0.002)


def test_a_full_store_takes_writes_again_and_loses_nothing(etcd: EtcdCluster, tmp_path: Path) -> None:
    """Plan, repair, nothing left to do; the snapshot has what there was; reads go on all the time."""
    writes = etcd.fill()
    before, sizes = digest(etcd), [int(etcd.status(name)["dbSize"]) for name in etcd.names]
    assert writes > 50 and max(sizes) > 0.9 * QUOTA

    planned = play(etcd, tmp_path, "--check", "--diff")
    assert planned.returncode == 0, planned.output
    assert planned.changed == 1 and "+alarms: none" in planned.stdout
    assert not list(tmp_path.glob("*.db")) and digest(etcd) == before
    with pytest.raises(EtcdAnswerError, match="space exceeded"):
        etcd.put("x", b"y")

    with Prober(etcd, write=False) as prober:
        done = play(etcd, tmp_path)
    assert done.returncode == 0, done.output
    assert done.changed == 1
    print(f"reads: {prober.successes}, longest gap {prober.longest:.3f} s, {prober.errors}")
    assert prober.longest < 15 and prober.successes > 100

    etcd.put("x", b"y")
    etcd.ask("/v3/kv/deleterange", {"key": "eA=="})
    for name in etcd.names:
        assert digest(etcd, name) == before
        assert int(etcd.status(name)["dbSize"]) < QUOTA / 4
        assert "errors" not in etcd.status(name)

    (snapshot,) = tmp_path.glob("*.db")
    data = snapshot.read_bytes()
    assert snapshot.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(data[:-32]).digest() == data[-32:] and len(data) % 512 == 32

    again = play(etcd, tmp_path)
    assert again.returncode == 0 and again.changed == 0, again.output
    assert len(list(tmp_path.glob("*.db"))) == 1


def test_a_member_that_dies_in_the_middle_stops_the_run_which_goes_on_later(etcd: EtcdCluster, tmp_path: Path) -> None:
    """The other members are not touched, the alarm stays, and the same command ends it when the member is back."""
    etcd.fill()
    before = digest(etcd)
    killed: list[str] = []

    def kill_the_next(line: str) -> None:
        if line.startswith("defragmentation of member") and not killed:
            killed.append(line.split()[-1])
            etcd.kill(killed[0])

    run = maintenance(etcd, tmp_path, Guards(progress=kill_the_next), member_timeout=3)
    with pytest.raises(MaintenanceStoppedError) as stopped:
        run.run(*run.look())
    message = str(stopped.value)
    assert f"Member {killed[0]} does not answer" in message and "the same command goes on" in message
    assert [one["step"] for one in stopped.value.steps] == ["snapshot", "compact"]
    others = [name for name in etcd.names if name != killed[0]]
    assert all(int(etcd.status(name)["dbSize"]) > 0.9 * QUOTA for name in others)
    with pytest.raises(EtcdAnswerError, match="space exceeded"):
        etcd.put("x", b"y", member=others[0])

    refused = play(etcd, tmp_path / "second")
    assert refused.returncode != 0 and f"Member {killed[0]} does not answer" in refused.flat_output
    etcd.start(killed[0])
    etcd.ask("/v3/maintenance/status", member=others[0])
    deadline = time.monotonic() + 20
    while True:
        run = maintenance(etcd, tmp_path, member_timeout=20)
        try:
            steps, _after = run.run(*run.look())
            break
        except UpkeepError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert [one["step"] for one in steps if one["step"] in ("defragment", "disarm")].count("defragment") == 3
    assert steps[-1]["step"] == "disarm"
    etcd.put("x", b"y")
    etcd.ask("/v3/kv/deleterange", {"key": "eA=="})
    assert {digest(etcd, name) for name in etcd.names} == {before}


def test_who_is_not_let_in_is_told_why_in_one_sentence(etcd: EtcdCluster, tmp_path: Path) -> None:
    """Wrong authority, wrong certificate, none, a port without TLS, a member without gateway, and no quorum."""
    stranger = etcd.stranger()
    theirs = str(stranger.cert.parent / "ca.crt")
    ours = credentials(etcd)
    for given, words in (
        (EtcdCredentials(theirs, ours.client_cert, ours.client_key), "is of no authority in etcd_ca_cert"),
        (
            EtcdCredentials(ours.ca_cert, str(stranger.cert), str(stranger.key)),
            "does not accept the client certificate",
        ),
        (EtcdCredentials(ours.ca_cert), "wants a client certificate"),
        (EtcdCredentials(ours.ca_cert, ours.client_cert, str(stranger.key)), "not PEM files that fit together"),
    ):
        with pytest.raises(UpkeepError, match=words) as refused:
            Product(etcd.endpoints, given, 5).picture()
        assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    with pytest.raises(UpkeepError, match="write https"):
        Product([etcd.endpoints[0].replace("https", "http")], ours, 5).picture()
    told = play(etcd, tmp_path, maintain_kvstore_etcd_ca_cert=theirs)
    assert told.returncode != 0 and "is of no authority in etcd_ca_cert" in told.flat_output

    etcd.pause("etcd-1")
    with pytest.raises(UpkeepError, match=r"Member etcd-1 does not answer: .* no answer in the time allowed"):
        EtcdMaintenance(Product([etcd.endpoints[2]], ours, 1), LIMITS, Settings()).look()
    etcd.go_on("etcd-1")
    etcd.wait_healthy()
    etcd.kill("etcd-0")
    etcd.start("etcd-0", enable_grpc_gateway="false")
    etcd.wait_healthy()
    with pytest.raises(UpkeepError, match="gateway is switched off"):
        Product([etcd.endpoints[0]], ours, 5).picture()
    etcd.kill("etcd-0")
    etcd.kill("etcd-1")
    with pytest.raises(UpkeepError, match="has no quorum: 1 of 3 members answer"):
        EtcdMaintenance(Product(etcd.endpoints, ours, 5), LIMITS, Settings()).look()
    told = play(etcd, tmp_path)
    assert told.returncode != 0 and "has no quorum" in told.flat_output


ROOT = (
    ("/v3/auth/user/add", {"name": "root", "password": "right"}),
    ("/v3/auth/role/add", {"name": "root"}),
    ("/v3/auth/user/grant", {"user": "root", "role": "root"}),
    ("/v3/auth/user/add", {"name": "guest", "password": "guest"}),
    ("/v3/auth/enable", {}),
)


def test_names_and_passwords() -> None:
    """With etcd's own authentication on, a name and its password are asked for, and the name needs the role root."""
    with EtcdCluster.up(EtcdSpec(f"kvusers-{os.getpid()}", members=1, client_certificates=False)) as etcd:
        for path, body in ROOT:
            etcd.ask(path, body)
        ours = {"ca_cert": str(etcd.ca)}
        root = Product(etcd.endpoints, EtcdCredentials(**ours, user="root", password="right"), 5)
        picture = root.picture()
        assert picture.quorum and picture.alarms == ()
        assert EtcdMaintenance(root, LIMITS, Settings()).look()[1].empty
        for given, words in (
            (EtcdCredentials(**ours), "give etcd_user and etcd_password"),
            (EtcdCredentials(**ours, user="root", password="wrong"), "the name or the password is wrong"),
            (EtcdCredentials(**ours, user="guest", password="guest"), "does not allow this user"),
        ):
            with pytest.raises(UpkeepError, match=words):
                Product(etcd.endpoints, given, 5).picture()


def test_names_and_certificates() -> None:
    """Members that want both a certificate and a name let in no certificate that has a common name."""
    with EtcdCluster.up(EtcdSpec(f"kvusers-{os.getpid()}", members=1)) as etcd:
        for path, body in ROOT:
            etcd.ask(path, body)
        with pytest.raises(UpkeepError, match="no client certificate that has a common name"):
            Product(etcd.endpoints, credentials(etcd), 5).picture()


@pytest.mark.long
def test_nothing_is_disarmed_while_the_data_itself_is_too_large(etcd: EtcdCluster, tmp_path: Path) -> None:
    """A store that is full of keys, not of old revisions, keeps its alarm, and says what helps."""
    words = r"The alarm NOSPACE stays, because member .* of its quota of 16 MiB"
    numbers = itertools.count()
    for size in (128 << 10, 64 << 10, 16 << 10, 16 << 10):  # defragmentation gives back less each time
        for _write in range(2 * QUOTA // size):
            try:
                etcd.put(f"live/{next(numbers)}", os.urandom(size))
            except EtcdAnswerError:
                break
        before = digest(etcd)
        run = maintenance(etcd, tmp_path)
        try:
            run.run(*run.look())
        except MaintenanceStoppedError as error:
            assert re.search(words, str(error))
            break
    else:
        raise AssertionError("maintenance always found room")
    assert digest(etcd) == before
    assert etcd.ask("/v3/maintenance/alarm", {"action": "GET"})["alarms"]
    with pytest.raises(EtcdAnswerError, match="space exceeded"):
        etcd.put("x", b"y")


@pytest.mark.long
def test_the_window_ends_before_a_member(etcd: EtcdCluster, tmp_path: Path) -> None:
    """What is begun is finished, nothing further is begun, and the rest is done next time."""
    etcd.fill()
    asked: list[int] = []

    def checkpoint() -> str:
        asked.append(1)
        return "The window ended." if len(asked) > 3 else ""

    run = maintenance(etcd, tmp_path, Guards(checkpoint=checkpoint))
    with pytest.raises(MaintenanceStoppedError, match=r"stopped before member etcd-\d: The window ended"):
        run.run(*run.look())
    small = [name for name in etcd.names if int(etcd.status(name)["dbSize"]) < QUOTA / 8]
    assert len(small) == 1
    again = maintenance(etcd, tmp_path)
    steps, _after = again.run(*again.look())
    assert {one["member"] for one in steps if one["step"] == "defragment"} == set(etcd.names) - set(small)
    etcd.put("x", b"y")


@pytest.mark.long
def test_a_member_that_is_killed_while_it_is_defragmented(tmp_path: Path) -> None:
    """Its file is whole when it starts again, and the same run ends the work; two members served writes meanwhile."""
    with EtcdCluster.up(EtcdSpec(f"kvkilled-{os.getpid()}", quota=2048 * MEBIBYTE)) as etcd:
        for number in range(600):
            etcd.put(f"filler/{number % 400}", os.urandom(512 << 10))
        before = digest(etcd)
        killed: list[str] = []

        def kill_soon(line: str) -> None:
            if line.startswith("defragmentation of member") and not killed:
                killed.append(line.split()[-1])
                threading.Timer(0.15, etcd.kill, killed).start()

        run = maintenance(etcd, tmp_path, Guards(progress=kill_soon), member_timeout=5)
        picture, plan = run.look()
        forced = replace(plan, defragment=tuple(one.identifier for one in order(picture, picture.members)), urgent=True)
        with Prober(etcd, write=True) as prober, pytest.raises(MaintenanceStoppedError) as stopped:
            run.run(picture, forced)
        assert f"Member {killed[0]} does not answer" in str(stopped.value)
        others = [name for name in etcd.names if name != killed[0]]
        assert all(int(etcd.status(name)["dbSize"]) > 280 * MEBIBYTE for name in others)
        left = etcd.directory / "data" / killed[0] / "member" / "snap"
        print(f"files of the killed member: {sorted(one.name for one in left.iterdir())}")
        print(f"writes with a member gone: {prober.successes}, longest gap {prober.longest:.3f} s, {prober.errors}")
        assert prober.longest < 15

        etcd.start(killed[0])
        etcd.wait_answering()
        assert digest(etcd, killed[0]) == before
        run = maintenance(etcd, tmp_path)
        steps, _after = run.run(run.look()[0], forced)
        assert len([one for one in steps if one["step"] == "defragment"]) == 3
        assert digest(etcd, killed[0]) == before


@pytest.mark.long
def test_a_run_that_is_killed_goes_on_with_the_same_command(etcd: EtcdCluster, tmp_path: Path) -> None:
    """SIGKILL of the whole playbook at any of its steps leaves no lock behind, and nothing lost."""
    etcd.fill()
    before = digest(etcd)
    for seconds in (3.0, 4.0, 5.0):
        with pytest.raises(subprocess.TimeoutExpired):
            play(etcd, tmp_path, timeout=seconds)
        assert digest(etcd) == before
    done = play(etcd, tmp_path)
    assert done.returncode == 0, done.output
    assert digest(etcd) == before and not list(tmp_path.glob(".etcd-*"))
    etcd.put("x", b"y")
    assert play(etcd, tmp_path).changed <= 1


@pytest.mark.parametrize("move_leader", [True, False])
@pytest.mark.long
def test_writes_go_on_while_a_large_store_is_defragmented(tmp_path: Path, move_leader: bool) -> None:
    """Half a gigabyte: the longest time without a successful write, with and without another leader."""
    spec = EtcdSpec(f"kvlarge-{os.getpid()}", quota=2048 * MEBIBYTE)
    with EtcdCluster.up(spec) as etcd:
        for number in range(1000):
            etcd.put(f"filler/{number % 300}", os.urandom(512 << 10))
        before = digest(etcd)
        run = maintenance(etcd, tmp_path, move_leader=move_leader)
        picture, plan = run.look()
        forced = type(plan)(plan.compact_to or 900, tuple(one.identifier for one in picture.members), False, True, {})
        with Prober(etcd, write=True) as prober:
            started = time.monotonic()
            steps, _after = run.run(picture, forced)
            seconds = time.monotonic() - started
        print(json.dumps(steps, indent=1))
        print(
            f"move_leader={move_leader}: {seconds:.1f} s, {prober.successes} writes, longest gap {prober.longest:.3f} s, "
            f"errors {prober.errors}"
        )
        assert {digest(etcd, name) for name in etcd.names} == {before}
        assert prober.longest < 15
