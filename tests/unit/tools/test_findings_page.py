"""The documentation names every finding as the catalogue has it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/docsite/rst/findings.rst"


@pytest.fixture
def tool() -> ModuleType:
    """The tool; tests/tools is a folder of programs and not a package."""
    spec = importlib.util.spec_from_file_location("findings_page", ROOT / "tests/tools/findings_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_of_this_catalogue(tool: ModuleType) -> None:
    """A finding that is added, changed or removed changes the page."""
    assert PAGE.read_text(encoding="utf-8") == tool.page(), "run make pages"


def test_every_finding_has_a_section(tool: ModuleType) -> None:
    """The id is a heading of its own, so that it can be linked."""
    lines = tool.page().splitlines()
    for finding in CATALOGUE:
        assert lines[lines.index(finding) + 1] == "-" * len(finding)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a *b* `c`", r"a \*b\* \`c\`"), ("name_ of node_cidr", r"name\_ of node_cidr"), ("x | y", r"x \| y")],
)
def test_prose_is_no_markup(tool: ModuleType, text: str, expected: str) -> None:
    """What a sentence of the catalogue contains is shown, not interpreted."""
    assert tool.escaped(text) == expected
