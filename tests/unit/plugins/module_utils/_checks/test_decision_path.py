"""The decision path: every finding has one place in it, every question leads on, and no finding is lost on the way."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from snapshots.provoked_kubernetes import PROVOKED
from snapshots.small_clusters import config_map, context, controller_manager, daemon_set, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_path import STEPS, place_of, walk
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_step import END
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import run_checks


def walked(**cluster: Any) -> list[dict[str, Any]]:
    """The path of a small cluster."""
    made = context(**cluster)
    return walk(made, run_checks(made))


def answers(path: list[dict[str, Any]]) -> dict[str, str]:
    """{step: answer}."""
    return {one["step"]: one["answer"] for one in path}


def test_every_finding_has_exactly_one_place() -> None:
    """An id without a place, or with two, is named; so is one that is no longer in the catalogue."""
    placed = Counter(finding for step in STEPS for finding in step.findings)
    assert sorted(set(CATALOGUE) - set(placed)) == [], "findings without a step in decision_path_steps.py"
    assert sorted(set(placed) - set(CATALOGUE)) == [], "steps name findings that are not in the catalogue"
    assert [finding for finding, count in placed.items() if count > 1] == []
    assert {place_of(finding) for finding in CATALOGUE} <= {step.id for step in STEPS}


def test_every_question_is_reached_and_the_path_ends() -> None:
    """Answers lead only forward in the table, so no path can go round in circles."""
    order = {step.id: index for index, step in enumerate(STEPS)} | {END: len(STEPS)}
    assert len(order) == len(STEPS) + 1
    for step in STEPS:
        assert min(order[step.yes], order[step.no]) > order[step.id], step.id
        assert step.question.endswith("?") and step.then.endswith(".")
    led_to = {STEPS[0].id, *(step.yes for step in STEPS), *(step.no for step in STEPS)}
    assert led_to == set(order)


def test_resources_that_steps_need_exist() -> None:
    """A misspelt one would make an answer unknown for ever."""
    known = set(context().state.resources)
    assert {resource for step in STEPS for resource in step.needs} <= known


def test_a_healthy_cluster_says_no_everywhere() -> None:
    """And does not ask about Cilium, or about the books of another CNI."""
    path = answers(walked(nodes=[node("a", "10.0.0.0/24")]))
    assert set(path.values()) == {"no"}
    assert list(path)[:5] == ["data", "control-plane", "sandboxes", "model", "no-cidr"]
    assert not {"cni-books", "cilium-config", "identities"} & set(path)


def test_a_node_without_block_in_a_full_pool() -> None:
    """The question of the runbook: no CIDR, allocator fine, pool exhausted."""
    path = walked(nodes=[node("a", "10.0.0.0/24"), node("b")], allocator={"cluster_cidrs": ["10.0.0.0/24"]})
    found = answers(path)
    assert (found["no-cidr"], found["allocator"], found["exhausted"]) == ("yes", "no", "yes")
    exhausted = next(one for one in path if one["step"] == "exhausted")
    assert exhausted["findings"] == ["pod-cidr-pool-exhausted"] and exhausted["then"].startswith("Free blocks")


def test_a_cloud_leads_to_its_books() -> None:
    """podCIDRs of Nodes are not asked about."""
    path = answers(walked(nodes=[node("a")], daemonsets=[daemon_set("aws-node")]))
    assert path["model"] == "yes" and "cni-books" in path and "no-cidr" not in path


def test_cilium_is_asked_about_where_it_runs() -> None:
    """Configuration, pools, identities and endpoints follow."""
    path = answers(walked(configmaps=[config_map("cilium-config", ipam="kubernetes")]))
    assert path["cilium"] == "yes"
    assert {"cilium-config", "cilium-pools", "identities", "identity-gc", "endpoints", "kvstore"} <= set(path)


def test_what_could_not_be_read_is_unknown() -> None:
    """Never no."""
    path = answers(walked(nodes=[node("a", "10.0.0.0/24")], unknown={"events": "forbidden"}))
    assert path["data"] == "yes" and path["sandboxes"] == "unknown"


def test_information_alone_is_no_yes() -> None:
    """It is listed all the same."""
    path = walked(nodes=[node("a", "10.0.0.0/24")], headroom_factor=300.0)
    exhausted = next(one for one in path if one["step"] == "exhausted")
    assert (exhausted["answer"], exhausted["then"], exhausted["findings"]) == ("no", "", ["pod-cidr-headroom-low"])


@pytest.mark.parametrize("identifier", [*PROVOKED, "kubeadm-config-differs"])
def test_no_finding_is_lost(identifier: str) -> None:
    """Whatever the path passes over: the step of every finding is in it once."""
    made = context(**PROVOKED.get(identifier, {"pods": [controller_manager("cp1", "--v=2")]}))
    findings = [*run_checks(made), Finding(identifier, Subject("Cluster", "cluster"), "x")]
    path = walk(made, findings)
    assert {one.id for one in findings} == {finding for step in path for finding in step["findings"]}
    assert max(Counter(one["step"] for one in path).values()) == 1
