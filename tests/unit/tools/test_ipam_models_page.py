"""The documentation names every IPAM model as the code has it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_pages import PAGES

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/docsite/rst/ipam_models.rst"


@pytest.fixture
def tool() -> ModuleType:
    """The tool; tests/tools is a folder of programs and not a package."""
    spec = importlib.util.spec_from_file_location("ipam_models_page", ROOT / "tests/tools/ipam_models_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_of_these_models(tool: ModuleType) -> None:
    """A model that is added, changed or removed changes the page."""
    again = "run python tests/tools/ipam_models_page.py docs/docsite/rst/ipam_models.rst"
    assert PAGE.read_text(encoding="utf-8") == tool.page(), again


def test_every_model_has_a_section_of_its_own(tool: ModuleType) -> None:
    """Under its title, which no other one has."""
    lines = tool.page().splitlines()
    titles = [one.title for one in PAGES.values()]
    assert len(set(titles)) == len(titles)
    for title in titles:
        assert lines[lines.index(title) + 1] == "-" * len(title)
