# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads the logs in which causes of trouble are named, and keeps only the lines that name one.

Permission: ``get`` of ``pods/log`` in kube-system and in the namespace of the CNI.
"""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import is_controller_manager
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.agent_json import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.log_patterns import matching
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError
from ansible_collections.podnet.upkeep.plugins.module_utils._plain_text import read_text

Object = dict[str, t.Any]
Pod = Mapping[str, t.Any]
# DaemonSet of a CNI -> its container that assigns addresses or waits for the podCIDR
_CNI_CONTAINERS: t.Final[Mapping[str, str]] = {
    "cilium": "cilium-agent",
    "anetd": "cilium-agent",
    "kube-flannel-ds": "kube-flannel",
    "kube-flannel": "kube-flannel",
    "calico-node": "calico-node",
    "canal": "calico-node",
    "kube-router": "kube-router",
    "aws-node": "aws-node",
    "kindnet": "kindnet-cni",
}
_SANDBOX = "FailedCreatePodSandBox"
_NODES = 10
_LINES_KEPT = 500
_LINE_LENGTH = 500
_BYTES_OF_A_LINE = 200
_REQUEST_SECONDS = 30.0


def pods_to_read(
    pods: Iterable[Pod],
    leases: Iterable[Mapping[str, t.Any]],
    events: Iterable[Mapping[str, t.Any]],
    since: datetime.datetime,
) -> list[tuple[Pod, str]]:
    """(pod, container) of what is worth reading, in the order of namespaces and names.

    That is: the controller-manager that leads (all of them when the Lease does not tell), every cilium-operator, and the
    CNI's pods of the Nodes that had most failures to create a sandbox after ``since``, at most ten.
    """
    nodes = _failing_nodes(events, since)
    leader = next((_holder(one) for one in leases if one["metadata"]["name"] == "kube-controller-manager"), "")
    managers: list[tuple[Pod, str]] = []
    chosen: list[tuple[Pod, str]] = []
    for pod in pods:
        if is_controller_manager(pod):
            managers.append((pod, "kube-controller-manager"))
        elif is_cilium_operator(pod):
            chosen.append((pod, "cilium-operator"))
        elif _node(pod) in nodes and (container := _cni_container(pod)):
            chosen.append((pod, container))
    leading = [one for one in managers if leader and _node(one[0]) == leader]
    found = [*(leading or managers), *chosen]
    return sorted(found, key=lambda one: (_namespace(one[0]), str(one[0]["metadata"]["name"])))


def is_cilium_operator(pod: Pod) -> bool:
    """Whether this is a pod of the cilium-operator (by its label, or by its name where labels were not kept)."""
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    return labels.get("io.cilium/app") == "operator" or str(metadata["name"]).startswith("cilium-operator-")


def _holder(lease: Mapping[str, t.Any]) -> str:
    """The Node of a leader: holderIdentity is its host name, "_" and a random id."""
    return str((lease.get("spec") or {}).get("holderIdentity") or "").rpartition("_")[0]


def _failing_nodes(events: Iterable[Mapping[str, t.Any]], since: datetime.datetime) -> set[str]:
    failures: Counter[str] = Counter()
    for event in events:
        when = moment(event.get("lastTimestamp") or event.get("firstTimestamp"))
        node = (event.get("source") or {}).get("host")
        if event.get("reason") == _SANDBOX and node and when is not None and when >= since:
            failures[str(node)] += int(event.get("count") or 1)
    worst = sorted(failures.items(), key=lambda one: (-one[1], one[0]))
    return {node for node, _count in worst[:_NODES]}


def _cni_container(pod: Pod) -> str:
    owners = pod["metadata"].get("ownerReferences") or ()
    names = [str(one.get("name")) for one in owners if one.get("kind") == "DaemonSet"]
    return next((_CNI_CONTAINERS[name] for name in names if name in _CNI_CONTAINERS), "")


def _node(pod: Pod) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def _namespace(pod: Pod) -> str:
    return str(pod["metadata"].get("namespace") or "default")


def collect_logs(
    client: KubeClient,
    pods: Iterable[tuple[Pod, str]],
    *,
    since_seconds: int = 3600,
    limit_bytes: int = 16 * 1024 * 1024,
    concurrency: int = 10,
) -> list[Object]:
    """The entries of the resource ``logs``, in the order of ``pods`` (see ``pods_to_read``) and of the lines.

    Of each container the newest lines of the last ``since_seconds``, at most ``limit_bytes`` (roughly) of them; of the
    lines that matter the newest 500. A container whose log cannot be read is one entry with ``error`` and no text.
    Raises ApiError 403 when the permission is missing.
    """
    asked = list(pods)
    if not asked:
        return []
    with ThreadPoolExecutor(max(1, min(concurrency, len(asked)))) as pool:
        futures = [pool.submit(_read, client, *one, since_seconds, limit_bytes) for one in asked]
        try:
            return [line for future in futures for line in future.result()]
        except ApiError:
            for future in futures:
                future.cancel()
            raise


def _read(client: KubeClient, pod: Pod, container: str, since_seconds: int, limit_bytes: int) -> list[Object]:
    name, namespace = str(pod["metadata"]["name"]), _namespace(pod)
    where = {"namespace": namespace, "pod": name, "container": container, "node": _node(pod)}
    # limitBytes alone would give the oldest lines of that time
    params = {
        "container": container,
        "timestamps": "true",
        "sinceSeconds": since_seconds,
        "tailLines": max(limit_bytes // _BYTES_OF_A_LINE, 1),
        "limitBytes": limit_bytes,
    }
    try:
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
        text, _cut = read_text(client, path, params, timeout=_REQUEST_SECONDS, limit_bytes=limit_bytes)
    except ApiError as error:
        if error.status == 403:
            raise
        return [{**where, "time": "", "text": "", "error": error.server_message or str(error)}]
    return [{**where, **line} for line in matching_lines(text)]


def matching_lines(text: str) -> list[Object]:
    """``time`` (empty without one) and ``text`` of the lines of a log that matter; the newest 500, in their order."""
    found = []
    for line in text.split("\n"):
        if line and matching(line) is not None:
            written, _space, rest = line.partition(" ")
            timed = moment(written) is not None
            found.append({"time": written if timed else "", "text": (rest if timed else line)[:_LINE_LENGTH]})
    return found[-_LINES_KEPT:]
