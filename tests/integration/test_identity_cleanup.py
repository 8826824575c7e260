"""Clean-up of identities against the real cilium-operator, which is the oracle of what may go."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_cleanup_plan import (
    CleanupOptions,
    CleanupPlan,
    Planning,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_picture import IdentityPicture
from harness.playbook import run_playbook
from integration.identity_cluster import (
    IDENTITIES,
    INTERVAL,
    SYNC,
    TIMEOUT,
    Generated,
    Generator,
    create_all,
    prepare,
    restart_operator,
    spec,
    there,
    wait,
)
from testbed import Testbed

pytestmark = pytest.mark.testbed

#: What the operator deletes and we do not: it looks at endpoints only, and at all numbers.
OPERATOR_ONLY = ("pending", "deleting", "foreign", "uncertain", "changed-labels")
DEAD = ("leaked", "marked", "duplicate", "other-labels")


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
    wait(lambda: not expected & set(there(testbed)), "the deletions of the operator", 180)
    left = settled(testbed, 2 * TIMEOUT + 2 * INTERVAL)
    testbed.cilium.stop()
    return before - left


def plan_and_oracle(testbed: Testbed, seed: int, count: int) -> tuple[Generated, set[str], set[str]]:
    """What was generated, our dead, and what the operator deleted of it."""
    generated = Generator(testbed, seed).generate(count)
    if count < 1000:
        assert not planned(testbed).candidates, "all of them are younger than two heartbeat timeouts"
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
@pytest.mark.parametrize(("seed", "count"), [(61, 3000), (62, 6000)])
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
