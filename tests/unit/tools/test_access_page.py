"""The page about permissions and the manifests are as the tool writes them, and say what the table says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_access import (
    Places,
    PlaybookAccess,
    check_playbooks,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.playbook_rules import PLAYBOOKS, rules_of
from harness.permission_atoms import atoms_of

ROOT = Path(__file__).parents[3]
AGAIN = "run make pages"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """The tool, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("access_tool", ROOT / "tests/tools/access_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_files_are_as_the_tool_writes_them(tool: ModuleType) -> None:
    """A rule that is added or taken away shows in both."""
    assert (ROOT / "docs/docsite/rst/access.rst").read_text(encoding="utf-8") == tool.page(), AGAIN
    folder = ROOT / "roles/install_access/files"
    assert {path.stem for path in folder.iterdir()} == set(PLAYBOOKS), AGAIN
    for playbook in PLAYBOOKS:
        assert (folder / f"{playbook}.yml").read_text(encoding="utf-8") == tool.manifest(playbook), AGAIN


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_roles_hold_each_rule_in_its_place(playbook: str) -> None:
    """No rule of a namespace is in the ClusterRole, none is lost, none is given twice, and every rule has its reason."""
    access = PlaybookAccess(
        name="x", playbooks=(playbook,), cni_namespaces=("cilium",), chosen=Places("locks", "probes", "here")
    )
    written = {"": access.cluster_rules(), **access.namespaced_rules()}
    triples = {
        (group, resource, verb, place)
        for place, rules in written.items()
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    everywhere = {rule.triple for rule in rules_of(playbook) if not rule.where and not rule.names}
    wanted = {
        (*rule.triple, place)
        for rule in rules_of(playbook)
        for place in access.chosen.of(rule, ("kube-system", "cilium"))
        if not place or rule.triple not in everywhere  # the ClusterRole gives it there too
    }
    found = atoms_of(
        {"kind": "Role", "metadata": {"namespace": place}, "rules": rules} for place, rules in written.items()
    )
    assert triples == wanted
    assert len(found) == len(set(found))
    assert all(rule.why.endswith(".") for rule in rules_of(playbook))
    assert not any("*" in (group, resource, verb) for group, resource, verb, _place in triples)


def test_no_role_of_a_plan_writes() -> None:
    """What only looks needs only to read, features included but for commands in pods."""
    for playbook in ("audit", "audit_kvstore", "plan_pod_cidr_relief"):
        assert {rule.verb for rule in rules_of(playbook, ("logs", "metrics"))} <= {"get", "list"}


def test_names_that_are_not_known() -> None:
    """One sentence, with those that are."""
    with pytest.raises(InputError, match="playbooks: 'clean' is no playbook that has rules; use one of audit"):
        check_playbooks(["clean"], [])
    with pytest.raises(InputError, match="none of these playbooks has a feature 'direct'; use agents, logs, metrics"):
        check_playbooks(["audit"], ["direct"])


def test_one_account_for_two_playbooks_has_each_rule_once(tool: ModuleType) -> None:
    """A merged role is no list of lists."""
    both = PlaybookAccess(name="x", playbooks=("clean_endpoints", "clean_identities"))
    seen = [
        (rule["apiGroups"][0], rule["resources"][0], tuple(rule.get("resourceNames", ())))
        for rule in both.cluster_rules()
    ]
    assert len(seen) == len(set(seen))
    assert len(yaml.safe_load(tool.manifest("audit"))["items"]) >= 6
