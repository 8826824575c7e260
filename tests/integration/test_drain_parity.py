"""Our drain decides as the real `kubectl drain`: plans over a generated matrix, and real drains of twin Nodes.

The pods are on Nodes of the real API server that nobody runs; budgets are counted by the real disruption controller. Other
controllers are off, so that pods may name owners that do not exist.
"""

from __future__ import annotations

import dataclasses
import os
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.disruption_budgets import eviction_answer
from testbed import ControlPlaneSpec, KwokSpec, Testbed, TestbedSpec

from .drain_comparison import (
    all_options,
    compare,
    grouped,
    our_decisions,
    our_drain,
    pairwise_options,
    without_forgotten,
)
from .drain_kubectl import Kubectl, Options
from .drain_pods import KINDS, REAL_KINDS, UNSYNCED_KINDS, WAITING_KINDS, make_nodes, pods_of

pytestmark = pytest.mark.testbed

CONTROLLERS = "--controllers=disruption-controller,serviceaccount-controller"
EVERYTHING = Options(ignore_daemonsets=True, delete_emptydir_data=True, force=True)
SEED = 20260501


def node_sets(mixed: int) -> dict[str, list[str]]:
    """Each kind alone on a Node, and Nodes with some kinds, which decide together."""
    draw = random.Random(SEED)
    sets = {f"one-{kind}": [kind] for kind in KINDS}
    for number in range(mixed):
        sets[f"mix-{number}"] = draw.sample(sorted(KINDS), draw.randint(3, 8))
    return sets


@pytest.fixture(scope="module")
def testbed() -> Iterator[Testbed]:
    """API server, kwok, and the controllers that pods and budgets need."""
    plane = ControlPlaneSpec(
        allocate_node_cidrs=False, extra_arguments={"kube-controller-manager": (CONTROLLERS,), "kube-scheduler": ()}
    )
    with Testbed.up(TestbedSpec(name=f"drain-parity-{os.getpid()}", control_plane=plane, kwok=KwokSpec())) as made:
        yield made


@pytest.fixture(scope="module")
def client(testbed: Testbed) -> KubeClient:
    """The product's client."""
    return KubeClient.from_options({"kubeconfig": str(testbed.kubeconfig)})


@pytest.fixture(scope="module")
def dry(testbed: Testbed) -> dict[str, list[str]]:
    """Nodes for dry runs, old enough for what `skip_wait_for_delete_timeout` looks at."""
    sets = node_sets(mixed=14)
    make_nodes(testbed, sets, kwok=False)
    time.sleep(4)
    return sets


def test_plan_equals_dry_run(testbed: Testbed, client: KubeClient, dry: dict[str, list[str]]) -> None:
    """The same pods go, the same are refused with the same words, and kubectl warns of nothing that we do not."""
    options = pairwise_options()
    found = compare(testbed, client, grouped(list(dry)), [Options(), EVERYTHING, *options])
    print(f"{found.combinations} combinations of {len(dry)} Nodes and {len(options) + 2} option sets")
    assert found.different == [], "\n".join(found.different[:5]) + f"\n{len(found.different)} differ"
    assert found.combinations >= 500
    assert found.words == {
        "removed",
        "failing",
        'daemonsets.apps "gone" not found',
        "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)",
        "ignoring DaemonSet-managed Pods",
        "Pods with local storage (use --delete-emptydir-data to override)",
        "Pods that declare no controller (use --force to override)",
        "deleting Pods that declare no controller",
    }


def test_comparison_can_fail(testbed: Testbed, client: KubeClient, dry: dict[str, list[str]]) -> None:
    """Each option of kubectl that ours does not have shows as a difference on some Node."""
    kubectl = Kubectl(testbed.kubeconfig)
    base = dataclasses.replace(EVERYTHING, skip_wait_for_delete_timeout=2)
    for option, value, node in (
        ("ignore_daemonsets", False, "one-daemonset"),
        ("delete_emptydir_data", False, "one-emptydir"),
        ("force", False, "one-bare"),
        ("pod_selector", "tier=back", "one-replicaset"),
        ("disable_eviction", True, "one-budget-two"),
        ("skip_wait_for_delete_timeout", 0, "one-terminating-expired"),
    ):
        changed = Options(**{**dataclasses.asdict(base), option: value})
        run = kubectl.result(kubectl.start(changed, [node], dry_run=True, timeout=30))
        theirs = run.decisions([node])[node]
        assert theirs != without_forgotten(our_decisions(client, node, base)), option
        assert theirs == without_forgotten(our_decisions(client, node, changed)), option


