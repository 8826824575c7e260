"""One run from its start to its end, against a fake API: what lets it go on and what stops it."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    InputError,
    RefusedError,
    WaitTimeoutError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import maintenance_run, run_health
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import JournalError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import LeaseLostError

from .conftest import FastClock

Run = Callable[..., MaintenanceRun]
NAMESPACE = "namespaces/kube-system"
LEASE = f"/apis/coordination.k8s.io/v1/{NAMESPACE}/leases/podnet-upkeep-test"
CONFIG_MAP = f"/api/v1/{NAMESPACE}/configmaps/podnet-upkeep-test"
START = datetime.datetime(2026, 11, 1, 1, 0, tzinfo=datetime.UTC)


@pytest.fixture
def run(api: FakeApi, client: KubeClient, fast: FastClock, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Makes a run; time passes only when somebody sleeps."""

    def now() -> datetime.datetime:
        return START + datetime.timedelta(seconds=fast.seconds)

    api.store.now = now
    monkeypatch.setattr(maintenance_run, "_now", now)

    def make(holder: str = "me", **options: Any) -> MaintenanceRun:
        given = RunOptions("test", "kube-system", holder, **options)
        return MaintenanceRun(client, given, clock=fast.clock())

    return make


def writes(api: FakeApi) -> list[str]:
    """Requests that are not only read."""
    return [f"{one.method} {one.path}" for one in api.requests if one.method != "GET" and "dryRun" not in one.params]


def data(api: FakeApi) -> dict[str, str]:
    """The ConfigMap's data."""
    stored: dict[str, str] = api.store.objects[CONFIG_MAP]["data"]
    return stored


def test_whole_way(api: FakeApi, run: Run) -> None:
    """Started, asked, recorded, finished; the lock is free then, and the journal stays with the result."""
    started = run(plan={"nodes": ["w1"]}, plan_digest="sha256:1").start()
    assert started["changed"] and not started["resumed"] and started["may_continue"]
    assert started["journal"]["run"]["plan"] == {"nodes": ["w1"]} and started["holder"].startswith("me #")
    mine = run(started["holder"])
    assert mine.checkpoint()["may_continue"]
    recorded = mine.record("w1", {"step": "deleted"})
    assert recorded["unfinished_nodes"] == ["w1"] and recorded["changed"]
    mine.record("w1", {"step": "completed"})
    ended = mine.end("finished")
    assert ended["changed"] and ended["unfinished_nodes"] == [] and ended["journal"]["run"]["result"] == "finished"
    assert not mine.end("finished")["changed"]
    info = run("").info()
    assert info["holder"] == "" and info["journal"]["run"]["result"] == "finished" and info["expired"] is False


def test_second_run_is_refused_and_reads_only(api: FakeApi, run: Run) -> None:
    """In check mode as well."""
    run("me").start()
    done = len(writes(api))
    for check_mode in (False, True):
        with pytest.raises(RefusedError, match=r"me #\w+ holds the Lease"):
            run("other", check_mode=check_mode).start()
    assert len(writes(api)) == done


def test_check_mode_writes_nothing(api: FakeApi, run: Run, fast: FastClock) -> None:
    """In every state."""
    checked = run(check_mode=True)
    assert checked.start()["changed"] and checked.checkpoint()["may_continue"]
    assert checked.record("w1", {"step": "deleted"})["changed"]
    checked.end("finished")
    checked.info()
    assert writes(api) == []
    holder = run().start()["holder"]
    done = len(writes(api))
    checked = run(holder, check_mode=True)
    checked.checkpoint(), checked.record("w1", {"step": "deleted"}), checked.end("stopped")
    assert len(writes(api)) == done


