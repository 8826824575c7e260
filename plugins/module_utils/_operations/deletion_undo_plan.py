# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What of a journal can be brought back now, and why the rest cannot: each kind has its own rules.

A rule looks at the cluster once and then judges any number of entries. An entry that it lets pass is taken as restored, so
that two entries never get what only one can have.
"""

from __future__ import annotations

import copy
import ipaddress
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import Network
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletable_kinds import KINDS, restorable
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_candidate import (
    DELETED,
    FINALIZING,
    PLANNED,
    UNKNOWN,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.deletion_journal import Entry, JournalContent

_HEARTBEAT = "io.cilium.heartbeat"
#: Outcomes after which the object may be gone by our hand.
_OURS = (DELETED, FINALIZING, PLANNED, UNKNOWN)
_OF_SERVER = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
_OF_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds", "finalizers")
PRESENT = "present"


@dataclass(frozen=True)
class Restoration:
    """One object to create again: where to POST it, where it is then, and what."""

    entry: Entry
    collection: str
    path: str
    body: JsonObject

    @property
    def words(self) -> str:
        """Kind and name."""
        return f"{self.entry.kind} {self.body['metadata']['name']}"


@dataclass
class UndoPlan:
    """``restore``: to create; ``present``: there already as they were; ``kept``: left out, each with the reason."""

    restore: list[Restoration] = field(default_factory=list)
    present: list[Entry] = field(default_factory=list)
    kept: list[tuple[Entry, str]] = field(default_factory=list)


class Rule(t.Protocol):
    """Judges entries of one kind by one look at the cluster."""

    def judge(self, entry: Entry) -> str:
        """Empty to create it, ``PRESENT``, or a sentence that says why it stays away."""


def make_undo_plan(client: KubeClient, content: JournalContent, names: Iterable[str] = ()) -> UndoPlan:
    """What to do with each entry of the journal; with ``names``, only with objects of these names. Raises ApiError."""
    wanted = frozenset(names)
    entries = [one for one in content.entries.values() if not wanted or name_of(one) in wanted]
    # where two share their labels, agents take the one that was made first
    entries.sort(key=lambda one: str((one.object.get("metadata") or {}).get("creationTimestamp") or ""))
    return judge(client, entries)


def judge(client: KubeClient, entries: Iterable[Entry]) -> UndoPlan:
    """The plan of these entries by a fresh look. Raises ApiError."""
    plan, rules = UndoPlan(), {}
    for entry in entries:
        may, why = restorable(entry.kind)
        if entry.outcome not in _OURS:
            plan.kept.append((entry, f"The run did not delete it ({entry.outcome})."))
            continue
        if not may:
            plan.kept.append((entry, why))
            continue
        if entry.kind not in rules:
            rules[entry.kind] = _RULES[entry.kind](client)
        verdict = rules[entry.kind].judge(entry)
        if not verdict:
            plan.restore.append(restoration_of(entry))
        elif verdict == PRESENT:
            plan.present.append(entry)
        else:
            plan.kept.append((entry, verdict))
    return plan


def restoration_of(entry: Entry) -> Restoration:
    """The object as it is sent: what the server or a deletion wrote is left out, and the mark of a dead identity too."""
    kind = KINDS[entry.kind]
    metadata = {
        key: value
        for key, value in entry.object["metadata"].items()
        if key not in _OF_SERVER and key not in _OF_DELETION
    }
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != _HEARTBEAT}
    metadata.pop("annotations", None)
    if annotations:
        metadata["annotations"] = annotations
    body = {
        "apiVersion": entry.object.get("apiVersion") or "/".join(kind.group_path.split("/")[2:]),
        "kind": entry.kind,
        "metadata": metadata,
        **{
            key: value for key, value in entry.object.items() if key not in ("apiVersion", "kind", "metadata", "status")
        },
    }
    namespace = str(metadata.get("namespace") or "")
    name = str(metadata["name"])
    return Restoration(entry, kind.collection(namespace), kind.path(name, namespace), copy.deepcopy(body))


def name_of(entry: Entry) -> str:
    """Name of the object."""
    return str((entry.object.get("metadata") or {}).get("name") or "")


def same_content(found: Mapping[str, t.Any], wanted: Mapping[str, t.Any]) -> bool:
    """Whether an object that is there has what the journal's object has, apart from metadata and status."""
    keys = (set(found) | set(wanted)) - {"apiVersion", "kind", "metadata", "status"}
    return all(found.get(key) == wanted.get(key) for key in keys)


