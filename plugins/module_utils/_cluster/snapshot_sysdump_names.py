# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The files of ``cilium sysdump`` by their names, which are the same from cilium-cli 0.15 to today.

Sources: cilium-cli v0.15.20 sysdump/constants.go, cilium/cilium main cilium-cli/sysdump/constants.go.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_answers import is_answer
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_files import SnapshotFile

_TIME = r"(?P<time>\d{8}-\d{6})"
_STAMPED = re.compile(rf"(?P<stem>.+)-{_TIME}(?P<rest>-prev)?\.(?P<ext>yaml|txt|json|log)$")
_BUGTOOL = re.compile(rf"(?:^|/)cilium-bugtool-(?P<pod>.+)-{_TIME}/(?:.*/)?cmd/[^/]+$")
_KVSTORE = re.compile(r"kvstore-(?P<kind>identities|ips|nodes|cnpstatuses|heartbeat|services)\.json$")
# cilium-cli before 0.16: metrics of the operator have this name and are no YAML
_OLD_METRICS = re.compile(r"cilium-operator-pod-(?P<pod>.+)-metrics$")
LOG = "cilium-sysdump.log"
# stem of a file -> the resources in it
LISTS: dict[str, tuple[str, ...]] = {
    "k8s-nodes": ("nodes",),
    "cilium-daemonset": ("daemonsets",),
    "aws-node-daemonset": ("daemonsets",),
    "cilium-envoy-daemonset": ("daemonsets",),
    "cilium-node-init-daemonset": ("daemonsets",),
    "cilium-configmap": ("configmaps",),
    "k8s-leases": ("leases", "nodeleases"),
    "ciliumidentities": ("ciliumidentities",),
    "ciliumendpointslices": ("ciliumendpointslices",),
    "ciliumendpoints": ("ciliumendpoints",),
    "k8s-pods": ("pods",),
    "k8s-namespaces": ("namespaces",),
    "cilium-operator-deployment": ("deployments",),
    "k8s-events": ("events",),
    "ciliumnodes": ("ciliumnodes",),
    "ciliumnodeconfigs": ("ciliumnodeconfigs",),
    "ciliumpodippools": ("ciliumpodippools",),
    "k8s-networkpolicies": ("networkpolicies",),
    "ciliumnetworkpolicies": ("ciliumnetworkpolicies",),
    "ciliumclusterwidenetworkpolicies": ("ciliumclusterwidenetworkpolicies",),
}
# what each resource is looked for in; the first name is the one to tell a reader
STEMS: Mapping[str, str] = {resource: stem for stem, resources in reversed(LISTS.items()) for resource in resources} | {
    "daemonsets": "cilium-daemonset"
}


@dataclass
class Sysdump:
    """The files of one sysdump by what is in them; ``folder`` is where they are, ``time`` is that of their names."""

    folder: str
    time: str
    lists: list[tuple[str, SnapshotFile]] = field(default_factory=list)
    version: SnapshotFile | None = None
    log: SnapshotFile | None = None
    logs: list[tuple[str, SnapshotFile]] = field(default_factory=list)
    metrics: list[tuple[str, SnapshotFile]] = field(default_factory=list)
    bugtool: dict[str, list[SnapshotFile]] = field(default_factory=dict)
    has_bugtool: bool = False
    kvstore: list[tuple[str, SnapshotFile]] = field(default_factory=list)
    others: list[SnapshotFile] = field(default_factory=list)


def found_in(files: Iterable[SnapshotFile]) -> list[Sysdump]:
    """The sysdumps among these files, wherever they are; several when there are several times or folders."""
    all_files = list(files)
    marks = {
        (file.folder, match["time"])
        for file in all_files
        if (match := _STAMPED.match(file.base)) and match["stem"] in LISTS and match["ext"] == "yaml"
    }
    dumps = [Sysdump(folder, time) for folder, time in sorted(marks)]
    for dump in dumps:
        for file in all_files:
            _sort(dump, file)
    return dumps


def _sort(dump: Sysdump, file: SnapshotFile) -> None:
    prefix = f"{dump.folder}/" if dump.folder else ""
    if not file.name.startswith(prefix):
        return
    inside = file.name[len(prefix) :]
    if "/" in inside:
        bugtool = _BUGTOOL.search(inside)
        if bugtool:
            dump.has_bugtool = True
            if is_answer(file.base):
                dump.bugtool.setdefault(bugtool["pod"], []).append(file)
        return
    kvstore = _KVSTORE.match(inside)
    stamped = _STAMPED.match(inside)
    if kvstore:
        dump.kvstore.append((kvstore["kind"], file))
    elif inside == LOG:
        dump.log = file
    elif stamped is None:
        dump.others.append(file)
    elif stamped["time"] == dump.time:
        _sort_stamped(dump, file, stamped)


def _sort_stamped(dump: Sysdump, file: SnapshotFile, name: re.Match[str]) -> None:
    stem, extension = name["stem"], name["ext"]
    old_metrics = _OLD_METRICS.match(stem)
    if stem in LISTS and extension == "yaml":
        dump.lists.append((stem, file))
    elif stem == "k8s-version":
        dump.version = file
    elif stem.startswith("logs-") and extension == "log":
        dump.logs.append((stem.removeprefix("logs-"), file))
    elif stem.startswith("metrics-") and extension == "txt":
        dump.metrics.append((stem.removeprefix("metrics-"), file))
    elif old_metrics:
        dump.metrics.append((f"{old_metrics['pod']}-cilium-operator", file))


def kind_of(stem: str) -> str:
    """The kind of the objects in a list."""
    return RESOURCES[LISTS[stem][0]].kind


_NOT_SERVED = re.compile(r"could not find the requested resource \(get (?P<plural>[a-z0-9]+)\.(?P<group>[a-z0-9.-]+)\)")
_FORBIDDEN = re.compile(r"(?P<plural>[a-z0-9]+)(?:\.(?P<group>[a-z0-9.-]+))? is forbidden: (?P<words>.*)")
_TOLD = re.compile(r"cilium-cli version: (?P<version>[^\s,]+), args: \[(?P<arguments>.*)\]")


@dataclass
class ToldByLog:
    """What the log of a sysdump says: the version of cilium-cli, whether it was quick, what could not be collected."""

    version: str = ""
    quick: bool = False
    absent: set[str] = field(default_factory=set)
    forbidden: dict[str, str] = field(default_factory=dict)


def told_by(lines: Iterable[str]) -> ToldByLog:
    """Read the lines of ``cilium-sysdump.log``."""
    told = ToldByLog()
    for line in lines:
        if match := _TOLD.search(line):
            told.version = match["version"]
            told.quick = re.search(r"--quick(?:=true)?(?:\s|$)", match["arguments"]) is not None
        elif match := _NOT_SERVED.search(line):
            told.absent |= _resources(match["plural"], match["group"])
        elif match := _FORBIDDEN.search(line):
            for resource in _resources(match["plural"], match["group"] or ""):
                told.forbidden[resource] = " ".join(match["words"].split())
    return told


def _resources(plural: str, group: t.Any) -> set[str]:
    return {one.name for one in RESOURCES.values() if (one.plural or one.name) == plural and one.group == group}
