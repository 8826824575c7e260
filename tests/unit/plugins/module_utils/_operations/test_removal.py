"""Which Nodes are really gone, and their removal, against a fake API whose world moves on while we sleep."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snapshots import providers
from snapshots.providers import NodeCase
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_options
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError, WaitTimeoutError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.node_removal import ActOptions, NodeRemoval
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.removal_plan import (
    TAINT,
    RemovalOptions,
    RemovalPlan,
    make_removal_plan,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_journal import Journal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_lease import RunLease
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec
from ansible_collections.podnet.upkeep.plugins.module_utils._removal_options import (
    removal_argument_spec,
    removal_options,
)

from .conftest import PODS, FastClock, bound_pod

NODE_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
ATTACHMENTS = "/apis/storage.k8s.io/v1/volumeattachments"
SETTINGS = AuditSettings(allocator=settings_from_options({"cluster_cidrs": ["10.244.0.0/20"]}))
NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc)
RISK = ("controller-manager-unknown",)


def node(name: str, ready: str = "True", since: str = "2026-01-01T10:00:00Z", **metadata: Any) -> dict[str, Any]:
    """A Node whose kubelet has reported; Ready changed at this time."""
    number = sum(map(ord, name)) % 16
    made = providers.node(name, cidr=f"10.244.{number}.0/24", **metadata)
    made["status"]["conditions"] = [
        {"type": "Ready", "status": ready, "lastTransitionTime": since, "lastHeartbeatTime": since, "reason": "x"}
    ]
    return made


def lease(name: str, renewed: str = "2026-01-01T10:00:00.000000Z") -> dict[str, Any]:
    """The Lease of a Node's kubelet."""
    return {
        "metadata": {"name": name, "creationTimestamp": renewed, "managedFields": [{"time": renewed}]},
        "spec": {"renewTime": renewed, "leaseDurationSeconds": 40},
    }


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """Six Nodes, of which w1 is silent for two hours."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        for name in ("w2", "w3", "w4", "w5", "w6"):
            api.store.add("/api/v1/nodes", node(name))
        api.store.add("/api/v1/nodes", node("w1", "Unknown"))
        api.store.add(NODE_LEASES, lease("w1"))
        yield api


def plan(api: FakeApi, fast: FastClock, **options: Any) -> RemovalPlan:
    """The plan of the cluster as it is."""
    client = KubeClient.from_options(api.options)
    given = RemovalOptions(**{"accepted_risks": RISK, **options})
    return make_removal_plan(client, read_context(client, SETTINGS), given, clock=fast.clock(), now=lambda: NOW)


def names(made: RemovalPlan) -> list[str]:
    """Planned Nodes."""
    return [one.name for one in made.nodes]


def test_a_silent_node_is_planned(cluster: FakeApi, fast: FastClock) -> None:
    """With what goes with it, watched for a whole time of its Lease, and not one write."""
    cluster.store.add(PODS, bound_pod("web-0"))
    stays = bound_pod("agent", "DaemonSet")
    stays["spec"]["tolerations"] = [{"operator": "Exists"}]
    cluster.store.add(PODS, stays)
    made = plan(cluster, fast, settle_seconds=5)
    assert (names(made), made.all_refusals, made.skipped) == (["w1"], [], [])
    one = made.nodes[0].to_dict()
    assert one["pods"] == {"evicted": ["default/web-0"], "stay": ["default/agent"]}
    assert (one["silent_seconds"], one["frees_blocks"]) == (7200, 1)
    assert any("is silent for 2 h and will be removed" in line for line in made.lines())
    assert 40 <= fast.seconds <= 45
    writes = [one for one in cluster.requests if one.method != "GET" and "selfsubject" not in one.path]
    assert writes == []


def test_digest_follows_the_nodes(cluster: FakeApi, fast: FastClock) -> None:
    """Another uid, another plan."""
    first = plan(cluster, fast).digest()
    assert plan(cluster, fast).digest() == first
    cluster.store.objects["/api/v1/nodes/w1"]["metadata"]["uid"] = "another"
    assert plan(cluster, fast).digest() != first


def renew(cluster: FakeApi) -> None:
    """The kubelet of w1 renews."""
    cluster.store.objects[f"{NODE_LEASES}/w1"]["spec"]["renewTime"] = "2026-01-01T12:00:05.000000Z"


def beat(cluster: FakeApi) -> None:
    """The kubelet of w1 writes its status."""
    condition = cluster.store.objects["/api/v1/nodes/w1"]["status"]["conditions"][0]
    condition["lastHeartbeatTime"] = "2026-01-01T12:00:05Z"


def recover(cluster: FakeApi) -> None:
    """w1 is Ready."""
    cluster.store.objects["/api/v1/nodes/w1"]["status"]["conditions"][0]["status"] = "True"


def register(cluster: FakeApi) -> None:
    """Somebody registers w1 again."""
    cluster.store.objects["/api/v1/nodes/w1"]["metadata"]["uid"] = "another"


def vanish(cluster: FakeApi) -> None:
    """Somebody deletes w1."""
    cluster.store.objects.pop("/api/v1/nodes/w1", None)


LIVES = {
    renew: "its kubelet renews its Lease",
    beat: "its kubelet writes its status",
    recover: "it is Ready again",
    register: "it was registered again",
    vanish: "it is gone",
}


@pytest.mark.parametrize("change", LIVES, ids=lambda change: change.__name__)
def test_what_moves_while_it_is_watched_is_not_gone(change: Any, cluster: FakeApi, fast: FastClock) -> None:
    """Named: a refusal; unnamed: left alone."""
    fast.on_sleep = lambda: change(cluster) if fast.seconds > 30 else None
    made = plan(cluster, fast, nodes=("w1",))
    assert len(made.all_refusals) == 1 and LIVES[change] in made.all_refusals[0], made.all_refusals


def test_unnamed_nodes_that_live_are_skipped(cluster: FakeApi, fast: FastClock) -> None:
    """With the reason."""
    fast.on_sleep = lambda: renew(cluster)
    made = plan(cluster, fast)
    assert made.nodes == [] and "renews its Lease" in made.skipped[0]["reason"]


@pytest.mark.parametrize(
    ("since", "renewed", "refused"),
    [
        ("2026-01-01T11:29:59Z", "2026-01-01T11:00:00.000000Z", False),
        ("2026-01-01T11:30:01Z", "2026-01-01T11:00:00.000000Z", True),
        ("2026-01-01T11:00:00Z", "2026-01-01T11:30:01.000000Z", True),
    ],
)
def test_quarantine(since: str, renewed: str, refused: bool, cluster: FakeApi, fast: FastClock) -> None:
    """The later one of condition and Lease counts, by the server's clock."""
    cluster.store.add("/api/v1/nodes", node("w1", "Unknown", since))
    cluster.store.add(NODE_LEASES, lease("w1", renewed))
    found = plan(cluster, fast, nodes=("w1",)).all_refusals
    assert bool(found) == refused and all("quarantine of 30 min" in one for one in found)


