# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The history of a cluster, read from files: results of audits, saved states and sysdumps, metrics of Prometheus."""

from __future__ import annotations

import datetime
import json
import os
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity import cluster_uid, usage_document
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.comparison import fault
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.settings import AuditSettings
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.usage_history import (
    History,
    Usage,
    taken_at,
    usages_of_document,
    usages_of_query,
    usages_of_text,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

_REMEDY = (
    "give results or saved states of podnet.upkeep.audit_info, its metrics with times, an answer of Prometheus to query_range, or a "
    "folder of them"
)
_ENDINGS = (".json", ".json.gz", ".gz", ".prom", ".txt", ".metrics", ".zip", ".tar", ".tgz")
_BINARY = (b"\x1f\x8b", b"PK\x03\x04")
_LARGEST_TEXT = 1 << 30


@dataclass
class HistoryFiles:
    """What was read. ``sources`` says of each file what it gave; ``nodes`` and ``clusters`` tell clusters apart."""

    history: History = field(default_factory=History)
    sources: list[dict[str, t.Any]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, frozenset[str]] = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)

    def take(self, name: str, kind: str, found: Mapping[float, Mapping[str, Usage]]) -> None:
        """Add the points of one file."""
        for time, usages in found.items():
            self.history.add(time, usages, name)
        times = sorted(found)
        first, last = (_iso(times[0]), _iso(times[-1])) if times else ("", "")
        self.sources.append({"name": name, "kind": kind, "points": len(times), "first": first, "last": last})


def read(paths: Sequence[str], settings: AuditSettings) -> HistoryFiles:
    """Everything in these files and folders. Raises InputError naming the file that cannot be used.

    In a folder, files of other kinds (reports, for example) are skipped and named in ``skipped``.
    """
    found = HistoryFiles()
    for path in paths:
        name = os.path.abspath(os.path.expanduser(path))
        if os.path.isdir(name):
            _read_folder(found, name, settings)
        else:
            _read_file(found, name, settings)
    return found


def _read_folder(found: HistoryFiles, folder: str, settings: AuditSettings) -> None:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise InputError(f"history: {folder} cannot be read: {error.strerror or error}; {_REMEDY}.") from error
    before = len(found.sources)
    for one in names:
        name = os.path.join(folder, one)
        if not one.startswith(".") and os.path.isfile(name) and one.lower().endswith(_ENDINGS):
            try:
                _read_file(found, name, settings)
            except InputError as error:
                found.skipped[name] = str(error)
    if len(found.sources) == before:
        why = next(iter(found.skipped.values()), "")
        raise InputError(f"history: the folder {folder} has nothing that can be used; {why or _REMEDY + '.'}")


def _read_file(found: HistoryFiles, name: str, settings: AuditSettings) -> None:
    try:
        with open(name, "rb") as file:
            head = file.read(4096)
            packed = head.startswith(_BINARY) or _is_state(head)
            text = "" if packed else (head + file.read(_LARGEST_TEXT)).decode("utf-8", "replace")
    except OSError as error:
        raise InputError(f"history: {name} cannot be read: {error.strerror or error}; {_REMEDY}.") from error
    if not head.strip():
        raise InputError(f"history: {name} is empty; {_REMEDY}.")
    try:
        if not text:
            _take_state(found, name, settings)
        elif text.lstrip().startswith("{") and not text.lstrip().startswith("{__name__"):
            _take_json(found, name, text, settings)
        else:
            _take(found, name, "metrics", usages_of_text(text))
    except (ValueError, RecursionError) as error:
        raise InputError(f"history: {name} cannot be used: {error}; {_REMEDY}.") from error


def _is_state(head: bytes) -> bool:
    return head.lstrip().startswith(b"{") and b'"format"' in head and b'"taken_at"' in head


def _take(found: HistoryFiles, name: str, kind: str, points: Mapping[float, Mapping[str, Usage]]) -> None:
    if not any(points.values()):
        raise ValueError("it has nothing that a forecast is made of")
    found.take(name, kind, points)


def _take_json(found: HistoryFiles, name: str, text: str, settings: AuditSettings) -> None:
    content = json.loads(text)
    if isinstance(content, dict) and "resources" in content and "format" in content:
        _take_state(found, name, settings)
        return
    if isinstance(content, dict) and "data" in content and "status" in content:
        _take(found, name, "Prometheus", usages_of_query(content))
        return
    if words := fault(content):
        raise ValueError(f"it is not the result of an audit ({words})")
    _take_document(found, name, "audit", content)


def _take_state(found: HistoryFiles, name: str, settings: AuditSettings) -> None:
    try:
        context = Context(snapshot.load(name), settings)
    except InputError as error:
        raise InputError(str(error).replace("snapshot:", "history:", 1)) from error
    _take_document(found, name, "state", usage_document(context))
    found.clusters[name] = cluster_uid(context)


def _take_document(found: HistoryFiles, name: str, kind: str, document: Mapping[str, t.Any]) -> None:
    time = taken_at(document)
    if time is None:
        raise ValueError(f"its taken_at is no time: {document.get('taken_at')!r}")
    _take(found, name, kind, {time: usages_of_document(document)})
    nodes = document.get("nodes")
    rows = nodes if isinstance(nodes, list) else []
    found.nodes[name] = frozenset(str(one.get("name")) for one in rows if isinstance(one, dict))


def require_same_cluster(found: HistoryFiles, uid: str, nodes: frozenset[str]) -> None:
    """Raises InputError for a file that is of another cluster than the present state, as far as that can be told.

    By the uid of the namespace kube-system, where both tell it; else a cluster that has no Node of these any more is another.
    """
    for name, other in found.clusters.items():
        if uid and other and uid != other:
            raise InputError(
                f"history: {name} is of another cluster: its namespace kube-system has the uid {other}, here it is {uid}; take it out."
            )
    for name, others in found.nodes.items():
        if nodes and others and not nodes & others and not (uid and found.clusters.get(name)):
            raise InputError(
                f"history: {name} has no Node in common with the present state, so it is of another cluster; take it out."
            )


def _iso(seconds: float) -> str:
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds")
    except (OverflowError, OSError, ValueError) as error:
        raise ValueError(f"{seconds:g} is no time") from error
