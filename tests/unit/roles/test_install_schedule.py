"""What the role install_schedule says about wrong input, and with which Python it speaks to the cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import run_playbook


def test_clean_ups_without_a_bound_or_a_name_are_refused() -> None:
    """Each by one sentence that says what to give."""
    clean_ups: list[dict[str, Any]] = [
        {"playbook": "clean_identities"},
        {"playbook": "clean_endpoints", "max_deletions": 0},
        {"max_deletions": 5},
        {"playbook": "retire_nodes", "max_deletions": 5},
    ]
    variables = {"install_schedule_kind": "timer", "install_schedule_clean_ups": clean_ups}
    done = run_playbook("podnet.upkeep.install_schedule", variables=variables)
    assert done.returncode != 0 and "has no attribute" not in done.output, done.output
    for words in (
        "clean_identities with max_deletions not given",
        "clean_endpoints with max_deletions 0",
        "no playbook with max_deletions 5",
        "retire_nodes with max_deletions 5",
    ):
        assert f"install_schedule_clean_ups: {words} cannot be scheduled; name clean_stale_pods" in done.flat_output


@pytest.mark.parametrize("alone", [False, True])
def test_the_cluster_is_asked_with_the_python_of_the_controller(tmp_path: Path, alone: bool) -> None:
    """Whatever interpreter the inventory, or Ansible's discovery, has for localhost; by the playbook, and by the role alone."""
    inventory = tmp_path / "inventory.ini"
    inventory.write_text("localhost ansible_connection=local ansible_python_interpreter=/nonexistent/python3\n")
    given = {
        "kubeconfig": str(tmp_path / "no-kubeconfig"),
        "namespace": "upkeep",
        "image": "registry.example.com/ee:1",
        "schedule": "15 3 * * *",
    }
    playbook = tmp_path / "alone.yml"
    play = {"hosts": "localhost", "gather_facts": False, "roles": ["podnet.upkeep.install_schedule"]}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    done = run_playbook(
        str(playbook) if alone else "podnet.upkeep.install_schedule",
        ["-i", str(inventory)],
        variables={f"install_schedule_{key}": value for key, value in given.items()},
    )
    assert done.returncode != 0 and "no-kubeconfig" in done.failure and "nonexistent" not in done.output, done.output
