"""The lock against a fake API: who gets it, who is refused and why, and who loses it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import run_process
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_heartbeat import Heartbeat
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import (
    PROCESS,
    LeaseLostError,
    RunLease,
    last_write,
    name_of_holder,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_process import RunProcess
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Pending, wait_for

from .conftest import FastClock

PATH = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-test"
HERE = run_process._place()
ALIVE = RunProcess(pid=101, started="1", **HERE)
DEAD = RunProcess(pid=102, started="1", **HERE)
ELSEWHERE = RunProcess("other", "b", "n", 101, "1")


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the processes of this machine only 101 lives."""
    seen = run_process._Seen(1, "1", ("ansible-playbook",), False)
    monkeypatch.setattr(run_process, "_look", lambda pid: seen if pid == 101 else None)
    monkeypatch.setattr(run_process, "_is_free", lambda pid: True)


class World:
    """A cluster whose clock the test turns."""

    def __init__(self, api: FakeApi, fast: FastClock) -> None:
        self.api, self.fast = api, fast
        self.start = datetime.datetime(2026, 11, 1, 1, 0, tzinfo=datetime.UTC)
        api.store.now = lambda: self.start + datetime.timedelta(seconds=fast.seconds)

    def lease(self, holder: str = "me", process: RunProcess | None = None, seconds: int = 300) -> RunLease:
        """The lock as one holder sees it."""
        client = KubeClient.from_options(self.api.options)
        return RunLease(client, "test", "kube-system", holder, seconds, process=process, clock=self.fast.clock())

    @property
    def stored(self) -> dict[str, Any]:
        """The Lease in the cluster."""
        return self.api.store.objects[PATH]

    @property
    def holder(self) -> str:
        """Who holds it."""
        return str(self.stored["spec"]["holderIdentity"])


@pytest.fixture
def world(fast: FastClock) -> Iterator[World]:
    """An empty cluster."""
    with FakeApi() as running:
        yield World(running, fast)


def test_first_one_gets_it_and_has_a_name_for_this_run(world: World) -> None:
    """Its own number is in the name, and the process in the annotation."""
    lease = world.lease("admin@bastion 1f0c2a", ALIVE)
    assert lease.acquire() is False
    assert lease.holder == world.holder and name_of_holder(world.holder) == "admin@bastion 1f0c2a"
    assert world.stored["metadata"]["annotations"][PROCESS] == ALIVE.to_text()
    lease.renew()
    assert world.lease(lease.holder).acquire() is True and world.holder == lease.holder
    assert world.stored["spec"]["leaseTransitions"] == 0


def test_second_holder_is_refused_by_name(world: World) -> None:
    """With who, since when, and how to stop it; whether take_over or not; and nothing is written."""
    world.lease("me").acquire()
    before = dict(world.stored["spec"])
    world.fast.seconds = 299
    for take_over in (False, True):
        with pytest.raises(RefusedError, match=r"me #\w+ holds the Lease kube-system/podnet-upkeep-test since .*stop"):
            world.lease("other").acquire(take_over=take_over)
        with pytest.raises(RefusedError, match="holds the Lease"):
            world.lease("other").would_acquire(take_over=take_over)
    assert world.stored["spec"] == before


def test_expired_lease_is_taken_only_on_request(world: World) -> None:
    """By the server's clock; the one that had it loses it."""
    first = world.lease("me")
    first.acquire()
    world.fast.seconds = 301
    with pytest.raises(
        RefusedError, match=r"of me #\w+ was interrupted: .* 2026-11-01T01:00:00Z and is expired.*take_over"
    ):
        world.lease("other").acquire()
    second = world.lease("other")
    assert second.acquire(take_over=True) is False
    assert world.stored["spec"]["leaseTransitions"] == 1
    with pytest.raises(LeaseLostError, match=r"held by other #\w+ now"):
        first.renew()
    assert first.release() is False and world.holder == second.holder


def test_expiry_ends_exactly_after_its_seconds(world: World) -> None:
    """Times of the server are whole seconds, so the second itself still belongs to the holder."""
    world.lease("me").acquire()
    world.fast.seconds = 300
    with pytest.raises(RefusedError, match="under way"):
        world.lease("other").acquire(take_over=True)


def test_clocks_of_holders_do_not_matter(world: World) -> None:
    """A holder whose clock is a day behind or ahead is neither expired nor eternal."""
    world.lease("me").acquire()
    for renewed in ("2020-01-01T00:00:00.000000Z", "2030-01-01T00:00:00.000000Z"):
        world.stored["spec"]["renewTime"] = renewed
        world.fast.seconds = 100
        with pytest.raises(RefusedError, match="under way"):
            world.lease("other").acquire(take_over=True)
        world.fast.seconds = 301
        world.lease("other").would_acquire(take_over=True)


def test_lease_without_dates_of_the_server_is_not_thought_older_than_it_says() -> None:
    """managedFields can be cleared by anybody who may write."""
    found = {
        "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": []},
        "spec": {"renewTime": "2026-02-01T00:00:00.5Z"},
    }
    assert last_write(found).month == 2


