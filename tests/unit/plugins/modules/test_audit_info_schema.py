"""The documented schema of the result: real results have it, and a result without a part of it has not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from snapshots.report_documents import full, sick
from snapshots.small_clusters import audited, node

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.comparison import compare
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot

ROOT = Path(__file__).parents[4]
SCHEMA = json.loads((ROOT / "docs/docsite/extra/audit-result.schema.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/docsite/rst/audit_result.rst").read_text(encoding="utf-8")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SAVED = [
    one
    for pattern in ("*.state.json.gz", "*.zip", "*-kubectl")
    for one in sorted((ROOT / "tests/snapshots").glob(pattern))
]


def with_itself(result: dict[str, Any]) -> dict[str, Any]:
    """The result as the module writes it, compared with itself."""
    return {**result, "comparison": compare(result, result)}


def faults(result: Any) -> list[str]:
    """What is wrong, with its place."""
    return [f"{list(one.absolute_path)}: {one.message}" for one in VALIDATOR.iter_errors(result)]


def test_the_schema_is_one() -> None:
    """Of the draft it names."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.name)
def test_saved_states(path: Path) -> None:
    """Every state, sysdump and folder of tests/snapshots."""
    result = json.loads(json.dumps(document(Context(snapshot.load(str(path))))))
    assert faults(with_itself(result)) == []


@pytest.mark.parametrize(
    "result",
    [
        full(),
        with_itself(audited(nodes=[node("a", "10.0.0.0/24", "fd00::/64")])),
        with_itself(audited(allocator=None)),
        with_itself(audited(unknown={"nodes": "forbidden", "pods": "forbidden"})),
        {**audited(nodes=[]), "comparison": None},
    ],
    ids=["full", "healthy", "unknown allocator", "unreadable", "empty"],
)
def test_other_clusters(result: dict[str, Any]) -> None:
    """Also as they come out of a file."""
    assert faults(json.loads(json.dumps(result))) == []


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_every_required_key_is_needed(key: str) -> None:
    """A result without it is none."""
    result = full()
    del result[key]
    assert faults(result) == [f"[]: '{key}' is a required property"]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("findings", 0), "id"),
        (("findings", 0), "remedy"),
        (("findings", 0, "subject"), "namespace"),
        (("nodes", 0), "pod_cidrs"),
        (("pools", 0), "free"),
        (("identities",), "used"),
        (("identities", "range"), "capacity"),
        (("identities", "gc"), "verdict"),
        (("endpoints",), "states"),
        (("cilium_pools", 0), "free"),
        (("comparison",), "gone"),
        (("decision_path", 0), "question"),
        (("summary",), "unknown"),
    ],
)
def test_every_inner_key_is_needed(path: tuple[Any, ...], key: str) -> None:
    """And a number is no text."""
    result = json.loads(json.dumps(full()))
    place: Any = result
    for step in path:
        place = place[step]
    del place[key]
    assert faults(result) == [f"{list(path)}: '{key}' is a required property"]


def test_what_is_not_documented_is_no_result() -> None:
    """A new key of the document needs its line in the schema."""
    assert faults({**full(), "more": 1})
    assert set(sick()) <= set(SCHEMA["properties"])


def test_wrong_values_are_refused() -> None:
    """Severities, ids and counts."""
    for path, value in (
        (("findings", 0, "severity"), "bad"),
        (("findings", 0, "id"), "Not An Id"),
        (("summary", "critical"), -1),
        (("nodes", 0, "severity"), "fine"),
        (("identities", "used"), "many"),
    ):
        result = json.loads(json.dumps(full()))
        place: Any = result
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert len(faults(result)) == 1, path


@pytest.mark.parametrize("key", SCHEMA["properties"])
def test_the_page_describes_every_key(key: str) -> None:
    """docs/docsite/rst/audit_result.rst names it as a term."""
    assert f"\n``{key}``\n" in PAGE


def test_everything_has_a_description() -> None:
    """For those who read the schema."""
    assert [key for key, one in SCHEMA["properties"].items() if not one.get("description")] == []
