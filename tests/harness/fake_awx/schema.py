"""The recorded schema of AWX, and the check of one request body against it."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "choice": (str,),
    "integer": (int,),
    "id": (int,),
    "float": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "list": (list,),
    "json": (dict, str),
}


class Refused(Exception):
    """What AWX answers with an error: its status and its body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Field:
    """One field: its kind, and what a value has to be."""

    kind: str
    required: bool = False
    read_only: bool = False
    longest: int | None = None
    choices: tuple[str, ...] | None = None
    of: str = ""

    @classmethod
    def read(cls, text: str) -> Field:
        """A field as the schema file writes it."""
        kind, *words = text.split(" ")
        longest = [int(word[1:]) for word in words if word.startswith("=")]
        of = [word[1:] for word in words if word.startswith("@")]
        choices = [word for word in words if "|" in word]
        return cls(
            kind,
            "!" in words,
            "~" in words,
            longest[0] if longest else None,
            tuple(choices[0].split("|")) if choices else None,
            of[0] if of else "",
        )

    def problem(self, value: Any) -> str:
        """Why AWX does not take `value`; empty when it does."""
        if value is None:
            return "This field may not be null." if self.required else ""
        types = _TYPES[self.kind]
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            return f"Not a valid {self.kind}: {value!r}."
        if self.choices is not None and value not in self.choices:
            return f'"{value}" is not a valid choice.'
        if self.longest is not None and len(str(value)) > self.longest:
            return f"Ensure this field has no more than {self.longest} characters."
        if self.required and value == "":
            return "This field may not be blank."
        return ""


@dataclass(frozen=True)
class Resource:
    """One kind of object."""

    name: str
    type: str
    fields: dict[str, Field]
    lists: dict[str, str]
    links: tuple[str, ...]
    ignored: tuple[str, ...]
    unique: tuple[str, ...]
    unified: bool
    administrators: tuple[str, ...] = ()

    def check(self, body: dict[str, Any], *, new: bool) -> dict[str, Any]:
        """The fields of a request that AWX takes. Raises Refused.

        Stricter than AWX, which ignores fields that it does not know: a misspelt one must not pass a test.
        """
        errors: dict[str, list[str]] = {}
        accepted = {}
        for name, value in body.items():
            field = self.fields.get(name)
            if field is None:
                if name not in self.ignored:
                    errors[name] = [f"{self.type} has no field {name} in the recorded schema."]
            elif not field.read_only:
                problem = field.problem(value)
                if problem:
                    errors[name] = [problem]
                accepted[name] = value
        if new:
            for name, field in self.fields.items():
                if field.required and name not in body:
                    errors[name] = ["This field is required."]
        if errors:
            raise Refused(400, errors)
        return accepted

    def empty(self) -> dict[str, Any]:
        """An object of this kind as AWX makes it when nothing is given."""
        blank = {"string": "", "choice": "", "integer": 0, "boolean": False, "object": {}, "list": [], "json": {}}
        return {name: blank.get(field.kind) for name, field in self.fields.items()}


@dataclass(frozen=True)
class Schema:
    """Everything that is recorded."""

    resources: dict[str, Resource]
    prompts: dict[str, str]
    questions: dict[str, str]
    playbook_line: re.Pattern[str]
    folders_without_playbooks: tuple[str, ...]
    notifications: dict[str, Any]


@functools.cache
def schema() -> Schema:
    """The recorded schema."""
    loaded = yaml.safe_load(Path(__file__).with_name("schema.yml").read_text(encoding="utf-8"))
    resources = {
        name: Resource(
            name,
            spec["type"],
            {field: Field.read(text) for field, text in spec["fields"].items()},
            spec.get("lists", {}),
            tuple(spec.get("links", ())),
            tuple(spec.get("ignored", ())),
            tuple(spec["unique"]),
            spec.get("unified", False),
            tuple(spec.get("administrators", ())),
        )
        for name, spec in loaded["resources"].items()
    }
    return Schema(
        resources,
        loaded["prompts"],
        loaded["questions"],
        re.compile(loaded["playbook_line"], re.MULTILINE),
        tuple(loaded["folders_without_playbooks"]),
        loaded["notifications"],
    )


def type_matches(kind: str, value: Any) -> bool:
    """Whether `value` is of the kind of a survey's answer."""
    return isinstance(value, _TYPES[kind]) and not isinstance(value, bool)
