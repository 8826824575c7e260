"""Surveys for AWX from argument specifications: what AWX refuses is refused here too, and answers become options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.awx_survey import (
    SurveyError,
    conversions,
    plain_text,
    survey,
    variable,
)
from harness.fake_awx import rules
from harness.fake_awx.schema import Refused
from harness.role_steps import collection_folder

ROLES = collection_folder() / "roles"
DEFAULTS = yaml.safe_load((ROLES / "configure_awx/defaults/main.yml").read_text(encoding="utf-8"))
EXCLUDED = DEFAULTS["configure_awx_survey_excluded"]


class _Loader(yaml.SafeLoader):
    """Takes Ansible's tag of texts that are no templates."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))  # type: ignore[arg-type]
PLAYBOOKS = yaml.load((ROLES / "configure_awx/vars/main.yml").read_text(encoding="utf-8"), _Loader)[
    "configure_awx__playbooks"
]


def options_of(role: str) -> dict[str, dict[str, Any]]:
    """Options of a role's main entry point."""
    spec = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
    options: dict[str, dict[str, Any]] = spec["argument_specs"]["main"]["options"]
    return options


@pytest.mark.parametrize("role", sorted(PLAYBOOKS))
def test_awx_takes_the_survey_of_every_playbook(role: str) -> None:
    """Its own checks pass, also those of default answers when a job is launched."""
    options = options_of(role)
    made = survey(options, "title", "", EXCLUDED)
    rules.survey(made)
    answers = {question["variable"]: question["default"] for question in made["spec"] if "default" in question}
    for question in made["spec"]:
        empty_list = question["type"] == "multiselect"
        if not question["required"] and not empty_list:
            assert not rules.answer_problem(question, answers), question
    asked = {question["question_name"] for question in made["spec"]}
    assert {name for name, spec in options.items() if spec.get("required")} <= asked
    assert not [name for name in asked if options[name].get("no_log") or re.search("kubeconfig|password", name)]
    assert not [name for name in asked if name.endswith("_plan_digest")], (
        "an answer would win over what the plan hands on"
    )


def test_every_playbook_is_known() -> None:
    """A playbook that repairs is one that writes to the cluster; each has a role and a file of its own name."""
    for name in PLAYBOOKS:
        assert (ROLES / name).is_dir() and (collection_folder() / "playbooks" / f"{name}.yml").is_file()
    reads = {name for name, spec in PLAYBOOKS.items() if not spec["repairs"]}
    assert not [
        name for name in reads if name.startswith(("clean", "install", "tune", "re", "retire", "maintain", "undo"))
    ]


@pytest.mark.parametrize("name", sorted(PLAYBOOKS))
def test_every_playbook_hands_on_a_summary(name: str) -> None:
    """Under its own name, by the playbook itself or by its role."""
    files = [collection_folder() / "playbooks" / f"{name}.yml", *(ROLES / name / "tasks").glob("*.yml")]
    said = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert f"run_summary_playbook: podnet.upkeep.{name}" in said


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (
            {"type": "bool", "default": True},
            {"type": "multiplechoice", "choices": ["true", "false"], "default": "true"},
        ),
        ({"type": "int", "default": 7}, {"type": "integer", "default": 7}),
        ({"type": "float", "default": 0.5}, {"type": "float", "default": 0.5}),
        ({"type": "str", "default": "a", "choices": ["a", ""]}, {"type": "multiplechoice", "choices": ["a", ""]}),
        ({"type": "list", "choices": ["a", "b"], "default": ["a", "b"]}, {"type": "multiselect", "default": "a\nb"}),
        ({"type": "list", "elements": "str", "default": ["a", "b"]}, {"type": "textarea", "default": "a\nb"}),
        ({"type": "list", "elements": "dict", "default": [{"a": 1}]}, {"type": "textarea", "default": '[{"a": 1}]'}),
        ({"type": "dict", "default": {}}, {"type": "textarea", "default": ""}),
        ({"default": "x"}, {"type": "text", "default": "x", "min": 0}),
        ({"type": "str", "required": True}, {"type": "text", "required": True, "min": 1}),
    ],
)
def test_types(spec: dict[str, Any], wanted: dict[str, Any]) -> None:
    """A question of the type that fits."""
    question = survey({"role_option": spec}, "t", "", [])["spec"][0]
    assert {key: question[key] for key in wanted} == wanted
    assert question["variable"] == variable("role_option", spec)


@pytest.mark.parametrize(
    "spec", [{"type": "int"}, {"type": "str"}, {"type": "list", "elements": "str"}, {"default": "x", "no_log": True}]
)
def test_what_is_not_asked(spec: dict[str, Any]) -> None:
    """Passwords, and what would reach the role as an empty text although nobody answered."""
    assert survey({"role_option": spec}, "t", "", []) == {}
    assert conversions({"role_option": spec}, []) == {}


def test_required_questions_come_first() -> None:
    """They are what a person has to look at."""
    made = survey({"a": {"default": ""}, "b": {"required": True}}, "t", "", [])
    assert [question["variable"] for question in made["spec"]] == ["b", "a"]


def test_descriptions_have_no_markup() -> None:
    """People read them in AWX."""
    text = ["Use O(podnet.upkeep.x#role:main:x_state=present), C(kubectl) or V(null).", "See M(a.b.c)."]
    assert plain_text(text) == "Use x_state=present, kubectl or null. See a.b.c."
    for role in PLAYBOOKS:
        for question in survey(options_of(role), "t", "", [])["spec"]:
            assert not re.search(r"\b[CVOME]\(", question["question_description"]), question


def test_refusals() -> None:
    """One sentence each."""
    with pytest.raises(SurveyError, match="no regular expression"):
        survey({"a": {"default": 1}}, "t", "", ["("])
    with pytest.raises(SurveyError, match="option a of the argument specification is no mapping"):
        survey({"a": 1}, "t", "", [])  # type: ignore[dict-item]


def test_the_checks_of_the_stand_in_can_fail() -> None:
    """What AWX refuses: a wrong type, a choice that is none, a question asked twice."""
    good = {
        "name": "n",
        "description": "",
        "spec": survey({"a": {"type": "bool", "default": True}}, "t", "", [])["spec"],
    }
    rules.survey(good)
    for change in ({"type": "boolean"}, {"default": "yes"}, {"required": "no"}, {"default": True}):
        with pytest.raises(Refused):
            rules.survey({**good, "spec": [{**good["spec"][0], **change}]})
    with pytest.raises(Refused, match="duplicated"):
        rules.survey({**good, "spec": good["spec"] * 2})


def test_the_schema_knows_the_fields(tmp_path: Path) -> None:
    """A misspelt field, a wrong type and a missing one are refused; a project's files are looked at."""
    from harness.fake_awx.store import Store

    store = Store(tmp_path)
    project = store.create("projects", {"name": "p", "organization": 1, "scm_type": "git"})
    inventory = store.create("inventories", {"name": "i", "organization": 1})
    template = {"name": "t", "project": project["id"], "inventory": inventory["id"], "playbook": "playbooks/a.yml"}
    for change in ({"allow_simultanous": False}, {"job_slice_count": "1"}, {"job_type": "scan"}, {"project": 99}, {}):
        with pytest.raises(Refused):
            store.create("job_templates", {**template, **change})
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/a.yml").write_text("- name: x\n  ansible.builtin.import_playbook: a.b.c\n", encoding="utf-8")
    store.update_project(project)
    assert store.create("job_templates", template)["organization"] == 1
