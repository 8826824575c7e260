"""ServiceAccounts that lack one part of their roles for a while."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import (
    AccessOptions,
    collection_path,
    manifests,
)
from testbed import Testbed

from .permission_atoms import ROLES, Atom, Request, atoms_of, without
from .waiting import wait_until

_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_ACCOUNT_DAY = 24 * 3600


@dataclass(frozen=True)
class Account:
    """A ServiceAccount, its rules, and a kubeconfig with a token of it."""

    access: AccessOptions
    made: tuple[Mapping[str, Any], ...]
    kubeconfig: Path

    @property
    def atoms(self) -> list[Atom]:
        """All that it may do."""
        return atoms_of(self.made)


def create(testbed: Testbed, folder: Path, access: AccessOptions) -> Account:
    """Make it, with all of its rules; nothing of that name may be there. See ``wait_in_force``."""
    made = manifests(access)
    for one in made:
        testbed.client.create(collection_path(one["kind"], one["metadata"].get("namespace", "")), one)
    return Account(access, tuple(made), token(testbed, access, folder / f"{access.name}.conf"))


@contextmanager
def lacking(testbed: Testbed, account: Account, atom: Atom) -> Iterator[None]:
    """Without this part of its roles for a while, as soon as the API server decides so."""
    (whole,) = [one for one in account.made if one["kind"] in ROLES and _place(one) == atom.namespace]
    (less,) = [one for one in without(account.made, atom) if one["kind"] in ROLES and _place(one) == atom.namespace]
    path = f"{collection_path(whole['kind'], atom.namespace)}/{account.access.name}"
    testbed.client.patch(path, {"rules": less["rules"] or None})
    wait_until(f"{account.access.name}: no {atom.words}", lambda: not allows(testbed, account, atom))
    try:
        yield
    finally:
        testbed.client.patch(path, {"rules": whole["rules"]})
        wait_until(f"{account.access.name}: {atom.words}", lambda: allows(testbed, account, atom))


def _place(one: Mapping[str, Any]) -> str:
    return str(one["metadata"].get("namespace", ""))


def token(testbed: Testbed, access: AccessOptions, path: Path) -> Path:
    """A kubeconfig with a token of the ServiceAccount, written to ``path``."""
    accounts = f"/api/v1/namespaces/{access.namespace}/serviceaccounts"
    spec = {"expirationSeconds": _ACCOUNT_DAY}
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    secret = testbed.client.create(f"{accounts}/{access.name}/token", request)["status"]["token"]
    content = json.loads(testbed.kubeconfig.read_text(encoding="utf-8"))
    content["users"] = [{"name": "user", "user": {"token": secret}}]
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def wait_in_force(testbed: Testbed, account: Account) -> None:
    """Until the API server decides by its roles: what one rule of each gives is allowed."""
    for atom in {one.namespace: one for one in account.atoms}.values():
        wait_until(f"{account.access.name}: {atom.words}", partial(allows, testbed, account, atom))


def allows(testbed: Testbed, account: Account, atom: Atom) -> bool:
    """What the API server says about it, asked by the administrator: it does not show in the account's requests."""
    resource, _slash, part = atom.resource.partition("/")
    asked = {"verb": atom.verb, "resource": resource, "subresource": part, "group": atom.group}
    attributes = {**asked, "namespace": atom.namespace, "name": atom.name}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": account.access.user, "resourceAttributes": attributes},
    }
    return bool(testbed.client.create(_REVIEWS, review)["status"].get("allowed"))


def events_by_user(testbed: Testbed, users: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """What the API server has recorded of these users."""
    found: dict[str, list[dict[str, Any]]] = {user: [] for user in users}
    with testbed.audit_log.open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            user = event["user"]["username"]
            if user in found:
                found[user].append(event)
    return found


def requests(events: Sequence[Mapping[str, Any]]) -> dict[Request, set[int]]:
    """{request: answers}, without the questions that everybody may ask."""
    found: dict[Request, set[int]] = {}
    for event in events:
        request = Request.of_event(event)
        if request is not None and request.group != "authorization.k8s.io":
            found.setdefault(request, set()).add(event["responseStatus"]["code"])
    return found


def writes(events: Sequence[Mapping[str, Any]]) -> list[Request]:
    """Requests that could change something, and were not refused; what is only tried does not."""
    real = [one for one in events if "dryRun=All" not in one["requestURI"] and one["responseStatus"]["code"] != 403]
    return [one for one in requests(real) if one.verb not in ("get", "list", "watch")]
