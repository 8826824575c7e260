"""A Node that is really gone, and one that only looks so, on the real control plane.

The test is the kubelet of both: it reports once and falls silent on `gone`, and renews its Lease on `alive`, whose status
says that it is not Ready. Real are the node lifecycle, taint eviction, pod garbage collection, attach-detach, garbage
collection and pod CIDR allocation by kube-controller-manager.
"""

from __future__ import annotations

import datetime
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.removal_plan import (
    RemovalOptions,
    RemovalPlan,
    make_removal_plan,
)
from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, KwokSpec, Testbed, TestbedSpec, objects

from .observers import untouched_cluster

pytestmark = pytest.mark.testbed

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
ATTACHMENTS = "/apis/storage.k8s.io/v1/volumeattachments"
OPERATOR = "upkeep-operator"
TAINT = "node.kubernetes.io/out-of-service"


def now() -> str:
    """Now, as a kubelet writes it."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Kubelet:
    """What a kubelet writes about one Node."""

    def __init__(self, testbed: Testbed, name: str) -> None:
        self._client = testbed.client
        self.name = name

    def register(self) -> None:
        """Create Node and Lease, and report Ready."""
        made = objects.node(self.name)
        made["metadata"]["annotations"] = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
        del made["metadata"]["labels"]["type"], made["spec"]["taints"]
        uid = self._client.create("/api/v1/nodes", made)["metadata"]["uid"]
        self.report("True", volumesInUse=["kubernetes.io/csi/test.csi^volume-1"])
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.name, "uid": uid}
        self._client.create(
            LEASES,
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self.name, "ownerReferences": [owner]},
                "spec": {"holderIdentity": self.name, "leaseDurationSeconds": 2, "renewTime": now()},
            },
        )

    def report(self, ready: str, **status: Any) -> None:
        """Write the status."""
        stamp = now()[:19] + "Z"
        condition = {"type": "Ready", "status": ready, "reason": "Test", "message": "by the test"}
        condition.update(lastHeartbeatTime=stamp, lastTransitionTime=stamp)
        amounts = {"cpu": "8", "memory": "16Gi", "pods": "110"}
        body = {"status": {"conditions": [condition], "capacity": amounts, "allocatable": amounts, **status}}
        self._client.patch(f"/api/v1/nodes/{self.name}/status", body)

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew the Lease every second while the block runs."""
        stop = threading.Event()

        def renew() -> None:
            while not stop.wait(1):
                self._client.patch(f"{LEASES}/{self.name}", {"spec": {"renewTime": now()}})

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=10)