def test_same_machine_goes_on_with_what_was_killed(world: World) -> None:
    """At once, and what the killed one has left behind loses the Lease."""
    killed = world.lease("me", DEAD)
    killed.acquire()
    now = world.lease("me", ALIVE)
    assert now.acquire() is False and now.holder != killed.holder
    with pytest.raises(LeaseLostError, match="the same command was started again"):
        killed.renew()
    assert killed.release() is False


@pytest.mark.parametrize("take_over", [False, True])
def test_two_runs_of_one_person_on_one_machine(world: World, take_over: bool) -> None:
    """The second one refuses, and names the process; also when the Lease is expired because the first one hangs."""
    world.lease("me", ALIVE).acquire()
    other = RunProcess(pid=103, started="1", **HERE)
    for seconds in (1, 9999):
        world.fast.seconds = seconds
        with pytest.raises(RefusedError, match=r"me #\w+, process 101 of this machine holds the Lease"):
            world.lease("me", other).acquire(take_over=take_over)
    with pytest.raises(RefusedError, match="process 101 of this machine"):
        world.lease("root", other).acquire(take_over=take_over)


@pytest.mark.parametrize(("theirs", "ours"), [(ELSEWHERE, ALIVE), (None, ALIVE), (ALIVE, None), (None, None)])
def test_same_holder_where_nobody_can_look(world: World, theirs: RunProcess | None, ours: RunProcess | None) -> None:
    """As in containers with one state_dir: it has to expire, and then needs no take_over."""
    world.lease("me", theirs).acquire()
    if theirs is not ALIVE:
        with pytest.raises(RefusedError, match="expires 2026-11-01T01:05:00Z, and then the same command goes on"):
            world.lease("me", ours).acquire()
        world.fast.seconds = 301
        assert world.lease("me", ours).acquire() is False
    else:
        with pytest.raises(RefusedError, match="process 101"):
            world.lease("me", ours).acquire()


def test_playbook_that_starts_twice_keeps_its_run(world: World) -> None:
    """The same name, no transition."""
    first = world.lease("me", ALIVE)
    first.acquire()
    again = world.lease("me", ALIVE)
    assert again.acquire() is True and again.holder == first.holder
    assert world.stored["spec"]["leaseTransitions"] == 0


def test_released_lease_is_free(world: World) -> None:
    """At once, for anybody, and it tells of no process."""
    lease = world.lease("me", ALIVE)
    lease.acquire()
    assert lease.release() is True and lease.release() is False
    assert world.holder == "" and PROCESS not in world.stored["metadata"]["annotations"]
    state = lease.state()
    assert state is not None and (state.holder, state.expired) == ("", False)
    assert world.lease("other").acquire() is False
    with pytest.raises(LeaseLostError):
        lease.renew()


def test_holder_without_run_stands_for_each_of_its_runs(world: World) -> None:
    """For a person who names only himself; but nobody is not a holder."""
    world.lease("me").acquire()
    world.lease("me").renew()
    with pytest.raises(LeaseLostError):
        world.lease("m").renew()
    with pytest.raises(LeaseLostError):
        world.lease("").renew()
    assert world.lease("me").release() is True


def test_lease_that_a_person_has_deleted_is_lost(world: World) -> None:
    """That is one way to stop a run."""
    lease = world.lease("me")
    lease.acquire()
    del world.api.store.objects[PATH]
    with pytest.raises(LeaseLostError, match="held by nobody now"):
        lease.renew()
    assert lease.release() is False and lease.state() is None


def _interfere(world: World, holder: str, times: int) -> None:
    """Somebody else writes between our read and our write."""
    left = [times]

    def write(request: Any) -> None:
        if request.method == "PATCH" and left[0] > 0:
            left[0] -= 1
            stored = world.api.store.add(PATH.rpartition("/")[0], world.stored)
            stored["spec"]["holderIdentity"] = holder or stored["spec"]["holderIdentity"]

    world.api.before_request = write


def test_race_for_a_free_lease_has_one_winner(world: World) -> None:
    """The one that reads before the other writes is refused by the resourceVersion, looks again and refuses."""
    lease = world.lease("me")
    lease.acquire()
    lease.release()
    _interfere(world, "faster", 1)
    with pytest.raises(RefusedError, match="faster holds the Lease"):
        world.lease("slower").acquire()
    assert world.holder == "faster"


def test_race_to_create_it_has_one_winner(world: World) -> None:
    """The same for a Lease that is not there yet."""

    def create(request: Any) -> None:
        if request.method == "POST" and PATH not in world.api.store.objects and "dryRun" not in request.params:
            world.api.before_request = lambda request: None
            world.lease("faster").acquire()

    world.api.before_request = create
    with pytest.raises(RefusedError, match=r"faster #\w+ holds"):
        world.lease("slower").acquire()


@pytest.mark.parametrize("act", ["renew", "release"])
def test_harmless_writes_of_others_do_not_end_a_run(world: World, act: str) -> None:
    """A label that somebody adds."""
    lease = world.lease("me")
    lease.acquire()
    _interfere(world, "", 2)
    getattr(lease, act)()
    assert world.holder == (lease.holder if act == "renew" else "")