def test_unknown_times_are_no_silence(cluster: FakeApi, fast: FastClock) -> None:
    """Neither a condition with a time nor a Lease: not gone."""
    del cluster.store.objects[f"{NODE_LEASES}/w1"]
    del cluster.store.objects["/api/v1/nodes/w1"]["status"]["conditions"][0]["lastTransitionTime"]
    assert "silent for 0 s only" in plan(cluster, fast, nodes=("w1",)).all_refusals[0]


def test_node_that_no_kubelet_ever_reported(cluster: FakeApi, fast: FastClock) -> None:
    """A Node that a re-registration has just created looks like that."""
    cluster.store.objects["/api/v1/nodes/w1"]["status"]["conditions"][0]["reason"] = "NodeStatusNeverUpdated"
    found = plan(cluster, fast, nodes=("w1",)).all_refusals
    assert "No kubelet has ever reported" in found[0] and "[never-registered]" in found[0]
    cluster.store.objects["/api/v1/nodes/w1"]["status"]["conditions"] = []
    assert "No kubelet has ever reported" in plan(cluster, fast).skipped[0]["reason"]


def test_ready_nodes_and_nodes_that_are_not_there(cluster: FakeApi, fast: FastClock) -> None:
    """The first is a refusal, the second is what an earlier run has done."""
    assert plan(cluster, fast, nodes=("w2",)).all_refusals == ["Node w2 is Ready."]
    made = plan(cluster, fast, nodes=("w9",))
    assert (made.nodes, made.all_refusals) == ([], []) and made.skipped[0]["name"] == "w9"