def test_interrupted_run_is_gone_on_with_elsewhere(api: FakeApi, run: Run, fast: FastClock) -> None:
    """After its Lease is expired, on request; what it had begun is told, and it may not write any more."""
    first = run("me", plan_digest="d1").start()["holder"]
    run(first).record("w1", {"step": "deleted"})
    fast.seconds = 301
    with pytest.raises(RefusedError, match="take_over"):
        run("other").start()
    second = run("other", take_over=True, plan_digest="d2").start()
    assert second["resumed"] and second["unfinished_nodes"] == ["w1"]
    assert second["journal"]["run"]["resumes"] == {
        "holder": first,
        "started": "2026-11-01T01:00:00+00:00",
        "plan_digest": "d1",
    }
    for act in (lambda: run(first).record("w1", {"step": "x"}), lambda: run(first).checkpoint()):
        with pytest.raises(LeaseLostError, match="held by other"):
            act()
    assert not run(first).end("stopped")["changed"]
    assert run("").info()["holder"] == second["holder"]
    assert data(api)["node.w1"].count("deleted") == 1


def test_report_of_a_run_that_goes_on_tells_of_both(run: Run, fast: FastClock) -> None:
    """Killed behind its first Node, and again behind the second; the run after the end knows nothing of them any more."""
    for node in ("w1", "w2"):
        holder = run(take_over=True).start()["holder"]
        run(holder).record(node, {"step": "completed", "old_uid": f"u{node}"})
        fast.seconds += 301
    holder = run(take_over=True).start()["holder"]
    told = run("").info()["journal"]["nodes"]
    assert sorted(told) == ["w1", "w2"] and run("").info()["unfinished_nodes"] == []
    run(holder).end("finished")
    assert run().start()["journal"]["nodes"] == {}


def test_who_may_act_on_a_host(api: FakeApi, run: Run, fast: FastClock) -> None:
    """Who has the Lease, and only on the Node that was meant; the journal is needed by nobody in the middle of a Node."""
    holder = run("me").start()["holder"]
    uid = api.store.add("/api/v1/nodes", {"metadata": {"name": "w1"}})["metadata"]["uid"]
    fast.seconds = 200
    run(holder, lease_seconds=900).hold("w1", uid)
    assert api.store.objects[LEASE]["spec"]["leaseDurationSeconds"] == 900
    with pytest.raises(RefusedError, match=rf"Node w1 \(uid u0\) has uid {uid} now: somebody has deleted it meanwhile"):
        run(holder).hold("w1", "u0")
    with pytest.raises(RefusedError, match=r"Node w2 .* is gone"):
        run(holder).hold("w2", "u2")
    known = api.store.objects.pop(CONFIG_MAP)
    run(holder).hold("w1", uid)
    api.store.objects[CONFIG_MAP] = known
    data(api)["run"] = json.dumps({"holder": "other #00000000"})
    with pytest.raises(RefusedError, match="is the journal of another run"):
        run(holder).hold()
    api.store.objects[LEASE]["spec"]["holderIdentity"] = "other #00000000"
    done = len(writes(api))
    with pytest.raises(LeaseLostError, match="is held by other #00000000 now") as lost:
        run(holder).hold("w1", uid)
    assert lost.value.details()["held_by"] == "other #00000000"
    run(holder, check_mode=True).hold("w1", "u0")
    assert len(writes(api)) == done


def test_stop_switch(api: FakeApi, run: Run) -> None:
    """Before the next Node, not in the middle of one; and nothing is begun until it is taken back."""
    mine = run(run().start()["holder"])
    data(api)["stop"] = "true"
    assert mine.record("w1", {"step": "deleted"})["changed"]
    asked = mine.checkpoint()
    assert not asked["may_continue"] and asked["reason"].startswith(
        "The switch stop is set in the ConfigMap kube-system/"
    )
    mine.end("stopped")
    with pytest.raises(RefusedError, match="Whoever set it takes it back: `kubectl -n kube-system patch configmap"):
        run().start()
    assert run("").info()["holder"] == ""
    data(api)["stop"] = "false"
    assert run().start()["resumed"]


def test_switch_that_is_set_while_the_lock_is_taken(api: FakeApi, run: Run) -> None:
    """The lock is given back."""
    run().start()
    run().end("finished")

    def set_it(request: Any) -> None:
        if request.method == "PATCH" and "/leases/" in request.path:
            data(api)["stop"] = "true"

    api.before_request = set_it
    with pytest.raises(RefusedError, match="switch stop"):
        run().start()
    assert run("").info()["holder"] == ""


