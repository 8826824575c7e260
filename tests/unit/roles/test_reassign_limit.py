"""A limit that leaves out localhost, where plans are made: Ansible alone would do nothing and end well."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.playbook import run_playbook


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("drifted", "Give --limit 'localhost,drifted'"),
        ("!h3", "Give --limit 'localhost,all,!h3'"),
        ("localhost,drifted", ""),
    ],
)
def test_a_limit_has_to_name_localhost(tmp_path: Path, limit: str, words: str) -> None:
    """One sentence with the limit that works; with that limit the plan begins, and misses its kubeconfig."""
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("[drifted]\nh1\nh2\n[sound]\nh3\n", encoding="utf-8")
    done = run_playbook(
        "podnet.upkeep.reassign_pod_cidrs",
        ["-i", str(inventory), f"--limit={limit}"],
        variables={"reassign_pod_cidrs_kubeconfig": str(tmp_path / "no-kubeconfig")},
    )
    assert done.returncode != 0, done.output
    if words:
        assert f"the limit '{limit}' leaves out localhost" in done.flat_output and words in done.flat_output, (
            done.output
        )
    else:
        assert "leaves out localhost" not in done.output and "no-kubeconfig" in done.output
