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
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.extras import (
    read_agents,
    read_logs,
    with_hosts,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.list_pages import (
    KindReading,
    Listing,
    next_job,
    read_page,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import PERMISSIONS
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_parts import forget_texts
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.readers import (
    Readers,
    ReadersLostError,
    Said,
    readers,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import (
    NODE_CIDR_RESOURCES,
    RESOURCES,
    Resource,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import ClusterState, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError

# the core of the API is everywhere; asking for it would cost a request for nothing
_ALWAYS_SERVED = ("", "apps", "coordination.k8s.io", "rbac.authorization.k8s.io", "storage.k8s.io")
# DaemonSets whose namespace may hold a ConfigMap or Deployment of theirs
_CNI_DAEMON_SETS = ("cilium", "anetd", "kube-flannel-ds", "kube-flannel")
# An identity that is in use is not to be taken for unused because its pod is younger than the picture: these lists begin
# when the first page of that one is there.
_BEFORE: t.Final = "ciliumidentities"
_BEHIND: t.Final = ("ciliumendpointslices", "ciliumendpoints", "pods")


@dataclass(frozen=True)
class LiveOptions:
    """What is read: which resources, what besides them, and where Cilium is when its DaemonSet does not tell.

    ``metrics`` are those of the cilium-operator, and only where ``agents`` are asked.
    """

    resources: Collection[str] = tuple(RESOURCES)
    agents: bool = False
    metrics: bool = True
    agent_concurrency: int = 10
    logs: bool = False
    hosts: Sequence[Mapping[str, t.Any]] = ()
    cilium_namespace: str = ""
    # whether lists may be read by processes of our own; only for who has no threads, or forking is unsafe
    processes: bool = False


ONLY_NODE_CIDRS = LiveOptions(resources=NODE_CIDR_RESOURCES)


def collect(client: KubeClient, options: LiveOptions = ONLY_NODE_CIDRS) -> ClusterState:
    """Read the cluster.

    What RBAC forbids (403) becomes ``unknown`` with the missing permission; what the cluster does not serve is
    ``absent``. Every other failure is raised as ApiError: half a picture that nobody forbade is no picture.
    """
    version = client.server_version()
    taken_at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    reader = _Reader(client, _served(client, options.resources), options)
    asked = [RESOURCES[name] for name in RESOURCES if name in options.resources]
    with _without_cycle_collection():
        reader.read(asked)
    state = ClusterState(
        taken_at=taken_at,
        server_version=version,
        resources={one.name: reader.resources[one.name] for one in asked if one.name in reader.resources},
        unknown={one.name: reader.unknown[one.name] for one in asked if one.name in reader.unknown},
        absent=frozenset(reader.absent),
        origin=f"API of {client.host}",
    )
    if options.agents:
        state = read_agents(client, state, options.agent_concurrency, metrics=options.metrics)
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
    def __init__(self, client: KubeClient, served: Mapping[str, frozenset[str]] | None, options: LiveOptions) -> None:
        self._client = client
        self._served = served
        self._options = options
        self.resources: dict[str, Sequence[Object]] = {}
        self.unknown: dict[str, str] = {}
        self.absent: set[str] = set()

    def read(self, asked: Sequence[Resource]) -> None:
        """Read these; the first failure that is no missing permission is raised."""
        client = self._client
        fresh = (lambda: partial(read_page, client.reconnected())) if self._options.processes else None
        try:
            self._read(asked, readers(partial(read_page, client), fresh))
        except ReadersLostError:
            self.resources, self.unknown, self.absent = {}, {}, set()
            self._read(asked, readers(partial(read_page, client)))

    def _read(self, asked: Sequence[Resource], workers: Readers) -> None:
        lists: dict[str, KindReading] = {}
        for kind in asked:
            if not kind.names:
                first = lists.get(_BEFORE) if kind.name in _BEHIND else None
                lists[kind.name] = KindReading(kind, self._versions(kind), partial(_has_answer, first))
        # the namespaces of the CNI, in which some objects are looked up by name, are known from its DaemonSets
        named = [kind for kind in asked if kind.names]
        given: dict[int, tuple[KindReading, Listing, int, int]] = {}
        number = 0
        try:
            while True:
                while workers.is_free() and (chosen := next_job(lists.values())) is not None:
                    number += 1
                    reading, listing, (start, page, job) = chosen
                    given[number] = reading, listing, start, page
                    workers.give(number, job)
                if named and ("daemonsets" not in lists or lists["daemonsets"].finished):
                    self._take(lists, "daemonsets")
                    for kind in named:
                        self._look_up(kind)
                    named = []
                if not given:
                    break
                self._hear(workers.next(), given, workers.apart)
        finally:
            workers.close()
        for name in lists:
            self._take(lists, name)

    def _hear(self, said: Said, given: dict[int, tuple[KindReading, Listing, int, int]], apart: bool) -> None:
        reading, listing, start, page = given[said.number]
        if said.done:
            del given[said.number]
        if said.error is not None and not isinstance(said.error, ApiError):
            raise said.error
        if said.error is not None:
            listing.failed(start, said.error)
        elif not said.done:
            listing.said(start, page, said.value, apart)
        if listing in reading.listings:
            reading.look()

    def _take(self, lists: Mapping[str, KindReading], name: str) -> None:
        one = lists.get(name)
        if one is None:
            return
        if one.refused is not None:
            self._refused(one.kind, one.refused)
            return
        self.resources[name] = () if one.found is None else one.found
        if one.found is None:
            self.absent.add(name)

    def _refused(self, kind: Resource, error: ApiError) -> None:
        words = error.server_message or str(error)
        sentence = PERMISSIONS[kind.name].sentence
        self.unknown[kind.name] = f"the permission to {sentence} is missing ({words})"

    def _look_up(self, kind: Resource) -> None:
        """Find objects by their names."""
        try:
            for version in self._versions(kind):
                places = self._namespaces() if kind.namespaced and not kind.namespace else [kind.namespace]
                paths = [f"{kind.path(version, place)}/{name}" for place in places for name in kind.names]
                found = (self._client.find(path) for path in paths)
                self.resources[kind.name] = tuple(prune(kind.name, obj) for obj in found if obj is not None)
                return
        except ApiError as error:
            if error.status != 403:
                raise
            self._refused(kind, error)
            return
        self.resources[kind.name] = ()
        self.absent.add(kind.name)

    def _versions(self, kind: Resource) -> Sequence[str]:
        if self._served is None or kind.group in _ALWAYS_SERVED:
            return kind.versions
        return [version for version in kind.versions if version in self._served.get(kind.group, ())]

    def _namespaces(self) -> list[str]:
        """kube-system, and where the CNI has its objects."""
        found = {"kube-system", self._options.cilium_namespace or "kube-system"}
        for one in self.resources.get("daemonsets", ()):
            if name_of(one) in _CNI_DAEMON_SETS:
                found.add(str(one["metadata"].get("namespace") or "kube-system"))
        return sorted(found)


def _has_answer(reading: KindReading | None) -> bool:
    return reading is None or reading.answered
