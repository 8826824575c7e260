"""What a drain cordons it uncordons when it fails, and only then."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from unit.fake_api import FakeApi, Fault, Request, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import Drain, DrainError, DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_cordon import Drained, cordon_and_drain
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import LeaseLostError

from .conftest import PODS, FastClock, bound_pod, node

NODE = "/api/v1/nodes/w1"
OPTIONS = DrainOptions(timeout=20)


def lost() -> None:
    """A heartbeat of a run that another one has taken over."""
    raise LeaseLostError("The Lease is held by bob.")


def run(client: KubeClient, fast: FastClock, *, undo: bool = True, taken_over: bool = False) -> Drained:
    """Cordon and drain w1."""
    drain = Drain(client, "w1", OPTIONS, clock=fast.clock(), heartbeat=lost if taken_over else None)
    return cordon_and_drain(client, client.get(NODE), drain, uncordon_on_failure=undo)


def cordoned(api: FakeApi) -> bool:
    """Whether w1 is."""
    return bool(api.store.objects[NODE]["spec"].get("unschedulable"))


@pytest.fixture
def stuck(api: FakeApi) -> FakeApi:
    """A pod that never goes."""
    api.store.add(PODS, bound_pod("web-0"))
    api.store.sticky_pods.add("web-0")
    return api


def test_success_leaves_it_cordoned(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """That is what a drain is for."""
    api.store.add(PODS, bound_pod("web-0"))
    assert run(client, fast).cordoned and cordoned(api)
    assert not run(client, fast).cordoned and cordoned(api)


def test_failure_undoes_its_own_cordon(stuck: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """And says so, with the result of each pod."""
    with pytest.raises(DrainError, match=r"is shutting down. Node w1 is schedulable again as before\.") as caught:
        run(client, fast)
    assert not cordoned(stuck) and caught.value.details()["pods"][0]["result"] == "terminating"


def test_failure_keeps_the_cordon_of_others(stuck: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """A human's, or one of an interrupted run."""
    stuck.store.objects[NODE]["spec"]["unschedulable"] = True
    with pytest.raises(DrainError, match=r"is shutting down\.$"):
        run(client, fast)
    assert cordoned(stuck)


def test_failure_keeps_the_cordon_on_request(stuck: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """As kubectl does."""
    with pytest.raises(DrainError, match=r"Node w1 stays cordoned\."):
        run(client, fast, undo=False)
    assert cordoned(stuck)


def test_lost_lease_keeps_the_cordon(stuck: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """The run that has it may be draining this node."""
    with pytest.raises(DrainError, match=r"held by bob\. Node w1 stays cordoned, because another run may be at work"):
        run(client, fast, taken_over=True)
    assert cordoned(stuck) and stuck.count("POST", "eviction") == 0


def test_undo_that_fails_hides_nothing(stuck: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Both errors are in the sentence."""
    forbidden = status_body(403, "Forbidden", "User eve cannot patch nodes")

    def forbid(request: Request) -> None:
        if request.path.endswith("/eviction"):
            stuck.faults.append(Fault("PATCH", "nodes/w1", 403, forbidden, times=9))

    stuck.before_request = forbid
    with pytest.raises(DrainError, match=r"is shutting down\. Node w1 stays cordoned, because .*User eve cannot patch"):
        run(client, fast)


def test_interruption_undoes_as_well(stuck: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Ctrl-C in the wait."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    fast.on_sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        run(client, fast)
    assert not cordoned(stuck)


def replaced(api: FakeApi) -> None:
    """Somebody deletes the Node and it registers again."""
    api.store.objects.pop(NODE)
    api.store.add("/api/v1/nodes", node())


def uncordoned(api: FakeApi) -> None:
    """Somebody uncordons it."""
    api.store.objects[NODE]["spec"].pop("unschedulable", None)


def deleted(api: FakeApi) -> None:
    """Somebody deletes it."""
    api.store.objects.pop(NODE, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (replaced, "somebody deleted and registered it meanwhile"),
        (uncordoned, "was made schedulable by somebody else"),
        (deleted, "was deleted while it was drained"),
    ],
)
def test_node_that_others_change_meanwhile(
    change: Callable[[FakeApi], None], words: str, stuck: FakeApi, client: KubeClient, fast: FastClock
) -> None:
    """The drain stops, and touches neither the new Node nor a cordon that is not its own."""

    def once() -> None:
        fast.on_sleep = lambda: None
        change(stuck)

    fast.on_sleep = once
    with pytest.raises(DrainError, match=words):
        run(client, fast)
    assert stuck.count("PATCH", "nodes/w1") == 1 and fast.seconds < 5
