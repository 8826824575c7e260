"""Whether a run may go on: asked a thousand times, answered once a second, and heard when a person says stop."""

from __future__ import annotations

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import LeaseLostError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permission import RunPermission

from .conftest import FastClock

JOURNAL = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-clean-identities"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-clean-identities"


@pytest.fixture
def permission(api: FakeApi, client: KubeClient, fast: FastClock) -> RunPermission:
    """Of a run that has begun."""
    run = MaintenanceRun(client, RunOptions("clean-identities", "kube-system", "me@here"))
    holder = run.start()["holder"]
    api.requests.clear()
    return RunPermission(client, RunOptions("clean-identities", "kube-system", holder), clock=fast.clock())


def test_the_cluster_is_asked_once_a_second(permission: RunPermission, api: FakeApi, fast: FastClock) -> None:
    for _number in range(1000):
        assert permission() == ""
        fast.seconds += 0.01
    assert 10 <= api.count("GET", "configmaps") <= 11
    assert api.count("PATCH", "leases") == api.count("GET", "configmaps")


def test_a_person_is_heard_within_a_second_and_not_forgotten(
    permission: RunPermission, api: FakeApi, fast: FastClock
) -> None:
    assert permission() == ""
    api.store.objects[JOURNAL]["data"]["stop"] = "true"
    assert permission() == ""
    fast.seconds += 1
    assert permission().startswith("The switch stop is set")
    api.store.objects[JOURNAL]["data"]["stop"] = "false"
    fast.seconds += 100
    assert permission().startswith("The switch stop is set")


def test_a_journal_that_is_gone_ends_the_run(permission: RunPermission, api: FakeApi, fast: FastClock) -> None:
    del api.store.objects[JOURNAL]
    assert "deleted the journal of this run" in permission()


def test_a_lease_that_somebody_else_has_ends_the_run(permission: RunPermission, api: FakeApi) -> None:
    api.store.objects[LEASE]["spec"]["holderIdentity"] = "you@there #00000000"
    with pytest.raises(LeaseLostError, match="is held by you@there"):
        permission()
