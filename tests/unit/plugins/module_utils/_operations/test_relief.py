"""Which Nodes could be retired when the pool is full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from snapshots import providers
from unit.fake_api import FakeApi, Fault, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.relief import Relief, ReliefOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.retirement_preflight import LeavingHost

from .conftest import PODS, bound_pod

SETTINGS = AuditSettings(allocator=settings_from_options({"cluster_cidrs": ["10.244.0.0/22"]}))


def node(name: str, cidr: str, cpu: str = "4", **more: Any) -> dict[str, Any]:
    """A Node with room."""
    made = providers.node(name, cidr=cidr, **more)
    made["status"]["allocatable"] = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    return made


def pod(name: str, on: str, cpu: str, owner: str = "ReplicaSet", **spec: Any) -> dict[str, Any]:
    """A pod with requests."""
    made = bound_pod(name, owner, on, app=name)
    made["spec"].update({"containers": [{"resources": {"requests": {"cpu": cpu}}}], **spec})
    return made


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """Four blocks, all used: w1 busy, w2 idle, w3 with something, and a control plane Node; w4 waits."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        control = {"node-role.kubernetes.io/control-plane": ""}
        api.store.add("/api/v1/nodes", node("cp1", "10.244.0.0/24", labels=control, taints=["control-plane"]))
        for number, name in enumerate(("w1", "w2", "w3"), start=1):
            api.store.add("/api/v1/nodes", node(name, f"10.244.{number}.0/24"))
        waiting = node("w4", "")
        waiting["status"]["conditions"] = []
        api.store.add("/api/v1/nodes", waiting)
        api.store.add(PODS, pod("big", "w1", "3"))
        api.store.add(PODS, pod("some", "w3", "1"))
        api.store.add(PODS, pod("small", "w2", "500m"))
        api.store.add(PODS, pod("agent", "w2", "100m", "DaemonSet"))
        yield api


def relief(api: FakeApi, **options: Any) -> Relief:
    """Of the cluster as it is."""
    client = KubeClient.from_options(api.options)
    return Relief(client, read_context(client, SETTINGS), ReliefOptions(**options))


def test_least_used_nodes_come_first(cluster: FakeApi) -> None:
    """What moves where, and how many blocks that frees; Nodes of the control plane and waiting ones are not proposed."""
    found = relief(cluster).candidates()
    assert [one.nodes for one in found] == [["w2"], ["w3"], ["w1"]]
    first = found[0].to_dict()
    assert first["moves"] == [{"pod": "default/small", "to": "w3", "why": ""}]
    assert (first["fits"], first["helps"], first["frees_blocks"], first["cpu_millis"]) == (True, True, 1, 500)
    writes = [one for one in cluster.requests if one.method != "GET"]
    assert writes == []


def test_pods_that_fit_nowhere(cluster: FakeApi) -> None:
    """A Node whose pods are stranded helps nobody and comes last."""
    cluster.store.add(PODS, pod("huge", "w1", "3500m"))
    last = relief(cluster).candidates()[-1]
    assert last.nodes == ["w1"] and not last.fits and not last.helps
    stranded = [one for one in last.moves if not one["to"]]
    assert stranded == [
        {"pod": "default/huge", "to": "", "why": "not enough cpu (2 Nodes), taint control-plane (1 Nodes)"}
    ]
    assert any("no place: default/huge" in line for line in last.lines())


def test_several_nodes_together(cluster: FakeApi) -> None:
    """Their pods may not move to one another."""
    choice = relief(cluster, nodes=("w2", "w3")).choice()
    assert choice.frees_blocks == 2 and not choice.fits
    assert {one["pod"]: one["to"] for one in choice.moves} == {"default/some": "w1", "default/small": ""}
    with pytest.raises(InputError, match="nodes: there is no Node 'w9' in this cluster"):
        relief(cluster, nodes=("w9",)).choice()


def test_shared_and_foreign_blocks_free_nothing(cluster: FakeApi) -> None:
    """A Node out of range has no block of the pool."""
    cluster.store.add("/api/v1/nodes", node("w2", "10.9.9.0/24"))
    by_name = {one.nodes[0]: one for one in relief(cluster).candidates()}
    assert by_name["w2"].frees_blocks == 0 and not by_name["w2"].helps
    cluster.store.add("/api/v1/nodes", node("w2", "10.244.2.0/26"))
    cluster.store.add("/api/v1/nodes", node("w5", "10.244.2.64/26"))
    by_name = {one.nodes[0]: one for one in relief(cluster).candidates()}
    assert by_name["w2"].frees_blocks == 0 and "shares a block" in by_name["w2"].refusals[0]


def test_refusals_and_their_overrides(cluster: FakeApi) -> None:
    """Providers, pods without a controller, control plane."""
    cluster.store.objects["/api/v1/nodes/w2"]["metadata"]["labels"] = {"karpenter.sh/nodepool": "x"}
    cluster.store.add(PODS, pod("bare", "w2", "100m", ""))
    refusals = relief(cluster, nodes=("w2",)).choice().refusals
    assert [one.rpartition("[")[2] for one in refusals] == ["machine-is-terminated]).", "bare-pods])."]
    choice = relief(cluster, nodes=("w2",), accepted_risks=("machine-is-terminated", "bare-pods")).choice()
    assert choice.refusals == [] and choice.ends == ["default/bare"]
    assert relief(cluster, nodes=("cp1",)).choice().refusals == ["Node cp1 belongs to the control plane."]


