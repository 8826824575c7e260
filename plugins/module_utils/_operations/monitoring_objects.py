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

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._monitoring.manifests import (
    REMOVAL_ORDER,
    ObjectOptions,
    collection_path,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.owned_objects import (
    Object,
    Outcome,
    OwnedObjects,
    key_of,
)

FIELD_MANAGER: t.Final = "podnet.upkeep"
# what the API server alone decides about
_SERVERS_OWN: t.Final = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


class MonitoringObjects:
    """The objects of one instance of monitoring in one cluster."""

    def __init__(self, client: KubeClient, options: ObjectOptions, *, check_mode: bool = False) -> None:
        self._client = client
        self._check_mode = check_mode
        self._owned = OwnedObjects(client, options.labels, collection_path, _decided, check_mode=check_mode)

    def present(self, wanted: Sequence[Object]) -> Outcome:
        """Create what is missing, correct what differs, remove what is not wanted any more.

        Raises InputError for a namespace or a kind that is not there, RefusedError for an object of somebody else, ApiError.
        """
        self._need_namespaces(wanted)
        existing = self._owned.existing(wanted)
        tried = [self._apply(one, found, dry_run=True) for one, found in zip(wanted, existing, strict=True)]
        outcome = Outcome()
        kept = {key_of(one) for one in wanted}
        self._owned.remove([one for one in self._owned.of_kinds(REMOVAL_ORDER) if key_of(one) not in kept], outcome)
        for one, found, result in zip(wanted, existing, tried, strict=True):
            self._put(one, found, result, outcome)
        return outcome

    def absent(self) -> Outcome:
        """Remove everything of ours. Raises ApiError."""
        outcome = Outcome()
        self._owned.remove(self._owned.of_kinds(REMOVAL_ORDER), outcome)
        return outcome

    def _need_namespaces(self, wanted: Sequence[Object]) -> None:
        for namespace in sorted({one["metadata"]["namespace"] for one in wanted}):
            if self._client.find(f"/api/v1/namespaces/{namespace}") is None:
                raise InputError(f"namespace: there is no namespace '{namespace}'; create it or name another one.")

    def _apply(self, wanted: Object, found: Object | None, *, dry_run: bool) -> Object:
        # an object that was deleted and made again meanwhile is not the one that we looked at: 409
        guard = {"uid": found["metadata"]["uid"]} if found is not None else {}
        body = {**wanted, "metadata": {**wanted["metadata"], **guard}}
        params = {"fieldManager": FIELD_MANAGER, "force": True, "dryRun": "All" if dry_run else None}
        try:
            return self._client.request(
                "PATCH", self._owned.path(wanted), params=params, body=body, content_type="application/apply-patch+yaml"
            )
        except ApiError as error:
            if error.status == 404:
                raise InputError(
                    f"The cluster has no kind {wanted['kind']}; install prometheus-operator (monitoring.coreos.com/v1), or "
                    "write files instead of objects."
                ) from error
            raise

    def _put(self, wanted: Object, found: Object | None, tried: Object, outcome: Outcome) -> None:
        if found is not None:
            if _decided(found) == _decided(tried):
                outcome.note(wanted, "unchanged")
                return
            outcome.before[key_of(wanted)] = _decided(found)
        outcome.after[key_of(wanted)] = _decided(tried)
        if not self._check_mode:
            self._apply(wanted, found, dry_run=False)
        outcome.note(wanted, "created" if found is None else "changed")


def _decided(obj: Mapping[str, t.Any]) -> Object:
    """An object without what the API server alone decides about."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _SERVERS_OWN}
    return {**{key: value for key, value in obj.items() if key != "status"}, "metadata": metadata}
