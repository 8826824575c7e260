"""Options of roles that are no text: `-e name=false` and INI inventories give text, and argument specs convert no values.

So each bool or number has to be converted where it decides something. Parameters of modules and keywords of tasks such as
`retries` and `become` are converted by Ansible itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from jinja2 import nodes

# regular expressions in templates have escapes that Python does not know
pytestmark = pytest.mark.filterwarnings("ignore:invalid escape sequence")
ROOT = Path(__file__).parents[3]
CONDITIONS = ("when", "until", "failed_when", "changed_when", "that")
JINJA = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
#: Filters that hand on what they are given, or choose among it.
TRANSPARENT = ("default", "d", "first", "last")
CHOOSING = ("select", "selectattr", "reject", "rejectattr")
NUMERIC = ("max", "min", "sum", "round", "abs")


class Loader(yaml.SafeLoader):
    """Tags of Ansible do not matter here."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: str(node.value))  # type: ignore[no-untyped-call]


def options_that_are_no_text() -> set[str]:
    """Of all roles, by their argument specs."""
    found = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.load(path.read_text(encoding="utf-8"), Loader)["argument_specs"].values():
            found |= {
                name for name, one in (entry.get("options") or {}).items() if one["type"] in ("bool", "int", "float")
            }
    return found


def as_given(node: nodes.Node | None, names: Iterable[str]) -> str:
    """The option whose value this expression may be without a change, or nothing."""
    match node:
        case nodes.Name():
            return node.name if node.name in names else ""
        case nodes.Filter() if node.name in TRANSPARENT:
            return as_given(node.node, names)
        case nodes.CondExpr():
            return as_given(node.expr1, names) or as_given(node.expr2, names)
        case nodes.And() | nodes.Or():
            return as_given(node.left, names) or as_given(node.right, names)
    return ""


def deciding_parts(tree: nodes.Node) -> Iterator[nodes.Node | None]:
    """Operands of whatever takes its operand for a truth or a number."""
    for node in tree.find_all((nodes.CondExpr, nodes.If)):
        yield node.test
    for node in tree.find_all(nodes.UnaryExpr):
        yield node.node
    for node in tree.find_all((nodes.And, nodes.Or)):
        yield node.left
    for node in tree.find_all(nodes.BinExpr):
        yield from (node.left, node.right)
    for node in tree.find_all(nodes.Compare):
        yield from (node.expr, *(one.expr for one in node.ops))
    for node in tree.find_all(nodes.Filter):
        if node.name in ("ternary", *NUMERIC):
            yield node.node
        if node.name in NUMERIC and isinstance(node.node, nodes.List):
            yield from node.node.items
        if node.name in CHOOSING:
            yield from node.args
    for node in tree.find_all(nodes.Slice):
        yield from (node.start, node.stop, node.step)
    for node in tree.find_all(nodes.Test):
        yield from node.args
    for node in tree.find_all(nodes.Call):
        if isinstance(node.node, nodes.Name) and node.node.name == "range":
            yield from node.args


def bare(expression: str, names: Iterable[str], *, condition: bool = False) -> set[str]:
    """Options that decide something in it as the text that they may be."""
    text = "{{ " + expression + " }}" if condition and "{{" not in expression else expression
    tree = JINJA.parse(text)
    found = {as_given(node, names) for node in deciding_parts(tree)}
    if condition:
        found |= {as_given(one, names) for output in tree.find_all(nodes.Output) for one in output.nodes}
    return found - {""}


