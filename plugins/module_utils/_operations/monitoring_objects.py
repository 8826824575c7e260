# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Applies and removes the objects of monitoring: by server-side apply with a field manager of our own, known by their labels.

An object of that name without our labels is somebody else's and is never touched. Whether anything would change is asked of
the API server itself (dry run), so its defaults count as ours and a second run changes nothing. Everything is tried before
anything is written: a cluster that refuses one object has none of them.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.manifests import (
    REMOVAL_ORDER,
    ObjectOptions,
    collection_path,
)

FIELD_MANAGER: t.Final = "podnet.upkeep"
Object = dict[str, t.Any]
# what the API server alone decides about
_SERVERS_OWN: t.Final = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


@dataclass
class MonitoringOutcome:
    """What was done, or in check mode would be. ``before`` and ``after`` have the objects that change."""

    actions: list[Object] = field(default_factory=list)
    before: dict[str, t.Any] = field(default_factory=dict)
    after: dict[str, t.Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return any(one["action"] != "unchanged" for one in self.actions)


class MonitoringObjects:
    """The objects of one instance of monitoring in one cluster."""

    def __init__(self, client: KubeClient, options: ObjectOptions, *, check_mode: bool = False) -> None:
        self._client = client
        self._options = options
        self._check_mode = check_mode

    def present(self, wanted: Sequence[Object]) -> MonitoringOutcome:
        """Create what is missing, correct what differs, remove what is not wanted any more.

        Raises InputError for a namespace or a kind that is not there, RefusedError for an object of somebody else, ApiError.
        """
        self._need_namespaces(wanted)
        existing = [self._client.find(_path(one)) for one in wanted]
        self._refuse_foreign(wanted, existing)
        tried = [self._apply(one, found, dry_run=True) for one, found in zip(wanted, existing, strict=True)]
        outcome = MonitoringOutcome()
        kept = {_key(one) for one in wanted}
        self._remove([one for one in self._ours() if _key(one) not in kept], outcome)
        for one, found, result in zip(wanted, existing, tried, strict=True):
            self._put(one, found, result, outcome)
        return outcome

    def absent(self) -> MonitoringOutcome:
        """Remove everything of ours. Raises ApiError."""
        outcome = MonitoringOutcome()
        self._remove(self._ours(), outcome)
        return outcome

    def _need_namespaces(self, wanted: Sequence[Object]) -> None:
        for namespace in sorted({one["metadata"]["namespace"] for one in wanted}):
            if self._client.find(f"/api/v1/namespaces/{namespace}") is None:
                raise InputError(f"namespace: there is no namespace '{namespace}'; create it or name another one.")

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

    def _ours(self) -> list[Object]:
        """Everything with our labels, in the order in which it is to be removed; of kinds that are served."""
        selector = ",".join(f"{key}={value}" for key, value in sorted(self._options.labels.items()))
        found = []
        for kind in REMOVAL_ORDER:
            try:
                listed = self._client.list(collection_path(kind), params={"labelSelector": selector})
            except ApiError as error:
                if error.status != 404:
                    raise
                continue
            found += [{**one, "kind": kind} for one in listed]
        return found

    def _apply(self, wanted: Object, found: Object | None, *, dry_run: bool) -> Object:
        # an object that was deleted and made again meanwhile is not the one that we looked at: 409
        guard = {"uid": found["metadata"]["uid"]} if found is not None else {}
        body = {**wanted, "metadata": {**wanted["metadata"], **guard}}
        params = {"fieldManager": FIELD_MANAGER, "force": True, "dryRun": "All" if dry_run else None}
        try:
            return self._client.request(
                "PATCH", _path(wanted), params=params, body=body, content_type="application/apply-patch+yaml"
            )
        except ApiError as error:
            if error.status == 404:
                raise InputError(
                    f"The cluster has no kind {wanted['kind']}; install prometheus-operator (monitoring.coreos.com/v1), or "
                    "write files instead of objects."
                ) from error
            raise

    def _put(self, wanted: Object, found: Object | None, tried: Object, outcome: MonitoringOutcome) -> None:
        if found is not None:
            if _decided(found) == _decided(tried):
                outcome.actions.append(_action(wanted, "unchanged"))
                return
            outcome.before[_key(wanted)] = _decided(found)
        outcome.after[_key(wanted)] = _decided(tried)
        if not self._check_mode:
            self._apply(wanted, found, dry_run=False)
        outcome.actions.append(_action(wanted, "created" if found is None else "changed"))

    def _remove(self, objects: Sequence[Object], outcome: MonitoringOutcome) -> None:
        for one in objects:
            outcome.before[_key(one)] = _decided(one)
            if not self._check_mode:
                try:
                    self._client.delete(_path(one), uid=one["metadata"]["uid"])
                except ApiError as error:
                    if error.status != 404:
                        raise
            outcome.actions.append(_action(one, "deleted"))


def _key(obj: Mapping[str, t.Any]) -> str:
    return f"{obj['kind']} {obj['metadata']['namespace']}/{obj['metadata']['name']}"


def _path(obj: Mapping[str, t.Any]) -> str:
    return f"{collection_path(obj['kind'], obj['metadata']['namespace'])}/{obj['metadata']['name']}"


def _decided(obj: Mapping[str, t.Any]) -> Object:
    """An object without what the API server alone decides about."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _SERVERS_OWN}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}


def _action(obj: Mapping[str, t.Any], action: str) -> Object:
    metadata = obj["metadata"]
    return {"kind": obj["kind"], "namespace": metadata["namespace"], "name": metadata["name"], "action": action}
