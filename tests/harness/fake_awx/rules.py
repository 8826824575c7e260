"""Rules of AWX that say more than the kind of a field: surveys, credential types, projects, prompts, schedules, notifications."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

import jinja2
import jinja2.sandbox

from .schema import Refused, schema, type_matches

JsonObject = dict[str, Any]
ENCRYPTED = "$encrypted$"


def survey(spec: JsonObject) -> None:
    """Raise Refused for what AWX does not take as a survey (awx/api/views, JobTemplateSurveySpec)."""

    def refuse(message: str) -> NoReturn:
        raise Refused(400, {"error": message})

    parts: dict[str, type] = {"name": str, "description": str, "spec": list}
    for name, wanted in parts.items():
        if not isinstance(spec.get(name), wanted):
            refuse(f"Field '{name}' of the survey is missing or no {wanted.__name__}.")
    if not spec["spec"]:
        refuse("'spec' doesn't contain any items.")
    seen = set()
    for place, question in enumerate(spec["spec"]):
        keys: dict[str, type] = {"type": str, "question_name": str, "variable": str, "required": bool}
        for name, wanted in keys.items():
            if not isinstance(question.get(name), wanted):
                refuse(f"'{name}' in survey question {place} is missing or no {wanted.__name__}.")
        if question["variable"] in seen:
            refuse(f"'variable' {question['variable']} duplicated in survey question {place}.")
        seen.add(question["variable"])
        if question["type"] not in schema().questions:
            refuse(f"{question['type']!r} in survey question {place} is no allowed question type.")
        kind = schema().questions[question["type"]]
        default = question.get("default", "")
        if default != "" and not type_matches(kind, default):
            refuse(f"Default value {default!r} in survey question {place} expected to be {kind}.")
        for limit in ("min", "max"):
            if question.get(limit) is not None and not isinstance(question[limit], int):
                refuse(f"The {limit} limit in survey question {place} expected to be integer.")
        if question["type"] in ("multiplechoice", "multiselect"):
            if "choices" not in question:
                refuse(f"Survey question {place} must specify choices.")
            defaults = str(default).splitlines()
            if question["type"] == "multiplechoice" and len(defaults) > 1:
                refuse("Multiple Choice (Single Select) can only have one default value.")
            if any(each not in question["choices"] for each in defaults):
                refuse("Default choice must be answered from the choices listed.")


def answer_problem(question: JsonObject, answers: JsonObject) -> str:
    """Why AWX does not launch with the answer to one question; empty when it does (awx/main/models/mixins.py)."""
    name = question["variable"]
    if name not in answers:
        return f"'{name}' value missing" if question["required"] else ""
    answer = answers[name]
    kind = question["type"]
    if kind == "multiselect":
        wrong = not isinstance(answer, list) or any(each not in question["choices"] for each in answer)
    elif kind == "multiplechoice":
        wrong = answer not in question["choices"]
    else:
        wrong = not type_matches(schema().questions[kind], answer)
        if not wrong and kind in ("text", "textarea"):
            wrong = not question.get("min", 0) <= len(answer) <= question.get("max", 2**31)
    return f"Value {answer!r} for '{name}' is not taken." if wrong else ""


def credential_type(inputs: JsonObject, injectors: JsonObject) -> None:
    """Raise Refused when an injector uses what is no input, or sets what AWX does not allow (awx/main/fields.py)."""
    for field in inputs.get("fields", []):
        if set(field) - {"id", "label", "type", "secret", "multiline", "default", "help_text", "format", "choices"}:
            raise Refused(400, {"inputs": [f"Additional properties are not allowed: {sorted(field)}"]})
        if (
            field.get("type") not in ("string", "boolean")
            or "label" not in field
            or not re.fullmatch(r"[a-zA-Z_]\w*", field["id"])
        ):
            raise Refused(400, {"inputs": [f"Not a valid field: {field}"]})
    names = {field["id"] for field in inputs.get("fields", [])}
    if set(inputs.get("required", [])) - names or set(inputs) - {"fields", "required"}:
        raise Refused(400, {"inputs": ["required names what is no field"]})
    if set(injectors) - {"file", "env", "extra_vars"}:
        raise Refused(400, {"injectors": ["Additional properties are not allowed"]})
    files = {key.partition(".")[2]: "FILE" for key in injectors.get("file", {})}
    if any(not re.fullmatch(r"template(\.[a-zA-Z_]\w*)?", key) for key in injectors.get("file", {})):
        raise Refused(400, {"injectors": ["file: names are template or template.NAME"]})
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    known = {**dict.fromkeys(names, "EXAMPLE"), "tower": {"filename": files}}
    for part, values in injectors.items():
        for key, template in values.items():
            if part == "env" and key.startswith("ANSIBLE_"):
                raise Refused(400, {"injectors": [f"Environment variable {key} may affect Ansible configuration"]})
            try:
                environment.from_string(template).render(known)
            except jinja2.TemplateError as error:
                raise Refused(400, {"injectors": [f"{key} uses an undefined field ({error})"]}) from None


def playbooks(folder: Path) -> list[str]:
    """Files of a project that AWX takes for playbooks."""
    rules = schema()
    found = []
    for path in sorted(folder.rglob("*.y*ml")):
        relative = path.relative_to(folder)
        if any(part.startswith(".") or part in rules.folders_without_playbooks for part in relative.parts):
            continue
        if rules.playbook_line.search(path.read_text(encoding="utf-8")):
            found.append(str(relative))
    return found


def prompts(template: JsonObject, body: JsonObject) -> JsonObject:
    """{field: message} for what a node, a schedule or a launch sets although the template does not ask for it."""
    errors = {}
    for name, permission in schema().prompts.items():
        if body.get(name) not in (None, "", {}, []) and not template.get(permission):
            errors[name] = ["Field is not configured to prompt on launch."]
    asked = {question["variable"] for question in (template.get("survey") or {}).get("spec", [])}
    given = body.get("extra_data") or body.get("extra_vars") or {}
    given = json.loads(given) if isinstance(given, str) else given
    if given and not template.get("ask_variables_on_launch"):
        unknown = sorted(set(given) - asked)
        if unknown:
            errors["extra_data"] = [f"Variables {', '.join(unknown)} are not allowed on launch."]
    return errors


def rrule(text: str) -> None:
    """Raise Refused for a rule that AWX does not take (awx/api/serializers.py, SchedulePreviewSerializer)."""
    errors = []
    if len(re.findall(r"DTSTART(;[^:]+)?:[0-9]+T[0-9]+Z?", text)) != 1:
        errors.append("Exactly one DTSTART is required in rrule.")
    if re.search(r"DTSTART:[0-9]+T[0-9]+ ", text):
        errors.append("DTSTART cannot be a naive datetime.")
    rules = re.findall(r"RULE:\S*", text)
    if not rules:
        errors.append("One or more rule required in rrule.")
    for rule in rules:
        if "INTERVAL" not in rule:
            errors.append("INTERVAL required in rrule.")
        if "SECONDLY" in rule:
            errors.append("SECONDLY is not supported.")
    if errors:
        raise Refused(400, {"rrule": errors})


def notification(kind: str, configuration: JsonObject) -> JsonObject:
    """The configuration with AWX's defaults. Raises Refused. Only the types that are recorded are looked at."""
    recorded = schema().notifications.get(kind)
    if recorded is None:
        return configuration
    missing = sorted(set(recorded["required"]) - set(configuration))
    if missing:
        raise Refused(
            400, {"non_field_errors": [f"Missing required fields for Notification Configuration: {missing}."]}
        )
    unknown = sorted(set(configuration) - set(recorded["required"]) - set(recorded["defaults"]))
    if unknown:
        raise Refused(400, {"non_field_errors": [f"{kind} has no configuration {unknown}."]})
    return {**recorded["defaults"], **configuration}
