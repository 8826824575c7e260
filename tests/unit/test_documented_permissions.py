"""The ClusterRole that the README of the role gives is what the plan asks for."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import PERMISSIONS

README = Path(__file__).parents[2] / "roles/reassign_pod_cidrs/README.md"


def test_rules_of_a_re_registration() -> None:
    """A run with exactly these is in tests/integration/test_reassignment_permissions.py."""
    first = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]
    documented = {
        (verb, resource, group)
        for rule in yaml.safe_load(first)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    asked = {(verb, "/".join(filter(None, (name, part))), group) for verb, name, group, part in PERMISSIONS}
    assert documented == asked
