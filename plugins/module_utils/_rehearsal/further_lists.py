# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a rehearsal needs beyond what an audit reads: disruption budgets, workloads, and where pods may be.

It stands in a saved state as resources of its own, so that one file serves audits and rehearsals. Secrets, environment
variables, commands and images are never kept.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_files import SnapshotFile, opened
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_objects import is_kubernetes, objects
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.snapshot_stream import head_of
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

# name in a saved state -> (path of the collection, kind)
LISTS: t.Final[Mapping[str, tuple[str, str]]] = {
    "rehearsal-budgets": ("/apis/policy/v1/poddisruptionbudgets", "PodDisruptionBudget"),
    "rehearsal-deployments": ("/apis/apps/v1/deployments", "Deployment"),
    "rehearsal-replicasets": ("/apis/apps/v1/replicasets", "ReplicaSet"),
    "rehearsal-statefulsets": ("/apis/apps/v1/statefulsets", "StatefulSet"),
    "rehearsal-daemonsets": ("/apis/apps/v1/daemonsets", "DaemonSet"),
    "rehearsal-pods": ("/api/v1/pods", "Pod"),
    "rehearsal-nodes": ("/api/v1/nodes", "Node"),
}
BUDGETS: t.Final = "rehearsal-budgets"
_SKIPPED: t.Final = re.compile(r"secret|\.(html|log|md|png|gz\.tmp)$", re.IGNORECASE)
_PLACE: t.Final = (
    *("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "hostNetwork", "restartPolicy"),
    "terminationGracePeriodSeconds",
)
_SPEC: t.Final = (
    "replicas",
    "selector",
    "strategy",
    "updateStrategy",
    "serviceName",
    "podManagementPolicy",
    "ordinals",
)
_BUDGET: t.Final = ("minAvailable", "maxUnavailable", "selector", "unhealthyPodEvictionPolicy")


def kept(resource: str, obj: Mapping[str, t.Any]) -> Object:
    """The part of an object of one of ``LISTS`` that is kept; what was reduced before stays as it is."""
    source = obj.get("metadata") or {}
    metadata = {key: source[key] for key in ("name", "namespace", "uid", "creationTimestamp") if key in source}
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if resource == "rehearsal-pods":
        ready = [one.get("status") == "True" for one in status.get("conditions") or () if one.get("type") == "Ready"]
        # of YAML the conditions are not read
        said = {"ready": ready[0]} if ready else {key: obj[key] for key in ("ready",) if key in obj}
        return {"metadata": metadata, "spec": place_of(spec), **said}
    if resource == "rehearsal-nodes":
        amounts = {key: dict(status.get(key) or {}) for key in ("capacity", "allocatable")}
        return {"metadata": metadata, "status": amounts}
    if source.get("labels"):
        metadata["labels"] = dict(source["labels"])
    if resource == BUDGETS:
        return {"metadata": metadata, "spec": {key: spec[key] for key in _BUDGET if key in spec}}
    owners = [_owner(one) for one in source.get("ownerReferences") or ()]
    if owners:
        metadata["ownerReferences"] = owners
    template = spec.get("template") or {}
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    made = {key: spec[key] for key in _SPEC if key in spec}
    return {
        "metadata": metadata,
        "spec": {**made, "template": {"metadata": {"labels": labels}, "spec": place_of(template.get("spec") or {})}},
    }


def _owner(owner: Mapping[str, t.Any]) -> Object:
    return {key: owner[key] for key in ("apiVersion", "kind", "name", "uid", "controller") if key in owner}


def place_of(spec: Mapping[str, t.Any]) -> Object:
    """Of the spec of a pod what decides where it may be and how it may be removed; nothing of what it does."""
    made: Object = {key: spec[key] for key in _PLACE if spec.get(key) not in (None, [], {})}
    made["containers"] = [
        {"name": str(one.get("name") or f"c{number}"), "resources": {"requests": requests} if requests else {}}
        for number, one in enumerate(spec.get("containers") or ())
        for requests in [dict((one.get("resources") or {}).get("requests") or {})]
    ]
    volumes = spec.get("volumes") or ()
    emptied = [{"name": str(one.get("name")), "emptyDir": {}} for one in volumes if "emptyDir" in one]
    if emptied:
        made["volumes"] = emptied
    # what was reduced before says so itself
    claims = spec.get("claims") or sum(1 for one in volumes if "persistentVolumeClaim" in one or "ephemeral" in one)
    if claims:
        made["claims"] = claims
    return made


def read_live(client: KubeClient, state: ClusterState) -> ClusterState:
    """The state with ``LISTS``; what the credentials may not list is unknown. Raises ApiError for all other failures."""
    resources, unknown = dict(state.resources), dict(state.unknown)
    for name, (path, _kind) in LISTS.items():
        try:
            resources[name] = tuple(kept(name, one) for one in client.list(path))
        except ApiError as error:
            if error.status != 403:
                raise
            unknown[name] = f"the permission to list {path.rpartition('/')[2]} is missing"
    return dataclasses.replace(state, resources=resources, unknown=unknown)


def read_files(path: str, kind: str, state: ClusterState) -> ClusterState:
    """The state with what is in files of ``kubectl get -o json|yaml`` or of a sysdump, in a folder, zip or tar file.

    Raises BadContent for a file that is broken, OSError.
    """
    kinds = {one: name for name, (_path, one) in LISTS.items()}
    found: dict[str, list[Object]] = {}

    def seen(kind_of_object: str, obj: Object) -> None:
        name = kinds.get(kind_of_object)
        if name is not None and isinstance(obj.get("metadata"), dict):
            found.setdefault(name, []).append(kept(name, obj))

    with opened(path, kind) as files:
        for file in sorted(files, key=lambda one: (one.order, one.name)):
            if not _SKIPPED.search(file.base) and _has_objects(file):
                for _found in objects(file, seen=seen):
                    continue
    resources = {**state.resources, **{name: tuple(ours) for name, ours in found.items()}}
    return dataclasses.replace(state, resources=resources)


def _has_objects(file: SnapshotFile) -> bool:
    with file.open() as stream:
        return is_kubernetes(head_of(stream))
