"""What lock and journal need."""

from __future__ import annotations

import itertools

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permissions import (
    rules_of,
    run_permissions,
)


def flat(rules: list[dict[str, list[str]]]) -> set[tuple[str, ...]]:
    """Each single thing that rules allow: group, resource, name, verb."""
    found: set[tuple[str, ...]] = set()
    for rule in rules:
        parts = (rule["apiGroups"], rule["resources"], rule.get("resourceNames") or [""], rule["verbs"])
        found.update(itertools.product(*parts))
    return found


def test_names_limit_what_may_be_changed() -> None:
    """Only creating cannot be limited."""
    assert {one.verb for one in run_permissions("x") if not one.name} == {"create"}
    assert not any(
        verb in ("list", "watch", "delete", "update", "*") for *_rest, verb in flat(rules_of(run_permissions("x")))
    )
