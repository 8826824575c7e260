"""The summary for AWX: one shape, and never longer than it may be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.run_summary import SummaryError, run_summary, size

KEYS = {"playbook", "check_mode", "failure", "counts", "findings", "remedies", "hosts", "paths", "omitted"}


def summary(**given_values: Any) -> dict[str, Any]:
    """A summary of what is given."""
    values: dict[str, Any] = {
        **{"check_mode": False, "counts": {}, "findings": [], "findings_in_all": 0},
        **{"hosts": [], "paths": {}, "max_bytes": 65536},
        **given_values,
    }
    return run_summary("podnet.upkeep.audit", **values)


def finding(identifier: str, severity: str, node: str, playbook: str | None = None) -> dict[str, Any]:
    """A finding as the audit returns it."""
    return {
        "id": identifier,
        "severity": severity,
        "title": "What it is",
        "subject": {"kind": "Node", "name": node, "namespace": ""},
        "summary": "x" * 500,
        "remedy": {"playbook": playbook, "text": ""},
    }


def test_findings_by_kind_worst_first() -> None:
    """With the Nodes for which each playbook would act."""
    found = [
        finding("b", "info", "w9"),
        finding("a", "critical", "w1", "podnet.upkeep.reassign_pod_cidrs"),
        finding("a", "critical", "w2", "podnet.upkeep.reassign_pod_cidrs"),
    ]
    made = summary(
        findings=found, findings_in_all=5, counts={"critical": 2, "text": "no", "flag": True}, hosts=["w1", "w1"]
    )
    assert set(made) == KEYS
    assert [(kind["id"], kind["number"], kind["subjects"]) for kind in made["findings"]] == [
        ("a", 2, ["w1", "w2"]),
        ("b", 1, ["w9"]),
    ]
    assert made["remedies"] == {"podnet.upkeep.reassign_pod_cidrs": {"findings": ["a"], "hosts": ["w1", "w2"]}}
    assert made["counts"] == {"critical": 2} and made["hosts"] == ["w1"]
    assert made["omitted"] == {"findings": 2, "hosts": 0, "subjects": 0}


@pytest.mark.parametrize("max_bytes", [2048, 8192, 65536, 700_000])
def test_the_largest_cluster_fits(max_bytes: int) -> None:
    """Every kind of finding for 5,000 Nodes with the longest names that Kubernetes has, in every language."""
    playbook = "podnet.upkeep.reassign_pod_cidrs"
    nodes = [f"{number:05}-" + "ü" * 247 for number in range(5000)]
    found = [finding(kind, "critical", node, playbook) for kind in list(CATALOGUE)[:12] for node in nodes]
    found += [finding(kind, "warning", nodes[0]) for kind in CATALOGUE]
    made = summary(
        findings=found,
        findings_in_all=len(found),
        counts=dict.fromkeys((f"number {each}" for each in range(3000)), 2**40),
        hosts=nodes,
        paths={f"report {each}": "/" + "p" * 4000 for each in range(100)},
        max_bytes=max_bytes,
        failure="ü" * 5000,
    )
    assert set(made) == KEYS and made["failure"].startswith("üüü") and len(made["failure"]) <= 1000
    assert len(json.dumps(made).encode()) == size(made) <= max_bytes
    assert made["hosts"] or max_bytes < 65536
    assert len(made["hosts"]) + made["omitted"]["hosts"] >= 5000


@given(
    st.lists(
        st.builds(
            finding,
            st.text(max_size=400),
            st.sampled_from(["critical", "warning", "info", ""]),
            st.text(max_size=400),
            st.one_of(st.none(), st.text(max_size=400)),
        ),
        max_size=60,
    ),
    st.lists(st.text(max_size=400), max_size=60),
    st.integers(min_value=4096, max_value=70_000),
    st.text(max_size=1200),
)
def test_never_longer(found: list[dict[str, Any]], hosts: list[str], max_bytes: int, failure: str) -> None:
    """Whatever the texts are; what is cut is counted."""
    made = summary(findings=found, findings_in_all=len(found), hosts=hosts, max_bytes=max_bytes, failure=failure)
    assert made["failure"] == failure or made["failure"].endswith("...")
    assert size(made) <= max_bytes
    assert len(made["findings"]) + made["omitted"]["findings"] >= len({one["id"][:297] for one in found})


def test_a_limit_without_room() -> None:
    """Refused in one sentence."""
    with pytest.raises(SummaryError, match="max_bytes is 100; give at least 2048"):
        summary(max_bytes=100)
