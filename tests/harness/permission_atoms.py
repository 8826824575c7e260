"""The smallest parts of a Role, one verb for one kind of object (and one name), and which of them requests were allowed by.

A request that only one part allows would be refused without it: that is what makes the part necessary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
#: Kinds of objects that hold rules; a namespace belongs to the second one.
ROLES = ("ClusterRole", "Role")


@dataclass(frozen=True, order=True)
class Atom:
    """One verb for one kind of object. ``resource`` may be ``pods/log``; no ``namespace``: all; no ``name``: any."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def words(self) -> str:
        """As a playbook that lacks it says it: ``get leases.coordination.k8s.io x in namespace kube-system``."""
        kind, _slash, part = self.resource.partition("/")
        whole = f"{kind}{f'.{self.group}' if self.group else ''}{f'/{part}' if part else ''}"
        place = f"in namespace {self.namespace}" if self.namespace else ""
        return " ".join(filter(None, (self.verb, whole, self.name, place)))

    def allows(self, request: Request) -> bool:
        """As RBAC decides it."""
        return (
            (self.verb, self.resource, self.group) == (request.verb, request.resource, request.group)
            and self.namespace in ("", request.namespace)
            and self.name in ("", request.name)
        )


@dataclass(frozen=True, order=True)
class Request:
    """What an API server decides about. Nothing is known of the name of what is only now created."""

    verb: str
    resource: str
    group: str
    namespace: str
    name: str

    @classmethod
    def of_event(cls, event: Mapping[str, Any]) -> Request | None:
        """From a line of the audit log; none for what is no object, such as the version."""
        about = event.get("objectRef")
        if not about or "resource" not in about:
            return None
        part = about.get("subresource", "")
        named = event["verb"] != "create" or part
        return cls(
            event["verb"],
            f"{about['resource']}{f'/{part}' if part else ''}",
            about.get("apiGroup", ""),
            about.get("namespace", ""),
            about.get("name", "") if named else "",
        )


def atoms_of(made: Iterable[Object]) -> list[Atom]:
    """Of all roles among these objects, in their order; one that is there twice shows twice."""
    return [
        Atom(verb, resource, group, one["metadata"].get("namespace", ""), name)
        for one in made
        if one["kind"] in ROLES
        for rule in one["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or ("",)
    ]


def without(made: Sequence[Object], atom: Atom) -> list[dict[str, Any]]:
    """The same objects, and the one role that has it has all but it."""
    found = []
    for one in made:
        holds = one["kind"] in ROLES and one["metadata"].get("namespace", "") == atom.namespace
        changed = {"rules": [kept for rule in one["rules"] for kept in _split(rule, atom)]} if holds else {}
        found.append({**one, **changed})
    return found


def _split(rule: Object, atom: Atom) -> list[dict[str, Any]]:
    """The rule without it: of the names of one verb one may be taken away, so that a rule may become two."""
    names = rule.get("resourceNames") or [""]
    about = atom.group in rule["apiGroups"] and atom.resource in rule["resources"]
    if not (about and atom.verb in rule["verbs"] and atom.name in names):
        return [dict(rule)]
    found = []
    other_verbs = [verb for verb in rule["verbs"] if verb != atom.verb]
    other_names = [name for name in names if name != atom.name]
    if other_verbs:
        found.append({**rule, "verbs": other_verbs})
    if other_names:
        found.append({**rule, "verbs": [atom.verb], "resourceNames": other_names})
    return found


def needed(atoms: Sequence[Atom], requests: Iterable[Request]) -> dict[Atom, Request]:
    """{atom: a request that nothing else allows}."""
    found: dict[Atom, Request] = {}
    for request in requests:
        allowing = [atom for atom in atoms if atom.allows(request)]
        if len(allowing) == 1:
            found.setdefault(allowing[0], request)
    return found
