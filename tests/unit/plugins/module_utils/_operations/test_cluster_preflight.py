"""Objections of the cluster: controllers, garbage collection, permissions, other Nodes."""

from __future__ import annotations

from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import (
    Objection,
    controller_manager,
    garbage_collection,
    standing,
)

from .conftest import FastClock

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
PATH = f"{LEASES}/kube-controller-manager"


def stamp(seconds: int) -> str:
    """A MicroTime."""
    return f"2026-01-01T00:{seconds // 60:02}:{seconds % 60:02}.000000Z"


def lease(acquired: int, renewed: int, transitions: int = 3, holder: str = "cp1_a") -> dict[str, Any]:
    """The controller-manager's Lease."""
    return {
        "metadata": {"name": "kube-controller-manager"},
        "spec": {
            "holderIdentity": holder,
            "leaseTransitions": transitions,
            "acquireTime": stamp(acquired),
            "renewTime": stamp(renewed),
            "leaseDurationSeconds": 15,
        },
    }


def codes(api: FakeApi, client: KubeClient, fast: FastClock, world: Any) -> list[str]:
    """Objections while `world(second)` gives the Lease of each second."""
    api.store.objects.pop(PATH, None)
    api.store.add(LEASES, world(0))
    start = fast.seconds
    fast.on_sleep = lambda: api.store.add(LEASES, world(int(fast.seconds - start)))
    return [one.code for one in controller_manager(client, settle_seconds=30, clock=fast.clock())]


def test_leader_that_renews_is_healthy(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Its Lease moves on within seconds."""
    assert codes(api, client, fast, lambda second: lease(0, 100 + second)) == []
    assert fast.seconds < 5


def test_leader_that_does_not_renew_is_down(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Whatever our own clock says about the age of the Lease."""
    assert codes(api, client, fast, lambda second: lease(0, 100)) == ["controller-manager-down"]


def test_nodes_at_which_it_exits_are_named(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """They are the likely cause where it does not run, and none where it does."""
    api.store.add(LEASES, lease(0, 100))
    found = controller_manager(client, settle_seconds=30, exits_at=["worker-7"], clock=fast.clock())
    assert "do not fit --cluster-cidr (worker-7)" in found[0].sentence
    fast.on_sleep = lambda: api.store.add(LEASES, lease(0, 100 + int(fast.seconds)))
    assert controller_manager(client, settle_seconds=30, exits_at=["worker-7"], clock=fast.clock()) == []


def test_crash_loop_behind_a_fresh_lease(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Each process takes the Lease, renews it for 17 s and dies."""

    def world(second: int) -> dict[str, Any]:
        life = second // 17
        return lease(100 + life * 17, 101 + second, 5 + life, f"cp1_{life}")

    assert codes(api, client, fast, world) == ["controller-manager-unstable"]


def test_young_leader_is_watched_until_it_is_old_enough(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """A controller-manager that was restarted once is fine after a while."""
    assert codes(api, client, fast, lambda second: lease(100, 101 + second)) == []
    assert 25 <= fast.seconds <= 35


def test_first_leader_of_a_new_cluster_needs_no_watching(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """No transition has ever happened."""
    assert codes(api, client, fast, lambda second: lease(100, 101 + second, 0)) == []
    assert fast.seconds < 5


def test_no_lease_is_unknown(api: FakeApi, client: KubeClient, fast: FastClock) -> None:
    """Not fine, but a risk that can be taken."""
    found = controller_manager(client, settle_seconds=30, clock=fast.clock())
    assert [one.code for one in found] == ["controller-manager-unknown"]
    assert standing(found, ["controller-manager-unknown"]) == []


def test_broken_api_service_blocks_garbage_collection(api: FakeApi, client: KubeClient) -> None:
    """It is named."""
    services = "/apis/apiregistration.k8s.io/v1/apiservices"
    for name, status in (("v1.", "True"), ("v1beta1.metrics.k8s.io", "False")):
        condition = {"type": "Available", "status": status}
        api.store.add(services, {"metadata": {"name": name}, "status": {"conditions": [condition]}})
    found = garbage_collection(client)
    assert len(found) == 1 and "v1beta1.metrics.k8s.io" in found[0].reason and "v1.," not in found[0].reason


@pytest.mark.parametrize(
    ("objection", "accepted", "stands"),
    [
        (Objection("a", "reason"), ["a"], True),
        (Objection("a", "reason", "a"), [], True),
        (Objection("a", "reason", "a"), ["a"], False),
    ],
)
def test_only_named_overrides_help(objection: Objection, accepted: list[str], stands: bool) -> None:
    """An objection without an override stands whatever is accepted."""
    assert bool(standing([objection], accepted)) is stands
