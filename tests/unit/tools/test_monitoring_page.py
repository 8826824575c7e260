"""The documentation lists the alerts, metrics and thresholds that the code has."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.metric_table import METRICS
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.rules import ALERTS
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.thresholds import THRESHOLDS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/docsite/rst/monitoring.rst"


@pytest.fixture
def tool() -> ModuleType:
    """The tool; tests/tools is a folder of programs and not a package."""
    spec = importlib.util.spec_from_file_location("monitoring_page", ROOT / "tests/tools/monitoring_page.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_of_these_alerts(tool: ModuleType) -> None:
    """An alert, a metric or a threshold that is added, changed or removed changes the page."""
    command = "python tests/tools/monitoring_page.py docs/docsite/rst/monitoring.rst"
    assert PAGE.read_text(encoding="utf-8") == tool.page(), f"run {command}"


def test_everything_is_named() -> None:
    """Alerts without a finding are linked to here by the anchor of their heading."""
    text = PAGE.read_text(encoding="utf-8")
    for alert in ALERTS:
        assert f"\n{alert.name}\n{'^' * len(alert.name)}\n" in text
    for name in (*METRICS, *THRESHOLDS):
        assert f"``{name}``" in text
