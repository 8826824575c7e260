"""What lock and journal need: the rules, what the README says of them, and what is missing."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import yaml
from unit.fake_api import FakeApi

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.run_permissions import (
    missing_run_permissions,
    rules_of,
    run_permissions,
)

README = Path(__file__).parents[5] / "roles/reassign_pod_cidrs/README.md"


def flat(rules: list[dict[str, list[str]]]) -> set[tuple[str, ...]]:
    """Each single thing that rules allow: group, resource, name, verb."""
    found: set[tuple[str, ...]] = set()
    for rule in rules:
        parts = (rule["apiGroups"], rule["resources"], rule.get("resourceNames") or [""], rule["verbs"])
        found.update(itertools.product(*parts))
    return found


def test_role_of_the_readme_allows_exactly_what_is_needed() -> None:
    """Nothing less, and nothing more; the ClusterRole is before it."""
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    _for_the_cluster, rules = [found["rules"] for found in map(yaml.safe_load, blocks) if "rules" in found]
    assert flat(rules) == flat(rules_of(run_permissions("reassign-pod-cidrs")))


def test_names_limit_what_may_be_changed() -> None:
    """Only creating cannot be limited."""
    assert {one.verb for one in run_permissions("x") if not one.name} == {"create"}
    assert not any(
        verb in ("list", "watch", "delete", "update", "*") for *_rest, verb in flat(rules_of(run_permissions("x")))
    )


def test_missing_ones_are_named(api: FakeApi, client: KubeClient) -> None:
    """In words, with the namespace."""
    assert missing_run_permissions(client, "x", "ops") == []
    api.store.denied = {("get", "secrets"), ("create", "configmaps")}
    assert missing_run_permissions(client, "x", "ops") == [
        "create configmaps in namespace ops",
        "get secrets podnet-upkeep-x-images in namespace ops",
    ]
