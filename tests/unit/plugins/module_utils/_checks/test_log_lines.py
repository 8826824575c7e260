"""Lines of logs: which count, and which Node each is about."""

from __future__ import annotations

from typing import Any

from snapshots.kubernetes_objects import ago, log_line
from snapshots.small_clusters import context, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import log_lines
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding

EXHAUSTED = (
    "error syncing '{}': failed to allocate cidr from cluster cidr at idx:0: CIDR allocation failed; there are no "
    "remaining CIDRs left to allocate in the accepted range, requeuing"
)


def found(*lines: Any, nodes: Any = None) -> list[Finding]:
    """Findings of these lines in a cluster of a, which has its block, and b, which has none."""
    return list(log_lines.check(context(nodes=nodes or [node("a", "10.0.0.0/24"), node("b")], logs=list(lines))))


def test_lines_of_one_text_are_one_finding() -> None:
    """With the Nodes that the lines name, how many there are, and the latest."""
    lines = [log_line(EXHAUSTED.format("b"), "cp", seconds) for seconds in (300, 30, 90)]
    (only,) = found(*lines)
    assert (only.subject.name, only.severity) == ("allocator-exhausted", "warning")
    assert (only.evidence["lines"], only.evidence["nodes"]) == (3, ["b"])
    assert only.summary.endswith(f"3 lines of kube-controller-manager about 1 Node (b), last at {ago(30)}")
    assert len(only.evidence["example"]) <= 300


def test_what_is_over_is_no_finding() -> None:
    """The Node has its block now, the line is old, or of an earlier Node."""
    assert found(log_line(EXHAUSTED.format("a"))) == []
    assert found(log_line('"Failed to update node PodCIDR after multiple attempts" node="a"')) == []
    assert found(log_line(EXHAUSTED.format("b"), seconds_ago=3700)) == []
    assert found(log_line(EXHAUSTED.format("b")), nodes=[node("b", created=ago(30))]) == []
    assert found(log_line("Set node PodCIDR")) == []


def test_a_line_of_an_agent_is_about_its_node() -> None:
    """It names none, but its pod runs there; a Node that is not in the cluster is not named."""
    (only,) = found(*(log_line("out of local identity space", name) for name in ("a", "gone")))
    assert only.evidence["nodes"] == ["a"] and only.evidence["lines"] == 2


def test_a_line_without_time_is_information() -> None:
    """Whether it is recent is not known."""
    (only,) = found(log_line("out of local identity space", "a", seconds_ago=None))
    assert only.severity == "info" and "times that the log does not say" in only.summary
