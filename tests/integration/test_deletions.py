"""The engine of clean-up against the real API server, with faults in between, killed runs, and their undoing.

The oracle is the cluster: what is gone must be exactly what the journal says was deleted, and nothing that changed since the
plan may be gone.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from unit.fake_api import Fault, Request, status_body

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import Candidate
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import (
    DeletionJournal,
    JournalContent,
    read_journal,
    unfinished_journals,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_reconciliation import (
    cluster_of,
    reconcile,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_undo import DeletionUndo
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_undo_plan import make_undo_plan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.guarded_deletion import (
    DeletionLimits,
    DeletionResult,
    GuardedDeletion,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.maintenance_run import (
    MaintenanceRun,
    RunOptions,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permission import RunPermission
from harness.fault_proxy import FaultProxy
from harness.playbook import run_playbook
from harness.waiting import wait_until
from testbed import CiliumOperatorSpec, ControlPlaneSpec, Testbed, TestbedSpec

pytestmark = pytest.mark.testbed

IDENTITIES = "/apis/cilium.io/v2/ciliumidentities"
CILIUM_NODES = "/apis/cilium.io/v2/ciliumnodes"


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """A control plane with Cilium's CRDs; nobody collects anything."""
    with Testbed.up(TestbedSpec(f"deletions-{os.getpid()}", ControlPlaneSpec(), CiliumOperatorSpec())) as running:
        running.cilium.stop()
        yield running


@pytest.fixture
def first(testbed: Testbed) -> Iterator[int]:
    """A number from which on identities are this test's; none is left behind."""
    yield 1000
    for one in testbed.client.list(IDENTITIES):
        testbed.client.delete(f"{IDENTITIES}/{one['metadata']['name']}")


def create(testbed: Testbed, numbers: Sequence[int], app: str = "") -> None:
    """Identities that nothing refers to."""
    for number in numbers:
        testbed.client.create(
            IDENTITIES,
            {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumIdentity",
                "metadata": {"name": str(number), "labels": {"io.kubernetes.pod.namespace": "shop"}},
                "security-labels": {"k8s:app": app or f"app-{number}"},
            },
        )


def plan(client: KubeClient) -> list[Candidate]:
    """Every identity as a candidate."""
    found = client.list(IDENTITIES, page_size=50)
    return [Candidate.of(one, f"{IDENTITIES}/{one['metadata']['name']}", "nothing refers to it") for one in found]


def there(testbed: Testbed) -> dict[str, str]:
    """{name: uid} of the identities that exist."""
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in testbed.client.list(IDENTITIES)}


def delete(
    client: KubeClient, candidates: Sequence[Candidate], folder: Path, **options: Any
) -> tuple[DeletionResult, JournalContent]:
    """Run the engine; its result and its journal."""
    journal = DeletionJournal.create(str(folder), "identities", cluster_of(client))
    limits = options.pop("limits", DeletionLimits(batch_size=25))
    engine = GuardedDeletion(client, limits, prove=lambda batch: {}, journal=journal, **options)
    return engine.run(candidates), read_journal(journal.path)


def require_truth(testbed: Testbed, content: JournalContent) -> None:
    """Fail unless the journal says of each object what the cluster says."""
    uids = set(there(testbed).values())
    for entry in content.entries.values():
        assert not entry.open, entry
        if entry.outcome != "in-use":  # changed, or made anew under the same name
            assert (entry.outcome in ("deleted", "gone")) == (entry.uid not in uids), entry


def body(status: int) -> dict[str, Any] | None:
    """What a server says with this status."""
    return status_body(status, "InternalError", f"fault {status}") if status else None


