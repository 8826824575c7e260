"""The role retire_nodes on a fake API and a host that is this machine: whom it drains, stops and deletes, and whom not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snapshots import providers
from unit.fake_api import FakeApi, Request

from harness.playbook import PlaybookRun, run_playbook

LOCK = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-retire-nodes"
PODS = "/api/v1/namespaces/default/pods"
MACHINE_ID = Path("/etc/machine-id").read_text(encoding="utf-8").strip() if Path("/etc/machine-id").exists() else ""
pytestmark = pytest.mark.skipif(not MACHINE_ID, reason="this machine has no machine-id")


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """Two workers; w2 has one pod and is this machine."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        for number, name in enumerate(("w1", "w2")):
            made = providers.node(name, cidr=f"10.244.{number}.0/24")
            made["status"]["allocatable"] = {"cpu": "4", "memory": "8Gi", "pods": "110"}
            made["status"]["nodeInfo"]["machineID"] = MACHINE_ID
            api.store.add("/api/v1/nodes", made)
        owner = [{"kind": "ReplicaSet", "name": "web", "controller": True}]
        pod = {"metadata": {"name": "web", "ownerReferences": owner}, "spec": {"nodeName": "w2"}}
        api.store.add(PODS, {**pod, "status": {"phase": "Running"}})
        yield api


