"""The JUnit report: the shape that Jenkins, GitLab and GitHub read, and no case passes that was not judged."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snapshots.report_documents import PARTS, full, sick
from snapshots.small_clusters import audited, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._report.junit import _SUBJECT_OF, junit

# element -> (attributes it must have, attributes it may have, elements in it), as in the schema of Jenkins
SHAPE: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": (set(), {"name", "tests", "failures", "errors", "time"}, {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        {"hostname"},
        {"properties", "testcase"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, set(), set()),
    "testcase": ({"name", "classname", "time"}, set(), {"failure", "skipped", "system-out"}),
    "failure": ({"type", "message"}, set(), set()),
    "skipped": (set(), {"message"}, set()),
    "system-out": (set(), set(), set()),
}


def read(document: Any) -> ElementTree.Element:
    """The only suite of the report; everything in it has the shape, and the counts are those of the cases."""
    root = ElementTree.fromstring(junit(document).encode())
    for element in root.iter():
        must, may, children = SHAPE[element.tag]
        assert must <= set(element.attrib) <= must | may, element.tag
        assert {child.tag for child in element} <= children
    (suite,) = root
    cases = suite.findall("testcase")
    assert int(suite.attrib["tests"]) == len(cases)
    assert int(suite.attrib["failures"]) == sum(len(case.findall("failure")) for case in cases)
    assert int(suite.attrib["skipped"]) == sum(len(case.findall("skipped")) for case in cases)
    assert all(len(case) <= 1 for case in cases)
    return suite


def outcome(suite: ElementTree.Element) -> dict[str, str]:
    """{id: failure, skipped, system-out or passed}."""
    return {case.attrib["name"]: case[0].tag if len(case) else "passed" for case in suite.findall("testcase")}


def test_one_case_for_each_id() -> None:
    """In the order of the catalogue; critical and warning findings fail."""
    document = full()
    found = outcome(read(document))
    assert list(found) == list(CATALOGUE)
    urgent = {one["id"] for one in document["findings"] if one["severity"] != "info"}
    assert {name for name, what in found.items() if what == "failure"} == urgent


def test_a_failure_says_what_to_do() -> None:
    """All subjects, how to verify, the remedy."""
    suite = read(sick())
    (case,) = [one for one in suite.findall("testcase") if one.attrib["name"] == "node-cidr-overlap"]
    assert case[0].attrib["type"] == "critical" and case[0].attrib["message"].endswith("(and 1 more)")
    assert "Node worker-5 shares" in str(case[0].text) and "Remedy: Register all but one" in str(case[0].text)
    assert case.attrib["classname"] == "podnet.upkeep.pod_cidrs"


def test_every_id_has_a_subject() -> None:
    """A new part of the catalogue needs its line in the table of subjects."""
    assert set(_SUBJECT_OF) == set(CATALOGUE)


def test_healthy_passes() -> None:
    """What was judged and is fine is a passed case; Cilium's cases are skipped, because there is none."""
    found = outcome(read(audited(nodes=[node("a", "10.0.0.0/24")])))
    assert found["node-cidr-missing"] == "passed"
    assert "failure" not in found.values()


def test_what_was_not_judged_never_passes() -> None:
    """Neither what could not be read, nor what depends on it, nor what needs a known IPAM model."""
    suite = read(audited(unknown={"nodes": "the permission to list nodes is missing"}))
    found = outcome(suite)
    assert found["data-missing"] == "skipped" and found["node-cidr-missing"] == "skipped"
    (case,) = [one for one in suite.findall("testcase") if one.attrib["name"] == "data-missing"]
    assert "the permission to list nodes is missing" in case[0].attrib["message"]
    found = outcome(read(audited(allocator=None, nodes=[node("a")])))
    assert found["node-cidr-missing"] == "skipped"


@pytest.mark.parametrize("part", PARTS)
def test_without_a_part(part: str) -> None:
    """Still the same cases, and none that passes only now."""
    before, after = outcome(read(full())), outcome(read({**full(), part: None}))
    assert list(before) == list(after)
    assert not {name for name in after if after[name] == "passed"} - {
        name for name in before if before[name] == "passed"
    }


@given(st.text(alphabet=st.characters(codec=None), max_size=30))
def test_any_name_is_legal(name: str) -> None:
    """Control characters and lone surrogates are no XML."""
    document = audited(nodes=[node("plain")])
    for finding in document["findings"]:
        finding["summary"] = name
    root = ElementTree.fromstring(junit(document).encode())
    assert root.tag == "testsuites"


def test_deterministic() -> None:
    """Byte for byte."""
    assert junit(full()) == junit(full())