def run_pod_with_volume(testbed: Testbed) -> None:
    """A pod on `gone` whose CSI volume kube-controller-manager attaches; the test is the CSI attacher."""
    client = testbed.client
    source = {"driver": "test.csi", "volumeHandle": "volume-1"}
    size: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    volume = {**size, "capacity": {"storage": "1Gi"}, "csi": source, "persistentVolumeReclaimPolicy": "Retain"}
    claim = {**size, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "pv-1"}
    client.create("/api/v1/persistentvolumes", {"metadata": {"name": "pv-1"}, "spec": volume})
    client.create("/api/v1/namespaces/default/persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": claim})
    spec = {
        "nodeName": "gone",
        "automountServiceAccountToken": False,
        "containers": [{"name": "main", "image": "simulated"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    client.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "db-0"}, "spec": spec})
    attachment = wait_until("the volume is to be attached", lambda: client.list(ATTACHMENTS))[0]
    client.patch(f"{ATTACHMENTS}/{attachment['metadata']['name']}/status", {"status": {"attached": True}})
    wait_until("the volume is attached", lambda: client.get("/api/v1/nodes/gone")["status"].get("volumesAttached"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Testbed]:
    """Four blocks for cp1, w1, gone and alive, and a fifth Node that waits for one."""
    control_plane = ControlPlaneSpec(
        cluster_cidrs=("10.141.0.0/22",),
        control_plane_node="cp1",
        extra_arguments={"kube-controller-manager": ("--node-monitor-grace-period=12s",)},
    )
    spec = TestbedSpec(name=f"removal-{os.getpid()}", control_plane=control_plane, kwok=KwokSpec())
    with Testbed.up(spec) as testbed:
        client = testbed.client
        gone, alive = Kubelet(testbed, "gone"), Kubelet(testbed, "alive")
        gone.register()
        alive.register()
        client.create("/api/v1/nodes", objects.node("w1"))
        wait_until(
            "four Nodes have a block",
            lambda: [node for node in client.list("/api/v1/nodes") if node["spec"].get("podCIDR")][3:],
        )
        with alive.renewing():
            alive.report("False")
            client.create("/api/v1/nodes", objects.node("waits"))
            run_pod_with_volume(testbed)
            yield testbed


def ready(testbed: Testbed, name: str) -> str:
    """Status of the condition Ready."""
    conditions = testbed.client.get(f"/api/v1/nodes/{name}")["status"]["conditions"]
    return str(next(one["status"] for one in conditions if one["type"] == "Ready"))


@pytest.fixture(scope="module")
def operator_kubeconfig(cluster: Testbed) -> Path:
    """Its own user, so that the audit log tells our requests from all others."""
    return Path(cluster.kubeconfig_for(OPERATOR, ("system:masters",)))


def plan(cluster: Testbed, **options: Any) -> RemovalPlan:
    """The plan as the module makes it."""
    client = KubeClient.from_options({"kubeconfig": str(cluster.kubeconfig)})
    given = RemovalOptions(**{"quarantine": 1, "settle_seconds": 2, "max_share": 0.5, **options})
    return make_removal_plan(client, read_context(client, None), given)


def remove(cluster: Testbed, kubeconfig: Path, *arguments: str, **variables: Any) -> PlaybookRun:
    """Run the playbook."""
    return run_playbook(
        "podnet.upkeep.remove_unreachable_nodes",
        arguments,
        variables={
            "remove_unreachable_nodes_kubeconfig": str(kubeconfig),
            "remove_unreachable_nodes_state_dir": str(Path(cluster.directory) / "removed"),
            "remove_unreachable_nodes_quarantine": 1,
            "remove_unreachable_nodes_settle_seconds": 2,
            "remove_unreachable_nodes_max_share": 0.5,
            "remove_unreachable_nodes_powered_off": ["gone"],
            **variables,
        },
    )


def test_a_kubelet_that_renews_its_lease_is_not_gone(cluster: Testbed) -> None:
    """Its Node is not Ready, and refused: by the quarantine, and without one because it was watched."""
    made = plan(cluster, nodes=("alive",), quarantine=30)
    assert "is silent for" in made.all_refusals[0] and "quarantine of 30 s" in made.all_refusals[0]
    made = plan(cluster, nodes=("alive",), quarantine=0)
    assert len(made.all_refusals) == 1, made.all_refusals
    assert "Node alive is not gone: its kubelet renews its Lease" in made.all_refusals[0]


def test_attached_volumes_need_a_machine_that_is_off(cluster: Testbed) -> None:
    """Nobody has said that it is; too many unreachable Nodes stop the whole run."""
    wait_until("the lifecycle controller gives gone up", lambda: ready(cluster, "gone") == "Unknown")
    refusal = plan(cluster, nodes=("gone",)).all_refusals[0]
    assert "volumes are attached to it (pv-1)" in refusal and "powered_off: [gone]" in refusal
    refusal = plan(cluster, powered_off=("gone",), max_share=0.2).all_refusals[0]
    assert "2 of 5 Nodes are not Ready" in refusal


def test_check_mode_writes_nothing(cluster: Testbed, operator_kubeconfig: Path) -> None:
    """The plan is complete."""
    with untouched_cluster(cluster, OPERATOR):
        done = remove(cluster, operator_kubeconfig, "--check", "--diff")
    assert done.returncode == 0, done.output
    assert "removes pods: default/db-0" in done.output and "detaches volumes: pv-1" in done.output
    assert "skipped: Node alive" in done.output
    assert not (Path(cluster.directory) / "removed").exists()


def test_pods_volumes_and_block_follow_the_node(cluster: Testbed, operator_kubeconfig: Path) -> None:
    """The control plane removes and detaches, the Node goes, and the waiting Node gets its block."""
    client = cluster.client
    block = client.get("/api/v1/nodes/gone")["spec"]["podCIDR"]
    assert not client.get("/api/v1/nodes/waits")["spec"].get("podCIDR")
    done = remove(cluster, operator_kubeconfig)
    assert done.returncode == 0, done.output
    assert client.find("/api/v1/nodes/gone") is None
    assert client.find("/api/v1/namespaces/default/pods/db-0") is None
    assert client.list(ATTACHMENTS) == []
    assert client.find(f"{LEASES}/gone") is None
    # the allocator tries again whenever the Node is written, as its kubelet does at least every five minutes
    client.patch("/api/v1/nodes/waits", {"metadata": {"annotations": {"example.com/status": "written"}}})
    served = wait_until("the waiting Node is served", lambda: client.get("/api/v1/nodes/waits")["spec"].get("podCIDR"))
    assert served == block
    assert TAINT not in {one["key"] for one in client.get("/api/v1/nodes/alive")["spec"].get("taints") or ()}
    assert len(list((Path(cluster.directory) / "removed").iterdir())) == 1
    lease = client.get(
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-remove-unreachable-nodes"
    )
    assert lease["spec"].get("holderIdentity", "") == ""


def test_second_run_changes_nothing(cluster: Testbed, operator_kubeconfig: Path) -> None:
    """Only the living Node is left, and a named Node that is gone already is no error."""
    done = remove(cluster, operator_kubeconfig, remove_unreachable_nodes_nodes=["gone"])
    assert done.returncode == 0 and done.changed == 0, done.output
    assert "there is no Node of this name (any more)" in done.output
