"""The tables of keys are written from help texts: what is read from them, and how releases are put together."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain import cilium_config_keys_operator
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_keys import table

ROOT = Path(__file__).parents[3]
HELP = """
Flags:
      --identity-gc-interval duration   GC interval (default 15m0s)
      --enable-ipv4                     Enable --ipv6 as well (default true)
  -D, --debug                           Enable debugging
      --kvstore-opt stringToString      Options (default [])
      --cluster-pool-ipv4-cidr strings  Ranges
      --a-very-long-name-without-any-description
      --config-dir string               Not a key
  -h, --help                            help
"""


@pytest.fixture
def tool() -> ModuleType:
    """The tool; tests/tools is a folder of programs and not a package."""
    spec = importlib.util.spec_from_file_location("operator_keys", ROOT / "tests/tools/cilium_operator_keys.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_help_text(tool: ModuleType) -> None:
    """Keys with their kinds; flags of the command line are none."""
    assert tool.flags(HELP) == {
        "identity-gc-interval": "duration",
        "enable-ipv4": "bool",
        "debug": "bool",
        "kvstore-opt": "map",
        "cluster-pool-ipv4-cidr": "list",
        "a-very-long-name-without-any-description": "bool",
    }


def test_releases_are_put_together(tool: ModuleType) -> None:
    """A run for each form; a gap ends a run; the decoder of what is no number does not matter."""
    duration, loose = ("duration", "strict"), ("duration", "lenient")
    names = ["1", "2", "3", "4"]
    assert tool.spans([loose, loose, duration, duration], names) == [(*loose, "1", "2"), (*duration, "3", "4")]
    assert tool.spans([loose, None, loose, None], names) == [(*loose, "1", "1"), (*loose, "3", "3")]
    assert tool.spans([("bool", "strict"), ("bool", "lenient"), None, None], names) == [("bool", "any", "1", "2")]


def test_a_written_table_is_read_again(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tool writes, the product reads."""
    releases = {
        "1.14": {"aa": ("duration", "lenient")},
        "1.20": {"aa": ("duration", "strict"), "bb": ("bool", "strict")},
    }
    content: dict[str, str] = {}
    exec(tool.page("operator", releases), content)
    monkeypatch.setattr(cilium_config_keys_operator, "TABLE", content["TABLE"])
    table.cache_clear()
    try:
        forms = [(one.kind, one.strict, one.since, one.until) for one in table()["aa"]]
    finally:
        monkeypatch.undo()
        table.cache_clear()
    assert forms == [("duration", False, (1, 14), (1, 14)), ("duration", True, (1, 20), (1, 20))]


def test_a_program_that_says_otherwise(tool: ModuleType) -> None:
    """Stops the tool: the table must not claim what the running program denies."""
    named = {"a": ("bool", "strict"), "b": ("int", "strict")}
    assert tool.differences(named, {"a": ("bool", "strict")}) == []
    (text,) = tool.differences(named, {"b": ("duration", "strict")})
    assert text == "b: the program has ('duration', 'strict'), the source has ('int', 'strict')"
