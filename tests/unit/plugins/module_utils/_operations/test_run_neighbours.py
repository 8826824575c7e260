"""Runs of different kinds keep apart: whenever two start, never do both begin, and what is in the way is named."""

from __future__ import annotations

import datetime
import itertools
import random
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, status_body
from unit.fake_api.store import Store

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import maintenance_run
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.refusals_other_runs import other_runs
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import (
    ALONE,
    CILIUM_RUN,
    CLEAN_UPS,
    NODE_RUNS,
    RUNS,
    UNDO_RUN,
    in_the_way,
    not_beside,
)

NAMESPACE = "kube-system"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
JOURNALS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
PAIRS = [(one, other) for one, other in itertools.combinations(sorted(RUNS), 2) if other in not_beside(one)]
SEED = 11


# -- which keep apart --------------------------------------------------------------------------------------------------


def test_each_looks_for_all_that_look_for_it() -> None:
    """Else the one that takes its Lease later might not see the other one."""
    for one, other in itertools.product(RUNS, RUNS):
        assert (other in not_beside(one)) == (one in not_beside(other)) and one not in not_beside(one)


def test_which_may_be_under_way_together() -> None:
    """Clean-ups of different kinds, and as stages of recover_identities, which holds the lock of Cilium."""
    apart = {frozenset(pair) for pair in PAIRS}
    together = {frozenset(pair) for pair in itertools.combinations(RUNS, 2)} - apart
    beside = {*CLEAN_UPS, CILIUM_RUN}
    assert together == {*map(frozenset, itertools.combinations(beside, 2)), frozenset({UNDO_RUN, CILIUM_RUN})}
    assert not_beside("of-somebody") == frozenset()


# -- two that start at the same moment ---------------------------------------------------------------------------------


class Stepped(KubeClient):
    """Requests to the store of the fake API; those that the other run could notice, or that notice it, wait for their turn."""

    def __init__(self, store: Store, own: str, other: str) -> None:
        self._store = store
        self._matters = (f"podnet-upkeep-{own}", f"podnet-upkeep-{other}")
        self.asks, self.may = threading.Semaphore(0), threading.Semaphore(0)

    def request(self, method: str, path: str, *, params: Any = None, body: Any = None, **_more: Any) -> dict[str, Any]:
        """One request."""
        name = path.rsplit("/", 1)[-1] if method != "POST" else body["metadata"].get("name")
        if name in self._matters:
            self.asks.release()
            self.may.acquire()
        answer = self._store.handle(method, path, params or {}, body)
        if answer.status >= 400:
            raise ApiError(answer.body["message"], status=answer.status, method=method, path=path)
        found: dict[str, Any] = answer.body
        return found


class Starting:
    """A run that starts in a thread, one request at a time."""

    def __init__(self, store: Store, own: str, other: str) -> None:
        self.run = MaintenanceRun(client := Stepped(store, own, other), RunOptions(own, NAMESPACE, f"{own}@here"))
        self.holder, self.refused, self.error = "", "", None
        self.over = False
        self._client = client
        self._thread = threading.Thread(target=self._start, daemon=True)
        self._thread.start()
        self._client.asks.acquire()

    def _start(self) -> None:
        try:
            self.holder = self.run.start()["holder"]
        except RefusedError as error:
            self.refused = str(error)
        except BaseException as error:  # noqa: BLE001 (told by the test's own thread)
            self.error = error
        self.over = True
        self._client.asks.release()

    def step(self) -> None:
        """One request, and what follows until the next one."""
        if not self.over:
            self._client.may.release()
            self._client.asks.acquire()

    def to_its_end(self) -> None:
        """All requests that are left."""
        while not self.over:
            self.step()
        self._thread.join()
        if self.error is not None:
            raise self.error


def start_two(one: str, other: str, turns: Iterable[int]) -> list[Starting]:
    """Both start, and make their requests in these turns; what is left of the first one, then of the second one."""
    store = Store()
    both = [Starting(store, one, other), Starting(store, other, one)]
    for turn in turns:
        both[turn].step()
    for run in both:
        run.to_its_end()
    begun = [run for run in both if run.holder]
    assert len(begun) < 2, f"{one} and {other} have both begun"
    held = [path for path, found in store.objects.items() if (found.get("spec") or {}).get("holderIdentity")]
    assert held == [f"{LEASES}/{run.run._lease.name}" for run in begun]  # whoever was refused has given its own back
    for run in both:
        assert run.holder or run.refused.startswith("The run does not start, and nothing was changed: "), run.refused
        assert run.holder or "@here #" in run.refused  # by the name of the one that holds it
    if not begun:  # both were refused: the next try is not
        again = MaintenanceRun(plain(store), RunOptions(one, NAMESPACE, "me"))
        assert again.start()["holder"]
    return both