def test_a_waiting_node_that_takes_pods(cluster: FakeApi) -> None:
    """Its pods could not be reached, so it is to be cordoned first."""
    ready = [{"type": "Ready", "status": "True"}]
    cluster.store.objects["/api/v1/nodes/w4"]["status"]["conditions"] = ready
    assert "Ready and schedulable (w4)" in relief(cluster, nodes=("w2",)).choice().refusals[0]
    cluster.store.objects["/api/v1/nodes/w4"]["spec"]["unschedulable"] = True
    assert relief(cluster, nodes=("w2",)).choice().refusals == []


def test_what_stays_behind_or_is_lost(cluster: FakeApi) -> None:
    """Local data and budgets are named."""
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/x"}}]
    cluster.store.add(PODS, pod("cache", "w2", "100m", volumes=volumes))
    budget = {
        "metadata": {"name": "cache"},
        "spec": {"selector": {"matchLabels": {"app": "cache"}}},
        "status": {"disruptionsAllowed": 0, "expectedPods": 1, "currentHealthy": 1, "desiredHealthy": 1},
    }
    cluster.store.add("/apis/policy/v1/namespaces/default/poddisruptionbudgets", budget)
    choice = relief(cluster, nodes=("w2",)).choice()
    assert len(choice.warnings) == 2 and "default/cache (allows 0 disruptions now" in choice.budgets[0]


def test_local_volumes_keep_their_pod(cluster: FakeApi) -> None:
    """By the PersistentVolume behind the claim."""
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["w2"]}]}]
    spec = {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}
    cluster.store.add("/api/v1/persistentvolumes", {"metadata": {"name": "pv-1"}, "spec": spec})
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    cluster.store.add(claims, {"metadata": {"name": "data"}, "spec": {"volumeName": "pv-1"}})
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    cluster.store.add(PODS, pod("db-0", "w2", "100m", "StatefulSet", volumes=volumes))
    choice = relief(cluster, nodes=("w2",)).choice()
    assert "volume pv-1 is bound to other Nodes" in next(one["why"] for one in choice.moves if not one["to"])


def test_what_speaks_against_retiring_now(cluster: FakeApi) -> None:
    """Only where it is asked: the cluster may be judged for a Node that nobody retires yet."""
    cluster.store.objects["/api/v1/nodes/w1"]["spec"]["unschedulable"] = True
    service = {"metadata": {"name": "v1.x"}, "status": {"conditions": [{"type": "Available", "status": "False"}]}}
    cluster.store.add("/apis/apiregistration.k8s.io/v1/apiservices", service)
    assert relief(cluster, nodes=("w2",)).choice().refusals == []
    found = relief(cluster, nodes=("w2",), preflight=True).choice().refusals
    assert [
        any(words in one for one in found) for words in ("v1.x", "kube-controller-manager", "are cordoned: w1")
    ] == [
        True,
        True,
        True,
    ]
    risks = ("other-nodes-cordoned", "controller-manager-unknown")
    (left,) = relief(cluster, nodes=("w2", "w1"), preflight=True, accepted_risks=risks[1:]).choice().refusals
    assert "garbage collection" in left, "a Node of the choice may be cordoned"


def test_while_something_cannot_be_read(cluster: FakeApi) -> None:
    """Nothing is deleted while the picture is incomplete; the rest is not looked at."""
    cluster.faults.append(Fault("GET", "^/apis/apps/v1/daemonsets", 403, status_body(403, "Forbidden", "no"), times=99))
    (found,) = relief(cluster, nodes=("w2",), preflight=True).choice().refusals
    assert "daemonsets cannot be read" in found


def report(*units: str, machine_id: str = "m2", user: str = "0") -> str:
    """What read_host.sh prints."""
    return "\n".join([f"user-id {user}", f"machine-id {machine_id}", "boot-id b2", *(f"unit {one}" for one in units)])


@pytest.mark.parametrize(
    ("text", "unit", "wanted"),
    [
        (report("kubelet active enabled"), "auto", "kubelet"),
        (report("kubelet inactive disabled", "k3s-agent active enabled"), "auto", "k3s-agent"),
        (report("rke2-agent active enabled", "own active enabled"), "rke2-agent.service", "rke2-agent"),
        (report("own active enabled"), "own", "own"),
        (report(), "auto", "has none of the units that run a kubelet"),
        (report("k3s active enabled"), "auto", "a server of k3s"),
        (report("kubelet active enabled"), "other", "has no unit other"),
        (report("kubelet active enabled", machine_id="m3"), "auto", "is not the machine of Node w2"),
        (report("kubelet active enabled", user="1000"), "auto", "retire_nodes_become"),
        ("hello", "auto", "What was read on host h2 cannot be used"),
    ],
)
def test_which_unit_is_stopped(text: str, unit: str, wanted: str, cluster: FakeApi) -> None:
    """Known before anything is drained, or a refusal."""
    cluster.store.objects["/api/v1/nodes/w2"]["status"]["nodeInfo"] = {"machineID": "m2", "bootID": "b2"}
    choice = relief(cluster, nodes=("w2",), hosts=(LeavingHost("w2", "h2", text, unit),)).choice()
    if choice.refusals:
        (refusal,) = choice.refusals
        assert wanted in refusal and refusal.endswith(".") and not choice.units
    else:
        assert choice.units == {"w2": wanted}
