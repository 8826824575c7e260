"""The stress test on the real control plane: the real cilium-operator makes and collects the identities, kwok runs the pods.

What is left is told by comparing lists of objects before and after, not by what the product says about itself.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import PlaybookRun, command, environment, run_playbook
from harness.stepped_run import descendants
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, KwokSpec, Testbed, TestbedSpec
from testbed.objects import OPERATOR_NODE

pytestmark = pytest.mark.testbed

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
PREFIX = "podnet-upkeep-stress-"
SWITCH = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-stress-identities"
KINDS = {
    "namespaces": "/api/v1/namespaces",
    "pods": "/api/v1/pods",
    "identities": IDENTITIES,
    "configmaps": "/api/v1/configmaps",
    "serviceaccounts": "/api/v1/serviceaccounts",
    "leases": "/apis/coordination.k8s.io/v1/leases",
}
COUNT = 60
TIMEOUT, INTERVAL = 4, 1


def objects(testbed: Testbed) -> dict[str, set[tuple[str, str, str]]]:
    """Everything that could be left: (namespace, name, uid); the record of the run itself is there to stay."""
    found = {}
    for kind, path in KINDS.items():
        metadata = [one["metadata"] for one in testbed.client.list(path)]
        found[kind] = {
            (one.get("namespace", ""), one["name"], one["uid"])
            for one in metadata
            if one["name"] != "podnet-upkeep-stress-identities"
        }
    return found


def variables(testbed: Testbed, **more: Any) -> dict[str, Any]:
    """Variables of the role."""
    given = {
        "kubeconfig": str(testbed.kubeconfig),
        "identities": COUNT,
        "rate": 100,
        "node_selector": {"type": "kwok"},
        "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
        **more,
    }
    return {f"stress_identities_{key}": value for key, value in given.items()}


def play(testbed: Testbed, *arguments: str, **more: Any) -> PlaybookRun:
    """Run the playbook to its end."""
    return run_playbook("podnet.upkeep.stress_identities", arguments, variables=variables(testbed, **more), timeout=300)


def spaces(testbed: Testbed) -> list[dict[str, Any]]:
    """Namespaces of stress tests."""
    return [one for one in testbed.client.list("/api/v1/namespaces") if one["metadata"]["name"].startswith(PREFIX)]


def pods(testbed: Testbed) -> list[dict[str, Any]]:
    """Pods of stress tests."""
    return [one for one in testbed.client.list("/api/v1/pods") if one["metadata"]["namespace"].startswith(PREFIX)]


def of_tests(testbed: Testbed) -> list[dict[str, Any]]:
    """Identities of stress tests."""
    key = "k8s:io.kubernetes.pod.namespace"
    return [one for one in testbed.client.list(IDENTITIES) if one["security-labels"].get(key, "").startswith(PREFIX)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Testbed]:
    """A control plane, two simulated Nodes, and the operator that makes identities of pods."""
    spec = TestbedSpec(
        name=f"stress-{os.getpid()}",
        cilium=CiliumOperatorSpec(
            identity_gc_interval=f"{INTERVAL}s",
            identity_heartbeat_timeout=f"{TIMEOUT}s",
            endpoint_gc_interval="1h",
            nodes_gc_interval="1h",
            config={"identity-management-mode": "operator"},
        ),
        kwok=KwokSpec(),
    )
    with Testbed.up(spec) as testbed:
        testbed.kwok.create_nodes(2, prefix="w")
        testbed.client.patch("/api/v1/nodes/w-0", {"metadata": {"labels": OPERATOR_NODE}})
        deployment = "/apis/apps/v1/namespaces/kube-system/deployments/cilium-operator"
        wait_until("a ready Deployment", lambda: testbed.client.get(deployment).get("status", {}).get("readyReplicas"))
        lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cilium-operator-resource-lock"
        wait_until("a leader", lambda: (testbed.client.find(lease) or {}).get("spec", {}).get("holderIdentity"))
        yield testbed


def test_measures_and_leaves_nothing(cluster: Testbed, tmp_path: Path) -> None:
    """The test counts what the operator really made and collected; then all is as before."""
    before = objects(cluster)
    path = tmp_path / "stress.json"
    begun = time.monotonic()
    done = play(cluster, output_path=str(path), report_markdown=str(tmp_path / "stress.md"))
    took = time.monotonic() - begun
    assert done.returncode == 0, done.output
    assert objects(cluster) == before
    found = json.loads(path.read_text(encoding="utf-8"))
    allocation, recovery = found["allocation"], found["recovery"]
    assert (allocation["identities"], allocation["missing"], allocation["collected_early"]) == (COUNT, 0, 0)
    assert recovery["recovered"] and recovery["collected"] == COUNT and recovery["in_time"]
    assert TIMEOUT < recovery["seconds"] < took
    assert 0 < allocation["wait_median_seconds"] <= allocation["wait_longest_seconds"] < took
    assert f"{COUNT} of {COUNT} identities were made for {COUNT} pods" in done.output
    assert "Stress test of identities" in (tmp_path / "stress.md").read_text(encoding="utf-8")


MOMENTS: dict[str, Callable[[Testbed], bool]] = {
    "namespace made": lambda testbed: bool(spaces(testbed)),
    "some pods made": lambda testbed: 5 < len(pods(testbed)) < COUNT - 5,
    "identities made": lambda testbed: len(of_tests(testbed)) >= COUNT // 2,
    "pods being deleted": lambda testbed: len(of_tests(testbed)) > 0 and len(pods(testbed)) < COUNT // 2,
    "being collected": lambda testbed: bool(of_tests(testbed)) and not spaces(testbed),
}


def killed(testbed: Testbed, moment: Callable[[Testbed], bool], **more: Any) -> None:
    """Start the playbook and kill it, with all that it started, at this moment."""
    arguments = command("podnet.upkeep.stress_identities", variables=variables(testbed, **more))
    process = subprocess.Popen(
        arguments, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until("the moment", lambda: moment(testbed) or process.poll() is not None)
        assert process.poll() is None
    finally:
        for pid in [process.pid, *descendants(process.pid)]:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        process.wait()


_SEED = random.SystemRandom().randrange(1 << 30)


@pytest.mark.parametrize("moment", [pytest.param(one, marks=pytest.mark.long) for one in MOMENTS])
def test_what_a_killed_test_left_is_taken_away(cluster: Testbed, moment: str) -> None:
    """`kill -9` at several moments: ``absent`` takes all away, and has nothing to do afterwards."""
    after_a_kill(cluster, moment)


def test_what_one_killed_test_left_is_taken_away(cluster: Testbed) -> None:
    """One of these moments in each run, by a seed that the failure shows."""
    moment = random.Random(_SEED).choice(list(MOMENTS)[:3])
    try:
        after_a_kill(cluster, moment)
    except AssertionError as error:
        raise AssertionError(f"seed {_SEED}, {moment}: {error}") from error


def after_a_kill(cluster: Testbed, moment: str) -> None:
    """Kill, look, clean up, look."""
    before = objects(cluster)
    # slow enough to be hit in the middle
    killed(cluster, MOMENTS[moment], rate=30 if moment == "some pods made" else 100)
    left = objects(cluster)
    assert left != before
    done = play(cluster, state="absent")
    assert done.returncode == 0, done.output
    assert objects(cluster) == before
    again = play(cluster, state="absent")
    assert again.returncode == 0 and again.changed == 0, again.output


@pytest.mark.long
def test_the_next_test_takes_away_what_a_killed_one_left(cluster: Testbed) -> None:
    """Without being told to, and although what was left takes the places that the next test needs."""
    before = objects(cluster)
    allocatable = [one["status"]["allocatable"]["pods"] for one in cluster.client.list("/api/v1/nodes")]
    most = sum(map(int, allocatable)) // 2 - 2
    killed(cluster, lambda testbed: len(pods(testbed)) > most // 2, identities=most)
    (first,) = spaces(cluster)
    said = play(cluster, "--check", identities=most)
    assert said.returncode == 0 and "1 namespaces of earlier tests would be deleted first" in said.flat_output
    assert [one["metadata"]["uid"] for one in spaces(cluster)] == [first["metadata"]["uid"]]
    refused = play(cluster, "--check", identities=2 * most)
    assert refused.returncode != 0 and "are left: 1; state: absent takes them away" in refused.flat_output
    done = play(cluster, identities=most)
    assert done.returncode == 0, done.output
    wait_until("the identities of the first are collected", lambda: not of_tests(cluster))
    assert objects(cluster) == before and first["metadata"]["name"] not in {
        one["metadata"]["name"] for one in spaces(cluster)
    }


@pytest.mark.long
@pytest.mark.parametrize("how", ["switch", "signal", "refusal of a pod"])
def test_a_test_that_stops_early_cleans_up(cluster: Testbed, how: str) -> None:
    """The switch, a signal to the module, and an API server that takes no more pods."""
    before = objects(cluster)
    arguments = command("podnet.upkeep.stress_identities", variables=variables(cluster, rate=10))
    process = subprocess.Popen(
        arguments,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until("some pods", lambda: len(pods(cluster)) > 5)
    if how == "switch":
        cluster.client.patch(SWITCH, {"data": {"stop": "true"}})
    elif how == "signal":
        for pid in descendants(process.pid):
            if b"identity_stress" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, 15)
    else:
        (space,) = spaces(cluster)
        name = space["metadata"]["name"]
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "none"},
            "spec": {"hard": {"pods": "1"}},
        }
        cluster.client.create(f"/api/v1/namespaces/{name}/resourcequotas", quota)
    output, _none = process.communicate(timeout=120)
    words = {"switch": "The switch stop is set", "signal": "SIGTERM", "refusal of a pod": "exceeded quota"}
    flat = " ".join(output.split())
    assert process.returncode != 0 and words[how] in flat and "Its namespace is gone" in flat
    if how == "switch":
        cluster.client.patch(SWITCH, {"data": {"stop": "false"}})
    assert not spaces(cluster) and not pods(cluster)
    wait_until("the collection", lambda: not of_tests(cluster))
    assert objects(cluster) == before


@pytest.mark.long
def test_foreign_pods_and_namespaces_are_left_alone(cluster: Testbed) -> None:
    """A pod of somebody else in our namespace, and a namespace with one mark only."""
    killed(cluster, MOMENTS["some pods made"], rate=30)
    (space,) = spaces(cluster)
    name = space["metadata"]["name"]
    pod = {"metadata": {"name": "mine"}, "spec": {"containers": [{"name": "c", "image": "c"}]}}
    cluster.client.create(f"/api/v1/namespaces/{name}/pods", pod)
    impostor = {"metadata": {"name": f"{PREFIX}0123456789", "labels": {"podnet-upkeep-stress": "0123456789"}}}
    cluster.client.create("/api/v1/namespaces", impostor)
    refused = play(cluster, state="absent")
    assert refused.returncode != 0 and "no stress test has made (mine)" in refused.flat_output
    assert "has a mark of stress tests, but not all of them" in refused.flat_output
    assert cluster.client.find(f"/api/v1/namespaces/{name}/pods/mine")
    cluster.client.delete(f"/api/v1/namespaces/{name}/pods/mine")
    assert play(cluster, state="absent").returncode == 0
    assert [one["metadata"]["name"] for one in spaces(cluster)] == [f"{PREFIX}0123456789"]
    cluster.client.delete(f"/api/v1/namespaces/{PREFIX}0123456789")
    wait_until("it is gone", lambda: not spaces(cluster))


@pytest.mark.long
def test_refuses_beside_another_run_and_what_looks_like_production(cluster: Testbed) -> None:
    """A Lease that somebody holds; a namespace with a name that says so, unless the server is named."""
    before = objects(cluster)
    cluster.client.create("/api/v1/namespaces", {"metadata": {"name": "shop-prod"}})
    refused = play(cluster)
    assert refused.returncode != 0 and "looks like production: a name says so: shop-prod" in refused.flat_output
    wrong = play(cluster, production_cluster="https://other")
    assert wrong.returncode != 0 and "production_cluster is 'https://other', but this cluster is" in wrong.flat_output
    server = (
        cluster.client.get("/api/v1/namespaces/kube-system")
        and refused.flat_output.partition("production_cluster: ")[2]
    )
    named = play(cluster, "--check", production_cluster=server.split()[0].rstrip(".\"',"))
    assert named.returncode == 0, named.output
    cluster.client.delete("/api/v1/namespaces/shop-prod")
    wait_until("it is gone", lambda: not cluster.client.find("/api/v1/namespaces/shop-prod"))
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    lease = {
        "metadata": {"name": "podnet-upkeep-clean-identities"},
        "spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 300, "renewTime": now, "acquireTime": now},
    }
    cluster.client.create(leases, lease)
    beside = play(cluster)
    assert beside.returncode != 0 and "somebody holds the Lease" in beside.flat_output
    cluster.client.delete(f"{leases}/podnet-upkeep-clean-identities")
    assert objects(cluster) == before