@pytest.fixture
def files(cluster: FakeApi, tmp_path: Path) -> Path:
    """A kubeconfig, and an inventory whose host machine-2 runs commands here, with a systemctl that only notes."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.options["host"]}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig), encoding="utf-8")
    (tmp_path / "bin").mkdir()
    scripts = {
        tmp_path / "ssh": (
            f"if [ -e {tmp_path}/cut ]; then echo 'Connection closed by 192.0.2.1 port 22' >&2; exit 255; fi\n"
            f'for last; do :; done\nPATH={tmp_path}/bin:$PATH exec sh -c "$last"\n'
        ),
        tmp_path / "bin" / "id": "echo 0\n",
        tmp_path / "bin" / "systemctl": (
            f'echo "$*" >>{tmp_path}/systemctl.log\n'
            'case "$*" in *show*) printf "LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n";; esac\n'
        ),
    }
    for path, text in scripts.items():
        path.write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
        path.chmod(0o755)
    host = {
        "podnet_node_name": "w2",
        "ansible_ssh_executable": str(tmp_path / "ssh"),
        "ansible_host": "192.0.2.1",
        "ansible_pipelining": True,
        "ansible_python_interpreter": sys.executable,
    }
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": {"machine-2": host}}}), encoding="utf-8")
    return tmp_path


def retire(files: Path, *arguments: str, **variables: Any) -> PlaybookRun:
    """Run the playbook."""
    return run_playbook(
        "podnet.upkeep.retire_nodes",
        ["-i", str(files / "inventory.json"), *arguments],
        variables={
            "retire_nodes_kubeconfig": str(files / "kubeconfig"),
            "retire_nodes_allocator": {"cluster_cidrs": ["10.244.0.0/23"]},
            "retire_nodes_state_dir": str(files / "retired"),
            "retire_nodes_nodes": ["w2"],
            "retire_nodes_become": False,
            "retire_nodes_accepted_risks": ["controller-manager-unknown"],
            **variables,
        },
        timeout=180,
    )


def test_drained_stopped_and_deleted(cluster: FakeApi, files: Path) -> None:
    """In this order; a run that was killed behind the deletion is brought to its end; another one changes nothing."""
    done = retire(files)
    assert done.returncode == 0, done.output
    assert "/api/v1/nodes/w2" not in cluster.store.objects and "/api/v1/nodes/w1" in cluster.store.objects
    log = (files / "systemctl.log").read_text(encoding="utf-8").splitlines()
    assert "stop kubelet" in log and "disable kubelet" in log
    writes = [f"{one.method} {one.path}" for one in cluster.requests if one.path.endswith(("/w2", "/eviction"))]
    acts = [one for one in writes if not one.startswith("GET")]
    assert acts == ["PATCH /api/v1/nodes/w2", f"POST {PODS}/web/eviction", "DELETE /api/v1/nodes/w2"]
    journal = cluster.store.objects["/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-retire-nodes"]["data"]
    assert json.loads(journal["node.w2"])["step"] == "completed"
    uid = json.loads(journal["node.w2"])["uid"]
    journal["node.w2"] = json.dumps({"node": "w2", "step": "retiring", "uid": uid})
    lease = {"metadata": {"name": "w2"}, "spec": {}}
    cluster.store.add("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", lease)
    left = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/w2"
    image = json.loads((files / "retired" / uid / "w2.json").read_text(encoding="utf-8"))
    image["dependents"]["lease"] = cluster.store.objects[left]["metadata"]["uid"]
    (files / "retired" / uid / "w2.json").write_text(json.dumps(image), encoding="utf-8")
    waits = retire(files, retire_nodes_delete_timeout=1)
    assert waits.returncode == 2 and "there is still its lease" in waits.flat_output, waits.output
    del cluster.store.objects[left]
    done = retire(files)
    assert done.returncode == 0 and json.loads(journal["node.w2"])["step"] == "completed", done.output
    assert retire(files).changed == 0


def test_a_host_that_is_lost_during_the_drain(cluster: FakeApi, files: Path) -> None:
    """Its kubelet cannot be stopped: the Node stays, cordoned, the lock is given back, and the same command goes on."""

    def cut(request: Request) -> None:
        if request.path.endswith("/eviction"):
            (files / "cut").touch()

    cluster.before_request = cut
    done = retire(files)
    assert done.returncode == 2, done.output
    assert (
        "The kubelet of Node w2 may still run: Host machine-2 cannot be reached over SSH any more" in done.flat_output
    )
    assert "Connection closed by 192.0.2.1 port 22" in done.flat_output and "stays cordoned" in done.flat_output
    assert cluster.store.objects["/api/v1/nodes/w2"]["spec"]["unschedulable"] is True
    assert cluster.store.objects[LOCK]["spec"]["holderIdentity"] == ""
    done = retire(files)
    assert done.returncode == 2 and "host machine-2, the machine of Node w2, cannot be reached" in done.flat_output
    (files / "cut").unlink()
    done = retire(files)
    assert done.returncode == 0 and "/api/v1/nodes/w2" not in cluster.store.objects, done.output


def test_a_host_that_is_another_machine(cluster: FakeApi, files: Path) -> None:
    """The worst mistake: nothing is drained, stopped or deleted."""
    cluster.store.objects["/api/v1/nodes/w2"]["status"]["nodeInfo"]["machineID"] = "0" * 32
    done = retire(files)
    assert done.returncode == 2 and "machine-2 is not the machine of Node w2" in done.flat_output, done.output
    assert f"{PODS}/web" in cluster.store.objects and "/api/v1/nodes/w2" in cluster.store.objects
    assert "stop" not in (files / "systemctl.log").read_text(encoding="utf-8")
    assert LOCK not in cluster.store.objects, "nothing was begun"


def test_pods_without_another_place(cluster: FakeApi, files: Path) -> None:
    """Refused before the lock is taken, unless it is accepted."""
    cluster.store.objects["/api/v1/nodes/w1"]["spec"]["taints"] = [{"key": "k", "effect": "NoSchedule"}]
    done = retire(files)
    assert done.returncode == 2 and "no other Node has room for default/web" in done.flat_output
    assert [one.method for one in cluster.requests if one.method in ("PATCH", "DELETE")] == []
    done = retire(files, "--check", retire_nodes_accepted_risks=["controller-manager-unknown", "does-not-fit"])
    assert done.returncode == 0, done.output
    assert [one.method for one in cluster.requests if one.method in ("PATCH", "DELETE")] == []


def test_an_option_given_as_text(cluster: FakeApi, files: Path) -> None:
    """`-e retire_nodes_without_hosts=false` is the text false, which is not empty; the refusal must stand all the same."""
    (files / "inventory.json").write_text(json.dumps({"all": {"hosts": {}}}), encoding="utf-8")
    done = retire(files, "--check", "-e", "retire_nodes_without_hosts=false")
    assert done.returncode == 2, done.output
    assert "no host in the inventory is the machine of Node w2" in done.flat_output
    done = retire(files, "--check", "-e", "retire_nodes_without_hosts=true")
    assert done.returncode == 0, done.output


def test_beside_a_run_of_another_kind(cluster: FakeApi, files: Path) -> None:
    """No two Nodes are out at once."""
    stamp = "2026-01-01T00:00:00.000000Z"
    spec: dict[str, Any] = {"holderIdentity": "somebody@elsewhere", "leaseDurationSeconds": 10**8}
    spec.update(acquireTime=stamp, renewTime=stamp)
    metadata = {"name": "podnet-upkeep-reassign-pod-cidrs", "creationTimestamp": stamp}
    cluster.store.add(
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", {"metadata": metadata, "spec": spec}
    )
    done = retire(files)
    assert done.returncode == 2 and "somebody@elsewhere holds the Lease" in done.flat_output, done.output
    assert [one.method for one in cluster.requests if one.method in ("PATCH", "DELETE")] == []