def test_pods_that_wait_for_a_budget(testbed: Testbed, client: KubeClient) -> None:
    """Those that kubectl is told to try again later are those of which our plan says so, with the words of the API."""
    sets = {
        **{f"wait-{kind}": [kind] for kind in WAITING_KINDS},
        "wait-all": [*WAITING_KINDS, "replicaset", "budget-allows", "bare", "budget-two-pending"],
        "wait-unsynced": [*UNSYNCED_KINDS, "budget-two", "budget-enough-unready", "budget-always-unready"],
    }
    make_nodes(testbed, sets, kwok=False)
    asked = [[name] for name in sets if name != "wait-unsynced"]
    # shorter than kubectl's pause of five seconds: one try for each pod
    found = compare(testbed, client, asked, [EVERYTHING, dataclasses.replace(EVERYTHING, disable_eviction=True)], 4)
    assert found.different == [], "\n".join(found.different)
    assert {"removed", "waiting"} <= found.words

    budgets = client.list("/apis/policy/v1/poddisruptionbudgets")
    told = set()
    for namespace in sets:
        for name, pod in pods_of(testbed, namespace).items():
            ours = eviction_answer(pod, budgets)
            try:
                client.evict(namespace, name, uid=pod["metadata"]["uid"], dry_run=True)
                assert ours.verdict == "accepted", (name, ours)
            except ApiError as error:
                if error.status == 500:
                    assert "more than one PodDisruptionBudget" in error.server_message and ours.verdict == "fails"
                else:
                    assert error.status == 429, error
                    assert (ours.verdict, ours.words) == ("waits", error.causes[0]["message"])
                told.add(ours.words)
    assert told == {
        "The disruption budget exhausted needs 3 healthy pods and has 1 currently",
        "The disruption budget exhausted needs 3 healthy pods and has 2 currently",
        "The disruption budget just needs 1 healthy pods and has 1 currently",
        "The disruption budget short needs 2 healthy pods and has 0 currently",
        "The disruption budget unsynced is still being processed by the server.",
        "it is covered by 2 PodDisruptionBudgets (two, two-again)",
    }


def what_is_left(testbed: Testbed, node: str) -> dict[str, bool]:
    """Pods that are still there, and whether they shut down."""
    return {name: "deletionTimestamp" in pod["metadata"] for name, pod in pods_of(testbed, node).items()}


ENDLESS = ("terminating", "finalizer")  # kinds that only skip_wait_for_delete_timeout ends
PLAIN = [kind for kind in REAL_KINDS if not any(word in kind for word in ENDLESS)]
SKIP = dataclasses.replace(EVERYTHING, skip_wait_for_delete_timeout=2)
#: (kinds of the twins, options, seconds, whether the drain ends well)
REAL: dict[str, tuple[Sequence[str], Options, int, bool]] = {
    **{
        f"everything-{start}": (REAL_KINDS[start : start + 9], SKIP, 60, True) for start in range(0, len(REAL_KINDS), 9)
    },
    "only-what-needs-no-option": (
        ["replicaset", "statefulset", "job-succeeded", "daemonset-failed", "mirror", "hostpath", "bare-succeeded"],
        Options(),
        60,
        True,
    ),
    "refused": (["replicaset", "bare", "daemonset", "mirror"], Options(force=True), 60, False),
    "selected": (PLAIN[:8], dataclasses.replace(EVERYTHING, pod_selector="tier=front"), 60, True),
    "deleted": (
        ["budget-exhausted", "budget-short-unready", "budget-two", "emptydir", "daemonset"],
        dataclasses.replace(EVERYTHING, disable_eviction=True, grace_period=0),
        60,
        True,
    ),
    "out-of-time": (["replicaset", "bare-finalizer", "daemonset"], EVERYTHING, 5, False),
}


def test_real_drains_of_twins(testbed: Testbed) -> None:
    """kubectl drains one, we drain the other: the same pods go, the same stay, and the same drains fail."""
    sets = {f"{twin}-{case}": kinds for case, (kinds, *_rest) in REAL.items() for twin in ("theirs", "ours")}
    make_nodes(testbed, sets, kwok=True)
    time.sleep(4)
    before = {name: what_is_left(testbed, name) for name in sets}
    kubectl = Kubectl(testbed.kubeconfig)
    running = {
        case: kubectl.start(options, [f"theirs-{case}"], dry_run=False, timeout=timeout)
        for case, (_kinds, options, timeout, _ends) in REAL.items()
    }
    with ThreadPoolExecutor(len(REAL)) as pool:
        started = {
            case: pool.submit(our_drain, testbed, f"ours-{case}", options, timeout)
            for case, (_kinds, options, timeout, _ends) in REAL.items()
        }
        ours = {case: future.result() for case, future in started.items()}
    removed = 0
    for case, (_kinds, _options, _timeout, ends_well) in REAL.items():
        theirs = kubectl.result(running[case])
        assert (theirs.returncode == 0) is ends_well, theirs.stderr
        assert (not ours[case].get("failed")) is ends_well, ours[case]
        assert before[f"ours-{case}"] == before[f"theirs-{case}"]
        left = what_is_left(testbed, f"ours-{case}")
        assert left == what_is_left(testbed, f"theirs-{case}"), case
        gone = {pod["name"] for pod in ours[case]["pods"] if pod["result"] == "gone"}
        assert gone == set(before[f"ours-{case}"]) - set(left), case
        removed += len(gone)
        # kubectl cordons first and leaves it so; we only where the drain ended well
        for twin, cordoned in (("theirs", True), ("ours", ends_well)):
            node = testbed.client.get(f"/api/v1/nodes/{twin}-{case}")
            assert bool(node["spec"].get("unschedulable")) is cordoned, (twin, case)
    assert removed >= 30
    print(f"{len(REAL)} pairs of Nodes, {removed} pods removed from each side")


@pytest.mark.long
def test_plan_equals_dry_run_in_thousands(testbed: Testbed, client: KubeClient) -> None:
    """More Nodes with several kinds, and a quarter of all option sets."""
    draw = random.Random(SEED + 1)
    sets = {f"long-{number}": draw.sample(sorted(KINDS), draw.randint(2, 10)) for number in range(72)}
    make_nodes(testbed, sets, kwok=False)
    time.sleep(4)
    options = draw.sample(all_options(), 108)
    found = compare(testbed, client, grouped(list(sets)), options)
    print(f"{found.combinations} combinations")
    assert found.different == [], "\n".join(found.different[:5]) + f"\n{len(found.different)} differ"
    assert found.combinations == 72 * 108
