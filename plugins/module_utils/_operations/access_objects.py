# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Creates, corrects and removes a ServiceAccount and its rules.

An object that bears the name but not our labels is somebody else's and is never touched. What an earlier call made and what
is not wanted any more (a Role of a feature, a binding in another namespace) is found by its labels and removed, only while
it is still the same object (uid). Everything is tried before anything is written: who may not give one of the permissions
gives none.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from functools import partial

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.access_manifests import (
    AccessOptions,
    collection_path,
    manifests,
    needed_namespaces,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.access_trial import AccessTrial
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.owned_objects import (
    Object,
    Outcome,
    OwnedObjects,
    key_of,
)

# bindings go first: no moment with a binding to a role that is not there
_REMOVAL_ORDER: t.Final = ("ClusterRoleBinding", "RoleBinding", "ClusterRole", "Role", "ServiceAccount")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_KEPT: t.Final = ("rules", "roleRef", "subjects", "automountServiceAccountToken")


def validate(options: AccessOptions) -> None:
    """Raises InputError for a name that the API server would not take."""
    given = [("name", options.name), ("namespace", options.namespace)]
    given += [("cni_namespaces", one) for one in options.cni_namespaces]
    for option, value in given:
        if not _NAME.fullmatch(value):
            raise InputError(
                f"{option}: '{value}' is not a name of Kubernetes; use 1 to 63 lower-case letters, digits and inner hyphens."
            )


class AccessObjects:
    """The objects of one ServiceAccount in one cluster."""

    def __init__(self, client: KubeClient, options: AccessOptions, *, check_mode: bool = False) -> None:
        """Raises InputError when ``options`` cannot be used; nothing is sent yet."""
        validate(options)
        self._client = client
        self._options = options
        self._check_mode = check_mode
        self._wanted: list[tuple[Object, Object | None]] | None = None
        self._unwanted: list[Object] = []
        self._owned = OwnedObjects(client, options.labels, collection_path, _fields, check_mode=check_mode)

    def prepare(self) -> None:
        """Look at what is there, and outside of check mode try everything as a dry run; nothing is written.

        Raises InputError for a namespace that is not there, RefusedError for an object of somebody else and for what the API
        server does not let us give, ApiError.
        """
        wanted = manifests(self._options)
        self._need_namespaces(wanted)
        self._wanted = list(zip(wanted, self._owned.existing(wanted), strict=True))
        kept = {key_of(one) for one in wanted}
        self._unwanted = [one for one in self._owned.of_kinds(_REMOVAL_ORDER) if key_of(one) not in kept]
        if not self._check_mode:
            self._try(self._wanted)

    def present(self) -> Outcome:
        """Create what is missing, correct what differs, remove what is not wanted any more. Raises as ``prepare``."""
        if self._wanted is None:
            self.prepare()
        outcome = Outcome()
        self._owned.remove(self._unwanted, outcome)
        for one, found in self._wanted or ():
            self._put(one, found, outcome)
        return outcome

    def absent(self) -> Outcome:
        """Remove everything of ours. Raises ApiError."""
        outcome = Outcome()
        self._owned.remove(self._owned.of_kinds(_REMOVAL_ORDER), outcome)
        return outcome

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

    def _try(self, wanted: Sequence[tuple[Object, Object | None]]) -> None:
        trial = AccessTrial(self._client)
        for one in self._unwanted:
            trial.remove(one, partial(self._client.delete, self._owned.path(one), uid=_uid(one), dry_run=True))
        for one, found in wanted:
            if found is None or _replaced(one, found):
                trial.write(one, partial(self._create, one, dry_run=True), again=found is not None)
            elif _fields(found) != _fields(one):
                trial.write(one, partial(self._correct, one, found, dry_run=True))
            if found is not None and _replaced(one, found):
                trial.remove(one, partial(self._client.delete, self._owned.path(one), uid=_uid(found), dry_run=True))
        trial.check()

    def _put(self, wanted: Object, found: Object | None, outcome: Outcome) -> None:
        outcome.after[key_of(wanted)] = _fields(wanted)
        if found is None:
            if not self._check_mode:
                self._create(wanted)
            outcome.note(wanted, "created")
            return
        outcome.before[key_of(wanted)] = _fields(found)
        if _fields(found) == _fields(wanted):
            outcome.note(wanted, "unchanged")
            return
        if not self._check_mode and _replaced(wanted, found):
            self._owned.delete({**found, "kind": wanted["kind"]})
            self._create(wanted)
        elif not self._check_mode:
            self._correct(wanted, found)
        outcome.note(wanted, "changed")

    def _correct(self, wanted: Object, found: Object, *, dry_run: bool = False) -> None:
        guard = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
        self._client.patch(self._owned.path(wanted), {**_fields(wanted), "metadata": guard}, dry_run=dry_run)

    def _create(self, wanted: Object, *, dry_run: bool = False) -> None:
        path = collection_path(wanted["kind"], wanted["metadata"].get("namespace", ""))
        self._client.create(path, wanted, dry_run=dry_run)


def _replaced(wanted: Mapping[str, t.Any], found: Mapping[str, t.Any]) -> bool:
    """Whether it has to be made anew: the role of a binding cannot be changed."""
    return bool(found.get("roleRef") != wanted.get("roleRef"))


def _uid(found: Mapping[str, t.Any]) -> str:
    return str(found["metadata"]["uid"])


def _fields(obj: Mapping[str, t.Any]) -> Object:
    """What we decide about; an empty list and none are the same to the API."""
    return {key: obj[key] for key in _KEPT if obj.get(key) is not None}
