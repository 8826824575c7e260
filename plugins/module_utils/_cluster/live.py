# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads a cluster over its API: paged lists with raw JSON, only what checks need, once."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import (
    CONFIG_MAPS,
    LEASES,
    PERMISSIONS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

_PAGE_SIZE = 500
_LISTS = {"nodes": "/api/v1/nodes", "pods": "/api/v1/pods", "daemonsets": "/apis/apps/v1/daemonsets"}
_OBJECTS = {
    "configmaps": tuple(f"/api/v1/namespaces/kube-system/configmaps/{name}" for name in CONFIG_MAPS),
    "leases": tuple(f"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{name}" for name in LEASES),
}


def collect(client: KubeClient) -> ClusterState:
    """Read the cluster.

    What RBAC forbids (403) becomes ``unknown`` with the missing permission. Every other failure is raised as ApiError:
    half a picture that nobody forbade is no picture.
    """
    version = client.server_version()
    taken_at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    resources: dict[str, tuple[Object, ...]] = {}
    unknown: dict[str, str] = {}
    for resource, permission in PERMISSIONS.items():
        try:
            resources[resource] = tuple(_read(client, resource))
        except ApiError as error:
            if error.status != 403:
                raise
            words = error.server_message or str(error)
            unknown[resource] = f"the permission to {permission.sentence} is missing ({words})"
    return ClusterState(taken_at=taken_at, server_version=version, resources=resources, unknown=unknown)


def _read(client: KubeClient, resource: str) -> list[Object]:
    if resource in _OBJECTS:
        found = (client.find(path) for path in _OBJECTS[resource])
        return [prune(resource, obj) for obj in found if obj is not None]
    try:
        return list(_pages(client, resource))
    except ApiError as error:
        if error.status != 410:
            raise
    # the continue token expired half way: once more from the start, as one consistent picture
    return list(_pages(client, resource))


def _pages(client: KubeClient, resource: str) -> Iterator[Object]:
    """Pruned objects, page by page: of a hundred thousand pods only one page is ever held whole."""
    token = ""
    while True:
        page = client.get(_LISTS[resource], {"limit": _PAGE_SIZE, **({"continue": token} if token else {})})
        for obj in page.get("items") or ():
            yield prune(resource, obj)
        token = str((page.get("metadata") or {}).get("continue") or "")
        if not token:
            return