def test_too_many_nodes_are_silent(cluster: FakeApi, fast: FastClock) -> None:
    """One always may be, then the share counts, and a whole zone is suspicious."""
    assert names(plan(cluster, fast, max_share=0.0)) == ["w1"]
    cluster.store.add("/api/v1/nodes", node("w2", "Unknown"))
    assert "2 of 6 Nodes are not Ready, more than the 1" in plan(cluster, fast).all_refusals[0]
    assert sorted(names(plan(cluster, fast, max_share=0.4))) == ["w1", "w2"]
    for name in ("w1", "w2"):
        labels = {"topology.kubernetes.io/zone": "z1"}
        cluster.store.objects[f"/api/v1/nodes/{name}"]["metadata"]["labels"] = labels
    found = plan(cluster, fast, max_share=0.4).all_refusals
    assert "No Node of zone z1 is Ready" in found[0] and "[whole-zone]" in found[0]
    assert plan(cluster, fast, max_share=0.4, accepted_risks=(*RISK, "whole-zone")).all_refusals == []


def test_all_nodes_are_silent(cluster: FakeApi, fast: FastClock) -> None:
    """Even one Node, when it is the only one."""
    for name in ("w2", "w3", "w4", "w5", "w6"):
        del cluster.store.objects[f"/api/v1/nodes/{name}"]
    assert "1 of 1 Nodes are not Ready" in plan(cluster, fast).all_refusals[0]


def test_max_nodes_takes_those_that_are_gone_for_longest(cluster: FakeApi, fast: FastClock) -> None:
    """The others are named."""
    cluster.store.add("/api/v1/nodes", node("w2", "Unknown", "2026-01-01T08:00:00Z"))
    made = plan(cluster, fast, max_nodes=1, max_share=0.5)
    assert names(made) == ["w2"] and made.skipped[0]["name"] == "w1" and "max_nodes is 1" in made.skipped[0]["reason"]


def test_what_would_be_in_use_twice(cluster: FakeApi, fast: FastClock) -> None:
    """Volumes and pods of StatefulSets, unless a person knows that the machine is off."""
    cluster.store.add(PODS, bound_pod("db-0", "StatefulSet"))
    attachment = {"metadata": {"name": "a"}, "spec": {"nodeName": "w1", "source": {"persistentVolumeName": "pv-1"}}}
    cluster.store.add(ATTACHMENTS, attachment)
    found = plan(cluster, fast, nodes=("w1",)).all_refusals
    assert len(found) == 1 and "volumes are attached to it (pv-1)" in found[0] and "default/db-0" in found[0]
    assert plan(cluster, fast, nodes=("w1",), accepted_risks=(*RISK, "machine-may-run")).all_refusals == found
    made = plan(cluster, fast, nodes=("w1",), powered_off=("w1",))
    assert made.all_refusals == [] and made.nodes[0].volumes == ["pv-1"]


def test_etcd_members_are_never_removed(cluster: FakeApi, fast: FastClock) -> None:
    """By role label or by the pod that runs on it."""
    pod = bound_pod("etcd-w1", "Node", component="etcd")
    cluster.store.add("/api/v1/namespaces/kube-system/pods", pod)
    found = plan(cluster, fast, nodes=("w1",), accepted_risks=(*RISK, "etcd-member")).all_refusals
    assert len(found) == 1 and "runs the etcd member etcd-w1" in found[0]


def test_somebody_works_on_it(cluster: FakeApi, fast: FastClock) -> None:
    """Cordoned, or begun by a re-registration, or such a run holds its lock."""
    cluster.store.objects["/api/v1/nodes/w1"]["spec"]["unschedulable"] = True
    assert "[cordoned-node]" in plan(cluster, fast, nodes=("w1",)).all_refusals[0]
    client = KubeClient.from_options(cluster.options)
    journal = Journal(client, "reassign-pod-cidrs", "kube-system")
    journal.begin({"holder": "x"})
    journal.record("w1", {"step": "deleting"})
    found = plan(cluster, fast, nodes=("w1",), accepted_risks=(*RISK, "cordoned-node")).all_refusals
    assert len(found) == 1 and "finish it with reassign_pod_cidrs" in found[0]