class _IdentityRule:
    """A number is never given away twice, and labels that another number serves are not served twice."""

    def __init__(self, client: KubeClient) -> None:
        found = client.list(KINDS["CiliumIdentity"].collection())
        self._by_name = {str(one["metadata"]["name"]): one for one in found}
        self._by_labels = {_labels(one): name for name, one in self._by_name.items()}

    def judge(self, entry: Entry) -> str:
        name, labels = name_of(entry), _labels(entry.object)
        found = self._by_name.get(name)
        if found is not None and found["metadata"].get("deletionTimestamp"):
            return f"CiliumIdentity {name} is still being deleted; undo it again when it is gone."
        if found is not None and _labels(found) == labels:
            return PRESENT
        if found is not None:
            return f"The number {name} was taken for other labels meanwhile."
        if labels in self._by_labels:
            return f"Its labels are served by CiliumIdentity {self._by_labels[labels]} already, which pods take now."
        self._by_name[name] = entry.object
        self._by_labels[labels] = name
        return ""


class _CiliumNodeRule:
    """It comes back only to the very Node that owned it, and only while its blocks are nobody else's."""

    def __init__(self, client: KubeClient) -> None:
        self._nodes = {
            str(one["metadata"]["name"]): str(one["metadata"]["uid"]) for one in client.list("/api/v1/nodes")
        }
        self._found = {str(one["metadata"]["name"]): one for one in client.list(KINDS["CiliumNode"].collection())}

    def judge(self, entry: Entry) -> str:
        name = name_of(entry)
        found = self._found.get(name)
        if found is not None:
            if _blocks(found) == _blocks(entry.object):
                return PRESENT
            return f"There is another CiliumNode {name} by now; the agent of its Node keeps it."
        owners = [
            (str(one.get("name")), str(one.get("uid")))
            for one in entry.object["metadata"].get("ownerReferences") or []
            if one.get("kind") == "Node"
        ]
        if not owners:
            return f"CiliumNode {name} was owned by no Node; the agent of its Node creates it when it needs it."
        for owner, uid in owners:
            if self._nodes.get(owner) != uid:
                return (
                    f"Node {owner} with uid {uid}, which owned CiliumNode {name}, is gone; the agent of a new Node creates "
                    "its own."
                )
        for block in _blocks(entry.object):
            for other, obj in self._found.items():
                if any(_overlap(block, one) for one in _blocks(obj)):
                    return f"Its block {block} belongs to CiliumNode {other} now."
        self._found[name] = entry.object
        return ""


_RULES: dict[str, t.Callable[[KubeClient], Rule]] = {"CiliumIdentity": _IdentityRule, "CiliumNode": _CiliumNodeRule}


def _labels(obj: Mapping[str, t.Any]) -> frozenset[tuple[str, str]]:
    return frozenset((str(key), str(value)) for key, value in (obj.get("security-labels") or {}).items())


def _blocks(obj: Mapping[str, t.Any]) -> frozenset[Network]:
    return frozenset(_networks(((obj.get("spec") or {}).get("ipam")) or {}))


def _networks(ipam: Mapping[str, t.Any]) -> Iterator[Network]:
    texts = list(ipam.get("podCIDRs") or [])
    for pool in (ipam.get("pools") or {}).get("allocated") or []:
        texts += pool.get("cidrs") or []
    for text in texts:
        try:
            yield ipaddress.ip_network(str(text), strict=False)
        except ValueError:
            continue


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(t.cast(t.Any, other))
