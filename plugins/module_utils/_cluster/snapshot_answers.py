# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a sysdump has besides objects: log lines, metrics, answers of agents, contents of the kvstore. All best effort.

A file of these that cannot be read takes nothing from the rest: it is passed over, or an entry with an error.
"""

from __future__ import annotations

import collections
import json
import re
import typing as t
from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_files import SnapshotFile
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import BadContent
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_answers import agent_entry
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import mapping, moment, objects, text
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_metrics import (
    AGENT,
    OPERATOR,
    WANTED_METRICS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.kvstore_status import summarize_keys
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_patterns import matching
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.prometheus_text import parse

Object = dict[str, t.Any]
LINES_KEPT = 2000
_LINE_LENGTH = 500
_LONGEST_LINE = 1 << 20
_LARGEST_ANSWER = 256 << 20
# containers of the pods whose logs a sysdump has, for when the pods are not known
_CONTAINERS = (
    *("cilium-agent", "cilium-operator", "config", "mount-cgroup", "apply-sysctl-overwrites", "mount-bpf-fs"),
    *("clean-cilium-state", "install-cni-binaries", "wait-for-node-init", "cilium-envoy", "hubble-relay", "apiserver"),
    *("kvstoremesh", "etcd", "aws-node", "node-init", "cilium-monitor", "wait-for-kube-proxy"),
)
_STATUS = re.compile(r"cilium(?:-dbg)?-status-.*-?o-json")
_ENDPOINTS = re.compile(r"cilium(?:-dbg)?-endpoint-list-.*-?o-json")
_CONFIG = re.compile(r"cilium(?:-dbg)?-config-.*-?o-json")
_DEBUG_INFO = re.compile(r"cilium(?:-dbg)?-debuginfo.*\.json$")


class PodsByName:
    """Pods of the network by name: names of files hold a pod's name and a container's, both with dashes."""

    def __init__(self, pods: Iterable[Mapping[str, t.Any]]) -> None:
        self._pods: dict[str, Mapping[str, t.Any]] = {}
        for pod in pods:
            # of equal names in two namespaces that of the system is meant
            name = pod["metadata"]["name"]
            if name not in self._pods or pod["metadata"].get("namespace") == "kube-system":
                self._pods[name] = pod

    def split(self, joined: str) -> tuple[str, str]:
        """(pod, container) of ``POD-CONTAINER``."""
        places = [match.start() for match in re.finditer("-", joined)]
        for place in reversed(places):
            if joined[:place] in self._pods:
                return joined[:place], joined[place + 1 :]
        for container in sorted(_CONTAINERS, key=len, reverse=True):
            if joined.endswith(f"-{container}"):
                return joined[: -len(container) - 1], container
        pod, _dash, container = joined.rpartition("-")
        return pod, container

    def namespace(self, pod: str) -> str:
        """Its namespace; empty when the pod is not known."""
        return str((self._pods.get(pod) or {"metadata": {}})["metadata"].get("namespace") or "")

    def node(self, pod: str) -> str:
        """Its Node; empty when the pod is not known."""
        return str(((self._pods.get(pod) or {}).get("spec") or {}).get("nodeName") or "")


def log_lines(file: SnapshotFile, joined: str, pods: PodsByName) -> Iterator[Object]:
    """Entries of ``logs``: the newest 2,000 lines that matter, in their order, and how many more there were."""
    pod, container = pods.split(joined)
    where = {"namespace": pods.namespace(pod), "pod": pod, "container": container, "node": pods.node(pod)}
    kept: collections.deque[Object] = collections.deque(maxlen=LINES_KEPT)
    count = 0
    try:
        with file.open() as stream:
            while line := stream.readline(_LONGEST_LINE):
                content = line.decode(errors="replace").rstrip()
                if content and matching(content) is not None:
                    count += 1
                    kept.append(_log_line(content))
    except BadContent as error:
        yield {**where, "time": "", "text": "", "error": str(error)}
    if count > LINES_KEPT:
        yield {**where, "time": "", "text": f"{count - LINES_KEPT} older lines of this log that matter are left out"}
    yield from ({**where, **line} for line in kept)


def _log_line(content: str) -> Object:
    written, _space, rest = content.partition(" ")
    timed = moment(written) is not None
    return {"time": written if timed else "", "text": (rest if timed else content)[:_LINE_LENGTH]}


def metrics(file: SnapshotFile, joined: str, pods: PodsByName) -> Object | None:
    """The entry of ``metrics``; None for a component that is neither the operator nor an agent."""
    pod, container = pods.split(joined)
    component = OPERATOR if "operator" in (container or pod) or "cilium-operator" in pod else AGENT
    if component == AGENT and container not in ("", "cilium-agent"):
        return None
    entry: Object = {"component": component, "pod": pod, "node": pods.node(pod), "samples": {}}
    try:
        entry["samples"] = parse(_content(file), WANTED_METRICS)
    except ValueError as error:
        entry["error"] = str(error)
    return entry


def _content(file: SnapshotFile) -> str:
    with file.open() as stream:
        data = stream.read(_LARGEST_ANSWER + 1)
    if len(data) > _LARGEST_ANSWER:
        raise BadContent("is larger than 256 MiB")
    return data.decode(errors="replace")


def _answer(file: SnapshotFile) -> t.Any:
    """The JSON of a command's output; it may stand in a Markdown block, and what went to stderr behind it."""
    written = _content(file)
    start = min((place for place in (written.find("{"), written.find("[")) if place >= 0), default=-1)
    if start < 0:
        raise BadContent("holds no JSON")
    try:
        return json.JSONDecoder().raw_decode(written, start)[0]
    except (ValueError, RecursionError) as error:
        raise BadContent("holds no JSON") from error


