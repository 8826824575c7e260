"""The catalogue of agents and kvstore: every entry can happen, and says all it has to say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshots.agent_entries import answer
from snapshots.provoked_agents import HEALTHY, PROVOKED, cilium
from snapshots.small_clusters import context

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    agents,
    catalogue_agents,
    catalogue_kvstore,
    kvstore,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE, SEVERITIES
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_answers import agent_entry
from testbed.recordings import recordings

KINDS = (*catalogue_agents.KINDS, *catalogue_kvstore.KINDS)


def findings(made: Context) -> list[Finding]:
    """Of both subjects."""
    return [*agents.check(made), *kvstore.check(made)]


def test_every_entry_is_provoked() -> None:
    """None is forgotten, none is made up."""
    assert set(PROVOKED) == {kind.id for kind in KINDS}


@pytest.mark.parametrize("identifier", PROVOKED)
def test_a_finding_has_everything_an_operator_needs(identifier: str) -> None:
    """Fact, evidence, meaning, why it matters, how to verify, and what mends it; not more than ten names."""
    found = [one for one in findings(context(**PROVOKED[identifier])) if one.id == identifier]
    assert found
    for one in found:
        result = one.to_dict()
        assert result["severity"] in SEVERITIES
        assert all(result[key] for key in ("title", "summary", "meaning", "why", "verify", "evidence"))
        kind = CATALOGUE[identifier]
        assert kind.playbook or "because" in kind.remedy or result["severity"] == "info"
        assert all(len(value) <= 10 for value in one.evidence.values() if isinstance(value, list))


def test_a_healthy_cluster_has_none() -> None:
    """Nor one of which nothing could be read, or without Cilium."""
    unknown = dict.fromkeys(context().state.resources, "forbidden")
    for made in (context(**HEALTHY), context(), context(allocator=None), context(unknown=unknown), context(**cilium())):
        assert [one.id for one in findings(made)] == []
        assert agents.section(made) is None or agents.section(made)["failing_controllers"] == {}


_ODD: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_answer_of_an_agent_breaks_an_audit(data: st.DataObject) -> None:
    """Any value at any place of any answer: what is not understood is not judged."""
    recording = data.draw(st.sampled_from(recordings()))
    answers = {"status": "status", "endpoints": "endpoint-list", "config": "config"}
    given_answers = {key: answer(recording, name) for key, name in answers.items()}
    for _change in range(data.draw(st.integers(1, 3))):
        key = data.draw(st.sampled_from(sorted(answers)))
        place = data.draw(st.sampled_from(_places(given_answers[key])))
        given_answers[key] = _replaced(given_answers[key], place, data.draw(_ODD))
    entry = agent_entry("a", "cilium-a", **given_answers)
    made = context(**cilium(entry, config={"cluster-id": "3", "identity-change-grace-period": "1m"}))
    for one in findings(made):
        assert one.to_dict()["summary"]
    agents.section(made)
    kvstore.section(made)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_saved_entry_breaks_an_audit(data: st.DataObject) -> None:
    """The same for what a saved state holds: its inner parts have no shape that is checked when it is read."""
    recording = data.draw(st.sampled_from(recordings()))
    answers = {"status": "status", "endpoints": "endpoint-list", "config": "config"}
    entry = agent_entry("a", "cilium-a", **{key: answer(recording, name) for key, name in answers.items()})
    for key in ("status", "config"):
        place = data.draw(st.sampled_from([path for path in _places(entry[key]) if path]))
        entry[key] = _replaced(entry[key], place, data.draw(_ODD))
    if entry["endpoints"]:
        place = data.draw(st.sampled_from([path for path in _places(entry["endpoints"]) if len(path) > 1]))
        entry["endpoints"] = _replaced(entry["endpoints"], place, data.draw(_ODD))
    made = context(**cilium(entry))
    for one in findings(made):
        assert one.to_dict()["summary"]
