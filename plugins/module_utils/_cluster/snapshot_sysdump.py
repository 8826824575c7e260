# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads a cilium sysdump into a ClusterState."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import snapshot_answers
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_collected import Collected
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_files import SnapshotFile
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_sysdump_names import (
    STEMS,
    Sysdump,
    ToldByLog,
    kind_of,
    told_by,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_time import skew_of, start_of_sysdump
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState

# of a line; and of all of cilium-sysdump.log
_LONGEST_LINE = 1 << 16
_MOST_LINES = 100_000
_VERSION = re.compile(r'GitVersion:"([^"]+)"')

# reads one file of objects into what was collected; raises InputError, naming the file
ReadFile = Callable[[Collected, SnapshotFile, str], bool]


def read(dump: Sysdump, read_file: ReadFile) -> ClusterState:
    """The state of a sysdump. ``read_file`` reads one file of objects and names it where it is broken."""
    collected = Collected()
    told = told_by(_lines(dump.log)) if dump.log is not None else ToldByLog()
    for stem, file in sorted(dump.lists, key=lambda one: one[1].order):
        read_file(collected, file, kind_of(stem))
    # what somebody put beside: kubectl get csinodes -o json, for a sysdump has none
    for file in dump.others:
        read_file(collected, file, "")
    if dump.version is not None:
        match = _VERSION.search("".join(_lines(dump.version)))
        collected.server_version = match[1] if match else collected.server_version
    _read_answers(dump, collected)
    collected.absent |= {resource for resource in told.absent if resource not in collected.resources}
    written = [file.modified for _stem, file in dump.lists if file.modified is not None]
    taken_at = start_of_sysdump(dump.time, [collected.newest, max(written, default=None)])
    if taken_at is None:
        raise BadContent(f"has the time {dump.time} in its names, which is none")
    quick = told.quick or not (dump.has_bugtool or dump.logs or dump.metrics)
    details = [*(["quick"] if quick else []), *([f"by cilium-cli {told.version}"] if told.version else [])]
    origin = f"cilium sysdump of {taken_at.isoformat()}" + (f" ({', '.join(details)})" if details else "")
    return collected.state(taken_at, origin, skew_of(taken_at, collected.newest), _reasons(dump, told, collected))


def _lines(file: SnapshotFile) -> Iterator[str]:
    try:
        with file.open() as stream:
            for _number in range(_MOST_LINES):
                line = stream.readline(_LONGEST_LINE)
                if not line:
                    return
                yield line.decode(errors="replace")
    except BadContent:
        return  # it only explains; what it would have said stays unknown


def _in_order(files: Iterable[tuple[str, SnapshotFile]]) -> list[tuple[str, SnapshotFile]]:
    return sorted(files, key=lambda one: (one[1].order, one[1].name))


def _read_answers(dump: Sysdump, collected: Collected) -> None:
    pods = snapshot_answers.PodsByName(collected.resources.get("pods", ()))
    if dump.logs:
        lines = (snapshot_answers.log_lines(file, joined, pods) for joined, file in _in_order(dump.logs))
        collected.resources["logs"] = [line for found in lines for line in found]
    if dump.metrics:
        entries = (snapshot_answers.metrics(file, joined, pods) for joined, file in _in_order(dump.metrics))
        collected.resources["metrics"] = [entry for entry in entries if entry is not None]
    agents = snapshot_answers.agents(dump.bugtool, pods)
    if agents:
        collected.resources["agents"] = agents
    keys = [
        one for _kind, file in sorted(dump.kvstore, key=lambda one: one[0]) for one in snapshot_answers.kvstore(file)
    ]
    if keys:
        collected.resources["kvstore"] = keys


def _reasons(dump: Sysdump, told: ToldByLog, collected: Collected) -> dict[str, str]:
    """Why resources are unknown that the sysdump does not have."""
    found = {}
    for resource in RESOURCES:
        if resource in told.forbidden:
            found[resource] = f"cilium sysdump was not allowed to read them ({told.forbidden[resource]})"
        elif resource in STEMS:
            found[resource] = f"the sysdump has no file {STEMS[resource]}-*"
        else:
            found[resource] = "cilium sysdump does not collect them"
    found["logs"] = "the sysdump has no file logs-*"
    found["metrics"] = "the sysdump has no file metrics-*"
    found["agents"] = (
        "the sysdump has no answer of an agent in JSON"
        if dump.has_bugtool
        else "the sysdump has no folder cilium-bugtool-*"
    )
    config = next((one for one in collected.resources.get("configmaps", ()) if _name(one) == "cilium-config"), None)
    if config is not None and (config.get("data") or {}).get("kvstore") == "etcd":
        found["kvstore"] = "the sysdump has no file kvstore-*.json"
    return found


def _name(obj: dict[str, dict[str, str]]) -> str:
    return obj["metadata"]["name"]
