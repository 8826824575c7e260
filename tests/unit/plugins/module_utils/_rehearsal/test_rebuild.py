"""A snapshot as objects of an API server: nothing of it is lost, secrets are not in it, and what owns pods selects them."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots import rehearsal_clusters

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.further_lists import kept
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.rebuild import NODE_MARK, Rebuild
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.rebuilt_pods import STUCK
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.times import aged

LATER = rehearsal_clusters.TAKEN + datetime.timedelta(days=9, hours=3)
TIME = rehearsal_clusters.TIME


def rebuilt(state: ClusterState, now: datetime.datetime = rehearsal_clusters.TAKEN) -> dict[str, dict[str, Any]]:
    """{key: object}, as it is written into etcd."""
    return dict(Rebuild(state, now).first())


def test_everything_is_there_and_pruned_alike() -> None:
    """Pruned as the audit does it, what was loaded is what was saved, uids and times included."""
    state = rehearsal_clusters.cluster()
    objects = rebuilt(state)
    for resource in ("nodes", "pods", "ciliumidentities", "ciliumendpoints", "ciliumnodes", "csinodes"):
        kind = RESOURCES[resource].kind
        loaded = {
            (one["metadata"].get("namespace"), one["metadata"]["name"]): one
            for one in objects.values()
            if one["kind"] == kind
        }
        for saved in state.of(resource):
            again = prune(resource, loaded.pop((saved["metadata"].get("namespace"), saved["metadata"]["name"])))
            for metadata in (again["metadata"], saved["metadata"]):
                metadata.pop("annotations", None)
            if resource not in ("nodes", "pods"):
                again["metadata"].pop("uid", None), saved["metadata"].pop("uid", None)
            assert _plain(again) == _plain(saved)
        assert not loaded


def _plain(value: Any) -> Any:
    """Without the API versions of owners, which a pruned object does not have, and empty values."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if key != "apiVersion" and one not in ({}, [], "")}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def test_owners_select_their_pods() -> None:
    """Each ReplicaSet selects its pods and wants as many as there are; its Deployment wants the same template."""
    objects = rebuilt(rehearsal_clusters.cluster(6, 7))
    by_uid = {one["metadata"]["uid"]: one for one in objects.values()}
    all_pods = [one for one in objects.values() if one["kind"] == "Pod"]
    pods = [one for one in all_pods if one["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"]
    assert len(all_pods) - len(pods) == 6  # agents
    for pod in all_pods:
        owner = by_uid[pod["metadata"]["ownerReferences"][0]["uid"]]
        assert pod["metadata"]["ownerReferences"][0]["apiVersion"] == owner["apiVersion"] == "apps/v1"
        assert owner["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    sets = [one for one in objects.values() if one["kind"] == "ReplicaSet"]
    assert sum(one["spec"]["replicas"] for one in sets) == len(pods)
    for one in sets:
        deployment = by_uid[one["metadata"]["ownerReferences"][0]["uid"]]
        mine, its = (json.loads(json.dumps(found["spec"]["template"])) for found in (one, deployment))
        assert mine["metadata"]["labels"].pop("pod-template-hash") in ("6c9d7", "7c44")
        assert mine == its


def _with_pods(*pods: dict[str, Any], **resources: Any) -> ClusterState:
    state = rehearsal_clusters.cluster(4, 0, cilium=False)
    return ClusterState(
        state.taken_at, "v1.36.1", {**state.resources, "pods": pods, **resources}, state.unknown, state.absent
    )


def _pod(name: str, owner: dict[str, Any] | None, node: str = "node-0", **status: Any) -> dict[str, Any]:
    owners = {"ownerReferences": [{"controller": True, **owner}]} if owner else {}
    return {
        "metadata": {
            "name": name,
            "namespace": "n",
            "uid": f"u-{name}",
            "creationTimestamp": TIME,
            "labels": {"a": "b"},
            **owners,
        },
        "spec": {"nodeName": node},
        "status": {"phase": "Running", **status},
    }


def test_a_daemon_set_of_some_nodes_stays_there() -> None:
    """Its pods must neither be deleted nor be made on further Nodes."""
    owner = {"kind": "DaemonSet", "name": "d", "uid": "ds"}
    objects = rebuilt(_with_pods(_pod("d-1", owner, "node-1"), _pod("d-2", owner, "node-3")))
    made = objects["/registry/daemonsets/n/d"]
    assert made["spec"]["updateStrategy"] == {"type": "OnDelete"}
    required = made["spec"]["template"]["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert [term["matchFields"][0]["values"] for term in required["nodeSelectorTerms"]] == [["node-1"], ["node-3"]]
    zone = rebuilt(_with_pods(_pod("d-1", owner, "node-1")))["/registry/daemonsets/n/d"]["spec"]["template"]["spec"]
    assert zone["nodeSelector"] == {"kubernetes.io/hostname": "node-1"}
    everywhere = rebuilt(_with_pods(*(_pod(f"d-{one}", owner, f"node-{one}") for one in range(4))))
    assert not {"affinity", "nodeSelector"} & set(everywhere["/registry/daemonsets/n/d"]["spec"]["template"]["spec"])


def test_a_workload_without_selector_follows_from_its_pods() -> None:
    """Files that somebody cut short may lack what the API demands: the pods say the same."""
    owner = {"kind": "DaemonSet", "name": "d", "uid": "ds"}
    cut = {"metadata": {"name": "d", "namespace": "n", "uid": "ds"}, "spec": {"template": {"spec": {"containers": []}}}}
    objects = rebuilt(_with_pods(_pod("d-1", owner), **{"rehearsal-daemonsets": (cut,)}))
    spec = objects["/registry/daemonsets/n/d"]["spec"]
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"] == {"a": "b"}


def test_a_stateful_set_has_its_ordinals() -> None:
    """Neither a pod too many nor one with a new name."""
    owner = {"kind": "StatefulSet", "name": "s", "uid": "ss"}
    made = rebuilt(_with_pods(_pod("s-2", owner), _pod("s-3", owner)))["/registry/statefulsets/n/s"]
    assert made["spec"]["replicas"] == 2 and made["spec"]["ordinals"] == {"start": 2}


def test_what_stays_and_what_does_not_come_back() -> None:
    """Stuck pods, mirror pods, pods of Jobs and of foreign controllers, pods that wait for a Node."""
    stuck = _pod("stuck", None)
    stuck["metadata"]["deletionTimestamp"] = TIME
    waiting = _pod("waiting", None, phase="Pending")
    del waiting["spec"]["nodeName"]
    state = _with_pods(
        stuck,
        waiting,
        _pod("mirror", {"kind": "Node", "name": "node-0", "uid": "x"}),
        _pod("job", {"kind": "Job", "name": "j", "uid": "jj"}),
        _pod("rollout", {"kind": "Rollout", "name": "r", "uid": "rr"}),
    )
    rebuild = Rebuild(state, state.taken_at)
    objects = dict(rebuild.first())
    assert objects["/registry/pods/n/stuck"]["metadata"]["annotations"] == {STUCK: "true"}
    assert "kubernetes.io/config.mirror" in objects["/registry/pods/n/mirror"]["metadata"]["annotations"]
    assert objects["/registry/pods/n/waiting"]["spec"]["schedulerName"] == "rehearsal.podnet.upkeep.nobody"
    assert objects["/registry/jobs/n/j"]["spec"]["managedBy"].endswith("/nobody")
    text = " ".join(rebuild.result.said)
    assert "Pods of 1 Jobs do not come back" in text and "Pods of Rollout do not come back" in text


def test_nodes_that_are_not_ready_are_nobodys() -> None:
    """kwok would make them Ready."""
    state = rehearsal_clusters.cluster(3, 0, cilium=False)
    nodes = [json.loads(json.dumps(one)) for one in state.of("nodes")]
    nodes[1]["status"]["conditions"] = [{"type": "Ready", "status": "Unknown"}]
    objects = rebuilt(_with_pods(nodes=tuple(nodes)))
    marked = [
        NODE_MARK in (objects[f"/registry/minions/node-{one}"]["metadata"].get("annotations") or {}) for one in range(3)
    ]
    assert marked == [True, False, True]


def test_held_back() -> None:
    """The first part is complete; the second has those Nodes, and what belongs to them, once more."""
    state = rehearsal_clusters.cluster(4, 2)
    held = dict(Rebuild(state, state.taken_at, frozenset({"node-1"})).second())
    assert sorted(held) == [
        "/registry/cilium.io/ciliumnodes/node-1",
        "/registry/csinodes/node-1",
        "/registry/minions/node-1",
    ]
    assert held.items() <= rebuilt(state).items()


@given(st.integers(-10_000_000, 10_000_000))
def test_everything_keeps_its_age(seconds: int) -> None:
    """Whatever the age of a snapshot: all times move alike, and nothing else."""
    by = datetime.timedelta(seconds=seconds)
    state = rehearsal_clusters.cluster(2, 1)
    moved = aged(state, state.taken_at + by)
    assert aged(moved, state.taken_at).to_json() == state.to_json()
    created = moved.of("pods")[0]["metadata"]["creationTimestamp"]
    assert datetime.datetime.fromisoformat(created) - datetime.datetime.fromisoformat(TIME) == by


@pytest.mark.parametrize(
    "text",
    ["2026-11-01T06:00:00.123456789Z", "2026-11-01T06:00:00.123456Z", "2026-11-01T08:00:00+02:00", "no time", ""],
)
def test_forms_of_times(text: str) -> None:
    """Of Go, of Leases, with a zone; what is none stays as it is."""
    state = ClusterState(
        rehearsal_clusters.TAKEN, resources={"leases": ({"metadata": {"name": "x"}, "spec": {"renewTime": text}},)}
    )
    moved = aged(state, state.taken_at + datetime.timedelta(days=1)).of("leases")[0]["spec"]["renewTime"]
    assert moved == text if "T" not in text else moved.startswith("2026-11-02T06:00:00") and moved.endswith("Z")


def test_no_secret_is_kept() -> None:
    """Neither environment, command, image nor a volume with a secret."""
    spec = {
        "containers": [
            {
                **{
                    "name": "main",
                    "image": "registry/secret-image",
                    "command": ["--token=hunter2"],
                    "args": ["hunter2"],
                },
                **{"env": [{"name": "PASSWORD", "value": "hunter2"}], "resources": {"requests": {"cpu": "1"}}},
            }
        ],
        "volumes": [
            {"name": "s", "secret": {"secretName": "hunter2"}},
            {"name": "e", "emptyDir": {}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "hunter2"}},
        ],
        "imagePullSecrets": [{"name": "hunter2"}],
        "nodeSelector": {"zone": "a"},
    }
    metadata = {"name": "p", "namespace": "n", "annotations": {"a": "hunter2"}, "managedFields": []}
    pod = kept(
        "rehearsal-pods",
        {"metadata": metadata, "spec": spec, "status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    )
    made = kept("rehearsal-deployments", {"metadata": metadata, "spec": {"replicas": 2, "template": {"spec": spec}}})
    for one in (pod, made):
        assert "hunter2" not in json.dumps(one) and "secret-image" not in json.dumps(one)
    assert pod["ready"] is True and pod["spec"]["claims"] == 1 and pod["spec"]["nodeSelector"] == {"zone": "a"}
    assert pod["spec"]["containers"] == [{"name": "main", "resources": {"requests": {"cpu": "1"}}}]
    assert kept("rehearsal-pods", pod) == pod and kept("rehearsal-deployments", made) == made
