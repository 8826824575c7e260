"""The shipped manifest grants exactly what the code asks for, and nothing that writes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[3]
MANIFEST = ROOT / "roles/audit_access/files/audit_access.yml"


@pytest.fixture
def tool() -> ModuleType:
    """The tool; tests/tools is a folder of programs and not a package."""
    spec = importlib.util.spec_from_file_location("manifest_tool", ROOT / "tests/tools/audit_access_manifest.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_manifest_is_of_these_permissions(tool: ModuleType) -> None:
    """A permission that is added, changed or removed changes the file."""
    again = "run python tests/tools/audit_access_manifest.py roles/audit_access/files/audit_access.yml"
    assert MANIFEST.read_text(encoding="utf-8") == tool.manifest(), again


def test_nothing_in_it_writes() -> None:
    """Neither a verb that writes nor a wildcard, and no secret."""
    for document in yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))["items"]:
        for rule in document.get("rules") or ():
            assert set(rule["verbs"]) <= {"get", "list"}
            assert not {"*", "secrets"} & {*rule["resources"], *rule["apiGroups"]}