def agents(files: Mapping[str, list[SnapshotFile]], pods: PodsByName) -> list[Object]:
    """Entries of ``agents`` from {pod: its files of cilium-bugtool}: answers in JSON, and debuginfo, which holds both.

    A pod without any answer in JSON gives no entry: what it would have said is unknown.
    """
    found = []
    for pod, own in sorted(files.items()):
        answers: dict[str, t.Any] = {}
        error = ""
        for file in sorted(own, key=lambda one: one.name):
            try:
                _take(file, answers)
            except BadContent as problem:
                error = f"{file.base} {problem}"
        if answers or error:
            itself = text(mapping(mapping(answers.get("status")).get("cluster")).get("self"))
            node = pods.node(pod) or itself.rpartition("/")[2]
            found.append(agent_entry(node, pod, **answers, error="" if "status" in answers else error))
    return found


def _take(file: SnapshotFile, answers: dict[str, t.Any]) -> None:
    name = file.base
    for question, pattern in (("status", _STATUS), ("endpoints", _ENDPOINTS), ("config", _CONFIG)):
        if pattern.match(name):
            answers[question] = _answer(file)
            return
    if _DEBUG_INFO.match(name):
        information = mapping(_answer(file))
        if "cilium-status" in information:
            answers.setdefault("status", information["cilium-status"])
        if isinstance(information.get("endpoint-list"), list):
            answers.setdefault("endpoints", objects(information["endpoint-list"]))


def is_answer(base: str) -> bool:
    """Whether a file of cilium-bugtool holds an answer that ``agents`` reads."""
    return any(pattern.match(base) for pattern in (_STATUS, _ENDPOINTS, _CONFIG, _DEBUG_INFO))


def kvstore(file: SnapshotFile) -> list[Object]:
    """Entries of ``kvstore``: what the keys below one prefix say; none when the file does not tell.

    Only ``cilium kvstore get --recursive -o json`` writes such files: an object with a member for each key.
    """
    try:
        return summarize_keys(_answer(file))
    except BadContent:
        return []