def test_faults_in_mid_run_delete_nothing_wrong(testbed: Testbed, first: int, tmp_path: Path) -> None:
    create(testbed, range(first, first + 200))
    with FaultProxy(testbed.kubeconfig) as proxy:
        client = KubeClient.from_options(proxy.options)
        proxy.faults.append(Fault("GET", f"{IDENTITIES}$", 504, body(504)))
        candidates = plan(client)
        assert len(candidates) == 200
        generator = random.Random(6)
        chosen = generator.sample(range(200), 60)
        changed, recreated, gone = chosen[:20], chosen[20:40], chosen[40:]
        for number in changed:
            testbed.client.patch(candidates[number].path, {"metadata": {"annotations": {"used": "again"}}})
        for number in (*recreated, *gone):
            testbed.client.delete(candidates[number].path)
        create(testbed, [first + number for number in recreated])
        kept = there(testbed)
        kinds = [(status, after) for status in (0, 500, 503) for after in (False, True)]
        for number in range(200):
            status, after = kinds[number % len(kinds)]
            if number % 31 == 0:
                proxy.faults.append(Fault("DELETE", f"/{first + number}$", 429, body(429), {"Retry-After": "1"}))
            if number % 4 == 0:
                proxy.faults.append(Fault("DELETE", f"/{first + number}$", status, body(status), after=after))
        result, content = delete(client, candidates, tmp_path)
        assert not [one for one in proxy.faults if one.times], "a fault was not met"
    expected = {candidates[number].name for number in (*changed, *recreated)}
    assert there(testbed) == {name: uid for name, uid in kept.items() if name in expected}
    assert (result.stopped, result.remaining) == ("", 0)
    assert len(result.deleted) + len(result.spared) == 200
    assert len(result.deleted) >= 140
    require_truth(testbed, content)


def test_a_list_whose_token_expired_is_begun_again(testbed: Testbed, first: int) -> None:
    create(testbed, range(first, first + 120))
    with FaultProxy(testbed.kubeconfig) as proxy:
        seen: list[str] = []

        def expire(request: Request) -> None:
            if request.params.get("continue") and not seen:
                seen.append(request.path)
                proxy.faults.append(Fault("GET", f"{IDENTITIES}$", 410, status_body(410, "Expired", "too old")))

        proxy.before_request = expire
        assert len(plan(KubeClient.from_options(proxy.options))) == 120
        assert seen and not proxy.faults[0].times


def test_a_permission_that_is_lost_stops_the_run_and_the_next_one_goes_on(
    testbed: Testbed, first: int, tmp_path: Path
) -> None:
    create(testbed, range(first, first + 80))
    with FaultProxy(testbed.kubeconfig) as proxy:
        client = KubeClient.from_options(proxy.options)
        forbidden = Fault("DELETE", f"/{first + 40}$", 403, status_body(403, "Forbidden", "no rule"), times=9)
        proxy.faults.append(forbidden)
        result, content = delete(client, plan(client), tmp_path)
        assert "No permission to delete ciliumidentities.cilium.io" in result.stopped
        assert len(there(testbed)) == result.remaining == 80 - len(result.deleted)
        assert 30 <= result.remaining <= 45
        require_truth(testbed, content)
        forbidden.times = 0
        result, content = delete(client, plan(client), tmp_path)
    assert (result.stopped, there(testbed)) == ("", {})
    require_truth(testbed, content)


def test_a_server_that_breaks_for_good_stops_the_run(testbed: Testbed, first: int, tmp_path: Path) -> None:
    create(testbed, range(first, first + 30))
    with FaultProxy(testbed.kubeconfig) as proxy:
        client = KubeClient.from_options(proxy.options)
        candidates = plan(client)
        proxy.faults.append(Fault("DELETE", f"/{first + 10}$", 500, body(500), times=10**6))
        proxy.faults.append(Fault("DELETE", f"/{first + 12}$", 0, after=True))
        limits = DeletionLimits(batch_size=10, patience=1.0)
        result, content = delete(client, candidates, tmp_path, limits=limits)
    assert "could not be deleted" in result.stopped
    assert len(there(testbed)) == result.remaining == 30 - len(result.deleted)
    require_truth(testbed, content)