def plain(store: Store) -> KubeClient:
    """A client of which nothing waits."""
    return Stepped(store, " ", " ")


def steps_of(one: str, other: str) -> int:
    """How many requests a start has at which the other one matters."""
    run = Starting(Store(), one, other)
    found = 0
    while not run.over:
        run.step()
        found += 1
    return found


WORST = [("clean-identities", "undo-deletions"), ("clean-endpoints", "retire-nodes"), ("maintain-kvstore", "cilium")]


@pytest.mark.parametrize(("one", "other"), WORST)
def test_never_do_both_begin(one: str, other: str) -> None:
    """One stops at each of its requests, the other one goes on to each of its own, and then one by one, or by turns."""
    outcomes = set()
    for first, second in ((one, other), (other, one)):
        for mine in range(steps_of(first, second) + 1):
            for theirs in range(steps_of(second, first) + 1):
                for rest in ([], [0, 1] * 20):
                    both = start_two(first, second, [0] * mine + [1] * theirs + rest)
                    outcomes.add(sum(bool(run.holder) for run in both))
    assert outcomes == {0, 1}  # when each has its own before the other one looks, both are refused


def shuffled(one: str, other: str, generator: random.Random) -> list[int]:
    """Turns in any order."""
    turns = [0] * steps_of(one, other) + [1] * steps_of(other, one)
    generator.shuffle(turns)
    return turns


def test_never_do_both_begin_of_any_two() -> None:
    """Whatever their kinds and their turns."""
    generator = random.Random(SEED)
    for one, other in PAIRS:
        for _ in range(12):
            start_two(one, other, shuffled(one, other, generator))