def strings(value: Any, *, condition: bool = False) -> Iterator[tuple[str, bool]]:
    """Every text of a YAML document, and whether it is a condition."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from strings(one, condition=key in CONDITIONS)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one, condition=condition)
    elif isinstance(value, str):
        yield value, condition


def variables(value: Any) -> Iterator[tuple[str, str]]:
    """Every name that a YAML document gives to a text."""
    if isinstance(value, Mapping):
        yield from ((str(key), one) for key, one in value.items() if isinstance(one, str) and "{{" in one)
    for one in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from variables(one)


def with_other_names(documents: Iterable[Any], names: set[str]) -> set[str]:
    """The options, and what is only another name of one."""
    found = set(names)
    texts = [one for document in documents for one in variables(document) if "__" in one[0]]
    while True:
        more = {key for key, text in texts if any(as_given(one, found) for one in whole(text))} - found
        if not more:
            return found
        found |= more


def whole(text: str) -> list[nodes.Node]:
    """The expression that a text is, when it is nothing else."""
    body = JINJA.parse(text.strip()).body
    return (
        list(body[0].nodes) if len(body) == 1 and isinstance(body[0], nodes.Output) and len(body[0].nodes) == 1 else []
    )


def findings(files: Mapping[str, str], names: set[str]) -> list[str]:
    """Each file with the options that it takes as they are given. Templates are text, everything else is YAML."""
    documents = {path: yaml.load(text, Loader) for path, text in files.items() if path.endswith((".yml", ".yaml"))}
    known = with_other_names(documents.values(), names)
    found = []
    for path, text in files.items():
        parts = strings(documents[path]) if path in documents else [(text, False)]
        wrong = {one for part, condition in parts for one in bare(part, known, condition=condition)}
        found += [f"{path}: {one}" for one in sorted(wrong)]
    return found


def files_of_the_collection() -> dict[str, str]:
    """Tasks, variables, defaults and templates of all roles, and all playbooks."""
    patterns = ("roles/*/tasks/**/*.yml", "roles/*/vars/*.yml", "roles/*/defaults/*.yml", "roles/*/templates/**/*.j2")
    paths = sorted(path for one in (*patterns, "playbooks/**/*.yml") for path in ROOT.glob(one))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


def test_every_option_that_decides_something_is_converted() -> None:
    """With `| bool`, `| int` or `| float`, wherever it is used."""
    names, files = options_that_are_no_text(), files_of_the_collection()
    assert len(names) > 100 and len(files) > 100
    assert findings(files, names) == []


@pytest.mark.parametrize(
    "planted",
    [
        "- when: wait_for_it",
        "- when: not wait_for_it",
        "- when:\n    - a is defined\n    - wait_for_it | default(true)",
        "- until: done or wait_for_it",
        "- block:\n    - failed_when: x.rc != 0 and (wait_for_it or y)",
        "- changed_when: seconds > 3",
        "- retries: '{{ [seconds // 5, 1] | max }}'",
        "- retries: '{{ [seconds, 1] | max }}'",
        "- loop: '{{ them[:-seconds] }}'",
        "- loop: \"{{ them | selectattr('age', 'gt', seconds) }}\"",
        "- msg: \"{{ 'a' if wait_for_it else 'b' }}\"",
        "- mode: \"{{ wait_for_it | ternary('a', 'b') }}\"",
        "- vars:\n    x__other: '{{ wait_for_it }}'\n  when: x__other",
        "- ansible.builtin.assert:\n    that:\n      - seconds == 0",
    ],
)
def test_a_planted_one_is_found(planted: str) -> None:
    """In each kind of place, and not when it is converted."""
    names = {"wait_for_it", "seconds"}
    assert findings({"a.yml": planted}, names)
    mended = planted.replace("wait_for_it", "(wait_for_it | bool)").replace("seconds", "(seconds | int)")
    assert findings({"a.yml": mended.replace("(wait_for_it | bool) }}'\n", "wait_for_it | bool }}'\n")}, names) == []


def test_a_planted_one_in_a_template_is_found() -> None:
    """Where text is made of it."""
    assert findings({"a.j2": "{% if wait_for_it %}x{% endif %}"}, {"wait_for_it"}) == ["a.j2: wait_for_it"]
    assert findings({"a.j2": "{% if wait_for_it | bool %}{{ wait_for_it }}{% endif %}"}, {"wait_for_it"}) == []