def test_endless_interference_is_one_sentence(world: World) -> None:
    """Nobody may hold on to the lock by writing into it."""
    lease = world.lease("me")
    lease.acquire()
    _interfere(world, "", 99)
    with pytest.raises(LeaseLostError, match="somebody writes into it"):
        lease.renew()
    with pytest.raises(RefusedError, match="again and again"):
        world.lease(lease.holder).acquire()


@pytest.mark.parametrize("act", ["renew", "release"])
def test_restart_of_the_api_server_is_waited_for(world: World, act: str) -> None:
    """Also when a write was done and only its answer was lost."""
    lease = world.lease("me")
    lease.acquire()
    world.api.faults = [Fault("PATCH", "/leases/", 503, status_body(503, "ServiceUnavailable", "starting"), times=3)]
    world.api.faults.append(Fault("PATCH", "/leases/", 0, after=True))
    getattr(lease, act)()
    assert world.holder == (lease.holder if act == "renew" else "")


def test_api_server_that_stays_away(world: World) -> None:
    """Then the run cannot know whether it has the lock."""
    lease = world.lease("me")
    lease.acquire()
    world.api.faults = [Fault("PATCH", "/leases/", 503, status_body(503, "ServiceUnavailable", "down"), times=999)]
    with pytest.raises(WaitTimeoutError, match="Lease of the run is renewed"):
        lease.renew()
    assert world.fast.seconds >= 90
    with pytest.raises(ApiError, match="down"):
        lease.renew(patience=0)


def test_who_may_only_read_learns_the_holder(world: World) -> None:
    """Whether it is expired needs a dry run, which needs a permission."""
    world.lease("me").acquire()
    state = world.lease("").state()
    assert state is not None and state.expired is False and state.expires == "2026-11-01T01:05:00Z"
    world.api.faults = [Fault("POST", "/leases$", 403, status_body(403, "Forbidden", "no"), times=9)]
    state = world.lease("").state()
    assert state is not None and state.expired is None and state.holder == world.holder
    world.api.faults = [Fault("POST", "/leases$", 400, status_body(400, "BadRequest", "no dry run"), times=9)]
    with pytest.raises(ApiError, match="no dry run"):
        world.lease("").state()


def test_damaged_annotation_and_missing_duration(world: World) -> None:
    """What a person left there makes it no younger and no older."""
    world.lease("me", ALIVE).acquire()
    world.stored["metadata"]["annotations"][PROCESS] = "nonsense"
    del world.stored["spec"]["leaseDurationSeconds"]
    world.fast.seconds = 299
    with pytest.raises(RefusedError, match="under way"):
        world.lease("other").acquire(take_over=True)
    world.fast.seconds = 301
    world.lease("other").acquire(take_over=True)


# -- renewing while something waits ------------------------------------------------------------------------------------


def renewals(world: World) -> int:
    """How often the Lease was written."""
    return world.api.count("PATCH", "/leases/")


def test_heartbeat_renews_at_most_every_fifth(world: World) -> None:
    """However often it is called."""
    lease = world.lease("me", seconds=300)
    lease.acquire()
    beat = Heartbeat(lease, clock=world.fast.clock())
    for second in range(300):
        world.fast.seconds = second
        beat()
    assert renewals(world) == 5


def test_lost_lease_ends_a_wait(world: World) -> None:
    """Within a fifth of its time, whatever is waited for."""
    lease = world.lease("me", seconds=300)
    lease.acquire()
    beat = Heartbeat(lease, clock=world.fast.clock())

    def probe() -> Pending:
        if world.fast.seconds > 100:
            world.stored["spec"]["holderIdentity"] = "other"
        return Pending("not yet")

    with pytest.raises(LeaseLostError, match="held by other now"):
        wait_for("something", probe, timeout=600, clock=world.fast.clock(), heartbeat=beat)
    assert 100 < world.fast.seconds <= 161


def test_heartbeat_bears_an_outage_shorter_than_the_lease(world: World) -> None:
    """It tries again at its next call, and says so when the Lease may be expired."""
    lease = world.lease("me", seconds=100)
    lease.acquire()
    beat = Heartbeat(lease, clock=world.fast.clock())
    beat()
    world.api.faults = [Fault("PATCH", "/leases/", 503, status_body(503, "ServiceUnavailable", "down"), times=999)]
    world.fast.seconds = 30
    beat()
    world.fast.seconds = 99
    beat()
    world.fast.seconds = 100
    with pytest.raises(ApiError, match="down"):
        beat()
    world.api.faults = []
    beat()
    assert renewals(world) > 1


def test_heartbeat_does_not_hide_what_does_not_pass(world: World) -> None:
    """A permission that was taken away."""
    lease = world.lease("me", seconds=100)
    lease.acquire()
    beat = Heartbeat(lease, clock=world.fast.clock())
    beat()
    world.api.faults = [Fault("PATCH", "/leases/", 403, status_body(403, "Forbidden", "no"), times=9)]
    world.fast.seconds = 30
    with pytest.raises(ApiError, match="No permission"):
        beat()
