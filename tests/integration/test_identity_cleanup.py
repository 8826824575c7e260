"""Clean-up of identities against the real cilium-operator, which is the oracle of what may go."""

from __future__ import annotations

import datetime
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import DeletionLimits
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import DeletionJournal
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup import IdentityCleanup
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup_plan import (
    CleanupOptions,
    CleanupPlan,
    Planning,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_picture import IdentityPicture
from harness.faults import kill_api_server, start_api_server
from harness.identity_cluster import (
    DEAD,
    HEARTBEAT,
    IDENTITIES,
    INTERVAL,
    OPERATOR_ONLY,
    PODS,
    SYNC,
    TIMEOUT,
    Generated,
    Generator,
    create_all,
    identity,
    pod,
    prepare,
    restart_operator,
    security_labels,
    spec,
    there,
)
from harness.playbook import run_playbook
from harness.waiting import wait_until
from testbed import Testbed

from .identity_races import race

pytestmark = pytest.mark.testbed

# times of creation are given in whole seconds
YOUNG = datetime.timedelta(seconds=2 * TIMEOUT - 1)


def planned(testbed: Testbed) -> CleanupPlan:
    """The plan of the product."""
    client = KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})
    return Planning(client, CleanupOptions(), IdentityPicture(client)).plan()


def names(plan: CleanupPlan) -> set[str]:
    """Names of the dead."""
    return {one.name for one in plan.candidates}


def clean(testbed: Testbed, tmp_path: Path, *arguments: str, **variables: Any) -> Any:
    """Run the playbook."""
    return run_playbook(
        "podnet.upkeep.clean_identities",
        arguments,
        variables={
            "clean_identities_kubeconfig": str(testbed.kubeconfig),
            "clean_identities_journal_path": str(tmp_path / "journals"),
            "clean_identities_rate": 0,
            **{f"clean_identities_{key}": value for key, value in variables.items()},
        },
    )


def settled(testbed: Testbed, seconds: float) -> set[str]:
    """The identities that are there when none has gone for so long."""
    since, seen = time.monotonic(), set(there(testbed))
    end = time.monotonic() + 120
    while time.monotonic() < end:
        time.sleep(0.5)
        now = set(there(testbed))
        if now != seen:
            since, seen = time.monotonic(), now
        elif time.monotonic() - since > seconds:
            return seen
    raise AssertionError("identities do not come to rest")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Testbed]:
    """One testbed for the tests of `make test`; its operator is stopped between them."""
    with Testbed.up(spec(f"id-cleanup-{os.getpid()}")) as testbed:
        prepare(testbed)
        testbed.cilium.stop()
        yield testbed


def deleted_by_operator(testbed: Testbed, before: set[str], expected: set[str]) -> set[str]:
    """Start the operator, let it collect until it has deleted what we expect and then nothing more; what it deleted."""
    restart_operator(testbed, identity_gc_interval=f"{INTERVAL}s")
    wait_until("the deletions of the operator", lambda: not expected & set(there(testbed)), 180)
    left = settled(testbed, 2 * TIMEOUT + 2 * INTERVAL)
    testbed.cilium.stop()
    # its Lease is young for another two minutes, so what says that nobody collects is the interval
    config = "/api/v1/namespaces/kube-system/configmaps/cilium-config"
    testbed.client.patch(config, {"data": {"identity-gc-interval": "0s"}})
    return before - left


def plan_and_oracle(testbed: Testbed, seed: int, count: int) -> tuple[Generated, set[str], set[str]]:
    """What was generated, our dead, and what the operator deleted of it."""
    generated = Generator(testbed, seed).generate(count)
    early = names(planned(testbed))
    looked = datetime.datetime.now(datetime.UTC)
    young = {
        name
        for name, one in there(testbed).items()
        if looked - datetime.datetime.fromisoformat(one["metadata"]["creationTimestamp"]) < YOUNG
    }
    assert not early & young, "they are younger than two heartbeat timeouts"
    time.sleep(2 * TIMEOUT + 1)
    plan = planned(testbed)
    dead = names(plan)
    assert plan.verdict in ("off", "broken")
    assert dead == generated.of(*DEAD)
    deleted = deleted_by_operator(testbed, set(generated.identities), dead)
    assert dead <= deleted, "we would delete what the operator keeps"
    # slices without endpoints are emptied by the operator itself
    assert deleted - dead == generated.of(*OPERATOR_ONLY, "slice-only")
    return generated, dead, deleted


