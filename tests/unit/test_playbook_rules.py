"""Every playbook has its rules, those that write ask for them, and roles look for the runs that the rules let them see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import (
    PLAYBOOKS,
    RUN,
    rules_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_neighbours import (
    NOT_BESIDE_CLEAN_UPS,
    PREFIX,
    STRESS_RUN,
)

ROOT = Path(__file__).parents[2]
THERE = {path.stem: path for path in (ROOT / "playbooks").glob("*.yml")}
#: They go on without what they may not read, or ask themselves.
NO_QUESTION = {
    *("audit", "audit_kvstore", "forecast", "rehearse", "simulate_label_filter"),
    *("reassign_pod_cidrs", "scheduled_run"),
}
SPEAKS_TO_NO_CLUSTER = {"configure_awx"}


def read(path: str) -> Any:
    """A YAML file of the collection."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_every_playbook_has_rules() -> None:
    """A new one says what it needs, or why it needs nothing."""
    assert set(THERE) - SPEAKS_TO_NO_CLUSTER == set(PLAYBOOKS)


@pytest.mark.parametrize("playbook", sorted(set(PLAYBOOKS) - NO_QUESTION))
def test_it_asks_for_its_own_rules_before_it_begins(playbook: str) -> None:
    """And for no other's."""
    tasks = [task for play in yaml.safe_load(THERE[playbook].read_text()) for task in play.get("pre_tasks", ())]
    assert tasks[0]["podnet.upkeep.playbook_access_info"]["playbook"] == playbook


def not_beside(role: str) -> set[str]:
    """The runs beside which the run of a role does not begin."""
    (start, *_rest) = read(f"roles/{role}/tasks/run.yml")
    given = start["vars"].get("cleanup_run_not_beside")
    if isinstance(given, str):
        given = read(f"roles/{role}/vars/main.yml")[f"{role}__not_beside"]
    found = given or read("roles/cleanup_run/defaults/main.yml")["cleanup_run_not_beside"]
    return set(found) - {start["vars"]["cleanup_run_name"]}


CLEAN_UPS = (
    *("clean_cilium_nodes", "clean_endpoints", "clean_identities", "clean_stale_pods", "undo_deletions"),
    *("tune_cilium", "restart_cilium", "recover_identities"),
)


@pytest.mark.parametrize("role", [*CLEAN_UPS, "stress_identities"])
def test_the_runs_that_it_looks_for_are_those_that_it_may_look_for(role: str) -> None:
    """By name: a run that it may not read would not be seen, and one that it does not look for need not be read."""
    looked_for = not_beside(role)
    for resource in ("leases", "configmaps"):
        (rule,) = [one for one in rules_of(role) if (one.verb, one.resource, one.where) == ("get", resource, RUN)]
        readable = {name.removeprefix(PREFIX) for name in rule.names}
        # recover_identities holds the locks of its stages too
        assert looked_for <= readable
        assert role == "recover_identities" or readable - looked_for <= {role.replace("_", "-"), "cilium"}


@pytest.mark.parametrize("role", CLEAN_UPS)
def test_none_begins_beside_a_stress_test(role: str) -> None:
    """It would measure what they collect, and they would judge what it makes; the stress test looks for them too."""
    assert not_beside(role) >= NOT_BESIDE_CLEAN_UPS
    own = "cilium" if role in ("tune_cilium", "restart_cilium", "recover_identities") else role.replace("_", "-")
    assert own in not_beside("stress_identities") and STRESS_RUN in NOT_BESIDE_CLEAN_UPS


def test_pools_are_not_enlarged_beside_a_stress_test() -> None:
    """Its tasks are a run of their own."""
    (start, *_rest) = read("roles/tune_cilium/tasks/pod_ip_pool_run.yml")
    assert set(start["vars"]["cleanup_run_not_beside"]) >= NOT_BESIDE_CLEAN_UPS
