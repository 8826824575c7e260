"""The few lines for a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from snapshots.report_documents import PARTS, full, sick
from snapshots.small_clusters import audited, controller_manager, daemon_set, node

from ansible_collections.podnet.upkeep.plugins.module_utils._report.html_report import render
from ansible_collections.podnet.upkeep.plugins.module_utils._report.markdown import markdown
from ansible_collections.podnet.upkeep.plugins.module_utils._report.terminal import summary_lines

SICK = sick()
PLAN = "plan the repair (writes nothing): ansible-playbook -i INVENTORY podnet.upkeep.reassign_pod_cidrs --check --diff"


def test_the_sick_cluster_in_a_few_lines() -> None:
    """How bad, what in order of severity, what is unknown, how full, what to do, where the reports are."""
    lines = summary_lines(SICK, {"output_path": "/r/a.json", "report_html": "/r/a.html"})
    assert lines[0].startswith("12 Nodes: 7 critical, 4 warning, ")
    assert [line.split()[0] for line in lines[1:7]] == ["CRITICAL"] * 6
    assert lines[3].endswith("  2x  Node worker-4 shares addresses of 10.244.8.0/21 with worker-5 (and 1 more)")
    assert lines[7] == "          ... and 4 more kinds of findings: 4 warning"
    assert lines[8].startswith("UNKNOWN   ")
    assert lines[9:] == [
        "pool 10.244.0.0/20 (/24): 16 of 16 blocks used (2 by the service range), 0 free, waiting Nodes: 1",
        "settings: pod kube-system/kube-controller-manager-control-1; IPAM model: node-spec",
        PLAN,
        "reports: JSON /r/a.json, HTML /r/a.html",
    ]
    assert len({line.index("x  ") for line in lines[1:7]}) == 1  # facts stand below each other


def test_cilium_has_lines_only_when_there() -> None:
    """Pools, identities, collection, forecast, endpoints, what changed."""
    document = full()
    kinds = ("Cilium pool", "identities", "identity GC", "forecast", "endpoints", "compared")
    lines = summary_lines(document)
    assert [line for line in lines if line.startswith(kinds)] == [
        "Cilium pool default 10.0.0.0/16 (/24): 250 of 256 used, 6 free",
        "Cilium pool mars fd00::/104 (/112): 3 of 256 used, unknown free",
        "identities: 64,100 of 65,279 used (98.2%), 1,179 free; 12 pending, 40 marked, 900 aging, 42,148 leaked, "
        "77 duplicate, 3 out-of-range",
        "identity GC: broken: the cilium-operator may not delete ciliumidentities (and 1 more reasons)",
        "forecast: no identity is left at 2026-11-01T19:20:00+00:00, at 88.4 new identities an hour",
        "endpoints: 21,900 in all; 21,704 ready, 150 waiting-for-identity, 30 disconnecting, 16 not-ready, 9 without pod, "
        "31 pods without endpoint",
        f"compared: 2 new, 1 gone, {document['comparison']['still']} still since 2026-10-31T06:00:00+00:00; "
        "gone or only not readable now: events",
    ]
    assert not [line for line in summary_lines(SICK) if line.startswith(kinds)]


def test_a_pool_that_nobody_uses_is_no_alarm() -> None:
    """Where the CNI keeps its own books, blocks of the cluster CIDR are full or free without a consequence."""
    more = {"daemonsets": [daemon_set("calico-node")], "nodes": [node("a", "10.0.0.0/24"), node("b")]}
    document = audited(allocator={"cluster_cidrs": ["10.0.0.0/24"]}, **more)
    assert document["pools"][0]["free"] == 0
    assert not [line for line in summary_lines(document) if line.startswith("pool")]
    page = render(document)
    assert (
        "pods get no addresses from these blocks" in page
        and "Node waits" not in page
        and "free IPv4 blocks" not in page
    )
    assert "pods get no addresses from these blocks" in markdown(document)
    assert "pods get no addresses" not in render(SICK) + markdown(SICK)


@pytest.mark.parametrize("part", PARTS)
def test_without_a_part(part: str) -> None:
    """Its lines are absent, the others stay."""
    assert set(summary_lines({**full(), part: None})) <= set(summary_lines(full()))


@pytest.mark.parametrize(
    "parts",
    [
        {"identities": {}, "endpoints": {}, "cilium": {}},
        {"identities": {"range": None, "used": None, "free": None, "classes": None, "gc": None, "forecast": None}},
        {"identities": {"used": 3, "gc": {"verdict": "unknown", "reasons": None}, "forecast": {"per_hour": None}}},
        {"endpoints": {"count": None, "states": None}, "cilium_pools": [{}]},
    ],
)
def test_unknown_numbers_are_said_to_be_unknown(parts: dict[str, Any]) -> None:
    """And never shown as zero."""
    text = "\n".join(summary_lines({**SICK, **parts}))
    assert "unknown" in text and "0 of 0" not in text and "None" not in text


def test_a_flood_of_one_kind_does_not_hide_the_others() -> None:
    """One line for each kind, with its count."""
    nodes = [*(node(f"n{number:02}", f"10.9.{number}.0/24") for number in range(40)), node("z", "10.0.0.0/25")]
    lines = summary_lines(audited(nodes=nodes))
    assert "CRITICAL  node-cidr-out-of-range   40x  Node n00 has 10.9.0.0/24" in lines[1] and lines[1].endswith(
        "(and 39 more)"
    )
    assert any("node-cidr-mask-mismatch" in line for line in lines)
    assert len(lines) < 10


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
