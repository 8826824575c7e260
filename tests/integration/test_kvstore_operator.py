"""What we say about the kvstore against the real cilium-operator that keeps identities in a real etcd.

The oracle of unused identities and of stale locks is what the operator's own collectors remove.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import run_playbook
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, Testbed, TestbedSpec
from testbed.cilium_operator import CiliumOperator
from testbed.etcd_cluster import EtcdCluster, EtcdSpec

pytestmark = pytest.mark.testbed

BASE = "cilium/state/identities/v1"
INTERVAL = 4
SECRET = "cilium-etcd-secrets"


def identity(etcd: EtcdCluster, number: str, labels: str) -> None:
    """The master key of an identity."""
    etcd.put(f"{BASE}/id/{number}", labels.encode())


def lease(etcd: EtcdCluster, seconds: int) -> int:
    """A lease as an agent has."""
    return int(etcd.ask("/v3/lease/grant", {"TTL": str(seconds)})["ID"])


def names(etcd: EtcdCluster, prefix: str) -> set[str]:
    """Names of the keys below a prefix."""
    return {key.decode() for key in etcd.everything(f"{BASE}/{prefix}/")}


@pytest.fixture
def etcd() -> Iterator[EtcdCluster]:
    """Three members that want client certificates."""
    with EtcdCluster.up(EtcdSpec(f"kvoperator-{os.getpid()}")) as cluster:
        yield cluster


@pytest.fixture
def cluster(etcd: EtcdCluster, tmp_path: Path) -> Iterator[Testbed]:
    """A control plane whose operator is set up to keep identities in the etcd, and does not run yet."""
    settings = {"endpoints": etcd.endpoints, "trusted-ca-file": str(etcd.ca)}
    settings.update({"cert-file": str(etcd.client.cert), "key-file": str(etcd.client.key)})
    file = tmp_path / "etcd.config"
    file.write_text(json.dumps(settings), encoding="utf-8")
    config = {
        "kvstore": "etcd",
        "kvstore-opt": json.dumps({"etcd.config": str(file)}),
        "etcd-config": json.dumps(settings),
        "identity-allocation-mode": "kvstore",
    }
    spec = TestbedSpec(
        f"kvoperator-cp-{os.getpid()}", cilium=CiliumOperatorSpec(identity_gc_interval="1h", config=config)
    )
    with Testbed.up(spec) as testbed:
        testbed.cilium.stop()
        files = {"etcd-client-ca.crt": etcd.ca, "etcd-client.crt": etcd.client.cert, "etcd-client.key": etcd.client.key}
        data = {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "data": data}
        testbed.client.create("/api/v1/namespaces/kube-system/secrets", body)
        yield testbed


def report(testbed: Testbed, tmp_path: Path, seconds: float) -> dict[str, Any]:
    """The playbook's result, by nothing but a kubeconfig and the name of the Secret."""
    path = tmp_path / "kvstore.json"
    done = run_playbook(
        "podnet.upkeep.audit_kvstore",
        variables={
            "audit_kvstore_kubeconfig": str(testbed.kubeconfig),
            "audit_kvstore_etcd_secret": SECRET,
            "audit_kvstore_seconds_between_looks": seconds,
            "audit_kvstore_output_path": str(path),
        },
    )
    assert done.returncode == 0, done.output
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def start_operator(testbed: Testbed, interval: int) -> None:
    """The operator with a collection that is as quick as we want it."""
    spec = dataclasses.replace(testbed.cilium.spec, identity_gc_interval=f"{interval}s")
    testbed.cilium = CiliumOperator(testbed.directory, spec, testbed.control_plane)
    testbed.cilium.start()


