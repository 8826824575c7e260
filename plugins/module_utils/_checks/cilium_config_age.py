# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of what runs against what is configured: pods older than cilium-config, and versions that are mixed."""

from __future__ import annotations

import datetime
import typing as t
from collections import Counter
from collections.abc import Iterator, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_versions import image_release, image_version
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment

_OPERATOR = "cilium-operator"
_MOST_SHOWN = 10


class _Change(t.NamedTuple):
    """The last time that anybody but the operator changed cilium-config."""

    time: datetime.datetime
    manager: str


def check_age(context: Context) -> Iterator[Finding]:
    """Agents and operators that started before the last change of cilium-config: they run with older values.

    A program reads its configuration when it starts; an agent's is resolved once for the life of its pod.
    """
    change = _last_change(context.cilium.config_map)
    if change is None:
        return
    agents = sorted(context.cilium.agents_by_node.items())
    older = [(node, pod) for node, pod in agents if _is_older(pod, change)]
    if older:
        listed = [{"node": node, "pod": name_of(pod), "created": _created(pod)} for node, pod in older[:_MOST_SHOWN]]
        yield Finding(
            "cilium-config-newer-than-agents",
            Subject("DaemonSet", "cilium", context.cilium.namespace),
            f"{len(older)} of {len(agents)} agents started before cilium-config was changed at {_written(change)}",
            {"changed": _written(change), "by": change.manager, "count": len(older), "agents": listed},
        )
    # where the container of an operator was restarted, when is not known: it may have read the change
    operators = [pod for pod in operator_pods(context) if not (pod.get("status") or {}).get("restarts")]
    behind = [pod for pod in operators if _is_older(pod, change)]
    if behind:
        pods = [{"pod": name_of(pod), "created": _created(pod)} for pod in behind]
        yield Finding(
            "cilium-config-newer-than-operator",
            Subject("Deployment", _OPERATOR, context.cilium.namespace),
            f"{', '.join(name_of(pod) for pod in behind[:3])} started before cilium-config was changed at {_written(change)}",
            {"changed": _written(change), "by": change.manager, "operators": pods[:_MOST_SHOWN]},
        )


def operator_pods(context: Context) -> list[Object]:
    """Pods of the operator that are not finished, by their labels."""
    found = []
    for pod in context.state.marked_pods:
        labels = pod["metadata"].get("labels") or {}
        if labels.get("io.cilium/app") == "operator" or labels.get("name") == _OPERATOR:
            in_place = pod["metadata"].get("namespace") == context.cilium.namespace
            if in_place and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                found.append(pod)
    return sorted(found, key=name_of)


def _last_change(config_map: Object | None) -> _Change | None:
    if config_map is None:
        return None
    metadata = config_map["metadata"]
    times = [
        _Change(time, str(one.get("manager") or ""))
        for one in metadata.get("managedFields") or ()
        if not str(one.get("manager") or "").startswith(_OPERATOR) and (time := moment(one.get("time"))) is not None
    ]
    if times:
        return max(times)
    created = moment(metadata.get("creationTimestamp"))
    return None if created is None else _Change(created, "")


def _created(pod: Object) -> str:
    return str(pod["metadata"].get("creationTimestamp") or "")


def _is_older(pod: Object, change: _Change) -> bool:
    created = moment(_created(pod))
    return created is not None and created < change.time


def _written(change: _Change) -> str:
    return change.time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_versions(context: Context) -> Iterator[Finding]:
    """Agents of several versions, and an operator of another release than the agents."""
    by_image: dict[str, list[str]] = {}
    for node, pod in sorted(context.cilium.agents_by_node.items()):
        image = _image(pod, "cilium-agent")
        if image:
            by_image.setdefault(image, []).append(node)
    releases = Counter({image: len(nodes) for image, nodes in by_image.items()})
    if len(by_image) > 1:
        shown = ", ".join(f"{image_release(image)} on {count}" for image, count in releases.most_common(4))
        yield Finding(
            "cilium-agent-versions-mixed",
            Subject("DaemonSet", "cilium", context.cilium.namespace),
            f"Agents run {len(by_image)} images: {shown} Nodes",
            {"images": {image: _sample(nodes) for image, nodes in sorted(by_image.items())}},
        )
    agents = {version[:2] for image in by_image if (version := image_version(image)) is not None}
    operators = {_image(pod, _OPERATOR) for pod in operator_pods(context)} - {""}
    for image in sorted(operators):
        version = image_version(image)
        if version is not None and agents and version[:2] not in agents:
            named = " and ".join(f"{major}.{minor}" for major, minor in sorted(agents))
            yield Finding(
                "cilium-operator-version-differs",
                Subject("Deployment", _OPERATOR, context.cilium.namespace),
                f"The operator is of release {version[0]}.{version[1]}, the agents are of {named}",
                {"operator": image, "agents": sorted(by_image)[:_MOST_SHOWN]},
            )


def _image(pod: Object, container: str) -> str:
    containers = (pod.get("spec") or {}).get("containers") or ()
    named = [str(one.get("image") or "") for one in containers if str(one.get("name") or "").startswith(container)]
    return named[0] if named else ""


def _sample(nodes: Sequence[str]) -> dict[str, t.Any]:
    return {"count": len(nodes), "nodes": list(nodes[:_MOST_SHOWN])}