_KILLED_RUN = """
import sys
from pathlib import Path
from integration.test_deletions import delete, plan
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
client = KubeClient.from_options({"host": sys.argv[1], "api_key": "token-of-the-test", "request_timeout": 30})
delete(client, plan(client), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("deletes", [0, 1, 37])
def test_the_journal_of_a_killed_run_is_completed_by_the_next(
    testbed: Testbed, first: int, tmp_path: Path, deletes: int
) -> None:
    create(testbed, range(first, first + 60))
    with FaultProxy(testbed.kubeconfig) as proxy:
        command = [sys.executable, "-c", _KILLED_RUN, proxy.host, str(tmp_path)]
        process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
        killed = threading.Event()

        def kill(request: Request) -> None:
            if request.method == "DELETE" and proxy.count("DELETE") > deletes and not killed.is_set():
                killed.set()
                process.send_signal(signal.SIGKILL)

        proxy.before_request = kill
        assert process.wait(timeout=60) == -signal.SIGKILL
        time.sleep(0.2)  # what the proxy has taken, it hands on
        left = len(there(testbed))
        assert 60 - deletes - 9 <= left <= 60 - deletes
        (path,) = unfinished_journals(str(tmp_path), "identities")
        assert any(entry.open for entry in read_journal(path).entries.values())
        proxy.before_request = lambda request: None
        client = KubeClient.from_options(proxy.options)
        assert reconcile(client, str(tmp_path), "identities", cluster_of(client)) == [path]
        content = read_journal(path)
        require_truth(testbed, content)
        assert sum(entry.outcome == "deleted" for entry in content.entries.values()) == 60 - left
        result, content = delete(client, plan(client), tmp_path)
    assert (len(result.deleted), there(testbed)) == (left, {})
    require_truth(testbed, content)


def test_the_switch_of_a_run_is_heard_within_a_batch(testbed: Testbed, first: int, tmp_path: Path) -> None:
    create(testbed, range(first, first + 100))
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    options = RunOptions("clean-identities", "kube-system", "me@here")
    run = MaintenanceRun(client, options)
    holder = run.start()["holder"]
    permission = RunPermission(client, RunOptions("clean-identities", "kube-system", holder))
    path = "/api/v1/namespaces/kube-system/configmaps/podnet-upkeep-clean-identities"

    def set_stop() -> None:
        wait_until("ten are deleted", lambda: len(there(testbed)) <= 90)
        testbed.client.patch(path, {"data": {"stop": "true"}})

    switch = threading.Thread(target=set_stop)
    switch.start()
    limits = DeletionLimits(batch_size=100, rate=20)
    result, content = delete(client, plan(client), tmp_path, limits=limits, heartbeat=permission)
    switch.join()
    assert "The switch stop is set" in result.stopped
    assert 10 <= len(result.deleted) < 100
    assert len(there(testbed)) == result.remaining
    require_truth(testbed, content)
    testbed.client.patch(path, {"data": {"stop": "false"}})
    run.end("stopped")


def test_a_finalizer_is_waited_for_by_nobody(testbed: Testbed, first: int, tmp_path: Path) -> None:
    create(testbed, range(first, first + 3))
    path = f"{IDENTITIES}/{first + 1}"
    testbed.client.patch(path, {"metadata": {"finalizers": ["example.com/wait"]}})
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    result, content = delete(client, plan(client), tmp_path)
    assert (len(result.deleted), result.finalizing, result.stopped) == (3, 1, "")
    assert sorted(entry.outcome for entry in content.entries.values()) == ["deleted", "deleted", "finalizing"]
    assert list(there(testbed)) == [str(first + 1)]
    undo = make_undo_plan(client, content)
    assert [reason for _entry, reason in undo.kept] == [
        f"CiliumIdentity {first + 1} is still being deleted; undo it again when it is gone."
    ]
    testbed.client.patch(path, {"metadata": {"finalizers": None}})
    assert there(testbed) == {}


def test_a_cilium_node_comes_back_to_its_own_node_only(testbed: Testbed, tmp_path: Path) -> None:
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    nodes = [testbed.client.create("/api/v1/nodes", {"metadata": {"name": name}}) for name in ("w1", "w2")]
    for number, node in enumerate(nodes):
        metadata = node["metadata"]
        owner = {"apiVersion": "v1", "kind": "Node", "name": metadata["name"], "uid": metadata["uid"]}
        testbed.client.create(
            CILIUM_NODES,
            {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumNode",
                "metadata": {"name": metadata["name"], "ownerReferences": [owner]},
                "spec": {"ipam": {"podCIDRs": [f"10.60.{number}.0/24"]}},
            },
        )
    found = client.list(CILIUM_NODES)
    candidates = [Candidate.of(one, f"{CILIUM_NODES}/{one['metadata']['name']}", "dead") for one in found]
    result, content = delete(client, candidates, tmp_path)
    assert len(result.deleted) == 2
    testbed.client.delete("/api/v1/nodes/w2")
    undo = make_undo_plan(client, content)
    assert [reason.partition(",")[0] for _entry, reason in undo.kept] == [
        f"Node w2 with uid {nodes[1]['metadata']['uid']}"
    ]
    assert len(DeletionUndo(client).run(undo.restore).restored) == 1
    (back,) = client.list(CILIUM_NODES)
    assert back["spec"] == found[0]["spec"]
    assert back["metadata"]["ownerReferences"] == found[0]["metadata"]["ownerReferences"]
    again = make_undo_plan(client, content)
    assert (len(again.restore), len(again.present)) == (0, 1)
    testbed.client.delete("/api/v1/nodes/w1")


def test_what_was_deleted_comes_back(testbed: Testbed, first: int, tmp_path: Path) -> None:
    create(testbed, range(first, first + 8))
    before = {one["metadata"]["name"]: one for one in testbed.client.list(IDENTITIES)}
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    _result, content = delete(client, plan(client), tmp_path)
    create(testbed, [first], app="another")  # the number is taken
    create(testbed, [first + 500], app=f"app-{first + 1}")  # the labels are served
    variables = {"undo_deletions_journal_path": content.path, "undo_deletions_kubeconfig": str(testbed.kubeconfig)}

    planned = run_playbook("podnet.upkeep.undo_deletions", ["--check", "--diff"], variables=variables)
    assert planned.returncode == 0, planned.output
    assert f"+CiliumIdentity {first + 2}" in planned.output
    assert "was taken for other labels" in planned.flat_output and "are served by CiliumIdentity" in planned.flat_output
    assert len(there(testbed)) == 2

    cleaning = MaintenanceRun(client, RunOptions("clean-endpoints", "kube-system", "somebody@there"))
    cleaning.start()
    refused = run_playbook("podnet.upkeep.undo_deletions", variables=variables)
    assert refused.returncode == 2, refused.output
    assert "somebody@there" in refused.flat_output and "nothing was changed" in refused.flat_output
    assert len(there(testbed)) == 2
    cleaning.end("finished")

    done = run_playbook("podnet.upkeep.undo_deletions", variables=variables)
    assert done.returncode == 0, done.output
    assert done.changed > 0
    after = {one["metadata"]["name"]: one for one in testbed.client.list(IDENTITIES)}
    assert set(after) == {str(number) for number in (*range(first, first + 8), first + 500)} - {str(first + 1)}
    for number in range(first + 2, first + 8):
        for key in ("security-labels", "kind", "apiVersion"):
            assert after[str(number)].get(key) == before[str(number)].get(key)
        assert after[str(number)]["metadata"]["labels"] == before[str(number)]["metadata"]["labels"]

    again = run_playbook("podnet.upkeep.undo_deletions", variables=variables)
    assert again.returncode == 0, again.output
    assert again.changed == 0