def test_unused_identities_are_those_that_the_operator_removes(
    etcd: EtcdCluster, cluster: Testbed, tmp_path: Path
) -> None:
    """Also where labels of one are the beginning of another's, have slashes, and for numbers of other clusters."""
    agent = lease(etcd, 900)
    for number in range(1000, 1030):
        identity(etcd, str(number), f"k8s:app=a{number};")
        if number % 2:
            etcd.put(f"{BASE}/value/k8s:app=a{number};/10.0.0.{number % 7}", str(number).encode(), lease=agent)
    identity(etcd, "1100", "k8s:app=x;")  # only the longer one is used
    identity(etcd, "1101", "k8s:app=x;k8s:b=c;")
    etcd.put(f"{BASE}/value/k8s:app=x;k8s:b=c;/10.0.0.1", b"1101", lease=agent)
    identity(etcd, "1102", "k8s:path=a//b;")  # Go takes one slash away, in the key of the Node as well
    etcd.put(f"{BASE}/value/k8s:path=a/b;/10.0.0.1", b"1102", lease=agent)
    identity(etcd, "1103", "k8s:path=a/c;")
    etcd.put(f"{BASE}/value/k8s:path=a/10.0.0.1", b"1103", lease=agent)
    for number in ("200", "70000", "no-number"):
        identity(etcd, number, "k8s:app=foreign;")
    before = names(etcd, "id")
    etcd.put("cilium/.heartbeat", b"2026-01-01T00:00:00Z")

    found = report(cluster, tmp_path, 0.5)
    identities = found["contents"]["identities"]
    assert found["used"] is True and found["store"] == "cilium" and found["quorum"] is True
    assert identities["range"] == [256, 65535] and identities["masters"] == len(before)
    unused = {f"{BASE}/id/{one['id']}" for one in identities["unused_in_both_looks"]}
    assert f"{BASE}/id/1100" in unused and len(unused) == identities["unused"] == 17
    (problem,) = found["problems"]
    assert problem.startswith("The last heartbeat of the operator is 2026-01-01T00:00:00Z")

    start_operator(cluster, INTERVAL)
    wait_until("the operator's deletions", lambda: not unused & names(etcd, "id"))
    time.sleep(2 * INTERVAL + 1)
    assert before - names(etcd, "id") == unused
    etcd.put("cilium/.heartbeat", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode())
    after = report(cluster, tmp_path, 0.1)
    assert after["contents"]["identities"]["unused"] == 0 and after["problems"] == []


@pytest.mark.long
def test_stale_locks_are_those_that_the_operator_removes(etcd: EtcdCluster, cluster: Testbed, tmp_path: Path) -> None:
    """The holder of a lock that is kept alive is named and removed; who waits behind it, and who died, is not."""
    living, waiting = lease(etcd, 3600), lease(etcd, 3600)
    dying = lease(etcd, 10)
    path = f"{BASE}/locks/k8s:app=a;.lock"
    etcd.put(f"{path}/{living:x}", b"", lease=living)
    etcd.put(f"{path}/{waiting:x}", b"", lease=waiting)
    etcd.put(f"{BASE}/locks/k8s:app=dead;.lock/{dying:x}", b"", lease=dying)
    etcd.put(f"{BASE}/value/k8s:app=a;/10.0.0.1", b"1000", lease=living)
    time.sleep(12)  # the lease of the dead one ends, and its key with it
    found = report(cluster, tmp_path, 3)["contents"]["locks"]
    assert (found["held"], found["waiting"]) == (1, 1)
    (stale,) = found["stale"]
    assert stale["path"] == path and stale["lease"] == f"{living:x}" and "10.0.0.1" in stale["holder"]
    assert 3000 < stale["seconds_left"] <= 3600

    start_operator(cluster, 3600)
    begun = time.time()
    removed_after = time.monotonic()
    left = wait_until(
        "a removal", lambda: names(etcd, "locks") != {f"{path}/{living:x}", f"{path}/{waiting:x}"} and [1]
    )
    print(f"removed after {time.monotonic() - removed_after:.0f} s {left}")
    assert names(etcd, "locks") == {f"{path}/{waiting:x}"}

    beat = wait_until("the first heartbeat", lambda: report(cluster, tmp_path, 0)["contents"]["heartbeat"])
    assert 0 <= beat["age_seconds"] < 90
    assert datetime.datetime.fromisoformat(beat["time"]).timestamp() >= begun - 1
