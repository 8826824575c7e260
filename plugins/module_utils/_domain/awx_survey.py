# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Surveys of AWX job templates, drawn from a role's argument specification.

An answer to a survey is a text or a number, while roles take booleans, lists and mappings as well. Such an option is asked
for under the name ``answer_<option>``, and the wrapper playbook turns the answer into the option. Extra variables, which
answers are, win over every variable of a play, so a wrapper could not convert an answer under the option's own name.

Sources: awx/api/views (what a survey specification must be) and SURVEY_TYPE_MAPPING in awx/main/constants.py of AWX 24.6.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterator, Mapping, Sequence

_MARKUP = re.compile(r"\b[ABCEIMOPRV]\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
_TEXT_LENGTH = 1024
_AREA_LENGTH = 4096
_PREFIX = "answer_"

Spec = Mapping[str, t.Any]


class SurveyError(ValueError):
    """An argument specification or a pattern that no survey can be made of, in one sentence."""


def plain_text(description: t.Any) -> str:
    """A description of documentation as one line: markup is taken off, so ``C(x)`` and ``O(a.b.c#role:main:x)`` become x."""
    sentences = [description] if isinstance(description, str) else list(description or [])
    text = " ".join(str(sentence) for sentence in sentences)
    return " ".join(_MARKUP.sub(lambda found: found[1].rpartition(":main:")[2], text).split())


def _kind(spec: Spec) -> str:
    """Type of an option; without one it is a text, as ansible-core takes it."""
    return str(spec.get("type", "str"))


def _is_asked(name: str, spec: Spec, excluded: Sequence[re.Pattern[str]]) -> bool:
    if spec.get("no_log"):
        return False
    if spec.get("required"):
        return True
    # AWX hands over an empty text where nothing was answered, which is not the same as an option that is not set
    return spec.get("default") is not None and not any(pattern.search(name) for pattern in excluded)


def _needs_conversion(spec: Spec) -> bool:
    return _kind(spec) in ("bool", "dict") or (_kind(spec) == "list" and not spec.get("choices"))


def _compound_list(spec: Spec) -> bool:
    return spec.get("elements") in ("dict", "list", "raw")


def variable(name: str, spec: Spec) -> str:
    """Name under which AWX asks for the option ``name``."""
    return _PREFIX + name if _needs_conversion(spec) else name


def _default(spec: Spec) -> t.Any:
    """Default answer, in the form that an AWX survey takes."""
    value = spec.get("default")
    kind = _kind(spec)
    if value is None:
        return ""
    if kind == "bool":
        return "true" if value in (True, "true", "yes", "on", "1", 1) else "false"
    if kind == "dict" or (kind == "list" and _compound_list(spec)):
        return json.dumps(value, sort_keys=True) if value else ""
    if kind == "list":
        return "\n".join(str(item) for item in value)
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    return str(value)


def _question(name: str, spec: Spec) -> dict[str, t.Any]:
    kind = _kind(spec)
    choices = [str(choice) for choice in spec.get("choices") or []]
    required = bool(spec.get("required", False))
    question: dict[str, t.Any] = {
        "question_name": name,
        "question_description": plain_text(spec.get("description")),
        "required": required,
        "variable": variable(name, spec),
        "new_question": False,
    }
    if not required:
        question["default"] = _default(spec)
    if kind == "bool":
        return {**question, "type": "multiplechoice", "choices": ["true", "false"]}
    if choices and kind not in ("int", "float"):
        return {**question, "type": "multiselect" if kind == "list" else "multiplechoice", "choices": choices}
    if kind == "int":
        return {**question, "type": "integer"}
    if kind == "float":
        return {**question, "type": "float"}
    if kind in ("list", "dict"):
        form = " One entry in each line." if kind == "list" and not _compound_list(spec) else " As JSON or YAML."
        question["question_description"] += form
        return {**question, "type": "textarea", "min": int(required), "max": _AREA_LENGTH}
    return {**question, "type": "text", "min": int(required), "max": _TEXT_LENGTH}


def _patterns(excluded: Sequence[str]) -> list[re.Pattern[str]]:
    try:
        return [re.compile(pattern) for pattern in excluded]
    except re.error as error:
        raise SurveyError(f"an excluded option is no regular expression ({error}); correct {list(excluded)}") from None


def _asked(options: Mapping[str, Spec], excluded: Sequence[str]) -> Iterator[tuple[str, Spec]]:
    patterns = _patterns(excluded)
    for name, spec in options.items():
        if not isinstance(spec, Mapping):
            raise SurveyError(
                f"option {name} of the argument specification is no mapping; correct meta/argument_specs.yml"
            )
        if _is_asked(name, spec, patterns):
            yield name, spec


def survey(options: Mapping[str, Spec], title: str, description: str, excluded: Sequence[str]) -> dict[str, t.Any]:
    """Survey for an entry point of a role.

    In: its options as in ``argument_specs``, and patterns of names that are not asked for, unless they are required. Out: what AWX takes as
    ``survey_spec``; an empty mapping, which is no survey for AWX either, where nothing is left to ask. Passwords
    (``no_log``) are never asked for, because a credential has them. Raises SurveyError.
    """
    questions = [_question(name, spec) for name, spec in _asked(options, excluded)]
    # questions that need an answer come first
    questions.sort(key=lambda question: not question["required"])
    return {"name": title, "description": description, "spec": questions} if questions else {}


def _literal(name: str, value: t.Any) -> str:
    """``value`` as a template writes it. ansible-core doubles backslashes in templates, so there are none. Raises SurveyError."""
    if value is None:
        return "none"
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    if isinstance(value, Mapping):
        items = [f"{_literal(name, key)}: {_literal(name, item)}" for key, item in value.items()]
        return "{" + ", ".join(items) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_literal(name, item) for item in value) + "]"
    text = str(value)
    quote = "'" if "'" not in text else '"'
    if quote in text or "\\" in text:
        raise SurveyError(f"the default of {name} has both kinds of quotes or a backslash; exclude this option")
    return quote + text + quote


def _expression(name: str, spec: Spec) -> str:
    default = spec.get("default")
    if _kind(spec) == "bool":
        answer, usual = _PREFIX + name, _literal(name, _default(spec) or "false")
        return f"{{{{ {answer} | default({usual}) | string | default({usual}, true) | bool }}}}"
    empty: t.Any = {} if _kind(spec) == "dict" else []
    answer = f"({_PREFIX}{name} | default({_literal(name, default if default else empty)}))"
    if _kind(spec) == "dict" or _compound_list(spec):
        usual = "'{}'" if _kind(spec) == "dict" else "'[]'"
        return f"{{{{ ({answer} | default({usual}, true) | from_yaml) if {answer} is string else {answer} }}}}"
    number = {"int": " | map('int')", "float": " | map('float')"}.get(str(spec.get("elements", "")), "")
    return (
        f"{{{{ ({answer}.splitlines() if {answer} is string else {answer})"
        f" | map('string') | map('trim') | select{number} | list }}}}"
    )


def conversions(options: Mapping[str, Spec], excluded: Sequence[str]) -> dict[str, str]:
    """{option: template} for all options whose answers a wrapper playbook has to convert. Raises SurveyError."""
    return {name: _expression(name, spec) for name, spec in _asked(options, excluded) if _needs_conversion(spec)}
