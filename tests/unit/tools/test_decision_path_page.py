"""The documentation draws the decision path as the code walks it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CATALOGUE
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.decision_path_steps import STEPS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/docsite/rst/decision_path.rst"


@pytest.fixture
def tool() -> ModuleType:
    """The tool; tests/tools is a folder of programs and not a package."""
    spec = importlib.util.spec_from_file_location("decision_path_page", ROOT / "tests/tools/decision_path_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_of_this_table(tool: ModuleType) -> None:
    """A step or a finding that is added, changed or removed changes the page."""
    command = "python tests/tools/decision_path_page.py docs/docsite/rst/decision_path.rst"
    assert PAGE.read_text(encoding="utf-8") == tool.page(), f"run {command}"


def test_the_drawing_has_every_step_and_every_fork(tool: ModuleType) -> None:
    """Steps in their order; an answer that leads past the next step is written beside it."""
    lines = [line.strip() for line in tool.drawing().splitlines()]
    assert [line for line in lines if line.startswith("[")] == [f"[{step.id}]" for step in STEPS] + ["[end]"]
    forks = [step for step in STEPS if step.yes != step.no]
    assert {step.id for step in forks} == {"model", "cilium"}
    for step in forks:
        assert any(f"--> [{target}]" in line for line in lines for target in (step.yes, step.no))


def test_every_step_lists_its_findings(tool: ModuleType) -> None:
    """With their titles, so that the page can be read without the other one."""
    text = tool.page()
    for step in STEPS:
        for finding in step.findings:
            assert f"* ``{finding}``: {tool.escaped(CATALOGUE[finding].title)}\n" in text
