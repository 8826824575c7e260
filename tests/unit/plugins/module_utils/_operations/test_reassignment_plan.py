"""The plan against a fake API: which Nodes, in which order, and what it refuses; it never writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations import before_image
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import (
    Plan,
    PlanOptions,
    make_plan,
    read_context,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.registration import (
    Registration,
    RegistrationOptions,
)

from .conftest import PODS, bound_pod, node

SETTINGS = AuditSettings(
    allocator=settings_from_options({"cluster_cidrs": ["10.244.0.0/22"], "service_ranges": ["10.96.0.0/16"]})
)
RISK = ("controller-manager-unknown",)


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """Four blocks; w1 is out of range, w2 is well."""
    with FakeApi() as running:
        running.store.add("/api/v1/nodes", node("w1"))
        running.store.add("/api/v1/nodes", node("w2", podCIDR="10.244.0.0/24", podCIDRs=["10.244.0.0/24"]))
        running.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        running.store.add("/apis/apps/v1/namespaces/default/daemonsets", {"metadata": {"name": "owner"}})
        yield running


def plan(api: FakeApi, settings: AuditSettings = SETTINGS, **options: Any) -> Plan:
    """The plan of the cluster as it is."""
    client = KubeClient.from_options(api.options)
    given = {"accepted_risks": RISK, **options}
    return make_plan(client, read_context(client, settings), PlanOptions(**given))


def names(made: Plan) -> list[str]:
    """Planned Nodes in their order."""
    return [one.name for one in made.nodes]


def test_plan_of_a_drifted_node(api: FakeApi) -> None:
    """Reason, what it keeps, what becomes of its pods; and not one write."""
    api.store.add(PODS, bound_pod("web-0"))
    api.store.add(PODS, bound_pod("agent", "DaemonSet"))
    made = plan(api)
    assert made.skipped == []
    assert (names(made), made.all_refusals) == (["w1"], [])
    one = made.nodes[0].to_dict()
    assert [reason["id"] for reason in one["reasons"]] == ["node-cidr-out-of-range"]
    assert one["keeps"]["taints"] == ["dedicated=x:NoSchedule"]
    assert one["keeps"]["left_out"] == ["flannel.alpha.coreos.com/backend-data"]
    assert one["pods"] == {"evict": ["default/web-0"], "delete": ["default/agent"], "keep": []}
    assert any("10.200.7.0/24" in line for line in made.lines())
    writes = [one for one in api.requests if one.method != "GET" and "selfsubject" not in one.path]
    assert writes == []


def test_digest_follows_what_the_plan_rests_on(api: FakeApi) -> None:
    """The same cluster, the same digest; another uid, another one."""
    first = plan(api).digest()
    assert plan(api).digest() == first
    api.store.objects["/api/v1/nodes/w1"]["metadata"]["uid"] = "another"
    assert plan(api).digest() != first


def test_healthy_cluster_has_an_empty_plan(api: FakeApi) -> None:
    """And says so; a named healthy Node is skipped, unless it is wanted all the same."""
    del api.store.objects["/api/v1/nodes/w1"]
    assert plan(api).lines() == ["No Node has to be registered anew."]
    assert plan(api, nodes=("w2",)).skipped[0]["name"] == "w2"
    assert names(plan(api, nodes=("w2",), even_if_healthy=True)) == ["w2"]


def test_unknown_node_is_one_sentence(api: FakeApi) -> None:
    """It names the value and what there is."""
    with pytest.raises(InputError, match="nodes: there is no Node 'w9' in this cluster; it has w1, w2"):
        plan(api, nodes=("w9",))


def test_order(api: FakeApi) -> None:
    """Nodes that free blocks first, then by name, waiting ones later, the control plane last."""
    control = node("a-control", podCIDR="10.201.0.0/24", podCIDRs=["10.201.0.0/24"])
    control["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    api.store.add("/api/v1/nodes", control)
    api.store.add("/api/v1/nodes", node("wide", podCIDR="10.244.2.0/23", podCIDRs=["10.244.2.0/23"]))
    waiting = node("a-waiting")
    del waiting["spec"]["podCIDR"], waiting["spec"]["podCIDRs"]
    api.store.add("/api/v1/nodes", waiting)
    allocator = settings_from_options({"cluster_cidrs": ["10.244.0.0/20"]})
    made = plan(api, AuditSettings(allocator=allocator), control_plane=True)
    assert names(made) == ["wide", "w1", "a-waiting", "a-control"]
    assert [one.waits_for_block for one in made.nodes] == [False, False, True, False]
    assert plan(api).skipped[0]["name"] == "a-control"
    refused = plan(api, nodes=("a-control",))
    assert "belongs to the control plane" in refused.all_refusals[0]


def test_refusals_of_nodes(api: FakeApi) -> None:
    """A named one stops the run, one that nobody named is left out and reported."""
    api.store.objects["/api/v1/nodes/w1"]["spec"]["providerID"] = "aws:///eu-1/i-1"
    made = plan(api)
    assert names(made) == [] and "cloud-provider" in made.skipped[0]["reason"]
    assert "accepted_risks: [cloud-provider]" in plan(api, nodes=("w1",)).all_refusals[0]
    assert plan(api, nodes=("w1",), accepted_risks=(*RISK, "cloud-provider")).all_refusals == []


def test_pod_that_must_not_be_evicted(api: FakeApi) -> None:
    """kubectl's words, before anything is cordoned."""
    api.store.add(PODS, bound_pod("bare", owner=""))
    assert "declare no controller" in plan(api, nodes=("w1",)).all_refusals[0]


