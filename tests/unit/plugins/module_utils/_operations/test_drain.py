"""The drain against a fake API: what it waits for, what it gives up on, and what it says about each pod."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from unit.fake_api import FakeApi, Fault, Request, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import (
    ApiError,
    InputError,
    RefusedError,
    WaitTimeoutError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import (
    Drain,
    DrainError,
    DrainOptions,
    DrainRefusedError,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import FilterOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import LeaseLostError

from .conftest import PODS, FastClock, bound_pod

OPTIONS = DrainOptions(filters=FilterOptions(ignore_daemonsets=True), timeout=30, retry_interval=2)


def drain(client: KubeClient, fast: FastClock, options: DrainOptions = OPTIONS) -> Drain:
    """The drain of w1."""
    return Drain(client, "w1", options, clock=fast.clock())


def test_plan_writes_nothing(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Reads only."""
    api.store.add(PODS, bound_pod("web-0"))
    plan = drain(client, fast).plan()
    assert [decision.reference for decision in plan.removals] == ["default/web-0"]
    assert {request.method for request in api.requests} == {"GET"}


def test_pods_go_and_daemonset_pods_stay(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Each eviction carries the uid that was seen."""
    for name in ("web-0", "web-1"):
        api.store.add(PODS, bound_pod(name))
    api.store.add(PODS, bound_pod("agent", "DaemonSet"))
    api.store.add(PODS, bound_pod("elsewhere", node_name="w2"))
    results = {one.decision.name: one.result for one in drain(client, fast).run()}
    assert results == {"agent": "kept", "web-0": "gone", "web-1": "gone"}
    evictions = [request.body for request in api.requests if request.path.endswith("/eviction")]
    assert all(body["deleteOptions"]["preconditions"]["uid"] for body in evictions)
    assert sorted(path.rsplit("/", 1)[1] for path in api.store.objects if path.startswith(PODS)) == [
        "agent",
        "elsewhere",
    ]


def test_budget_is_waited_for_and_named_on_timeout(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """429 is asked again; when the time is over, the sentence has the budget and its numbers."""
    api.store.add(PODS, bound_pod("web-0", app="web"))
    api.store.disruptions_allowed["web"] = 0
    with pytest.raises(
        DrainError, match="default/web-0 waits: The disruption budget web needs 3 healthy pods"
    ) as caught:
        drain(client, fast).run()
    waiting = caught.value.details()["pods"][0]
    assert waiting["result"] == "waiting"
    assert waiting["budget"] == {"name": "web", "healthy_needed": 3, "healthy": 3}
    assert api.count("POST", "eviction") > 5
    before = api.count("POST", "eviction")

    def recover() -> None:
        api.store.disruptions_allowed["web"] = 1

    fast.on_sleep = recover
    done = drain(client, fast).run()[0]
    assert done.result == "gone" and done.detail == "" and api.count("POST", "eviction") == before + 2
    assert done.budget is not None and done.budget["name"] == "web"


def test_plan_says_what_an_eviction_would_be_answered(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Each pod with the budget that holds it up now; kubectl's warnings; decisions also where the drain is refused."""
    api.store.add(PODS, bound_pod("web-0", app="web"))
    api.store.add(PODS, bound_pod("agent", "DaemonSet"))
    budget = {
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": 0, "currentHealthy": 3, "desiredHealthy": 3},
    }
    api.store.add("/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    plan = drain(client, fast).plan()
    agent, web = (outcome.to_dict() for outcome in plan.outcomes())
    assert agent["result"] == "kept" and agent["budget"] is None
    assert web["result"] == "planned"
    assert web["detail"] == "waits: The disruption budget web needs 3 healthy pods and has 3 currently"
    assert web["budget"] == {"name": "web", "healthy_needed": 3, "healthy": 3}
    assert plan.warnings == ["ignoring DaemonSet-managed Pods: default/agent"]
    with pytest.raises(DrainRefusedError) as caught:
        drain(client, fast, DrainOptions()).plan()
    assert [pod["action"] for pod in caught.value.details()["pods"]] == ["refuse", "remove"]
    assert caught.value.details()["refusals"] == caught.value.reasons


def test_budget_that_is_still_counted_is_told_with_its_numbers(
    api: FakeApi, client: KubeClient, fast: FastClock
) -> None:
    """The API's words lack them then; they are read from the budget, where that is allowed."""
    words = "The disruption budget web is still being processed by the server."
    cause = [{"reason": "DisruptionBudget", "message": words}]
    refusal = status_body(429, "TooManyRequests", "Cannot evict pod", cause, retry_after=10)
    budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
    failed = {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "no scale"}
    status = {"desiredHealthy": 2, "currentHealthy": 1, "conditions": [failed]}
    api.store.add(budgets, {"metadata": {"name": "web"}, "status": status})
    api.store.add(PODS, bound_pod("web-0", app="web"))
    api.faults.append(Fault("POST", "eviction", 429, refusal, times=99))
    with pytest.raises(DrainError, match=r"processed by the server \(2 healthy pods needed, 1 there; no scale\)"):
        drain(client, fast).run()
    api.faults.append(Fault("GET", "poddisruptionbudgets/web", 403, status_body(403, "Forbidden", "no"), times=99))
    with pytest.raises(DrainError, match="its numbers cannot be read: no"):
        drain(client, fast).run()


def test_busy_api_server_is_told_from_a_budget(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """429 without that cause is priority and fairness: its own words, and the pause it asks for."""
    api.store.add(PODS, bound_pod("web-0"))
    busy = status_body(429, "TooManyRequests", "too many requests", retry_after=20)
    api.faults.append(Fault("POST", "eviction", 429, busy, times=1))
    details: list[str] = []
    slow = Drain(client, "w1", OPTIONS, clock=fast.clock(), progress=details.append)
    assert slow.run()[0].result == "gone"
    assert any("the API server is busy (too many requests)" in line for line in details)
    assert fast.seconds >= 20


def test_no_more_evictions_at_once_than_allowed(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """And as many as allowed, although each takes its time."""
    for number in range(12):
        api.store.add(PODS, bound_pod(f"web-{number}"))
    lock, running, most = threading.Lock(), 0, 0

    def slow(request: Request) -> None:
        nonlocal running, most
        if request.path.endswith("/eviction"):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.05)
            with lock:
                running -= 1

    api.before_request = slow
    options = DrainOptions(filters=OPTIONS.filters, parallel=4)
    assert {one.result for one in drain(client, fast, options).run()} == {"gone"}
    assert most == 4 and api.count("POST", "eviction") == 12


def test_heartbeat_and_guard_are_called_in_every_round(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """What they raise ends the drain, with the results so far; before that nothing was evicted."""
    api.store.add(PODS, bound_pod("web-0"))
    api.store.sticky_pods.add("web-0")
    calls: list[str] = []
    slow = Drain(client, "w1", OPTIONS, clock=fast.clock(), heartbeat=lambda: calls.append("heartbeat"))
    with pytest.raises(DrainError, match="default/web-0 is shutting down"):
        slow.run(lambda: calls.append("guard"))
    assert calls.count("heartbeat") == calls.count("guard") > 20

    def lost() -> None:
        raise LeaseLostError("held by another")

    before = api.count("POST", "eviction")
    with pytest.raises(DrainError, match="held by another") as caught:
        Drain(client, "w1", OPTIONS, clock=fast.clock(), heartbeat=lost).run()
    assert isinstance(caught.value.__cause__, LeaseLostError) and api.count("POST", "eviction") == before


def test_api_server_restarts_meanwhile(
    api: FakeApi, client: KubeClient, fast: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists, the look-up of a DaemonSet and evictions without an answer are tried again."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # of the client, which repeats reads by itself at first
    api.store.add(PODS, bound_pod("web-0"))
    api.store.add(PODS, bound_pod("agent", "DaemonSet"))
    api.faults += [
        Fault("GET", "daemonsets", times=8),
        Fault("GET", "/pods$", times=8),
        Fault("POST", "eviction", 503, status_body(503, "ServiceUnavailable", "starting"), times=3),
    ]
    assert {one.decision.name: one.result for one in drain(client, fast).run()} == {"agent": "kept", "web-0": "gone"}


def test_pods_that_their_controller_starts_again_here(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """They tolerate the cordon: removed again, slower each time, and named when the time is over."""
    api.store.add(PODS, bound_pod("web-0"))
    count = itertools.count(1)

    def start_again() -> None:
        if not any(path.startswith(PODS) for path in api.store.objects):
            api.store.add(PODS, bound_pod(f"web-{next(count)}"))

    fast.on_sleep = start_again
    with pytest.raises(DrainError, match=r"was started on this cordoned node by ReplicaSet default/owner, \d of whose"):
        drain(client, fast).run()
    assert 3 <= api.count("POST", "eviction") <= 8  # about 30 at the speed of the rounds


def test_pod_that_skip_wait_gives_up_is_kept_in_the_end(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Its deletionTimestamp becomes too old while the drain waits; the drain ends without it, and says why."""
    api.store.add(PODS, bound_pod("web-0"))
    api.store.sticky_pods.add("web-0")  # which sets a deletionTimestamp of long ago
    options = DrainOptions(filters=FilterOptions(skip_wait_for_delete_timeout=60))
    (done,) = drain(client, fast, options).run()
    assert (done.result, done.decision.reason) == ("kept", "should have been gone at 2026-01-01T00:00:00Z")


def test_selector_that_is_none(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """One sentence with option and value."""
    api.faults.append(Fault("GET", "/pods$", 400, status_body(400, "BadRequest", "unable to parse requirement")))
    with pytest.raises(InputError, match=r"pod_selector: 'a b' is no label selector \(unable to parse"):
        drain(client, fast, DrainOptions(pod_selector="a b")).plan()


def test_permission_for_volumes_is_missed_before_the_first_pod_goes(
    api: FakeApi, client: KubeClient, fast: FastClock
) -> None:
    """Not after the last one."""
    forbidden = status_body(403, "Forbidden", "cannot list volumeattachments")
    api.faults.append(Fault("GET", "volumeattachments", 403, forbidden))
    with pytest.raises(ApiError, match="cannot list volumeattachments"):
        drain(client, fast).plan()


def test_pod_that_terminates_slowly_is_waited_for(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """An accepted eviction is not the end."""
    api.store.add(PODS, bound_pod("web-0"))
    api.store.sticky_pods.add("web-0")
    with pytest.raises(DrainError, match="default/web-0 is shutting down"):
        drain(client, fast).run()
    fast.on_sleep = lambda: api.store.objects.pop(f"{PODS}/web-0", None)
    assert drain(client, fast).run()[0].result == "gone"


def test_pods_that_appear_meanwhile_are_found(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The drain ends with an empty list, not with the pods of the first one."""
    api.store.add(PODS, bound_pod("web-0"))
    late = iter([bound_pod("late-0")])

    def appear() -> None:
        for pod in late:
            api.store.add(PODS, pod)

    fast.on_sleep = appear
    assert {one.decision.name: one.result for one in drain(client, fast).run()} == {"web-0": "gone", "late-0": "gone"}


def test_pod_replaced_under_the_same_name_is_another_pod(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """A StatefulSet pod of another uid is not evicted in the place of the one that was seen."""
    api.store.add(PODS, bound_pod("db-0"))
    replaced: list[str] = []

    def replace(request: object) -> None:
        if str(getattr(request, "path", "")).endswith("/eviction") and not replaced:
            api.store.objects.pop(f"{PODS}/db-0")
            replaced.append(api.store.add(PODS, bound_pod("db-0", node_name="w2"))["metadata"]["uid"])

    api.before_request = replace
    assert drain(client, fast).run()[0].result == "gone"
    assert api.store.objects[f"{PODS}/db-0"]["metadata"]["uid"] == replaced[0]


def test_two_budgets_are_refused_in_the_plan(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The eviction API answers HTTP 500 for ever; so nothing is begun."""
    api.store.add(PODS, bound_pod("web-0", app="web", tier="front"))
    for name, selector in (("one", {"app": "web"}), ("two", {"tier": "front"})):
        budget = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": selector}}}
        api.store.add("/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    with pytest.raises(RefusedError, match=r"2 PodDisruptionBudgets \(one, two\)"):
        drain(client, fast).plan()


def test_two_budgets_that_appear_later_fail_the_pod(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """HTTP 500 with that message is not repeated until the time is over."""
    api.store.add(PODS, bound_pod("web-0"))
    words = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    api.faults.append(Fault("POST", "eviction", 500, status_body(500, "InternalError", words), times=9))
    with pytest.raises(DrainError, match="more than one PodDisruptionBudget"):
        drain(client, fast).run()
    assert api.count("POST", "eviction") == 1


def test_terminating_namespace_is_waited_for(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """403 with that cause passes by itself; any other 403 does not."""
    api.store.add(PODS, bound_pod("web-0"))
    cause = [{"reason": "NamespaceTerminating", "message": "namespace default is being terminated"}]
    api.faults.append(Fault("POST", "eviction", 403, status_body(403, "Forbidden", "no", cause), times=2))
    assert drain(client, fast).run()[0].result == "gone"
    api.store.add(PODS, bound_pod("web-1"))
    api.faults.append(Fault("POST", "eviction", 403, status_body(403, "Forbidden", "User eve cannot evict"), times=9))
    with pytest.raises(DrainError, match="User eve cannot evict"):
        drain(client, fast).run()


def test_answer_of_an_eviction_is_lost(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The next list shows what became of it."""
    api.store.add(PODS, bound_pod("web-0"))
    api.faults.append(Fault("POST", "eviction", after=True))
    assert drain(client, fast).run()[0].result == "gone"


def test_refused_pod_that_appears_meanwhile(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """A bare pod with nodeName set: the drain says so instead of waiting."""
    api.store.add(PODS, bound_pod("web-0"))
    fast.on_sleep = lambda: api.store.add(PODS, bound_pod("bare", owner=""))
    with pytest.raises(DrainError, match=r"declare no controller .*: default/bare"):
        drain(client, fast).run()


def test_volumes_are_waited_for(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """A VolumeAttachment of the node holds the drain up; one of a DaemonSet's claim does not."""
    attachments = "/apis/storage.k8s.io/v1/volumeattachments"
    api.store.add(
        attachments, {"metadata": {"name": "a"}, "spec": {"nodeName": "w1", "source": {"persistentVolumeName": "pv1"}}}
    )
    with pytest.raises(DrainError, match="still attached: pv1") as caught:
        drain(client, fast).run()
    assert isinstance(caught.value.__cause__, WaitTimeoutError) and caught.value.details()["pods"] == []
    daemon = bound_pod("agent", "DaemonSet")
    daemon["spec"]["volumes"] = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    api.store.add(PODS, daemon)
    api.store.add(
        "/api/v1/namespaces/default/persistentvolumeclaims",
        {"metadata": {"name": "data"}, "spec": {"volumeName": "pv1"}},
    )
    drain(client, fast).run()


def test_deleting_instead_of_evicting(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """disable_eviction bypasses budgets, by uid all the same."""
    api.store.add(PODS, bound_pod("web-0", app="web"))
    api.store.disruptions_allowed["web"] = 0
    options = DrainOptions(filters=OPTIONS.filters, disable_eviction=True)
    assert drain(client, fast, options).run()[0].result == "gone"
    assert api.count("POST", "eviction") == 0