#: all but what is only about registering a Node again
DELETIONS = [
    case for case in providers.NODES if case.product not in ("Talos", "Windows", "MicroK8s that does not say its role")
]


@pytest.mark.parametrize("name", ["reassign-pod-cidrs", "retire-nodes"])
def test_runs_that_stop_kubelets_on_purpose(name: str, cluster: FakeApi, fast: FastClock) -> None:
    """While one of them is under way, nothing is removed; one that is over is no matter."""
    client = KubeClient.from_options(cluster.options)
    lease = RunLease(client, name, "kube-system", "somebody@elsewhere")
    lease.acquire()
    assert "somebody@elsewhere" in plan(cluster, fast).all_refusals[0]
    lease.release()
    assert names(plan(cluster, fast)) == ["w1"]


@pytest.mark.parametrize("case", DELETIONS, ids=lambda case: case.product)
def test_providers(case: NodeCase, cluster: FakeApi, fast: FastClock) -> None:
    """What destroys a machine that may live, or an etcd member, is refused here as well."""
    gone = json.loads(json.dumps(case.node))
    gone["metadata"]["name"] = "w1"
    gone["status"]["conditions"] = node("w1", "Unknown")["status"]["conditions"]
    cluster.store.add("/api/v1/nodes", gone)
    for path, obj in case.objects:
        cluster.store.add(path, obj)
    client = KubeClient.from_options(cluster.options)
    context = read_context(client, SETTINGS)
    object.__setattr__(context.state, "server_version", case.server_version)
    options = RemovalOptions(nodes=("w1",), accepted_risks=RISK, settle_seconds=0)
    found = make_removal_plan(client, context, options, clock=fast.clock(), now=lambda: NOW).all_refusals
    assert found, "not refused"
    if "etcd" in case.says or "control plane" in case.says:
        accepted = RemovalOptions(
            nodes=("w1",), accepted_risks=(*RISK, "embedded-etcd", "control-plane", "etcd-member")
        )
        again = make_removal_plan(client, context, accepted, clock=fast.clock(), now=lambda: NOW)
        assert again.all_refusals == found
    if "terminates the machine" in case.says:
        assert any("[machine-is-terminated]" in one for one in found)


def test_missing_verb(cluster: FakeApi, fast: FastClock) -> None:
    """Named, before anything else is asked."""
    cluster.store.denied = {("list", "volumeattachments")}
    assert plan(cluster, fast).all_refusals == ["The credentials may not: list volumeattachments.storage.k8s.io."]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("quarantine", -1, "quarantine: -1 is no time"),
        ("max_share", 0.6, "max_share: 0.6 is not usable"),
        ("max_share", -0.1, "max_share: -0.1 is not usable"),
    ],
)
def test_bad_options(option: str, value: Any, words: str) -> None:
    """One sentence with option, value and remedy."""
    defaults = {name: spec.get("default") for name, spec in removal_argument_spec().items()}
    assert not set(defaults) & set(auth_argument_spec())
    with pytest.raises(InputError, match=words):
        removal_options({**defaults, option: value}, (), 1)
    with pytest.raises(InputError, match="max_nodes: 0 is not usable"):
        removal_options(defaults, (), 0)


# -- the act -----------------------------------------------------------------------------------------------------------


def removal(api: FakeApi, fast: FastClock, **options: Any) -> NodeRemoval:
    """The removal of w1."""
    client = KubeClient.from_options(api.options)
    uid = api.store.objects["/api/v1/nodes/w1"]["metadata"]["uid"]
    return NodeRemoval(client, "w1", uid, ActOptions(**options), clock=fast.clock())


def taints(api: FakeApi) -> list[dict[str, Any]]:
    """Taints of w1."""
    found: list[dict[str, Any]] = api.store.objects["/api/v1/nodes/w1"]["spec"].get("taints") or []
    return found


