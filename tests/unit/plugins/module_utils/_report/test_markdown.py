"""The Markdown report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots.report_documents import PARTS, full, sick
from snapshots.small_clusters import audited, node

from ansible_collections.podnet.upkeep.plugins.module_utils._report.markdown import markdown


def test_everything_is_there() -> None:
    """Findings, Nodes, pools; deterministic."""
    result = sick()
    text = markdown(result)
    assert text == markdown(sick())
    for finding in result["findings"]:
        assert finding["summary"].split("`")[0] in text and finding["title"] in text
    assert "| worker-6 | none | False | critical | node-cidr-missing |" in text
    assert "| IPv4 | 10.244.0.0/20 | 24 | 16 | 16 | 2 | 0 |" in text


def test_all_parts() -> None:
    """Each part of the document has its chapter, with its numbers."""
    text = markdown(full())
    for words in (
        "Cilium 1.18, IPAM cluster-pool",
        "## Compared with the older audit",
        "| critical | node-cidr-missing | Node worker-99 | Node worker-99 had 10.99.0.0/24 |",
        "| step-2 | Does the allocator run? | yes |  |  |",
        "## Our IPAM model: node-spec",
        "64,100 of 65,279 used (98.2%)",
        "| leaked | 42148 |",
        "| mars | IPv6 | fd00::/104 | 112 | 256 | 3 | unknown |",
        "| waiting-for-identity | 150 |",
        "| etcd-1 | unknown | NOSPACE |",
        "- Failing controllers: 2",
        "| kube-scheduler | control-1 | 3 |",
        "| worker-1 | 10.244.2.0/24 | True | ok |  | bare metal | 52 |",
    ):
        assert words in text


@pytest.mark.parametrize("part", PARTS)
def test_without_a_part(part: str) -> None:
    """Its chapter is absent, and the others stay; what deleting a Node does is then said below the Nodes."""
    document = {**full(), part: None}
    heads = [{line for line in markdown(one).splitlines() if line.startswith("#")} for one in (document, full())]
    assert heads[0] <= heads[1] and len(heads[1] - heads[0]) <= 1
    assert ("| aws | 6 | the machine stays |" in markdown(document)) is (part == "ipam_report")


def test_numbers_and_nested_parts() -> None:
    """A long fraction is rounded, a list in a part of a part is a table, and an unused store is a sentence."""
    more = {"created": {"hours": 597604.123456, "top": [{"namespace": "ci", "identities": 7}]}}
    text = markdown({**full(), "identities": more, "kvstore": {"used": False, "state": None}})
    assert "| Hours | 597604.1 |" in text and "Created: top:" in text and "| ci | 7 |" in text
    assert "Cilium of this cluster uses none." in text and "State: unknown" not in text


def test_a_flood_is_cut_and_said() -> None:
    """Five hundred of a kind; their common text is there once."""
    nodes = [node(f"n{number:04}", f"11.{number >> 8}.{number & 255}.0/24") for number in range(600)]
    text = markdown(audited(nodes=nodes))
    assert "500 of 600 are shown; the JSON report has all." in text
    assert text.count("kube-controller-manager exits when it starts") == 1


def test_names_stay_text() -> None:
    """They cannot break out of their cell, nor become markup."""
    text = markdown(audited(nodes=[node("a|b`c<i>\nd\\", "10.0.0.0/24")]))
    assert "| a\\|b\\`c&lt;i> d\\\\ | 10.0.0.0/24 | True | ok |  |" in text


@given(st.text(max_size=40))
def test_any_text_stays_in_its_row(name: str) -> None:
    """Whatever a name holds, the table of Nodes has one row for it with five cells."""
    result = audited(nodes=[node("plain", "10.0.0.0/24")])
    result["nodes"][0].update(name=name, provider=None, if_deleted=None, addresses=None)
    row = markdown(result).split("\n## Nodes\n", 1)[1].strip().split("\n")[2]
    assert row.startswith("| ") and row.endswith("| 10.0.0.0/24 | True | ok |  |")
    cells = row.replace("\\\\", "").replace("\\|", "").split("|")
    assert len(cells) == 7
