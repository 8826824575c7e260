"""The drain against a fake API: what it waits for, what it gives up on, and what it says about each pod."""

from __future__ import annotations

import pytest
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import Drain, DrainError, DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import FilterOptions

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
    assert caught.value.details()["pods"][0]["result"] == "waiting"
    assert api.count("POST", "eviction") > 5

    def recover() -> None:
        api.store.disruptions_allowed["web"] = 1

    fast.on_sleep = recover
    assert drain(client, fast).run()[0].result == "gone"


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
    with pytest.raises(WaitTimeoutError, match="still attached: pv1"):
        drain(client, fast).run()
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
