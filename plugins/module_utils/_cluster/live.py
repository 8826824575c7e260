# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Reads a cluster over its API: paged lists with raw JSON, only what checks need, once."""

from __future__ import annotations

import datetime
import gc
import typing as t
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.extras import (
    read_agents,
    read_logs,
    with_hosts,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import collected, collecting
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import PERMISSIONS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import forget_texts
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import (
    EVENT_REASONS,
    NODE_CIDR_RESOURCES,
    RESOURCES,
    Resource,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.rows import Row, reduced
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

_PAGE_SIZE = 500
# the core of the API is everywhere; asking for it would cost a request for nothing
_ALWAYS_SERVED = ("", "apps", "coordination.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io")
# DaemonSets whose namespace may hold a ConfigMap or Deployment of theirs
_CNI_DAEMON_SETS = ("cilium", "anetd", "kube-flannel-ds", "kube-flannel")
# Two lists at once: one is parsed while the other is on its way. More would hold more whole pages in memory.
_LISTS_AT_ONCE = 2


@dataclass(frozen=True)
class LiveOptions:
    """What is read: which resources, what besides them, and where Cilium is when its DaemonSet does not tell."""

    resources: Collection[str] = tuple(RESOURCES)
    agents: bool = False
    agent_concurrency: int = 10
    logs: bool = False
    hosts: Sequence[Mapping[str, t.Any]] = ()
    cilium_namespace: str = ""


ONLY_NODE_CIDRS = LiveOptions(resources=NODE_CIDR_RESOURCES)


def collect(client: KubeClient, options: LiveOptions = ONLY_NODE_CIDRS) -> ClusterState:
    """Read the cluster.

    What RBAC forbids (403) becomes ``unknown`` with the missing permission; what the cluster does not serve is
    ``absent``. Every other failure is raised as ApiError: half a picture that nobody forbade is no picture.
    """
    version = client.server_version()
    taken_at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    reader = _Reader(client, _served(client, options.resources), options.cilium_namespace)
    asked = [RESOURCES[name] for name in RESOURCES if name in options.resources]
    with _without_cycle_collection(), ThreadPoolExecutor(_LISTS_AT_ONCE) as pool:
        # the namespaces of the CNI are known from its DaemonSets
        first = [one for one in asked if one.name == "daemonsets"]
        reader.read_all(pool, first)
        reader.read_all(pool, [one for one in asked if one not in first])
    state = ClusterState(
        taken_at=taken_at,
        server_version=version,
        resources={one.name: reader.resources[one.name] for one in asked if one.name in reader.resources},
        unknown=reader.unknown,
        absent=frozenset(reader.absent),
        origin=f"API of {client.host}",
    )
    if options.agents:
        state = read_agents(client, state, options.agent_concurrency)
    if options.logs:
        state = read_logs(client, state)
    return with_hosts(state, options.hosts)


@contextmanager
def _without_cycle_collection() -> Iterator[None]:
    """Objects of the API are trees: looking for cycles among a million of them, again and again, finds nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        forget_texts()
        if was_on:
            gc.enable()


def _served(client: KubeClient, wanted: Collection[str]) -> Mapping[str, frozenset[str]] | None:
    """{group: its versions}; None when discovery is forbidden, and not asked when every group is part of the core."""
    if all(RESOURCES[name].group in _ALWAYS_SERVED for name in wanted):
        return None
    try:
        groups = client.get("/apis").get("groups") or ()
    except ApiError as error:
        if error.status != 403:
            raise
        return None
    return {
        str(group.get("name")): frozenset(str(one.get("version")) for one in group.get("versions") or ())
        for group in groups
    }


class _Reader:
    def __init__(self, client: KubeClient, served: Mapping[str, frozenset[str]] | None, cilium_namespace: str) -> None:
        self._client = client
        self._served = served
        self._cilium_namespace = cilium_namespace
        self.resources: dict[str, Sequence[Object]] = {}
        self.unknown: dict[str, str] = {}
        self.absent: set[str] = set()

    def read_all(self, pool: ThreadPoolExecutor, kinds: Sequence[Resource]) -> None:
        """Read these, some at a time; the first failure that is no missing permission is raised."""
        for _done in pool.map(self._read, kinds):
            pass

    def _read(self, kind: Resource) -> None:
        for version in self._versions(kind):
            try:
                self.resources[kind.name] = self._objects(kind, version)
                return
            except ApiError as error:
                if error.status == 404 and not kind.names:
                    continue  # the group is served, this kind of it is not
                if error.status != 403:
                    raise
                words = error.server_message or str(error)
                sentence = PERMISSIONS[kind.name].sentence
                self.unknown[kind.name] = f"the permission to {sentence} is missing ({words})"
                return
        self.resources[kind.name] = ()
        self.absent.add(kind.name)

    def _versions(self, kind: Resource) -> Sequence[str]:
        if self._served is None or kind.group in _ALWAYS_SERVED:
            return kind.versions
        return [version for version in kind.versions if version in self._served.get(kind.group, ())]

    def _objects(self, kind: Resource, version: str) -> Sequence[Object]:
        if kind.names:
            places = self._namespaces() if kind.namespaced and not kind.namespace else [kind.namespace]
            paths = [f"{kind.path(version, place)}/{name}" for place in places for name in kind.names]
            return tuple(prune(kind.name, obj) for path in paths if (obj := self._client.find(path)) is not None)
        if kind.name == "events":
            return tuple(obj for reason in EVENT_REASONS for obj in self._list(kind, version, f"reason={reason}"))
        return self._list(kind, version)

    def _namespaces(self) -> list[str]:
        """kube-system, and where the CNI has its objects."""
        found = {"kube-system", self._cilium_namespace or "kube-system"}
        for one in self.resources.get("daemonsets", ()):
            if name_of(one) in _CNI_DAEMON_SETS:
                found.add(str(one["metadata"].get("namespace") or "kube-system"))
        return sorted(found)

    def _list(self, kind: Resource, version: str, selector: str = "") -> Sequence[Object]:
        path = kind.path(version)
        try:
            return self._whole(kind.name, path, selector)
        except ApiError as error:
            if error.status != 410:
                raise
        # the continue token expired half way: once more from the start, as one consistent picture
        return self._whole(kind.name, path, selector)

    def _whole(self, resource: str, path: str, selector: str) -> Sequence[Object]:
        found = collecting(resource)
        found.take(self._pages(resource, path, selector))
        return collected(found)

    def _pages(self, resource: str, path: str, selector: str) -> Iterator[Row | Object]:
        """Pruned objects, page by page: of a hundred thousand pods only one page is ever held whole."""
        token = ""
        chosen = {"fieldSelector": selector} if selector else {}
        while True:
            page = self._client.get(path, {"limit": _PAGE_SIZE, **chosen, **({"continue": token} if token else {})})
            items = page.get("items") or []
            token = str((page.get("metadata") or {}).get("continue") or "")
            items.reverse()
            while items:  # each whole object goes as soon as its part is taken
                yield reduced(resource, items.pop())
            if not token:
                return
