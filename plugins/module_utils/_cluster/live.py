# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads a cluster over its API: paged lists with raw JSON, only what checks need, once."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

CONFIG_MAPS = ("kubeadm-config", "cilium-config")
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager"
# what has to be allowed, for the sentence that says what was missing
_PERMISSIONS = {
    "nodes": "list nodes",
    "pods": "list pods in all namespaces",
    "daemonsets": "list daemonsets.apps in all namespaces",
    "configmaps": "get configmaps in namespace kube-system",
    "leases": "get leases.coordination.k8s.io in namespace kube-system",
}


def collect(client: KubeClient) -> ClusterState:
    """Read the cluster.

    What RBAC forbids (403) becomes ``unknown`` with the missing permission. Every other failure is raised as ApiError:
    half a picture that nobody forbade is no picture.
    """
    readers: dict[str, t.Callable[[], list[Object]]] = {
        "nodes": lambda: client.list("/api/v1/nodes"),
        "pods": lambda: client.list("/api/v1/pods"),
        "daemonsets": lambda: client.list("/apis/apps/v1/daemonsets"),
        "configmaps": lambda: _existing(
            client, [f"/api/v1/namespaces/kube-system/configmaps/{n}" for n in CONFIG_MAPS]
        ),
        "leases": lambda: _existing(client, [_LEASE]),
    }
    version = client.server_version()
    taken_at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    resources: dict[str, tuple[Object, ...]] = {}
    unknown: dict[str, str] = {}
    for resource, read in readers.items():
        try:
            resources[resource] = tuple(prune(resource, obj) for obj in read())
        except ApiError as error:
            if error.status != 403:
                raise
            words = error.server_message or str(error)
            unknown[resource] = f"the permission to {_PERMISSIONS[resource]} is missing ({words})"
    return ClusterState(taken_at=taken_at, server_version=version, resources=resources, unknown=unknown)


def _existing(client: KubeClient, object_paths: list[str]) -> list[Object]:
    found = (client.find(path) for path in object_paths)
    return [obj for obj in found if obj is not None]
