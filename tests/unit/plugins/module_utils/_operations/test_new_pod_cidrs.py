"""Where podCIDRs come from, and who else takes Nodes out: against a fake API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import other_maintenance
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import FilterOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import (
    Plan,
    PlanOptions,
    make_plan,
    read_context,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal

from .conftest import PODS, FastClock, bound_pod, node
from .test_cluster_preflight import lease

OBJECTS = "/apis/networking.x-k8s.io/v1/clustercidrs"
RISKS = ("controller-manager-unknown", "cluster-cidr-allocator")
OFF = AuditSettings(allocator=settings_from_options({"allocate_node_cidrs": False}))
ON = AuditSettings(allocator=settings_from_options({"cluster_cidrs": ["10.244.0.0/16"]}))


def cluster_cidr(name: str, ipv4: str, **labels: str) -> dict[str, Any]:
    """A ClusterCIDR with /24 blocks."""
    terms = [{"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]} for key, value in labels.items()]
    selector = {"nodeSelector": {"nodeSelectorTerms": terms}} if terms else {}
    return {"metadata": {"name": name}, "spec": {"perNodeHostBits": 8, "ipv4": ipv4, **selector}}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """w1 in rack r1, w2 beside it; DaemonSet flannel says that Node.spec is the truth."""
    with FakeApi() as running:
        running.store.add("/api/v1/nodes", node("w1"))
        running.store.add("/api/v1/nodes", node("w2", podCIDR="10.244.0.0/24", podCIDRs=["10.244.0.0/24"]))
        running.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        flannel = {"metadata": {"name": "kube-flannel-ds"}, "spec": {}, "status": {}}
        running.store.add("/apis/apps/v1/namespaces/kube-system/daemonsets", flannel)
        running.store.add("/apis/apps/v1/namespaces/default/daemonsets", {"metadata": {"name": "owner"}})
        yield running


def plan(api: FakeApi, settings: AuditSettings = OFF, **options: Any) -> Plan:
    """The plan for w1."""
    client = KubeClient.from_options(api.options)
    given = {"nodes": ("w1",), "even_if_healthy": True, "accepted_risks": RISKS, **options}
    return make_plan(client, read_context(client, settings), PlanOptions(**given))


def test_nobody_gives_any(api: FakeApi) -> None:
    """Refused, with what is off."""
    assert any("--allocate-node-cidrs is not on" in one or "not visible" in one for one in plan(api).refusals)


def test_cluster_cidr_is_chosen_by_labels(api: FakeApi) -> None:
    """The plan names it, and the labels that decide are what the plan rests on."""
    api.store.add(OBJECTS, cluster_cidr("racks", "10.60.0.0/16", rack="r1"))
    api.store.add(OBJECTS, cluster_cidr("rest", "10.61.0.0/16"))
    made = plan(api)
    assert made.all_refusals == []
    assert made.nodes[0].new_pod_cidrs_from == "ClusterCIDR racks (10.60.0.0/16), by its labels"
    assert made.nodes[0].pool_labels == {"rack": "r1"} and "racks" in made.basis["cluster_cidrs"]
    before = made.digest()
    api.store.objects["/api/v1/nodes/w1"]["metadata"]["labels"]["other"] = "x"
    assert plan(api).digest() == before
    api.store.objects["/api/v1/nodes/w1"]["metadata"]["labels"]["rack"] = "r2"
    moved = plan(api)
    assert moved.digest() != before and moved.nodes[0].new_pod_cidrs_from.startswith("ClusterCIDR rest")


def test_no_cluster_cidr_serves_it(api: FakeApi) -> None:
    """Deleting it would leave it without podCIDRs."""
    api.store.add(OBJECTS, cluster_cidr("racks", "10.60.0.0/16", rack="r9"))
    assert "no ClusterCIDR serves a Node with its labels" in plan(api).all_refusals[0]


def test_cluster_cidr_without_a_free_block(api: FakeApi) -> None:
    """Its own block counts, and Nodes that wait take theirs first."""
    api.store.add(OBJECTS, cluster_cidr("racks", "10.60.0.0/24", rack="r1"))
    assert plan(api).all_refusals == []
    api.store.objects["/api/v1/nodes/w1"]["spec"].update(podCIDR="10.60.0.0/24", podCIDRs=["10.60.0.0/24"])
    assert plan(api).all_refusals == []
    waiting = node("w3")
    del waiting["spec"]["podCIDR"], waiting["spec"]["podCIDRs"]
    api.store.add("/api/v1/nodes", waiting)
    assert "would have 1 free blocks when it is deleted, and 1 Nodes without" in plan(api).all_refusals[0]


def test_allocator_of_cluster_cidrs_must_lead(api: FakeApi) -> None:
    """Unknown, stable or down; a risk with a name."""
    api.store.add(OBJECTS, cluster_cidr("rest", "10.61.0.0/16"))
    refused = plan(api, accepted_risks=("controller-manager-unknown",)).refusals
    assert [
        "There is no Lease node-ipam-controller in namespace nodeipam or kube-system" in one for one in refused
    ] == [True]
    client = KubeClient.from_options(api.options)
    leases = "/apis/coordination.k8s.io/v1/namespaces/nodeipam/leases"

    def at(second: int, renews: bool) -> dict[str, Any]:
        made = lease(0, 100 + (second if renews else 0))
        made["metadata"]["name"] = "node-ipam-controller"
        return made

    for renews in (True, False):
        fast = FastClock()
        api.store.objects.pop(f"{leases}/node-ipam-controller", None)
        api.store.add(leases, at(0, renews))
        fast.on_sleep = lambda fast=fast, renews=renews: api.store.add(leases, at(int(fast.seconds), renews))
        found = other_maintenance.cluster_cidr_allocator(client, settle_seconds=30, clock=fast.clock())
        assert [one.code for one in found] == ([] if renews else ["cluster-cidr-allocator"])


@pytest.mark.parametrize("settings", [OFF, ON])
def test_person_chooses(api: FakeApi, settings: AuditSettings) -> None:
    """Also where an allocator runs; the choice is checked against all other Nodes."""
    made = plan(api, settings, pod_cidrs={"w1": ["10.244.7.0/24"]})
    assert made.all_refusals == [] and made.nodes[0].new_pod_cidrs_from == "your choice: 10.244.7.0/24"
    overlapping = plan(api, settings, pod_cidrs={"w1": ["10.244.0.0/24"]}).all_refusals
    assert any(
        "cannot get 10.244.0.0/24: 10.244.0.0/24 overlaps 10.244.0.0/24 of Node w2" in one for one in overlapping
    )
    bad = plan(api, settings, pod_cidrs={"w1": ["nonsense"]}).all_refusals
    assert any("Node w1 cannot get nonsense" in one for one in bad)


def test_kept_podcidrs(api: FakeApi) -> None:
    """Nothing of them is lost then, and they must be fit where the range is known."""
    made = plan(api, keep_pod_cidrs=True)
    assert made.all_refusals == [] and made.nodes[0].loses == []
    assert any("outside the cluster CIDR" in one for one in plan(api, ON, keep_pod_cidrs=True).all_refusals)


def waiting(api: FakeApi, name: str = "w3", **labels: str) -> None:
    """A Node without podCIDR."""
    made = node(name)
    del made["spec"]["podCIDR"], made["spec"]["podCIDRs"]
    made["metadata"]["labels"].update(labels)
    api.store.add("/api/v1/nodes", made)


FULL = AuditSettings(allocator=settings_from_options({"cluster_cidrs": ["10.244.0.0/23"]}))
UNSEEN = AuditSettings()
OF_W1 = {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"]}


@pytest.mark.parametrize("choice", [{"keep_pod_cidrs": True}, {"pod_cidrs": {"w1": ["10.244.1.0/24"]}}])
def test_node_that_waits_would_get_the_chosen_block(api: FakeApi, choice: dict[str, Any]) -> None:
    """As it is without a choice: the pool is full, the block becomes free, and the other one is faster."""
    api.store.objects["/api/v1/nodes/w1"]["spec"].update(OF_W1)
    assert plan(api, FULL, **choice).all_refusals == []
    waiting(api)
    assert any("no IPv4 block would be left for it" in one for one in plan(api, FULL).all_refusals)
    (refused,) = plan(api, FULL, **choice, accepted_risks=(*RISKS, "competing-nodes")).all_refusals
    assert refused.startswith(
        "Node w1: Nodes without podCIDR wait for one (w3), and an allocator runs that could give them "
    )
    assert "10.244.1.0/24" in refused and "accepted_risks" not in refused
    assert plan(api, OFF, **choice).all_refusals == [], "nobody gives it away"


def test_allocator_that_nobody_shows_may_take_it(api: FakeApi) -> None:
    """It is said, and it is a risk with a name."""
    waiting(api)
    (refused,) = plan(api, UNSEEN, keep_pod_cidrs=True).all_refusals
    assert "if there is an allocator, it could give them 10.200.7.0/24" in refused
    assert refused.endswith("(accept it with accepted_risks: [competing-nodes]).")
    assert plan(api, UNSEEN, keep_pod_cidrs=True, accepted_risks=(*RISKS, "competing-nodes")).all_refusals == []


def test_only_node_that_waits_competes_with_nobody(api: FakeApi) -> None:
    """It is the one that gets the block."""
    waiting(api)
    made = plan(api, ON, nodes=("w3",), pod_cidrs={"w3": ["10.244.7.0/24"]})
    assert not [one for one in made.all_refusals if "wait for one" in one]


def test_cluster_cidrs_give_a_chosen_block_only_to_whom_they_serve(api: FakeApi) -> None:
    """By the labels of the Node that waits, and not of the one that is deleted."""
    api.store.add(OBJECTS, cluster_cidr("racks", "10.60.0.0/16", rack="r9"))
    choice = {"pod_cidrs": {"w1": ["10.60.3.0/24"]}}
    waiting(api)
    assert plan(api, OFF, **choice).all_refusals == []
    waiting(api, "w4", rack="r9")
    assert "wait for one (w4), and an allocator runs" in plan(api, OFF, **choice).all_refusals[0]
    assert plan(api, OFF, pod_cidrs={"w1": ["10.61.3.0/24"]}).all_refusals == []


def test_choice_for_another_node_helps_nobody_else(api: FakeApi) -> None:
    """Without an allocator each Node needs its own."""
    assert "no podCIDRs are chosen for it" in plan(api, pod_cidrs={"w2": ["10.244.7.0/24"]}).all_refusals[0]


def test_what_a_node_loses_and_how_long_it_takes(api: FakeApi) -> None:
    """Addresses, emptyDir, pods that nobody starts again; the longest grace period counts."""
    volatile = bound_pod("cache")
    volatile["spec"].update(volumes=[{"emptyDir": {}}], terminationGracePeriodSeconds=90)
    api.store.add(PODS, volatile)
    api.store.add(PODS, bound_pod("bare", owner=""))
    drain = DrainOptions(filters=FilterOptions(ignore_daemonsets=True, delete_emptydir_data=True, force=True))
    made = plan(api, ON, drain=drain)
    assert made.nodes[0].loses == [
        "its podCIDRs 10.200.7.0/24, and the addresses of its pods with them",
        "data in emptyDir volumes of default/cache",
        "pods that nobody starts again: default/bare",
    ]
    assert made.expected_seconds == 120 and "expected: about 2 min" in " ".join(made.lines())


def test_only_node_of_a_cluster(api: FakeApi) -> None:
    """Its pods have nowhere to go; without pods nobody minds."""
    api.store.objects["/api/v1/nodes/w2"]["spec"]["unschedulable"] = True
    risks = (*RISKS, "other-nodes-cordoned")
    assert plan(api, ON, accepted_risks=risks).all_refusals == []
    api.store.add(PODS, bound_pod("web"))
    assert "no other Node is Ready and schedulable" in plan(api, ON, accepted_risks=risks).all_refusals[0]
    assert plan(api, ON, accepted_risks=(*risks, "no-other-node")).all_refusals == []


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        (
            json.dumps({"nodeID": "w2", "created": "2026-01-01T00:00:00Z"}),
            "holds its lock for Node w2, which it restarts",
        ),
        ("{", "of an unreadable lock"),
        ("[]", "of an unreadable lock"),
        ("{}", "of an unknown name"),
    ],
)
def test_kured_restarts_a_node(api: FakeApi, lock: str, words: str) -> None:
    """Two Nodes would be out at once."""
    kured = {"metadata": {"name": "kured", "annotations": {"weave.works/kured-node-lock": lock}}}
    api.store.add("/apis/apps/v1/namespaces/kube-system/daemonsets", kured)
    refused = plan(api, ON).refusals
    assert len(refused) == 1 and words in refused[0] and "accepted_risks: [reboot-under-way]" in refused[0]
    kured["metadata"]["annotations"] = {"weave.works/kured-node-lock": ""}
    api.store.add("/apis/apps/v1/namespaces/kube-system/daemonsets", kured)
    assert plan(api, ON).refusals == []


def test_cluster_autoscaler(api: FakeApi) -> None:
    """A warning where it cannot remove the machine, a risk with a name where it can."""
    status = {"metadata": {"name": "cluster-autoscaler-status"}}
    api.store.add("/api/v1/namespaces/kube-system/configmaps", status)
    made = plan(api, ON)
    assert made.all_refusals == [] and "15 minutes" in made.warnings[0]
    api.store.objects["/api/v1/nodes/w1"]["spec"]["providerID"] = "aws:///eu/i-1"
    risks = (*RISKS, "cloud-provider")
    assert "accepted_risks: [cluster-autoscaler]" in plan(api, ON, accepted_risks=risks).refusals[0]
    assert plan(api, ON, accepted_risks=(*risks, "cluster-autoscaler")).all_refusals == []


@pytest.mark.parametrize(
    ("name", "image", "replicas", "runs"),
    [
        ("cluster-autoscaler-aws", "example/x:1", 1, True),
        ("scaler", "registry.k8s.io/autoscaling/cluster-autoscaler:v1.33.0", 1, True),
        ("cluster-autoscaler", "example/x:1", 0, False),
        ("dns-autoscaler", "registry.k8s.io/cpa/cluster-proportional-autoscaler:1.8", 1, False),
    ],
)
def test_cluster_autoscaler_by_its_deployment(api: FakeApi, name: str, image: str, replicas: int, runs: bool) -> None:
    """Its status may be in another namespace, or not be written."""
    spec = {"replicas": replicas, "template": {"spec": {"containers": [{"image": image}]}}}
    api.store.add("/apis/apps/v1/namespaces/scaling/deployments", {"metadata": {"name": name}, "spec": spec})
    warnings = plan(api, ON).warnings
    assert [f"A Cluster Autoscaler runs (Deployment scaling/{name}): " in one for one in warnings] == [True] * runs


def test_lock_and_journal_need_permissions(api: FakeApi) -> None:
    """They are asked for before anything is begun, where a journal is used."""
    api.store.denied = {("patch", "leases"), ("create", "secrets")}
    assert plan(api, ON).refusals == []
    journal = Journal(KubeClient.from_options(api.options), "test", "kube-system")
    (refusal,) = plan(api, ON, journal=journal).refusals
    assert refusal == (
        "The credentials may not: patch leases.coordination.k8s.io podnet-upkeep-test in namespace kube-system, "
        "create secrets in namespace kube-system."
    )
