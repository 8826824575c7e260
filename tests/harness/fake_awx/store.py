"""The objects of the stand-in: how they are made, changed, looked up and deleted."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

from . import rules
from .schema import Refused, Resource, schema

JsonObject = dict[str, Any]

# what AWX has when it is installed
_MACHINE = {
    "fields": [
        {"id": "username", "label": "Username", "type": "string"},
        {"id": "ssh_key_data", "label": "SSH Private Key", "type": "string", "secret": True},
    ]
}


class Store:
    """Objects by resource and id. `project_folder` is what a source control of a project holds."""

    def __init__(self, project_folder: Path | None = None) -> None:
        self.project_folder = project_folder
        self.objects: dict[str, dict[int, JsonObject]] = {name: {} for name in schema().resources}
        self.lists: dict[tuple[str, int, str], list[int]] = {}
        self.jobs: dict[int, JsonObject] = {}
        self.launches: list[JsonObject] = []
        self._ids = itertools.count(1)
        self._add("organizations", {"name": "Default"})
        self._add("credential_types", {"name": "Machine", "kind": "ssh", "managed": True, "inputs": _MACHINE})

    def next_id(self) -> int:
        """A number that nothing has."""
        return next(self._ids)

    def _add(self, name: str, values: JsonObject) -> JsonObject:
        resource = schema().resources[name]
        thing = {**resource.empty(), **values, "id": self.next_id()}
        self.objects[name][thing["id"]] = thing
        return thing

    def named(self, resource: str, name: str) -> JsonObject:
        """The one object of this name. Raises AssertionError."""
        found = [thing for thing in self.objects[resource].values() if thing.get("name") == name]
        assert len(found) == 1, (resource, name, [thing.get("name") for thing in self.objects[resource].values()])
        return found[0]

    def related(self, resource: str, thing: JsonObject, name: str) -> list[JsonObject]:
        """Objects of one of the lists of an object."""
        target = schema().resources[resource].lists[name]
        return [self.objects[target][number] for number in self.lists.get((resource, thing["id"], name), [])]

    def unified(self, number: Any) -> tuple[str, JsonObject] | None:
        """A template by its id: what may be in a node or a schedule, and where it is kept."""
        for name, resource in schema().resources.items():
            if resource.unified and number in self.objects[name]:
                return name, self.objects[name][number]
        return None

    # -- changes ---------------------------------------------------------------------------------------------------

    def _check_references(self, resource: Resource, values: JsonObject) -> None:
        for name, value in values.items():
            of = resource.fields[name].of
            if not of or value is None:
                continue
            there = self.unified(value) if of == "unified_job_templates" else value in self.objects.get(of, {})
            if not there:
                raise Refused(400, {name: [f'Invalid pk "{value}" - object does not exist.']})

    def _check_unique(self, resource: Resource, thing: JsonObject) -> None:
        for other in self.objects[resource.name].values():
            same = resource.unique and all(other[name] == thing[name] for name in resource.unique)
            if same and other is not thing and other["id"] != thing.get("id"):
                words = " and ".join(resource.unique)
                raise Refused(400, {"__all__": [f"{resource.type} with this {words} already exists."]})

    def _check_rules(self, name: str, thing: JsonObject, given: JsonObject, old: JsonObject | None) -> None:
        if name == "credential_types":
            if old and old.get("managed"):
                raise Refused(403, {"detail": "Modifications not allowed for managed credential types"})
            used = old and any(each["credential_type"] == old["id"] for each in self.objects["credentials"].values())
            if used and old and given.get("inputs", old["inputs"]) != old["inputs"]:
                raise Refused(
                    403, {"detail": "Modifications to inputs are not allowed for credential types that are in use"}
                )
            rules.credential_type(thing["inputs"], thing["injectors"])
        elif name == "credentials":
            fields = self.objects["credential_types"][thing["credential_type"]]["inputs"]
            unknown = sorted(set(thing["inputs"]) - {field["id"] for field in fields.get("fields", [])})
            missing = sorted(set(fields.get("required", [])) - set(thing["inputs"]))
            if unknown or missing:
                raise Refused(400, {"inputs": [f"unknown: {unknown}, missing: {missing}"]})
        elif name == "job_templates":
            project = self.objects["projects"][thing["project"]]
            thing["organization"] = project["organization"]
            if thing["inventory"] is None and not thing["ask_inventory_on_launch"]:
                raise Refused(400, {"inventory": ["You must either set a default value or ask to prompt on launch."]})
            if (
                project["scm_type"]
                and not project["allow_override"]
                and thing["playbook"] not in project["playbook_files"]
            ):
                raise Refused(400, {"playbook": ["Playbook not found for project."]})
        elif name in ("workflow_job_template_nodes", "schedules"):
            template = self.unified(thing["unified_job_template"])
            errors = rules.prompts(template[1], given) if template else {}
            if errors:
                raise Refused(400, errors)
            if name == "schedules":
                rules.rrule(thing["rrule"])
        elif name == "inventory_sources":
            if thing["source"] == "scm" and thing["source_project"] is None:
                raise Refused(400, {"source_project": ["Project required for scm type sources."]})
            if thing["source"] == "scm" and not self.objects["projects"][thing["source_project"]]["scm_type"]:
                raise Refused(400, {"source_project": ["Cannot use manual project for SCM-based inventory."]})
        elif name == "notification_templates":
            thing["notification_configuration"] = rules.notification(
                thing["notification_type"], thing["notification_configuration"]
            )

    def create(self, name: str, body: JsonObject) -> JsonObject:
        """A new object. Raises Refused."""
        resource = schema().resources[name]
        values = resource.check(body, new=True)
        self._check_references(resource, values)
        thing = {**resource.empty(), **values}
        self._check_rules(name, thing, values, None)
        self._check_unique(resource, thing)
        made = self._add(name, thing)
        if name == "projects" and made["scm_type"]:
            self.update_project(made)
        return made

    def change(self, name: str, thing: JsonObject, body: JsonObject) -> JsonObject:
        """The object after a PATCH. Raises Refused."""
        resource = schema().resources[name]
        values = resource.check(body, new=False)
        if name == "workflow_job_template_nodes":
            values.pop("workflow_job_template", None)
        self._check_references(resource, values)
        after = {**thing, **values}
        self._check_rules(name, after, values, thing)
        self._check_unique(resource, after)
        thing.update(after)
        return thing

    def delete(self, name: str, thing: JsonObject) -> None:
        """Delete an object and what goes with it. Raises Refused."""
        number = thing["id"]
        used = any(each["credential_type"] == number for each in self.objects["credentials"].values())
        if name == "credential_types" and (thing.get("managed") or used):
            raise Refused(403, {"detail": "Credential types that are in use cannot be deleted."})
        del self.objects[name][number]
        for other in schema().resources.values():
            for each in list(self.objects[other.name].values()):
                self._forget(other, each, name, number)
        self.lists = {
            key: [each for each in members if each != number]
            for key, members in self.lists.items()
            if key[:2] != (name, number)
        }

    def _forget(self, resource: Resource, thing: JsonObject, name: str, number: int) -> None:
        unified = schema().resources[name].unified
        for field, spec in resource.fields.items():
            if thing.get(field) != number or not (spec.of == name or (unified and spec.of == "unified_job_templates")):
                continue
            goes = (resource.name, field) in (
                ("schedules", "unified_job_template"),
                ("workflow_job_template_nodes", "workflow_job_template"),
                ("inventory_sources", "inventory"),
            )
            if goes and thing["id"] in self.objects[resource.name]:
                self.delete(resource.name, thing)
            else:
                thing[field] = None

    def associate(self, key: tuple[str, int, str], body: JsonObject) -> None:
        """Add to or take from a list of an object. Raises Refused."""
        target = schema().resources[key[0]].lists[key[2]]
        members = self.lists.setdefault(key, [])
        number = body.get("id")
        if set(body) - {"id", "associate", "disassociate"} or number not in self.objects.get(target, {}):
            raise Refused(400, {"msg": f"{target} {number} cannot be associated"})
        if body.get("disassociate"):
            members.remove(number)
            return
        if target == "credentials":
            kinds = [self.objects[target][each]["credential_type"] for each in members]
            if self.objects[target][number]["credential_type"] in kinds:
                raise Refused(400, {"error": "Cannot assign multiple credentials of the same type."})
        if number not in members:
            members.append(number)

    # -- acts ------------------------------------------------------------------------------------------------------

    def update_project(self, project: JsonObject) -> JsonObject:
        """Read the project's files anew. Returns the update."""
        folder = self.project_folder
        project["playbook_files"] = rules.playbooks(folder) if folder and folder.is_dir() else []
        digest = hashlib.sha256()
        for path in sorted(folder.rglob("*")) if folder else []:
            if path.is_file():
                digest.update(path.read_bytes())
        project["scm_revision"] = digest.hexdigest()[:40]
        project["status"] = "successful"
        return self.finished("project_update", project, {"scm_revision": project["scm_revision"]})

    def finished(self, kind: str, template: JsonObject, more: JsonObject) -> JsonObject:
        """A job that has ended well."""
        job = {
            "id": self.next_id(),
            "type": kind,
            "name": template["name"],
            "status": "successful",
            "failed": False,
            "created": "2026-11-21T12:00:00.000000Z",
            "started": "2026-11-21T12:00:00.000000Z",
            "finished": "2026-11-21T12:00:01.000000Z",
            "elapsed": 1.0,
            "event_processing_finished": True,
            "artifacts": {},
            **more,
        }
        self.jobs[job["id"]] = job
        return job

    def launch(self, name: str, template: JsonObject, body: JsonObject) -> JsonObject:
        """A job of a template. Raises Refused for answers that its survey does not take."""
        given = dict(body.get("extra_vars") or {})
        survey = (template.get("survey") or {}).get("spec", []) if template["survey_enabled"] else []
        answers = {question["variable"]: question["default"] for question in survey if "default" in question}
        answers = {
            question["variable"]: answers[question["variable"]]
            for question in survey
            if question["variable"] in answers and not rules.answer_problem(question, answers)
        }
        problems = [problem for question in survey if (problem := rules.answer_problem(question, {**answers, **given}))]
        if problems:
            raise Refused(400, {"variables_needed_to_start": problems})
        ignored = {}
        asked = {question["variable"] for question in survey}
        if not template["ask_variables_on_launch"]:
            ignored = {key: value for key, value in given.items() if key not in asked}
        taken = {key: value for key, value in given.items() if key not in ignored}
        kind = "workflow_job" if name == "workflow_job_templates" else "job"
        job = self.finished(kind, template, {"extra_vars": {**answers, **taken}, "limit": body.get("limit") or ""})
        self.launches.append({"template": template["name"], "type": kind, "given": taken, **job})
        return {**job, kind: job["id"], "ignored_fields": {"extra_vars": ignored} if ignored else {}}