def test_without_the_second_look_both_would_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the tests above can fail."""
    looked: set[str] = set()

    def once(client: KubeClient, own: str, namespace: str) -> str:
        if own in looked:
            return ""
        looked.add(own)
        return in_the_way(client, own, namespace)

    monkeypatch.setattr(maintenance_run, "in_the_way", once)
    one, other = WORST[0]
    with pytest.raises(AssertionError, match="have both begun"):
        for mine in range(10):
            looked.clear()
            start_two(one, other, [0] * mine + [1] * 20)


# -- what is in the way ------------------------------------------------------------------------------------------------


def lease(kind: str, holder: str, age: int = 0) -> dict[str, Any]:
    """A Lease that is valid for five minutes and was last written `age` seconds ago."""
    written = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
    stamp = written.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {
        "name": f"podnet-upkeep-{kind}",
        "labels": {"app.kubernetes.io/managed-by": "podnet.upkeep"},
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [{"manager": "test", "operation": "Update", "time": stamp}],
    }
    return {"metadata": metadata, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 300, "acquireTime": stamp}}


def journal(kind: str, **data: str) -> dict[str, Any]:
    """What a run has written about itself."""
    return {"metadata": {"name": f"podnet-upkeep-{kind}"}, "data": data}


def start(api: FakeApi, own: str, **options: Any) -> dict[str, Any]:
    """Start a run of this kind."""
    return MaintenanceRun(KubeClient.from_options(api.options), RunOptions(own, NAMESPACE, "me", **options)).start()


def writes(api: FakeApi) -> list[str]:
    """Requests that are not only read."""
    return [f"{one.method} {one.path}" for one in api.requests if one.method != "GET" and "dryRun" not in one.params]


@pytest.fixture
def fresh() -> Iterator[FakeApi]:
    """An empty cluster."""
    with FakeApi() as running:
        yield running


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize(
    ("own", "other"), [PAIRS[0], PAIRS[0][::-1], PAIRS[-1], ("clean-identities", "undo-deletions")]
)
def test_who_is_in_the_way_is_named(fresh: FakeApi, own: str, other: str, check_mode: bool) -> None:
    """And nothing is written, not even the own Lease; in check mode neither."""
    fresh.store.add(LEASES, lease(other, "ann@bastion 1f #2"))
    words = f"^The run does not start, and nothing was changed: ann@bastion 1f #2 holds the Lease {NAMESPACE}/podnet-upkeep-{other} of another run since 2"
    with pytest.raises(RefusedError, match=words):
        start(fresh, own, check_mode=check_mode)
    assert writes(fresh) == []


def test_check_mode_takes_nothing(fresh: FakeApi) -> None:
    """Where nobody is in the way."""
    assert start(fresh, "clean-identities", check_mode=True)["changed"] and writes(fresh) == []


@pytest.mark.parametrize("after_own", [False, True], ids=["before its own", "when it has its own"])
def test_who_may_not_look_does_not_begin(fresh: FakeApi, after_own: bool) -> None:
    """Nobody knows who is there then; the own Lease is given back."""
    body = status_body(403, "Forbidden", "no")

    def forbid(request: Any) -> None:
        if request.method == "POST" and request.path == LEASES:
            fresh.faults = [Fault("GET", "podnet-upkeep-retire-nodes", 403, body)]

    if after_own:
        fresh.before_request = forbid
    else:
        fresh.faults = [Fault("GET", "podnet-upkeep-retire-nodes", 403, body)]
    with pytest.raises(ApiError, match="No permission to get leases"):
        start(fresh, "clean-identities")
    held = fresh.store.objects.get(f"{LEASES}/podnet-upkeep-clean-identities", {}).get("spec", {})
    assert not held.get("holderIdentity") and fresh.count("POST", "configmaps") == 0


BEGUN = '{"holder": "ann@bastion", "result": ""}'


@pytest.mark.parametrize(
    ("own", "other", "data", "waits"),
    [
        ("clean-identities", "retire-nodes", {"run": BEGUN}, True),
        ("clean-identities", "retire-nodes", {"run": BEGUN.replace('""', '"finished"')}, False),
        ("clean-identities", "retire-nodes", {"run": "["}, True),
        ("clean-identities", "retire-nodes", {"run": "{}", "node.w1": '{"node": "w1", "step": "deleted"}'}, True),
        ("clean-identities", "retire-nodes", None, False),
        ("undo-deletions", "clean-identities", {"run": BEGUN}, True),
        ("stress-identities", "cilium", {"run": BEGUN}, True),
        ("retire-nodes", "reassign-pod-cidrs", {"run": BEGUN}, True),
        ("retire-nodes", "clean-identities", {"run": BEGUN}, False),
        ("reassign-pod-cidrs", "retire-nodes", {"run": BEGUN}, False),
        ("maintain-kvstore", "cilium", {"run": BEGUN}, False),
    ],
)
def test_a_run_that_died(fresh: FakeApi, own: str, other: str, data: dict[str, str] | None, waits: bool) -> None:
    """It is in the way when it has left something, of those that have always waited for it."""
    fresh.store.add(LEASES, lease(other, "ann@bastion", age=400))
    if data is not None:
        fresh.store.add(JOURNALS, journal(other, **data))
    begin: Callable[[], Any] = lambda: start(fresh, own)  # noqa: E731
    if not waits:
        assert begin()["holder"]
        return
    with pytest.raises(
        RefusedError, match=f"holds the Lease {NAMESPACE}/podnet-upkeep-{other} of another run, which was int"
    ):
        begin()
    assert writes(fresh) == []


def test_two_that_were_killed_between_lease_and_journal_do_not_wait_for_each_other(fresh: FakeApi) -> None:
    """Neither has done anything."""
    for kind in ("stress-identities", "clean-identities"):
        fresh.store.add(LEASES, lease(kind, "ann@bastion", age=400))
    assert start(fresh, "clean-identities", take_over=True)["holder"]


def test_a_list_of_leases_is_enough_to_see_others(fresh: FakeApi) -> None:
    """Whoever may list them need not be allowed to get each."""
    fresh.store.add(LEASES, lease("cilium", "ann@bastion"))
    fresh.faults = [Fault("GET", "/leases/", 403, status_body(403, "Forbidden", "no"), times=99)]
    (found,) = other_runs(KubeClient.from_options(fresh.options), "maintain-kvstore", NAMESPACE)
    assert found.reason.startswith("ann@bastion holds the Lease")


def test_kinds_are_told_in_the_documentation_of_the_module() -> None:
    """The table and its words go together."""
    from ansible_collections.podnet.upkeep.plugins.modules.maintenance_run import DOCUMENTATION

    assert not [kind for kind in RUNS if f"V({kind})" not in DOCUMENTATION]
    assert ALONE > NODE_RUNS