def control_plane(api: FakeApi, fast: FastClock, after: float = 3) -> None:
    """Remove pods and attachments a while after the taint, and the Lease with the Node."""

    def turn() -> None:
        if fast.seconds >= after and "/api/v1/nodes/w1" in api.store.objects and taints(api):
            for path in [path for path in api.store.objects if path.startswith((PODS, ATTACHMENTS))]:
                del api.store.objects[path]

    fast.on_sleep = turn


def test_removal_in_the_right_order(cluster: FakeApi, fast: FastClock, tmp_path: Path) -> None:
    """Saved, tainted, waited for, deleted by uid; nothing is force-deleted."""
    cluster.store.add(PODS, bound_pod("web-0"))
    control_plane(cluster, fast)
    before = json.loads(json.dumps(cluster.store.objects["/api/v1/nodes/w1"]))
    done = removal(cluster, fast, state_dir=str(tmp_path / "removed")).run()
    assert "/api/v1/nodes/w1" not in cluster.store.objects
    writes = [one for one in cluster.requests if one.method in ("PATCH", "DELETE", "POST")]
    assert [(one.method, one.path) for one in writes] == [("PATCH", "/api/v1/nodes/w1"), ("DELETE", "/api/v1/nodes/w1")]
    assert writes[0].body["spec"]["taints"] == [TAINT]
    assert writes[0].body["metadata"]["uid"] == before["metadata"]["uid"]
    assert writes[1].body["preconditions"] == {"uid": before["metadata"]["uid"]}
    assert json.loads(Path(done.saved_to).read_text(encoding="utf-8")) == before
    assert Path(done.saved_to).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("change", [renew, beat, recover], ids=lambda change: change.__name__)
def test_the_kubelet_comes_back(change: Any, cluster: FakeApi, fast: FastClock) -> None:
    """Nothing is deleted, and only our own taint is taken back."""
    other = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
    cluster.store.objects["/api/v1/nodes/w1"]["spec"]["taints"] = [other]
    cluster.store.add(PODS, bound_pod("web-0"))
    fast.on_sleep = lambda: change(cluster) if fast.seconds > 3 else None
    with pytest.raises(RefusedError, match=r"is not gone: .* the taint .* was taken back"):
        removal(cluster, fast).run()
    assert taints(cluster) == [other]


def test_pods_that_stay(cluster: FakeApi, fast: FastClock) -> None:
    """A finalizer holds one: the taint stays, and the same command goes on."""
    pod = bound_pod("web-0")
    pod["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.store.add(PODS, pod)
    with pytest.raises(WaitTimeoutError, match=r"still pod default/web-0 \(finalizers example.com/hold\)"):
        removal(cluster, fast, release_timeout=20).run()
    assert taints(cluster) == [TAINT] and "/api/v1/nodes/w1" in cluster.store.objects
    control_plane(cluster, fast)
    removal(cluster, fast).run()
    assert "/api/v1/nodes/w1" not in cluster.store.objects


def test_volumes_that_stay(cluster: FakeApi, fast: FastClock) -> None:
    """The Node is not deleted under an attached volume."""
    spec = {"nodeName": "w1", "source": {"persistentVolumeName": "pv-1"}}
    cluster.store.add(ATTACHMENTS, {"metadata": {"name": "a"}, "spec": spec})
    with pytest.raises(WaitTimeoutError, match="still volume pv-1"):
        removal(cluster, fast, release_timeout=20).run()
    assert "/api/v1/nodes/w1" in cluster.store.objects


def test_pods_that_tolerate_the_taint_are_waited_for_in_the_end(cluster: FakeApi, fast: FastClock) -> None:
    """They do not hold the deletion up; podgc removes them after it."""
    pod = bound_pod("agent", "DaemonSet")
    pod["spec"]["tolerations"] = [{"operator": "Exists"}]
    cluster.store.add(PODS, pod)
    with pytest.raises(WaitTimeoutError, match="still pod default/agent"):
        removal(cluster, fast, delete_timeout=20).run()
    assert "/api/v1/nodes/w1" not in cluster.store.objects


def test_another_node_of_the_name_is_not_touched(cluster: FakeApi, fast: FastClock) -> None:
    """Neither tainted nor deleted."""
    act = removal(cluster, fast)
    register(cluster)
    with pytest.raises(RefusedError, match="now has uid another"):
        act.run()
    assert taints(cluster) == []
