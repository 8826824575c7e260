"""Every playbook has its rules, those that write ask for them, and runs look for those that the rules let them see."""

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
    PREFIX,
    RUNS,
    not_beside,
    waits_for_dead,
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


def run_of(role: str) -> str:
    """The name of its run, as its tasks give it."""
    (start,) = [task for task in read(f"roles/{role}/tasks/run.yml") if task["name"].startswith("Take the lock")]
    (act,) = [task for task in start.get("block", [start]) if task["name"].startswith("Take the lock")]
    name: str = (act.get("vars") or {}).get("cleanup_run_name") or act["podnet.upkeep.maintenance_run"]["name"]
    return name


RUN_ROLES = (
    *("clean_cilium_nodes", "clean_endpoints", "clean_identities", "clean_stale_pods", "undo_deletions"),
    *("tune_cilium", "restart_cilium", "recover_identities", "stress_identities", "maintain_kvstore"),
    *("retire_nodes", "remove_unreachable_nodes"),
)


@pytest.mark.parametrize("role", RUN_ROLES)
def test_the_runs_that_it_looks_for_are_those_that_it_may_look_for(role: str) -> None:
    """By name: it would not begin where it may not look for one, and one that it does not look for need not be read."""
    own = run_of(role)
    for resource in ("leases", "configmaps"):
        looked_for = {name for name in not_beside(own) if resource == "leases" or waits_for_dead(own, name)}
        if (own, resource) == ("remove-unreachable-nodes", "configmaps"):
            looked_for |= {"reassign-pod-cidrs"}  # its plan reads which Nodes are half-way
        rules = [one for one in rules_of(role) if (one.verb, one.resource, one.where) == ("get", resource, RUN)]
        readable = {name.removeprefix(PREFIX) for name in rules[0].names}
        # recover_identities holds the locks of its stages too
        assert looked_for | {own} <= readable
        assert role == "recover_identities" or readable == looked_for | {own}


def test_every_run_of_the_table_has_a_role() -> None:
    """And the other way round. Roles of clean-ups give theirs to one that they share; that of a re-registration is its own."""
    assert {run_of(role) for role in RUN_ROLES} | {"reassign-pod-cidrs"} == RUNS
    assert read("roles/reassign_pod_cidrs/vars/main.yml")["reassign_pod_cidrs__run_name"] == "reassign-pod-cidrs"


def test_pools_are_enlarged_under_the_lock_of_cilium() -> None:
    """Its tasks are a run of their own."""
    (start, *_rest) = read("roles/tune_cilium/tasks/pod_ip_pool_run.yml")
    assert start["vars"]["cleanup_run_name"] == run_of("tune_cilium")
