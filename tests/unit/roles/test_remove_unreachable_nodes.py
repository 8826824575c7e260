"""The role remove_unreachable_nodes on a fake API: what it asks hosts for, and what a run leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snapshots import providers
from unit.fake_api import FakeApi

from harness.playbook import PlaybookRun, run_playbook

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
JOURNAL = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-remove-unreachable-nodes"
LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def cluster() -> Iterator[FakeApi]:
    """Three Nodes, of which w1 is silent since long ago."""
    with FakeApi() as api:
        api.store.add("/api/v1/namespaces", {"metadata": {"name": "kube-system", "uid": "cluster-1"}})
        for number, name in enumerate(("w1", "w2", "w3")):
            made = providers.node(name, cidr=f"10.244.{number}.0/24")
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": LONG_AGO, "reason": "x"}
            made["status"]["conditions"] = [{**ready, "status": "Unknown"} if name == "w1" else ready]
            api.store.add("/api/v1/nodes", made)
        lease = {"renewTime": "2020-01-01T00:00:00.000000Z", "leaseDurationSeconds": 1}
        metadata = {"name": "w1", "creationTimestamp": LONG_AGO}
        api.store.add(LEASES, {"metadata": metadata, "spec": lease})
        yield api


@pytest.fixture
def files(cluster: FakeApi, tmp_path: Path) -> Path:
    """A kubeconfig, and an inventory in which machine-1 is the host of w1; `answer` in it decides whether it lives."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": cluster.options["host"]}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig), encoding="utf-8")
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\ntest -e {tmp_path}/answer || exit 255\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    host = {"podnet_node_name": "w1", "ansible_ssh_executable": str(ssh), "ansible_host": "192.0.2.1"}
    inventory = {"all": {"hosts": {"machine-1": host, "w2": {}}}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
    return tmp_path


def remove(files: Path, *arguments: str, **variables: Any) -> PlaybookRun:
    """Run the playbook."""
    return run_playbook(
        "podnet.upkeep.remove_unreachable_nodes",
        ["-i", str(files / "inventory.json"), *arguments],
        variables={
            "remove_unreachable_nodes_kubeconfig": str(files / "kubeconfig"),
            "remove_unreachable_nodes_state_dir": str(files / "removed"),
            "remove_unreachable_nodes_settle_seconds": 0,
            "remove_unreachable_nodes_accepted_risks": ["controller-manager-unknown"],
            **variables,
        },
        timeout=120,
    )


def writes(api: FakeApi) -> list[str]:
    """What changed the cluster."""
    asked = [one for one in api.requests if one.method != "GET" and "dryRun" not in one.params]
    return [f"{one.method} {one.path}" for one in asked if "selfsubject" not in one.path]


def test_a_host_that_answers_is_not_gone(cluster: FakeApi, files: Path) -> None:
    """Although its Node is silent for years; nothing is written."""
    (files / "answer").touch()
    done = remove(files)
    assert done.returncode == 2 and "host machine-1 answers over SSH, so Node w1 is not gone" in done.flat_output
    assert writes(cluster) == [] and "/api/v1/nodes/w1" in cluster.store.objects


def test_a_node_is_removed_and_the_journal_says_so(cluster: FakeApi, files: Path) -> None:
    """Only w1; the lock is released, and a second run changes nothing."""
    done = remove(files)
    assert done.returncode == 0, done.output
    assert "/api/v1/nodes/w1" not in cluster.store.objects and "/api/v1/nodes/w2" in cluster.store.objects
    data = cluster.store.objects[JOURNAL]["data"]
    assert json.loads(data["node.w1"])["step"] == "completed" and json.loads(data["run"])["result"] == "finished"
    lease = cluster.store.objects[
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/podnet-upkeep-remove-unreachable-nodes"
    ]
    assert lease["spec"]["holderIdentity"] == ""
    assert len(list((files / "removed").iterdir())) == 1
    assert remove(files).changed == 0


def test_check_mode_writes_nothing(cluster: FakeApi, files: Path) -> None:
    """And shows the Node."""
    done = remove(files, "--check", "--diff")
    assert done.returncode == 0 and "Node w1" in done.output, done.output
    assert writes(cluster) == [] and not (files / "removed").exists()


def test_a_second_run_beside_it_is_refused(cluster: FakeApi, files: Path) -> None:
    """It names the holder."""
    stamp = "2026-01-01T00:00:00.000000Z"
    spec: dict[str, Any] = {"holderIdentity": "somebody@elsewhere", "leaseDurationSeconds": 10**8}
    spec.update(acquireTime=stamp, renewTime=stamp)
    name = "podnet-upkeep-remove-unreachable-nodes"
    metadata = {"name": name, "creationTimestamp": stamp}
    cluster.store.add(
        "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", {"metadata": metadata, "spec": spec}
    )
    done = remove(files)
    assert done.returncode == 2, done.output
    assert "somebody@elsewhere holds the Lease" in done.flat_output, done.output
    assert "/api/v1/nodes/w1" in cluster.store.objects
