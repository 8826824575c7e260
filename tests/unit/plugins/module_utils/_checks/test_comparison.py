"""Two audits compared."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots.report_documents import sick
from snapshots.small_clusters import audited, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.comparison import compare, fault


def ids(findings: list[Any]) -> list[tuple[str, str]]:
    """(id, subject) of findings."""
    return [(one["id"], one["subject"]["name"]) for one in findings]


def test_new_gone_and_still() -> None:
    """By id and subject; a changed sentence is no change."""
    older = audited(nodes=[node("a", "10.9.0.0/24"), node("b", "10.8.0.0/24")])
    newer = audited(nodes=[node("a", "10.7.0.0/24"), node("c", "10.6.0.0/24")])
    made = compare(older, newer)
    assert ids(made["new"]) == [("node-cidr-out-of-range", "c")]
    assert ids(made["gone"]) == [("node-cidr-out-of-range", "b")]
    assert made["still"] == 1 and made["with"] == older["taken_at"]
    assert made["new"][0] in newer["findings"] and made["gone"][0] in older["findings"]


def test_with_itself() -> None:
    """Nothing changed."""
    result = sick()
    made = compare(result, result)
    assert made["new"] == made["gone"] == [] and made["still"] == len(ids(result["findings"]))


def test_what_cannot_be_read_any_more_is_said() -> None:
    """Else a lost permission would look like a repair."""
    older = audited(nodes=[node("a", "10.9.0.0/24")])
    newer = audited(unknown={"nodes": "forbidden"})
    made = compare(older, newer)
    assert ("node-cidr-out-of-range", "a") in ids(made["gone"]) and made["not_readable_now"] == ["nodes"]
    assert compare(newer, older)["not_readable_before"] == ["nodes"]


FINDINGS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), unique=True)


def documents(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A document with these findings."""
    findings = [
        {"id": one, "severity": "info", "summary": "", "subject": {"kind": "Node", "name": name, "namespace": ""}}
        for one, name in pairs
    ]
    return {"taken_at": "2026-01-01T00:00:00+00:00", "findings": findings, "unknown": {}}


@given(FINDINGS, FINDINGS)
def test_against_sets(before: list[tuple[str, str]], now: list[tuple[str, str]]) -> None:
    """New is now without before, gone is before without now, in the order of the lists."""
    made = compare(documents(before), documents(now))
    assert ids(made["new"]) == [one for one in now if one not in before]
    assert ids(made["gone"]) == [one for one in before if one not in now]
    assert made["still"] == len(set(before) & set(now))


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda one: st.lists(one, max_size=3) | st.dictionaries(
    st.sampled_from(["taken_at", "findings", "unknown", "subject", "id", "name", "kind"]), one, max_size=4), max_leaves=12)  # fmt: skip


@given(JSON)
def test_anything_is_judged_without_an_error(content: Any) -> None:
    """And what passes can be compared."""
    if fault(content) == "":
        compare(content, documents([]))


@pytest.mark.parametrize("key", ["id", "summary", "severity", "subject"])
def test_a_finding_without_a_part_is_none(key: str) -> None:
    """All that reports show of a gone finding has to be there."""
    document = documents([("a", "x")])
    assert fault(document) == ""
    del document["findings"][0][key]
    assert fault(document) == "findings[0] is not a finding"
