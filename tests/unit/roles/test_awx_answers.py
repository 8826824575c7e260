"""Wrapper playbooks of AWX: answers to a survey, which are texts, become the options that a role wants."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.awx_survey import SurveyError, conversions
from harness.playbook import run_playbook

OPTIONS: dict[str, dict[str, Any]] = {
    "flag": {"type": "bool", "default": True},
    "off": {"type": "bool", "default": False},
    "names": {"type": "list", "elements": "str", "default": []},
    "given": {"type": "list", "elements": "str", "default": ["a b", "c"]},
    "numbers": {"type": "list", "elements": "int", "default": []},
    "entries": {"type": "list", "elements": "dict", "default": []},
    "settings": {"type": "dict", "default": {}},
    "kept": {"type": "dict", "default": {"a": {"b": 1}}},
    "text": {"type": "str", "default": "x"},
}
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {key: spec["default"] for key, spec in OPTIONS.items() if key != "text"}),
    (
        {
            **{"flag": "false", "off": "true", "names": "w1\n\n w2 \n", "given": "", "numbers": "7\n8"},
            **{"entries": '[{"node": "w1"}]', "settings": "a: 1\nb: [x, y]", "kept": ""},
        },
        {
            **{"flag": False, "off": True, "names": ["w1", "w2"], "given": [], "numbers": [7, 8]},
            **{"entries": [{"node": "w1"}], "settings": {"a": 1, "b": ["x", "y"]}, "kept": {}},
        },
    ),
    # what a program that starts the job gives as data
    (
        {"flag": False, "names": ["w1", "w2"], "settings": {"a": [1]}, "entries": [{"n": 1}], "numbers": [1, "2"]},
        {"flag": False, "names": ["w1", "w2"], "settings": {"a": [1]}, "entries": [{"n": 1}], "numbers": [1, 2]},
    ),
    ({"flag": "", "off": "", "names": ""}, {"flag": True, "off": False, "names": []}),
]


def test_answers_become_options(tmp_path: Path) -> None:
    """The templates, as the wrapper playbooks have them, evaluated by ansible-core."""
    expressions = conversions(OPTIONS, [])
    assert sorted(expressions) == sorted(set(OPTIONS) - {"text"})
    content = ", ".join(f"{json.dumps(name)}: {name}" for name in expressions)
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {**{f"answer_{name}": value for name, value in answers.items()}, **expressions},
            "tasks": [{"ansible.builtin.debug": {"msg": "FOUND {{ {" + content + "} | to_json | b64encode }} END"}}],
        }
        for answers, _wanted in CASES
    ]
    (tmp_path / "plays.yml").write_text(json.dumps(plays), encoding="utf-8")
    done = run_playbook(str(tmp_path / "plays.yml"), timeout=120)
    assert done.returncode == 0, done.output
    found = [json.loads(base64.b64decode(text)) for text in re.findall(r"FOUND (\S+) END", done.stdout)]
    assert len(found) == len(CASES)
    for options, (_answers, wanted) in zip(found, CASES, strict=True):
        assert {key: options[key] for key in wanted} == wanted


def test_a_default_that_no_template_can_have() -> None:
    """Said in one sentence instead of written wrongly."""
    with pytest.raises(SurveyError, match="the default of a has both kinds of quotes or a backslash"):
        conversions({"a": {"type": "list", "default": ["\\d+"]}}, [])
