"""Both sides of a comparison of drains: the generated options, our decisions, and kubectl's beside them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import UpkeepError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import (
    Drain,
    DrainOptions,
    DrainRefusedError,
    PodOutcome,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import (
    FilterOptions,
    warning_lines,
)
from ansible_collections.podnet.upkeep.plugins.modules import node_drain
from testbed import Testbed

from .drain_kubectl import Decisions, Kubectl, Options, refusals_of, warnings_of

AXES: dict[str, tuple[Any, ...]] = {
    "ignore_daemonsets": (False, True),
    "delete_emptydir_data": (False, True),
    "force": (False, True),
    "disable_eviction": (False, True),
    "pod_selector": ("", "tier=front", "tier!=front,kind notin (bare)"),
    "grace_period": (-1, 0, 30),
    "skip_wait_for_delete_timeout": (0, 2, 1800),
}
#: kubectl computes these warnings and forgets them when the next filter runs; ours are not lost.
FORGOTTEN_BY_KUBECTL = ("deleting Pods with local storage", 'daemonsets.apps "gone" not found')
NODES_OF_A_RUN = 6  # kubectl sends five requests a second; several short runs beside each other are over sooner
RUNS_AT_ONCE = 24  # they sleep most of the time


def all_options() -> list[Options]:
    """The whole product of the options."""
    return [Options(**dict(zip(AXES, values, strict=True))) for values in itertools.product(*AXES.values())]


def pairwise_options() -> list[Options]:
    """A few option sets in which every pair of two options' values occurs."""

    def pairs(options: Options) -> set[tuple[tuple[str, Any], tuple[str, Any]]]:
        return set(itertools.combinations(dataclasses.asdict(options).items(), 2))

    candidates = all_options()
    missing = set().union(*map(pairs, candidates))
    chosen = []
    while missing:
        best = max(candidates, key=lambda options: len(pairs(options) & missing))
        chosen.append(best)
        missing -= pairs(best)
    return chosen


def our_options(options: Options) -> DrainOptions:
    """The same options for our operation."""
    return DrainOptions(
        filters=FilterOptions(
            options.ignore_daemonsets,
            options.delete_emptydir_data,
            options.force,
            options.skip_wait_for_delete_timeout,
        ),
        pod_selector=options.pod_selector,
        grace_period=None if options.grace_period < 0 else options.grace_period,
        disable_eviction=options.disable_eviction,
    )


def our_decisions(client: KubeClient, node: str, options: Options) -> Decisions:
    """What our plan decides, in the words of the oracle.

    A pod under two budgets refuses our drain, while kubectl evicts the others first and fails then: it counts as failing.
    """
    found = Decisions()
    try:
        plan = Drain(client, node, our_options(options)).plan()
        outcomes = plan.outcomes()
        found.warnings = warnings_of("; ".join(plan.warnings))
    except DrainRefusedError as error:
        outcomes = error.outcomes
        found.refusals = refusals_of(", ".join(one for one in error.reasons if one.startswith("cannot delete ")))
        if found.refusals:
            return found
        assert len(error.reasons) == sum(outcome.detail.startswith("is not evicted") for outcome in outcomes)
        found.warnings = warnings_of("; ".join(warning_lines([outcome.decision for outcome in outcomes])))
    for outcome in outcomes:
        if outcome.decision.action == "remove":
            _place(found, outcome)
    return found


def _place(found: Decisions, outcome: PodOutcome) -> None:
    if outcome.detail.startswith("waits: "):
        found.waiting.add(outcome.decision.reference)
    elif outcome.detail.startswith("is not evicted: "):
        found.failing.add(outcome.decision.reference)
    else:
        found.removed.add(outcome.decision.reference)


def without_forgotten(decisions: Decisions) -> Decisions:
    """Ours without the warnings that kubectl forgets."""
    kept = {message: pods for message, pods in decisions.warnings.items() if message not in FORGOTTEN_BY_KUBECTL}
    return dataclasses.replace(decisions, warnings=kept)


@dataclasses.dataclass
class Comparison:
    """How many combinations were compared, what differed, and which words occurred."""

    combinations: int = 0
    different: list[str] = dataclasses.field(default_factory=list)
    words: set[str] = dataclasses.field(default_factory=set)

    def add(self, node: str, options: Options, theirs: Decisions, ours: Decisions) -> None:
        """Compare one combination."""
        self.combinations += 1
        self.words |= set(theirs.refusals) | set(theirs.warnings)
        self.words |= {name for name in ("removed", "waiting", "failing") if getattr(theirs, name)}
        if theirs != without_forgotten(ours):
            self.different.append(f"{node} with {options}:\n  kubectl {theirs}\n  ours    {ours}")


def compare(
    testbed: Testbed, client: KubeClient, groups: Sequence[Sequence[str]], options: Sequence[Options], timeout: int = 60
) -> Comparison:
    """Dry-run drains of all Nodes with all options: kubectl group by group, ours Node by Node meanwhile."""
    kubectl, found = Kubectl(testbed.kubeconfig), Comparison()

    def ask(group: Sequence[str], chosen: Options) -> dict[str, Decisions]:
        run = kubectl.result(kubectl.start(chosen, group, dry_run=True, timeout=timeout))
        return run.decisions(group)

    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        asked = [(chosen, pool.submit(ask, group, chosen)) for chosen in options for group in groups]
        for chosen, future in asked:
            for node, theirs in future.result().items():
                found.add(node, chosen, theirs, our_decisions(client, node, chosen))
    return found


def grouped(names: Sequence[str]) -> list[list[str]]:
    """Nodes of one kubectl run each."""
    return [list(names[start : start + NODES_OF_A_RUN]) for start in range(0, len(names), NODES_OF_A_RUN)]


def our_drain(testbed: Testbed, node: str, options: Options, timeout: int, **further: Any) -> dict[str, Any]:
    """Run the module's function for real, in this thread; its result, or what `fail_json` would be given."""
    given = {name: option.get("default") for name, option in node_drain.argument_spec().items()}
    given |= {**dataclasses.asdict(options), "timeout": timeout, "name": node, "kubeconfig": str(testbed.kubeconfig)}
    given |= further
    module: Any = SimpleNamespace(params=given, check_mode=False)
    try:
        return node_drain.run(module)
    except UpkeepError as error:
        return {"failed": True, "msg": str(error), **error.details()}
