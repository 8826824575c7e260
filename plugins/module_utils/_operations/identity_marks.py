# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The mark that Cilium's own protocol puts on an identity before it is deleted.

The operator marks an identity that nobody seems to use with the annotation ``io.cilium.heartbeat``, and deletes it a
timeout later with the resourceVersion of the mark. The protection of a user is in the agents (AcquireReference of
pkg/k8s/identitybackend/identity.go): one that begins to use an identity looks for the mark in its cache, and removes it
before it goes on; each agent does so again for all identities that it holds in every identity-allocation-sync-interval
(syncLocalKeys of pkg/allocator/allocator.go). Removing it makes a new resourceVersion, so the deletion fails. An identity
without a mark has no such protection: an agent that takes it up writes nothing. So we never delete one, but mark it, and
wait for longer than that interval. Who deleted it directly, with whatever resourceVersion, could cut off a pod.
"""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import HEARTBEAT
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

#: What the API server calls this collection as a writer: the first part of its User-Agent.
MANAGER = "podnet.upkeep"
_FIELD = f"f:{HEARTBEAT}"


def mark_of(identity: Mapping[str, t.Any]) -> str | None:
    """The text of the mark; None without one."""
    found = ((identity.get("metadata") or {}).get("annotations") or {}).get(HEARTBEAT)
    return None if found is None else str(found)


def _owners(identity: Mapping[str, t.Any]) -> Iterator[Mapping[str, t.Any]]:
    """Entries of managedFields that say who wrote the mark, and when."""
    for entry in (identity.get("metadata") or {}).get("managedFields") or ():
        annotations = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
        if _FIELD in annotations:
            yield entry


def without_foreign_fields(identity: Mapping[str, t.Any]) -> JsonObject:
    """The identity without what managedFields say of anything else than its mark: there are 65,000 of them."""
    metadata = {**identity["metadata"]}
    metadata.pop("managedFields", None)
    owners = list(_owners(identity))
    return {**identity, "metadata": {**metadata, "managedFields": owners} if owners else metadata}


def marked_since(identity: Mapping[str, t.Any]) -> datetime.datetime | None:
    """Since when the mark is certainly there, by the API server's clock; None without one, or where nothing proves it.

    The text of the mark is what somebody wrote by his own clock, and objects can be restored from copies. The API server
    dates each writer's last change itself, in managedFields. The later of both counts.
    """
    if mark_of(identity) is None:
        return None
    written = [moment(one.get("time")) for one in _owners(identity)]
    if not written or None in written:
        return None
    times = [one for one in (*written, moment(mark_of(identity))) if one is not None]
    return max(times)


def is_ours(identity: Mapping[str, t.Any]) -> bool:
    """Whether this collection has set the mark."""
    return mark_of(identity) is not None and any(one.get("manager") == MANAGER for one in _owners(identity))


def mark(client: KubeClient, path: str, identity: Mapping[str, t.Any], now: datetime.datetime) -> JsonObject | str:
    """Mark exactly this version of the identity: the marked object, or why it was not marked.

    Raises ApiError for what is neither a conflict nor an absence.
    """
    text = now.astimezone(datetime.timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return _write(client, path, identity, text)


def unmark(client: KubeClient, path: str, identity: Mapping[str, t.Any]) -> JsonObject | str:
    """Take the mark away from exactly this version of the identity, as an agent does. Returns and raises as ``mark``."""
    return _write(client, path, identity, None)


def _write(client: KubeClient, path: str, identity: Mapping[str, t.Any], text: str | None) -> JsonObject | str:
    metadata = identity["metadata"]
    guards = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    try:
        return client.patch(path, {"metadata": {**guards, "annotations": {HEARTBEAT: text}}})
    except ApiError as error:
        if error.status == 404:
            return "it is gone already"
        if error.status == 409:
            return "it was changed since the plan, so somebody uses it"
        if error.status != 0 and error.status < 500:
            raise
        found = client.find(path)  # nobody knows whether the write came through: look
        if found is None:
            return "it is gone already"
        if found["metadata"]["uid"] == metadata["uid"] and mark_of(found) == text:
            return found
        raise