def test_end_of_the_window(run: Run, fast: FastClock) -> None:
    """Before the next Node, not in the middle of one; the next run has its own."""
    mine = run(run(window_end="2026-11-01T02:00:00Z").start()["holder"])
    fast.seconds = 3599
    assert mine.checkpoint()["may_continue"]
    fast.seconds = 3600
    assert mine.record("w1", {"step": "deleted"})["changed"]
    assert mine.checkpoint()["reason"] == "The window ended at 2026-11-01T02:00:00+00:00."
    mine.end("stopped")
    assert run().start()["may_continue"]


@pytest.mark.parametrize("text", ["26:00", "2026-11-01T00:00:00Z"])
def test_window_that_is_none_takes_no_lock(api: FakeApi, run: Run, text: str) -> None:
    """Bad input changes nothing."""
    with pytest.raises(InputError, match="window_end"):
        run(window_end=text).start()
    assert writes(api) == []


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda api: api.store.objects.pop(CONFIG_MAP), "Somebody has deleted the journal of this run"),
        (lambda api: data(api).pop("run"), "Somebody has deleted the journal of this run"),
        (lambda api: data(api).update(run="x"), "Key run of the ConfigMap"),
        (lambda api: data(api).update({"node.w9": "["}), "Key node.w9 of the ConfigMap"),
        (lambda api: data(api).update(run='{"holder": "other"}'), "is the journal of another run"),
        (lambda api: data(api).update(run='{"holder": "me", "window_end": "soon"}'), "is no time: 'soon'"),
    ],
)
def test_journal_that_a_person_has_damaged(
    api: FakeApi, run: Run, damage: Callable[[FakeApi], Any], reason: str
) -> None:
    """The Node that is under way is brought to its end, no other is begun, and the lock is given back."""
    mine = run(run().start()["holder"])
    mine.record("w1", {"step": "deleted"})
    damage(api)
    assert mine.record("w1", {"step": "precreated"})["changed"]
    asked = mine.checkpoint()
    assert not asked["may_continue"] and reason in asked["reason"]
    assert "w1" in asked["unfinished_nodes"]
    mine.end("stopped")
    assert run("").info()["holder"] == ""


def test_damaged_journal_is_not_begun_with(api: FakeApi, run: Run) -> None:
    """A Node may be out of service that it does not show any more."""
    run().start()
    run().end("finished")
    data(api)["node.w1"] = "{"
    done = len(writes(api))
    with pytest.raises(JournalError, match="correct it, or delete it when its Node is in service"):
        run().start()
    assert len(writes(api)) == done and run("").info()["reason"].startswith("Key node.w1")


def test_lock_is_given_back_when_the_journal_cannot_be_written(api: FakeApi, run: Run) -> None:
    """Else the next try would have to wait for nothing."""
    api.faults = [Fault("POST", "/configmaps$", 403, status_body(403, "Forbidden", "no"))]
    with pytest.raises(ApiError, match="No permission"):
        run().start()
    assert run("").info()["holder"] == ""


@pytest.mark.parametrize("act", ["checkpoint", "record", "end"])
def test_restart_of_the_api_server_is_waited_for(api: FakeApi, run: Run, act: str) -> None:
    """Whichever request meets it."""
    holder = run().start()["holder"]
    mine = run(holder)
    acts: dict[str, Callable[[], Any]] = {
        "checkpoint": mine.checkpoint,
        "record": lambda: mine.record("w1", {"step": "deleted"}),
        "end": lambda: mine.end("finished"),
    }
    for path in ("/leases/", "/configmaps/"):
        body = status_body(503, "ServiceUnavailable", "starting")
        api.faults.append(Fault("PATCH", path, 503, body, times=2))
    acts[act]()
    assert run("").info()["holder"] == ("" if act == "end" else holder)


def test_api_server_that_stays_away_ends_the_run(api: FakeApi, run: Run) -> None:
    """After some patience."""
    mine = run(run().start()["holder"])
    api.faults = [Fault("PATCH", "/leases/", 503, status_body(503, "ServiceUnavailable", "down"), times=999)]
    with pytest.raises(WaitTimeoutError, match="Lease of the run"):
        mine.checkpoint()


