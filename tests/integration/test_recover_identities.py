"""The incident in one go, on the real operator: it does not run, may not delete, and does not start with its settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, Testbed, TestbedSpec, operator_pods

from .operator_scene import (
    ANNOTATION,
    CLUSTER_ROLE,
    CONFIG,
    DEPLOYMENT,
    IDENTITIES,
    SHORT,
    create_identities,
    data,
    play,
    raw,
    set_data,
    wait_operator,
)

pytestmark = [pytest.mark.testbed, pytest.mark.long, pytest.mark.once]

UNUSED = 700
FREE_PERCENT = 99  # 652 of 65,280 may be taken
QUICK = {"identity-gc-interval": "5s", "identity-heartbeat-timeout": "5s", "identity-gc-rate-limit": "60000"}
OPTIONS: dict[str, Any] = {
    "free_percent": FREE_PERCENT,
    "values": QUICK,
    "accepted_risks": SHORT,
    "collect_timeout": 90,
    "collect_delay": 3,
    "settle_seconds": 3,
    "restart_timeout": 90,
    "endpoints_min_age": 1,
    "probe_image": "registry.k8s.io/pause:3.10",
    "probe_node": operator_pods.NODE,
    "probe_timeout": 30,
}


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """The operator as pods; it manages identities itself, so that a pod object is enough to get one."""
    config = {
        "identity-management-mode": "operator",
        "identity-gc-interval": "15m0s",
        "identity-heartbeat-timeout": "30m0s",
    }
    spec = CiliumOperatorSpec(pods=True, config=config)
    with Testbed.up(TestbedSpec(name=f"recover-{os.getpid()}", cilium=spec)) as made:
        wait_operator(made)
        yield made


def break_it(testbed: Testbed) -> None:
    """What was seen in clusters, all at once."""
    client = testbed.client
    rest = [
        {"apiGroups": ["cilium.io"], "resources": ["*"], "verbs": ["get", "list", "watch", "update", "patch", "create"]}
    ]
    rest.append({"apiGroups": ["cilium.io"], "resources": ["ciliumnodes", "ciliumendpoints"], "verbs": ["delete"]})
    client.patch(CLUSTER_ROLE, {"rules": rest})
    client.patch(DEPLOYMENT, {"spec": {"replicas": 0}})
    set_data(testbed, identity_gc_interval="600")
    create_identities(testbed, UNUSED)


def test_the_incident_in_one_go(testbed: Testbed) -> None:
    """Check mode writes nothing; the run mends, collects, proves, and puts back; the second run finds nothing to do."""
    break_it(testbed)
    broken = raw(testbed)
    looked = play(testbed, "recover_identities", "--check", "--diff", **OPTIONS)
    assert looked.returncode == 0, looked.output
    assert raw(testbed) == broken
    assert testbed.client.get(DEPLOYMENT)["spec"]["replicas"] == 0
    assert "may delete" in looked.output and "identity-gc-interval" in looked.output

    done = play(testbed, "recover_identities", **OPTIONS)
    assert done.returncode == 0, done.output
    assert len(testbed.client.list(IDENTITIES)) < 10
    after = data(testbed)
    assert after["identity-gc-interval"] == "15m0s"  # mended for good, and not the runbook's value again
    assert after["identity-heartbeat-timeout"] == "30m0s" and "identity-gc-rate-limit" not in after
    assert ANNOTATION not in (testbed.client.get(CONFIG)["metadata"].get("annotations") or {})
    verbs = {verb for rule in testbed.client.get(CLUSTER_ROLE)["rules"] for verb in rule["verbs"]}
    assert "delete" in verbs
    assert "'new': True" in done.output or '"new": true' in done.output
    assert not testbed.client.list("/api/v1/namespaces/default/pods")
    again = play(testbed, "recover_identities", **OPTIONS)
    assert (again.returncode, again.changed) == (0, 0), again.output


def test_the_tuning_goes_back_after_a_failure(testbed: Testbed) -> None:
    """The probe's namespace is not there: the run fails, and the tuning is gone all the same."""
    before = raw(testbed)
    stages = ["speed_up", "verify", "put_back"]
    failed = play(
        testbed, "recover_identities", **{**OPTIONS, "always": True, "probe_namespace": "nowhere", "stages": stages}
    )
    assert failed.returncode != 0
    assert raw(testbed) == before, failed.output
    assert "The same command goes on" in failed.flat_output and "nowhere" in failed.flat_output


def test_a_run_that_was_killed_is_put_back_by_the_next(testbed: Testbed) -> None:
    """The note at the ConfigMap is enough: the next run finds enough identities, and still puts the tuning back."""
    before = raw(testbed)
    kept = play(testbed, "recover_identities", **{**OPTIONS, "always": True, "stages": ["speed_up"]})
    assert kept.returncode == 0 and "The tuning stays" in kept.output, kept.output
    assert data(testbed)["identity-gc-interval"] == "5s"
    wait_until("the operator runs", lambda: wait_operator(testbed))
    done = play(testbed, "recover_identities", **OPTIONS)
    assert done.returncode == 0, done.output
    assert raw(testbed) == before