def test_no_block_for_the_node(api: FakeApi) -> None:
    """A full pool and a Node that waits."""
    api.store.add("/api/v1/nodes", node("w3", podCIDR="10.244.1.0/24", podCIDRs=["10.244.1.0/24"]))
    api.store.add("/api/v1/nodes", node("w4", podCIDR="10.244.2.0/23", podCIDRs=["10.244.2.0/23"]))
    refusals = plan(api, nodes=("w1",)).all_refusals
    assert any("Node w1: no IPv4 block would be left for it: deleting it frees 0" in one for one in refusals)


def test_other_nodes_that_are_out(api: FakeApi) -> None:
    """Not Ready or cordoned ones are named, Nodes of the run are not counted."""
    third = node("w3", podCIDR="10.244.1.0/24", podCIDRs=["10.244.1.0/24"], unschedulable=True)
    third["status"]["conditions"] = []
    api.store.add("/api/v1/nodes", third)
    assert [one.split(":")[0] for one in plan(api).refusals] == [
        "Other Nodes are not Ready",
        "Other Nodes are cordoned",
    ]
    assert plan(api, run_nodes=("w3",)).refusals == []
    assert plan(api, accepted_risks=(*RISK, "other-nodes-not-ready", "other-nodes-cordoned")).refusals == []


def test_settings_that_nobody_shows(api: FakeApi) -> None:
    """Without settings a new podCIDR could not be judged."""
    refusals = plan(api, AuditSettings(), nodes=("w1",), even_if_healthy=True).refusals
    assert any("state them with the option allocator" in one for one in refusals)


def test_missing_permission_is_named(api: FakeApi) -> None:
    """Without Nodes there is no plan; without a verb there is a refusal."""
    api.store.denied = {("delete", "nodes")}
    assert plan(api).refusals == ["The credentials may not: delete nodes."]
    words = 'nodes is forbidden: User "eve" cannot list resource "nodes"'
    api.faults.append(Fault("GET", "/api/v1/nodes$", 403, status_body(403, "Forbidden", words), times=9))
    with pytest.raises(RefusedError, match=r'nodes cannot be read.*User "eve"'):
        plan(api)


def test_broken_release_with_finalizers(api: FakeApi) -> None:
    """1.31.0 to 1.31.3 give a block away that is still in use."""
    client = KubeClient.from_options(api.options)
    api.store.objects["/api/v1/nodes/w1"]["metadata"]["finalizers"] = ["wrangler.cattle.io/node"]
    assert plan(api, nodes=("w1",)).all_refusals == []
    context = read_context(client, SETTINGS)
    object.__setattr__(context.state, "server_version", "v1.31.2+k3s1")
    refusals = make_plan(client, context, PlanOptions(nodes=("w1",), accepted_risks=RISK)).all_refusals
    assert any("fixed in 1.31.4" in one for one in refusals)


def test_unfinished_node_comes_first_and_needs_no_finding(api: FakeApi, tmp_path: Path) -> None:
    """A Node that an earlier run deleted is not in the cluster, but in the before-image."""
    client = KubeClient.from_options(api.options)
    Registration(client, "w2", RegistrationOptions(state_dir=str(tmp_path))).capture()
    image = before_image.load(str(tmp_path), "w2")
    assert image is not None
    before_image.save(str(tmp_path), image.at("deleting").at("deleted"))
    del api.store.objects["/api/v1/nodes/w2"]
    made = plan(api, state_dir=str(tmp_path))
    assert names(made) == ["w2", "w1"]
    assert made.nodes[0].resume_step == "deleted" and made.nodes[0].refusals == []
    assert names(plan(api, nodes=("w2",), state_dir=str(tmp_path))) == ["w2"]