def test_the_dead_are_what_the_operator_deletes(cluster: Testbed, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours are among the operator's, and equal but for what only pods tell, and for numbers of others."""
    generated, dead, deleted = plan_and_oracle(cluster, seed=6, count=200)
    with capsys.disabled():
        print(
            f"\n{len(generated.identities)} identities: {len(dead)} dead for us, {len(deleted)} deleted by the operator"
        )


@pytest.mark.long
@pytest.mark.parametrize(("seed", "count"), [(61, 3000), (62, 1500)])
def test_what_is_cleaned_leaves_the_operator_nothing_to_do(
    seed: int, count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same by thousands; then again with the operator stopped: ours cleans, and the operator finds nothing, misses nothing."""
    with Testbed.up(spec(f"id-oracle-{os.getpid()}")) as testbed:
        prepare(testbed)
        testbed.cilium.stop()
        generated, dead, deleted = plan_and_oracle(testbed, seed, count)
        create_all(testbed.client, [(IDENTITIES, generated.identities[name]) for name in sorted(deleted)])
        time.sleep(2 * TIMEOUT + 1)
        before = there(testbed)
        checked = clean(testbed, tmp_path, "--check", "--diff")
        assert checked.returncode == 0, checked.output
        assert there(testbed) == before, "check mode wrote"
        # the slices were emptied while the operator ran
        expected = dead | generated.of("slice-only")
        assert all(f"CiliumIdentity {name} uid" in checked.stdout for name in expected)
        begun = time.monotonic()
        done = clean(testbed, tmp_path)
        seconds = time.monotonic() - begun
        assert done.returncode == 0, done.output
        assert set(before) - set(there(testbed)) == expected
        again = clean(testbed, tmp_path)
        assert again.returncode == 0 and again.changed == 0, again.output
        journal_has(tmp_path / "journals", generated, expected)
        found = deleted_by_operator(testbed, set(there(testbed)), generated.of(*OPERATOR_ONLY))
        assert found == generated.of(*OPERATOR_ONLY)
        with capsys.disabled():
            print(
                f"\n{len(generated.identities)} identities: {len(dead)} dead for us, {len(deleted)} deleted by the operator; "
                f"{len(expected)} cleaned in {seconds:.1f} s (grace {1.2 * SYNC:g} s)"
            )


def journal_has(folder: Path, generated: Generated, expected: set[str]) -> None:
    """The journal of the one run has these, each as a whole."""
    (journal,) = folder.iterdir()
    lines = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    written = {line["object"]["metadata"]["name"]: line["object"] for line in lines if line.get("outcome") == "planned"}
    assert set(written) == expected
    for name, one in written.items():
        assert one["security-labels"] == generated.identities[name]["security-labels"]


def test_nothing_in_use_is_deleted(cluster: Testbed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Agents begin to use identities before the mark, after it, and while they are deleted; pods come; names are used anew."""
    counts = race(cluster, tmp_path, seed=1, count=300, rate=40)
    assert counts["races"] >= 150
    with capsys.disabled():
        print(f"\n{json.dumps(dict(sorted(counts.items())))}")


@pytest.mark.long
def test_nothing_in_use_is_deleted_in_10000_races(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same, by thousands."""
    total: Counter[str] = Counter()
    seed = 1
    with Testbed.up(spec(f"id-races-{os.getpid()}")) as testbed:
        prepare(testbed)
        testbed.cilium.stop()
        while total["races"] < 10_000:
            seed += 1
            total += race(testbed, tmp_path, seed=seed, count=3000, rate=75)
    with capsys.disabled():
        print(f"\n{seed - 1} runs: {json.dumps(dict(sorted(total.items())))}")


def restart_api_server(testbed: Testbed) -> None:
    """Kill it and start it again; its port is free only when the last connection of the old one has ended."""
    kill_api_server(testbed)
    for _attempt in range(20):
        try:
            start_api_server(testbed)
            return
        except TimeoutError as error:
            if "address already in use" not in str(error):
                raise
            time.sleep(0.5)
    raise AssertionError("the port of the API server stays in use")


def test_an_api_server_that_restarts(cluster: Testbed, tmp_path: Path) -> None:
    """While marks stand: watches are lost, versions are too old for the new one (410), and everything is listed again."""
    numbers = range(2000, 2030)
    create_all(cluster.client, [(IDENTITIES, identity(one, security_labels(app=f"again-{one}"))) for one in numbers])
    time.sleep(2 * TIMEOUT + 1)
    client = KubeClient.from_options({"kubeconfig": str(cluster.kubeconfig)})
    picture = IdentityPicture(client, relist_seconds=0)  # follow, however small
    plan = Planning(client, CleanupOptions(identities=tuple(numbers)), picture).plan()
    assert names(plan) == {str(one) for one in numbers}
    restarted = threading.Event()

    def heartbeat() -> str:
        """Called in the wait for the grace, when all are marked."""
        if not restarted.is_set() and HEARTBEAT in str(there(cluster)["2029"]["metadata"]):
            restarted.set()
            restart_api_server(cluster)
            cluster.client.patch(f"{IDENTITIES}/2001", {"metadata": {"annotations": {HEARTBEAT: None}}})
            cluster.client.create(PODS, pod("late", "", app="again-2002"))
        return ""

    limits = DeletionLimits(batch_size=10)
    cleanup = IdentityCleanup(client, limits, picture=picture, heartbeat=heartbeat)
    result = cleanup.run(plan, lambda: DeletionJournal.create(str(tmp_path), "identities"))
    assert restarted.is_set() and not result.deletion.stopped
    assert {one.name for one, _reason in result.deletion.spared} == {"2001", "2002"}
    assert {"2001", "2002"} <= set(there(cluster)) and len(result.deletion.deleted) == 28
    lists = picture.lists.lists.values()
    assert sum(one.lost for one in lists) >= 1, "no watch was refused"
    assert sum(one.followed for one in lists) >= 1, "no watch was followed"
