"""The few lines for a terminal, and the Markdown report."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.make_sick_small import state
from snapshots.small_clusters import audited, controller_manager, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState
from ansible_collections.podnet.upkeep.plugins.module_utils._report_text import markdown, summary_lines

SICK = document(Context(ClusterState.from_json(state())))
PLAN = "plan the repair (writes nothing): ansible-playbook -i INVENTORY podnet.upkeep.reassign_pod_cidrs --check --diff"


def test_the_sick_cluster_in_a_few_lines() -> None:
    """How bad, how full, what in order of severity, what to do, where the reports are."""
    lines = summary_lines(SICK, {"output_path": "/r/a.json", "report_html": "/r/a.html"})
    assert lines[:3] == [
        "12 Nodes: 7 critical, 4 warning, 0 info",
        "pool 10.244.0.0/20 (/24): 16 of 16 blocks used (2 by the service range), 0 free, waiting Nodes: 1",
        "settings: pod kube-system/kube-controller-manager-control-1; IPAM model: node-spec",
    ]
    assert [line.split()[0] for line in lines[3:14]] == ["CRITICAL"] * 7 + ["WARNING"] * 4
    assert lines[14:] == [PLAN, "JSON report: /r/a.json", "HTML report: /r/a.html"]
    assert len({line.index("Node ") for line in lines[3:5]}) == 1  # facts stand below each other


def test_a_flood_of_one_kind_does_not_hide_the_others() -> None:
    """Five of each, the rest counted."""
    nodes = [*(node(f"n{number:02}", f"10.9.{number}.0/24") for number in range(40)), node("z", "10.0.0.0/25")]
    lines = summary_lines(audited(nodes=nodes))
    assert sum("node-cidr-out-of-range  " in line for line in lines) == 5
    assert any(line.strip() == "... and 35 more node-cidr-out-of-range" for line in lines)
    assert any("node-cidr-mask-mismatch" in line for line in lines)
    assert len(lines) < 15


@pytest.mark.parametrize(
    ("more", "last"),
    [
        ({"nodes": [node("a", "10.0.0.0/24")]}, "nothing to mend"),
        ({"allocator": None, "nodes": [node("a")]}, "pod CIDRs were not judged: it is not known here"),
        ({"unknown": {"nodes": "the permission to list nodes is missing (words)"}}, "not everything was judged"),
        ({"unknown": {"daemonsets": "the permission is missing (words)"}}, "pod CIDRs were not judged: what is unknown"),
        ({"allocator": None, "pods": [controller_manager("a", "--allocate-node-cidrs=true")]}, "no playbook mends this"),
        ({"nodes": [node("a")]}, PLAN),
    ],
)  # fmt: skip
def test_the_last_line_says_what_to_do(more: dict[str, Any], last: str) -> None:
    """And never that all is fine when not everything could be read."""
    assert summary_lines(audited(**more))[-1].startswith(last)


def test_what_is_unknown_is_a_line_of_its_own() -> None:
    """Without the server's words, which are in the reports."""
    lines = summary_lines(audited(unknown={"pods": "the permission to list pods is missing (pods is forbidden)"}))
    assert "UNKNOWN   pods: the permission to list pods is missing" in lines
    assert lines[0].endswith(", 1 unknown")


def test_lines_are_short() -> None:
    """Whatever names are like."""
    lines = summary_lines(audited(nodes=[node("n" * 250)]))
    assert max(map(len, lines)) <= 200


def test_markdown_has_everything() -> None:
    """Findings, Nodes, pools; deterministic."""
    text = markdown(SICK)
    assert text == markdown(document(Context(ClusterState.from_json(state()))))
    for finding in SICK["findings"]:
        assert finding["summary"] in text and finding["remedy"]["text"] in text
    assert "| worker-6 | none | False | critical | node-cidr-missing |" in text
    assert "| IPv4 | 10.244.0.0/20 | 24 | 16 | 16 | 2 | 0 |" in text


def test_markdown_stays_a_table() -> None:
    """Names cannot break out of their cell, nor become markup."""
    text = markdown(audited(nodes=[node("a|b`c<i>\nd\\", "10.0.0.0/24")]))
    assert "| a\\|b\\`c&lt;i> d\\\\ | 10.0.0.0/24 | True | ok |  |" in text
