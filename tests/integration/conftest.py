"""Shared parts of the tests that run against the real testbed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.playbook import PlaybookRun, run_playbook

# what tests of these files find does not depend on ansible-core: once is enough (mark `once`)
_ONCE = (
    "test_agents_on_hosts",
    "test_interruption",
    "test_sandbox_failures",
    "test_testbed_hosts",
    "test_zero_failed_requests",
)

# minutes each, on a machine with two cores; `make test` has test_interruption_sample
_LONG = ("test_interruptions",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that run on one ansible-core only, and those that belong to make test-long."""
    for item in items:
        if item.path.stem.startswith(_LONG):
            item.add_marker(pytest.mark.long)
        if item.path.stem.startswith(_ONCE):
            item.add_marker(pytest.mark.once)


Audit = Callable[..., dict[str, Any]]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """Return a function that audits a live cluster with the product and returns the full JSON report."""

    def run(kubeconfig: Path, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        report = tmp_path / "audit.json"
        done: PlaybookRun = run_playbook(
            "podnet.upkeep.audit",
            variables={
                "audit_kubeconfig": str(kubeconfig),
                "audit_output_path": str(report),
                **(variables or {}),
            },
        )
        assert done.returncode == 0, done.output
        loaded: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return loaded

    return run
