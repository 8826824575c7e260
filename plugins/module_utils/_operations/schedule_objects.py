# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Creates, corrects and removes the objects of a schedule.

What differs is found by the API server itself: our fields are patched in a dry run, and the answer is compared with the
object as it is. So defaults that the server adds are no difference, and what it would refuse is refused in check mode too.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.owned_objects import (
    Object,
    Outcome,
    OwnedObjects,
    key_of,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.schedule_manifests import (
    ScheduleOptions,
    collection_path,
    manifests,
)

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,42}[a-z0-9])?")
#: The API server makes names of Jobs and pods out of that of a CronJob, which may have 52 characters; ours has suffixes.
_KEPT: t.Final = ("data", "spec")


def check(options: ScheduleOptions, *, present: bool) -> None:
    """Raises InputError for what cannot be scheduled."""
    if not _NAME.fullmatch(options.name):
        raise InputError(
            f"name: '{options.name}' cannot be the name of a schedule; use 1 to 44 lower-case letters, digits and inner hyphens."
        )
    if not present:
        return
    if not options.image or options.image != options.image.strip():
        raise InputError(
            f"image: '{options.image}' is no image; name an execution environment that has this collection, such as "
            "registry.example.com/podnet-upkeep-ee:0.1.0."
        )
    if len(options.schedule.split()) != 5 and not options.schedule.startswith("@"):
        raise InputError(
            f"schedule: '{options.schedule}' has not the five fields of cron; give one such as '15 3 * * *'."
        )
    for name, value, least in (
        ("starting_deadline_seconds", options.starting_deadline_seconds, 10),
        ("active_deadline_seconds", options.active_deadline_seconds, 30),
        ("successful_jobs_kept", options.successful_jobs_kept, 0),
        ("failed_jobs_kept", options.failed_jobs_kept, 0),
        ("run_as_user", options.run_as_user, 1),
    ):
        if value < least:
            raise InputError(f"{name}: {value} is too little; give {least} or more.")


class Schedule:
    """The objects of one schedule in one cluster."""

    def __init__(self, client: KubeClient, options: ScheduleOptions, *, check_mode: bool = False) -> None:
        """Nothing is sent yet."""
        self._client = client
        self._options = options
        self._check_mode = check_mode
        self._owned = OwnedObjects(client, options.labels, collection_path, _fields, check_mode=check_mode)

    def present(self) -> Outcome:
        """Create what is missing and correct what differs.

        Raises InputError for a namespace that is not there, RefusedError for an object of somebody else, ApiError.
        """
        namespace = self._options.namespace
        if self._client.find(f"/api/v1/namespaces/{namespace}") is None:
            raise InputError(f"namespace: there is no namespace '{namespace}'; create it or name another one.")
        wanted = manifests(self._options)
        outcome = Outcome()
        for one, found in zip(wanted, self._owned.existing(wanted), strict=True):
            self._put(one, found, outcome)
        return outcome

    def absent(self) -> Outcome:
        """Remove what is ours, the CronJob first. Jobs that run are ended with it. Raises ApiError."""
        outcome = Outcome()
        for one in reversed(manifests(self._options)):
            found = self._client.find(self._owned.path(one))
            if found is not None and self._owned.is_ours(found):
                self._owned.remove([{**found, "kind": one["kind"]}], outcome)
        return outcome

    def _put(self, wanted: Object, found: Object | None, outcome: Outcome) -> None:
        if found is None:
            folder = collection_path(wanted["kind"], self._options.namespace)
            made = self._client.create(folder, wanted, dry_run=self._check_mode)
            outcome.after[key_of(wanted)] = _fields(made)
            outcome.note(wanted, "created")
            return
        guard = {key: found["metadata"][key] for key in ("uid", "resourceVersion")}
        patch = {**wanted, "metadata": {**wanted["metadata"], **guard}}
        would_be = self._client.patch(self._owned.path(wanted), patch, dry_run=True)
        outcome.before[key_of(wanted)] = _fields(found)
        outcome.after[key_of(wanted)] = _fields(would_be)
        if _fields(found) == _fields(would_be):
            outcome.note(wanted, "unchanged")
            return
        if not self._check_mode:
            self._client.patch(self._owned.path(wanted), patch)
        outcome.note(wanted, "changed")


def _fields(obj: Mapping[str, t.Any]) -> Object:
    """What we decide about, as the server has it."""
    return {"labels": obj["metadata"].get("labels"), **{key: obj[key] for key in _KEPT if obj.get(key) is not None}}