HEALTHY = {"workloads": {"Deployment default/web": "u1"}, "budgets": {}, "nodes": ["w1"], "critical": []}


def test_run_that_was_killed_behind_its_last_node_is_found_and_ended(api: FakeApi, run: Run, fast: FastClock) -> None:
    """The same holder learns of it as soon as nobody lives who has the Lease; after its end there is nothing left."""
    run(healthy=HEALTHY).start()
    first = run("me")
    assert not first.info()["abandoned"], "it may live"
    fast.seconds += 301
    assert not run("you").info()["abandoned"], "it is another's"
    assert run("you", take_over=True).info()["abandoned"]
    assert first.info()["abandoned"]
    again = run(healthy={**HEALTHY, "nodes": []}).start()
    assert again["interrupted"] and again["healthy"] == HEALTHY and not again["resumed"]
    assert run(again["holder"]).info()["abandoned"] is False
    assert run(again["holder"]).end("finished")["changed"]
    assert run("me").info()["abandoned"] is False and "healthy" not in data(api)["run"]


@pytest.mark.parametrize("left", ["unfinished", "stop", "damaged", "result"], ids=lambda left: left)
def test_what_is_not_to_be_ended_by_anybody(api: FakeApi, run: Run, fast: FastClock, left: str) -> None:
    """A Node is out of service, a person has stopped runs, a key cannot be read; nor a run that has its result and no lock."""
    started = run(healthy=HEALTHY).start()
    mine = run(started["holder"])
    if left == "unfinished":
        mine.record("w1", {"step": "deleted"})
    elif left == "stop":
        data(api)["stop"] = "true"
    elif left == "damaged":
        data(api)["node.w1"] = "["
    else:
        mine.end("stopped")
    fast.seconds += 301
    assert run("me").info()["abandoned"] is False


def test_lease_and_result_that_a_kill_has_parted(api: FakeApi, run: Run, fast: FastClock) -> None:
    """The result is written and the Lease still held, or the Lease is free and there is no result: both are ended."""
    started = run(healthy=HEALTHY).start()
    mine = run(started["holder"])
    lease = dict(api.store.objects[LEASE]["spec"])
    mine.end("finished")
    api.store.objects[LEASE]["spec"] = lease
    fast.seconds += 301
    assert run("me").info()["abandoned"] is True
    second = run(healthy=HEALTHY).start()
    assert second["interrupted"] is False
    api.store.objects[LEASE]["spec"]["holderIdentity"] = ""
    assert run("me").info()["abandoned"] is True and run("you").info()["abandoned"] is False
    third = run().start()
    assert third["interrupted"] and run(third["holder"]).end("finished")["changed"]
    assert run("me").info()["abandoned"] is False


def test_new_run_notes_its_own_health(api: FakeApi, run: Run) -> None:
    """After a run that came to its end what it noted does not count; what nobody can read neither."""
    run(run(healthy=HEALTHY).start()["holder"]).end("stopped")
    other = {**HEALTHY, "nodes": ["w2"]}
    second = run(healthy=other).start()
    assert not second["interrupted"] and second["healthy"] == other
    assert "healthy" not in second["journal"]["run"]
    api.store.objects[LEASE]["spec"]["holderIdentity"] = ""
    known = json.loads(data(api)["run"])
    data(api)["run"] = json.dumps({**known, "healthy": "bm90IGd6aXA="})
    assert run(healthy=HEALTHY).start()["healthy"] == HEALTHY


def test_health_of_a_huge_cluster_is_left_out() -> None:
    """The journal has to stay below what the API server takes."""
    names = {f"Deployment default/w{number}": str(uuid.uuid4()) for number in range(20_000)}
    assert run_health.pack({**HEALTHY, "workloads": names}) == ""
    few = {**HEALTHY, "workloads": dict(list(names.items())[:5000])}
    assert run_health.unpack(run_health.pack(few)) == few
    assert run_health.unpack("") == run_health.unpack("AAAA") == run_health.unpack("*") == {}
