"""Which pods have ended, when, for which reason, and what their deletion frees."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stale_pod_addresses import (
    AddressEvidence,
    freed_addresses,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.stale_pods import (
    PodRules,
    finished_at,
    judge,
    reason_of,
    stuck_terminating,
)

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def stamp(seconds: float) -> str:
    """So many seconds before NOW."""
    return (NOW - datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def ended(owner: str = "ReplicaSet", api: str = "apps/v1", **status: Any) -> dict[str, Any]:
    """A pod that failed two hours ago, created three hours ago."""
    controller = {"apiVersion": api, "kind": owner, "name": "o", "uid": "u", "controller": True}
    return {
        "metadata": {
            "namespace": "shop",
            "name": "p",
            "uid": "uid-p",
            "creationTimestamp": stamp(10800),
            "ownerReferences": [controller] if owner else [],
        },
        "spec": {"nodeName": "w1"},
        "status": {
            "phase": "Failed",
            "startTime": stamp(10700),
            "podIPs": [{"ip": "10.0.0.5"}],
            "containerStatuses": [
                {"name": "c", "state": {"terminated": {"finishedAt": stamp(7200), "exitCode": 1, "reason": "Error"}}}
            ],
            **status,
        },
    }


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"reason": "Evicted"}, "Evicted"),
        ({"reason": "Terminated"}, "Terminated"),
        (
            {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]},
            "PreemptionByScheduler",
        ),
        ({"containerStatuses": [{"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}, "OOMKilled"),
        ({}, "Error"),
        (
            {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]},
            "Completed",
        ),
        ({"containerStatuses": []}, "Failed"),
    ],
)
def test_reasons(status: dict[str, Any], reason: str) -> None:
    """The kubelet's own word first, then who disrupted it, then what its containers died of."""
    assert reason_of(ended(**status)) == reason


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        ({}, 7200),
        (
            {
                "containerStatuses": [],
                "conditions": [{"lastTransitionTime": stamp(500)}, {"lastTransitionTime": stamp(900)}],
            },
            500,
        ),
        ({"containerStatuses": [{"state": {"terminated": {"finishedAt": "0001-01-01T00:00:00Z"}}}]}, 10700),
        ({"containerStatuses": [{"state": {"terminated": {"finishedAt": None}}}], "startTime": None}, 10800),
        (
            {"initContainerStatuses": [{"state": {"terminated": {"finishedAt": stamp(60)}}}]},
            60,
        ),
    ],
)
def test_when_it_ended(status: dict[str, Any], seconds: int) -> None:
    """By its containers, else its conditions, its start, its creation; impossible times do not count."""
    found = finished_at(ended(**status))
    assert found is not None and (NOW - found).total_seconds() == seconds


@pytest.mark.parametrize(
    ("owner", "api", "rules", "kept"),
    [
        ("ReplicaSet", "apps/v1", {}, ""),
        ("ReplicationController", "v1", {}, ""),
        ("StatefulSet", "apps.kruise.io/v1beta1", {}, "other-controller"),
        ("Job", "batch/v1", {}, "job"),
        ("Job", "batch/v1", {"include_job_pods": True}, ""),
        ("Job", "batch.volcano.sh/v1alpha1", {"include_job_pods": True}, "other-controller"),
        ("Workflow", "argoproj.io/v1alpha1", {}, "other-controller"),
        ("Workflow", "argoproj.io/v1alpha1", {"include_controllers": ("Workflow",)}, ""),
        ("", "", {}, "bare"),
        ("", "", {"include_bare_pods": True}, ""),
        ("ReplicaSet", "apps/v1", {"min_age": 7201}, "young"),
        ("ReplicaSet", "apps/v1", {"min_age": 7200}, ""),
        ("ReplicaSet", "apps/v1", {"reasons": ("Evicted",)}, "other-reason"),
        ("ReplicaSet", "apps/v1", {"namespaces": ("other",)}, "other-namespace"),
        ("ReplicaSet", "apps/v1", {"excluded_namespaces": ("shop",)}, "other-namespace"),
    ],
)
def test_who_may_go(owner: str, api: str, rules: dict[str, Any], kept: str) -> None:
    """Owners, ages, reasons and namespaces."""
    verdict = judge(ended(owner, api), PodRules(**rules), NOW)
    assert verdict is not None and verdict.kept == kept and verdict.words


PHASES = st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown", None])


@given(phase=PHASES, deleting=st.booleans(), finalizers=st.booleans(), mirror=st.booleans(), running=st.booleans())
def test_nothing_that_may_live_goes(
    phase: str | None, deleting: bool, finalizers: bool, mirror: bool, running: bool
) -> None:
    """Whatever else is asked for."""
    pod = ended(phase=phase)
    if running:
        pod["status"]["containerStatuses"].append({"name": "d", "state": {"running": {}}})
    if deleting:
        pod["metadata"]["deletionTimestamp"] = stamp(5)
    if finalizers:
        pod["metadata"]["finalizers"] = ["batch.kubernetes.io/job-tracking"]
    if mirror:
        pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    everything = PodRules(min_age=0, include_job_pods=True, include_bare_pods=True, include_controllers=("Node",))
    verdict = judge(pod, everything, NOW)
    may_go = verdict is not None and not verdict.kept
    assert may_go == (phase in ("Succeeded", "Failed") and not (deleting or finalizers or mirror or running))


def test_stuck_in_deletion() -> None:
    """From the end of its grace period on, which is what deletionTimestamp says."""
    pod = ended()
    assert stuck_terminating(pod, 300, NOW) is None
    pod["metadata"]["deletionTimestamp"] = stamp(299)
    assert stuck_terminating(pod, 300, NOW) is None
    pod["metadata"]["deletionTimestamp"] = stamp(301)
    assert stuck_terminating(pod, 300, NOW) == 301


def test_addresses_that_become_free() -> None:
    """None, unless an agent holds them; addresses of the host never; what others use was free before."""
    pods = [ended(), ended(hostIP="192.0.2.1")]
    pods[1]["metadata"]["name"] = "host"
    pods[1]["spec"]["hostNetwork"] = True
    nothing = freed_addresses(pods, AddressEvidence("node-spec"))
    assert (nothing["expected"], nothing["reused"]) == (0, 0) and "node-spec" in nothing["reason"]

    used = freed_addresses(pods, AddressEvidence("node-spec", in_use={"10.0.0.5": "shop/other"}))
    assert used["reused"] == 1 and "1 of their addresses are in use" in used["reason"]

    asked = freed_addresses(pods, AddressEvidence("m", allocations={"w1": {"10.0.0.5": "shop/another"}}))
    assert asked["expected"] == 0 and "hold no address" in asked["reason"]
    held = freed_addresses(pods, AddressEvidence("m", allocations={"w1": {"10.0.0.5": "shop/p [restored]"}}))
    assert held["expected"] == 1 and held["pods"][0]["pod"] == "shop/p" and held["reason"].startswith("May free 1")
    left = freed_addresses(pods, AddressEvidence("m", endpoints=frozenset({("shop", "p")})))
    assert left["expected"] == 0 and left["endpoints_left"] == 1 and "clean_endpoints" in left["reason"]
    assert freed_addresses([], AddressEvidence("m"))["reason"].startswith("No pod is to be deleted")
