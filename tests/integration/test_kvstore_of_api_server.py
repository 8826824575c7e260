"""The lock of a run that makes room: in Kubernetes, and on this machine where the API server's own etcd is full."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.modules import kvstore_info
from harness.module_answers import answer
from harness.playbook import PlaybookRun, run_playbook
from harness.waiting import wait_until
from testbed import ControlPlaneSpec, ServerError, Testbed, TestbedSpec

pytestmark = pytest.mark.testbed

QUOTA = 32 << 20
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def cluster() -> Iterator[Testbed]:
    """A control plane whose etcd has a small quota, and whose API server does not compact it meanwhile."""
    plane = ControlPlaneSpec(extra_arguments={"etcd": (f"--quota-backend-bytes={QUOTA}",)})
    with Testbed.up(TestbedSpec(f"kvapiserver-{os.getpid()}", control_plane=plane)) as testbed:
        yield testbed


def endpoint(testbed: Testbed) -> str:
    """The client URL of the API server's etcd."""
    arguments = testbed.control_plane.arguments("etcd")
    (found,) = [one.partition("=")[2] for one in arguments if one.startswith("--advertise-client-urls=")]
    return found


def play(testbed: Testbed, home: Path, *arguments: str, **variables: Any) -> PlaybookRun:
    """The playbook against that etcd."""
    return run_playbook(
        "podnet.upkeep.maintain_kvstore",
        arguments,
        variables={
            "maintain_kvstore_kubeconfig": str(testbed.kubeconfig),
            "maintain_kvstore_store": "apiserver",
            "maintain_kvstore_endpoints": [endpoint(testbed)],
            "maintain_kvstore_keep_revisions": 50,
            "maintain_kvstore_snapshot_dir": str(home / "snapshots"),
            **variables,
        },
        env={"HOME": str(home)},
    )


def fill(testbed: Testbed) -> None:
    """Write one ConfigMap again and again until the API server's etcd refuses."""
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "filler"}}
    testbed.client.create(CONFIGMAPS, body)
    for _write in range(4 * QUOTA // (256 << 10)):
        try:
            testbed.client.patch(f"{CONFIGMAPS}/filler", {"data": {"value": os.urandom(128 << 10).hex()}})
        except ServerError as error:
            assert "space exceeded" in str(error)
            return
    raise AssertionError("the quota was never reached")


def test_a_cluster_without_kvstore_is_told_of_the_etcd_of_its_api_server(cluster: Testbed) -> None:
    """Cilium keeps identities as objects: not used, and beside that the real etcd, found by its static pod."""
    system = "/api/v1/namespaces/kube-system"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config"}}
    cluster.client.create(f"{system}/configmaps", {**body, "data": {"identity-allocation-mode": "crd"}})
    wait_until("the ServiceAccount default", lambda: cluster.client.find(f"{system}/serviceaccounts/default"))
    container = {"name": "etcd", "image": "etcd", "command": ["etcd", f"--advertise-client-urls={endpoint(cluster)}"]}
    metadata = {"name": "etcd-cp1", "labels": {"component": "etcd"}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}
    cluster.client.create(f"{system}/pods", pod)
    found = answer(kvstore_info, kubeconfig=str(cluster.kubeconfig))
    assert found["used"] is False and found["store"] == "apiserver" and found["problems"] == [], found
    assert found["reachable"] and found["quorum"] and found["source"] == "the static pods of etcd in kube-system"
    (member,) = found["members"]
    assert member["endpoint"] == endpoint(cluster) and member["bytes"] > 0
    assert found["database"]["quota_bytes"] == QUOTA and found["alarms"] == [] and found["contents"] is None
    assert found["contents_unknown"].startswith("this is the etcd of the API server")


@pytest.mark.long
def test_room_in_the_etcd_of_the_api_server(cluster: Testbed, tmp_path: Path) -> None:
    """Full, it takes no Lease, and the message says what to do; then a lock of this machine is enough, and held by one."""
    fill(cluster)
    refused = play(cluster, tmp_path)
    assert refused.returncode != 0 and "set maintain_kvstore_lock to local" in refused.flat_output, refused.output
    assert "nothing was changed" in refused.flat_output and not (tmp_path / "snapshots").exists()

    runs: list[PlaybookRun] = []

    def run() -> None:
        runs.append(play(cluster, tmp_path, maintain_kvstore_lock="local"))

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outputs = "\n".join(one.output for one in runs)
    assert any(one.returncode == 0 and one.changed == 1 for one in runs), outputs
    for one in runs:
        # the other one met the lock, or found nothing left to do
        assert one.returncode == 0 or "Another process on this machine" in one.flat_output, outputs
    assert len(list((tmp_path / "snapshots").glob("*.db"))) == 1
    cluster.client.patch(f"{CONFIGMAPS}/filler", {"data": {"value": "small"}})

    # with room, the run is locked in Kubernetes, where a switch stops it before it begins
    assert play(cluster, tmp_path).changed == 0
    due = {"maintain_kvstore_keep_revisions": 0, "maintain_kvstore_min_revisions": 1}
    done = play(cluster, tmp_path, **due)
    assert done.returncode == 0 and done.changed > 0, done.output
    journal = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-maintain-kvstore"
    cluster.client.patch(journal, {"data": {"stop": "true"}})
    stopped = play(cluster, tmp_path, **due)
    assert stopped.returncode != 0 and "The switch stop is set" in stopped.flat_output, stopped.output
