"""The structure holds: imports point one way, the action group is complete, nothing is misnamed."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import catalogue

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
# where the tests import the collection from: the installed tarball
INSTALLED = Path(catalogue.__file__).parents[3]
PREFIX = "ansible_collections.podnet.upkeep.plugins."
UTILS = PREFIX + "module_utils."
# room -> rooms it may import
MAY_IMPORT = {
    "_domain": {"_domain"},
    "_cluster": {"_cluster", "_domain", "_client", "_exec", "_plain_text", "_errors", "_files"},
    "_checks": {"_checks", "_cluster", "_domain"},
    "_report": {"_report", "_checks", "_domain", "_errors", "_files"},
    "_monitoring": {"_monitoring", "_checks", "_domain", "_errors"},
    "_operations": {
        "_operations",
        "_monitoring",
        "_checks",
        "_cluster",
        "_domain",
        "_client",
        "_exec",
        "_plain_text",
        "_errors",
        "_files",
    },
    "_rehearsal": {
        *("_rehearsal", "_operations", "_checks", "_cluster", "_domain", "_client", "_errors"),
    },
}
WITHOUT_LIBRARIES = {"_domain", "_checks"}


def imports(path: Path) -> set[str]:
    """Names of all modules that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room: str) -> None:
    """Each room imports only rooms it may."""
    files = sorted((PLUGINS / "module_utils" / room).glob("*.py"))
    assert len(files) > 1
    for path in files:
        rooms = {name.removeprefix(UTILS).split(".")[0] for name in imports(path) if name.startswith(UTILS)}
        assert rooms <= MAY_IMPORT[room], path


def test_the_door_knows_no_room() -> None:
    """The client, the errors and the files serve all rooms; knowing one of them would close a circle."""
    for name in ("_client", "_exec", "_plain_text", "_errors", "_files"):
        rooms = {name.removeprefix(UTILS).split(".")[0] for name in imports(PLUGINS / f"module_utils/{name}.py")}
        assert not rooms & set(MAY_IMPORT), name


def test_the_tarball_is_product_only() -> None:
    """The build takes everything that is not ignored: whatever is new at the top is to be decided on."""
    if not (INSTALLED / "FILES.json").exists():
        pytest.skip("the collection under test is a work tree; make test-unit installs the tarball")
    listed = json.loads((INSTALLED / "FILES.json").read_text(encoding="utf-8"))["files"]
    names = {entry["name"].split("/")[0] for entry in listed}
    assert names - {"."} == {
        *("CHANGELOG.md", "CHANGELOG.rst", "COPYING", "README.md"),
        *("changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "roles"),
    }


def test_nothing_imports_modules() -> None:
    """Modules are ends; only an action that runs its module in its own process imports that one."""
    for path in PLUGINS.rglob("*.py"):
        found = {name for name in imports(path) if name.startswith(f"{PREFIX}modules")}
        own = {f"{PREFIX}modules", f"{PREFIX}modules.{path.stem}"} if path.parent.name == "action" else set()
        assert found <= own, path


@pytest.mark.parametrize("room", sorted(WITHOUT_LIBRARIES))
def test_knowledge_has_no_libraries(room: str) -> None:
    """Neither Ansible nor the Kubernetes client is needed to know things."""
    for path in (PLUGINS / "module_utils" / room).glob("*.py"):
        assert not any(name.split(".")[0] in ("ansible", "kubernetes", "urllib3", "yaml") for name in imports(path)), (
            path
        )


def test_action_group_lists_every_module() -> None:
    """module_defaults must reach all of them."""
    runtime = yaml.safe_load((ROOT / "meta/runtime.yml").read_text(encoding="utf-8"))
    assert runtime["action_groups"]["upkeep"] == sorted(path.stem for path in (PLUGINS / "modules").glob("*.py"))


def test_no_drawer_for_everything() -> None:
    """A file has a subject."""
    for path in [*PLUGINS.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        assert path.stem not in ("utils", "helpers", "common", "misc"), path


def test_private_parts_say_so() -> None:
    """The inclusion rules ask for it."""
    for path in (PLUGINS / "module_utils").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not text or "For internal use of this collection only" in text, path
