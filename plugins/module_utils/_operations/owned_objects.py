# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Objects that this collection installs, and knows again by their labels.

An object that bears the name but not our labels is somebody else's and is never touched. Only what is still the same object
(uid) is removed. How a kind is written, and what of it we decide about, is for those who install it to say.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, RefusedError

Object = dict[str, t.Any]
Fields = Callable[[Mapping[str, t.Any]], Object]


@dataclass
class Outcome:
    """What was done, or in check mode would be. ``before`` and ``after`` hold by name what we decide about."""

    actions: list[Object] = field(default_factory=list)
    before: Object = field(default_factory=dict)
    after: Object = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return any(one["action"] != "unchanged" for one in self.actions)

    def to_result(self) -> Object:
        """As modules return it."""
        return {
            "changed": self.changed,
            "objects": self.actions,
            "diff": {"before": self.before, "after": self.after},
        }

    def note(self, obj: Mapping[str, t.Any], action: str) -> None:
        """Add what was done to an object: created, changed, deleted or unchanged."""
        metadata = obj["metadata"]
        named = {"kind": obj["kind"], "namespace": metadata.get("namespace", ""), "name": metadata["name"]}
        self.actions.append({**named, "action": action})


def merged(outcomes: Iterable[Outcome]) -> Outcome:
    """One outcome for several."""
    whole = Outcome()
    for one in outcomes:
        whole.actions += one.actions
        whole.before |= one.before
        whole.after |= one.after
    return whole


def key_of(obj: Mapping[str, t.Any]) -> str:
    """An object in words: kind, namespace if it has one, name."""
    metadata = obj["metadata"]
    return f"{obj['kind']} {metadata['namespace'] + '/' if metadata.get('namespace') else ''}{metadata['name']}"


class OwnedObjects:
    """Objects with these ``labels`` in one cluster.

    ``collection_path`` gives the API path of a kind in a namespace, or in all for an empty one; ``fields`` what we decide
    about of an object.
    """

    def __init__(
        self,
        client: KubeClient,
        labels: Mapping[str, str],
        collection_path: Callable[[str, str], str],
        fields: Fields,
        *,
        check_mode: bool,
    ) -> None:
        self._client = client
        self._labels = labels
        self._collection_path = collection_path
        self._fields = fields
        self._check_mode = check_mode

    def path(self, obj: Mapping[str, t.Any]) -> str:
        """API path of an object."""
        metadata = obj["metadata"]
        return f"{self._collection_path(obj['kind'], metadata.get('namespace', ''))}/{metadata['name']}"

    def existing(self, wanted: Sequence[Mapping[str, t.Any]]) -> list[Object | None]:
        """The objects of these names as they are, None for each that is not there.

        Raises RefusedError when one is somebody else's, with all of those in its reasons; ApiError.
        """
        found = [self._client.find(self.path(one)) for one in wanted]
        reasons = [
            f"{key_of(one)} exists and is not of this collection (its labels say so); choose another name, or delete it."
            for one, there in zip(wanted, found, strict=True)
            if there is not None and not self.is_ours(there)
        ]
        if reasons:
            raise RefusedError(reasons[0], reasons)
        return found

    def is_ours(self, found: Mapping[str, t.Any]) -> bool:
        """Whether an object has all of our labels."""
        labels = found["metadata"].get("labels") or {}
        return all(labels.get(key) == value for key, value in self._labels.items())

    def of_kinds(self, kinds: Iterable[str]) -> list[Object]:
        """Everything with our labels, in the order of the kinds; a kind that is not served has none. Raises ApiError."""
        selector = ",".join(f"{key}={value}" for key, value in sorted(self._labels.items()))
        found: list[Object] = []
        for kind in kinds:
            try:
                listed = self._client.list(self._collection_path(kind, ""), params={"labelSelector": selector})
            except ApiError as error:
                if error.status != 404:
                    raise
                continue
            found += [{**one, "kind": kind} for one in listed]
        return found

    def remove(self, objects: Iterable[Mapping[str, t.Any]], outcome: Outcome) -> None:
        """Delete objects that were found, each only while it is the same. Raises ApiError."""
        for one in objects:
            outcome.before[key_of(one)] = self._fields(one)
            self.delete(one)
            outcome.note(one, "deleted")

    def delete(self, found: Mapping[str, t.Any]) -> None:
        """Delete an object; that it is gone already is fine. Raises ApiError."""
        if self._check_mode:
            return
        try:
            self._client.delete(self.path(found), uid=found["metadata"]["uid"])
        except ApiError as error:
            if error.status != 404:
                raise
