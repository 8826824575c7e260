"""A cache folder of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache folder that the testbed uses in this test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PODNET_UPKEEP_CACHE", str(folder))
    return folder
