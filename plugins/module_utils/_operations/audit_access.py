# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Creates, corrects and removes the ServiceAccount of an audit and its rules.

An object that bears the name but not our labels is somebody else's and is never touched. What an earlier call made and what
is not wanted any more (a Role of a feature, a binding in another namespace) is found by its labels and removed, only while
it is still the same object (uid).
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import (
    AccessOptions,
    collection_path,
    manifests,
    needed_namespaces,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError

Object = dict[str, t.Any]
# bindings go first: no moment with a binding to a role that is not there
_REMOVAL_ORDER: t.Final = ("ClusterRoleBinding", "RoleBinding", "ClusterRole", "Role", "ServiceAccount")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KEPT: t.Final = ("rules", "roleRef", "subjects", "automountServiceAccountToken")


@dataclass
class AccessOutcome:
    """What was done, or in check mode would be. ``before`` and ``after`` hold the fields that we decide about."""

    actions: list[Object] = field(default_factory=list)
    before: dict[str, t.Any] = field(default_factory=dict)
    after: dict[str, t.Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return any(one["action"] != "unchanged" for one in self.actions)


def validate(options: AccessOptions) -> None:
    """Raises InputError for a name that the API server would not take."""
    given = [("name", options.name), ("namespace", options.namespace)]
    given += [("cni_namespaces", one) for one in options.cni_namespaces]
    for option, value in given:
        if not _NAME.fullmatch(value):
            raise InputError(
                f"{option}: '{value}' is not a name of Kubernetes; use 1 to 63 lower-case letters, digits and inner hyphens."
            )


class AuditAccess:
    """The objects of one ServiceAccount in one cluster."""

    def __init__(self, client: KubeClient, options: AccessOptions, *, check_mode: bool = False) -> None:
        """Raises InputError when ``options`` cannot be used; nothing is sent yet."""
        validate(options)
        self._client = client
        self._options = options
        self._check_mode = check_mode

    def present(self) -> AccessOutcome:
        """Create what is missing, correct what differs, remove what is not wanted any more.

        Raises InputError for a namespace that is not there, RefusedError for an object of somebody else, ApiError.
        """
        wanted = manifests(self._options)
        self._need_namespaces(wanted)
        existing = [self._find(one) for one in wanted]
        self._refuse_foreign(wanted, existing)
        outcome = AccessOutcome()
        kept = {_key(one) for one in wanted}
        self._remove([one for one in self._ours() if _key(one) not in kept], outcome)
        for one, found in zip(wanted, existing, strict=True):
            self._put(one, found, outcome)
        return outcome

    def absent(self) -> AccessOutcome:
        """Remove everything of ours. Raises ApiError."""
        outcome = AccessOutcome()
        self._remove(self._ours(), outcome)
        return outcome

    # -- reading ---------------------------------------------------------------------------------------------------

    def _need_namespaces(self, wanted: Sequence[Object]) -> None:
        options = {
            **dict.fromkeys(self._options.cni_namespaces, "cni_namespaces"),
            self._options.namespace: "namespace",
        }
        missing = [one for one in needed_namespaces(wanted) if self._client.find(f"/api/v1/namespaces/{one}") is None]
        for namespace in sorted(missing, key=lambda one: one not in options):
            if namespace in options:
                raise InputError(
                    f"{options[namespace]}: there is no namespace '{namespace}'; create it or name another one."
                )
            raise InputError(
                f"The cluster has no namespace {namespace}, which every cluster has; is this the right one?"
            )

    def _find(self, wanted: Mapping[str, t.Any]) -> Object | None:
        return self._client.find(_path(wanted))

    def _ours(self) -> list[Object]:
        """Everything with our labels, in the order in which it is to be removed."""
        selector = ",".join(f"{key}={value}" for key, value in sorted(self._options.labels.items()))
        found = []
        for kind in _REMOVAL_ORDER:
            for obj in self._client.list(collection_path(kind), params={"labelSelector": selector}):
                found.append({**obj, "kind": kind})
        return found

    def _refuse_foreign(self, wanted: Sequence[Object], existing: Sequence[Object | None]) -> None:
        reasons = [
            f"{_key(one)} exists and is not of this collection (its label app.kubernetes.io/managed-by says so); choose "
            "another name, or delete it."
            for one, found in zip(wanted, existing, strict=True)
            if found is not None and not self._is_ours(found)
        ]
        if reasons:
            raise RefusedError(reasons[0], reasons)

    def _is_ours(self, found: Mapping[str, t.Any]) -> bool:
        labels = found["metadata"].get("labels") or {}
        return all(labels.get(key) == value for key, value in self._options.labels.items())

    # -- writing ---------------------------------------------------------------------------------------------------

    def _put(self, wanted: Object, found: Object | None, outcome: AccessOutcome) -> None:
        outcome.after[_key(wanted)] = _fields(wanted)
        if found is None:
            self._create(wanted)
            outcome.actions.append(_action(wanted, "created"))
            return
        outcome.before[_key(wanted)] = _fields(found)
        if _fields(found) == _fields(wanted):
            outcome.actions.append(_action(wanted, "unchanged"))
            return
        if found.get("roleRef") != wanted.get("roleRef"):  # cannot be changed
            self._delete(found, _path(wanted))
            self._create(wanted)
        elif not self._check_mode:
            guard = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
            self._client.patch(_path(wanted), {**_fields(wanted), "metadata": guard})
        outcome.actions.append(_action(wanted, "changed"))

    def _create(self, wanted: Object) -> None:
        if not self._check_mode:
            self._client.create(collection_path(wanted["kind"], wanted["metadata"].get("namespace", "")), wanted)

    def _remove(self, objects: Sequence[Object], outcome: AccessOutcome) -> None:
        for obj in objects:
            outcome.before[_key(obj)] = _fields(obj)
            self._delete(obj, _path(obj))
            outcome.actions.append(_action(obj, "deleted"))

    def _delete(self, obj: Mapping[str, t.Any], path: str) -> None:
        if self._check_mode:
            return
        try:
            self._client.delete(path, uid=obj["metadata"]["uid"])
        except ApiError as error:
            if error.status != 404:
                raise


def _key(obj: Mapping[str, t.Any]) -> str:
    metadata = obj["metadata"]
    return f"{obj['kind']} {metadata['namespace'] + '/' if metadata.get('namespace') else ''}{metadata['name']}"


def _path(obj: Mapping[str, t.Any]) -> str:
    metadata = obj["metadata"]
    return f"{collection_path(obj['kind'], metadata.get('namespace', ''))}/{metadata['name']}"


def _fields(obj: Mapping[str, t.Any]) -> Object:
    """What we decide about; an empty list and none are the same to the API."""
    return {key: obj[key] for key in _KEPT if obj.get(key) is not None}


def _action(obj: Mapping[str, t.Any], action: str) -> Object:
    metadata = obj["metadata"]
    return {
        "kind": obj["kind"],
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "action": action,
    }
