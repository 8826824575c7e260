"""What the role install_schedule says about wrong input, and with which Python it speaks to the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from harness.playbook import run_playbook


@pytest.mark.parametrize(
    ("clean_up", "words"),
    [
        ({"playbook": "clean_identities"}, "clean_identities with max_deletions not given cannot be scheduled"),
        (
            {"playbook": "clean_identities", "max_deletions": 0},
            "clean_identities with max_deletions 0 cannot be scheduled",
        ),
        ({"max_deletions": 5}, "no playbook with max_deletions 5 cannot be scheduled"),
        ({"playbook": "retire_nodes", "max_deletions": 5}, "retire_nodes with max_deletions 5 cannot be scheduled"),
    ],
)
def test_a_clean_up_without_a_bound_or_a_name_is_refused(clean_up: dict[str, Any], words: str) -> None:
    """By one sentence that says what to give."""
    variables = {"install_schedule_kind": "timer", "install_schedule_clean_ups": [clean_up]}
    done = run_playbook("podnet.upkeep.install_schedule", variables=variables)
    assert done.returncode != 0 and f"install_schedule_clean_ups: {words}" in done.flat_output, done.output
    assert "max_deletions of 1 or more" in done.flat_output and "has no attribute" not in done.output
