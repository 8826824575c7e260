# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What identities are judged by, read anew as often as somebody is about to delete one."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.identity_view import IdentityView, view_of
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning import prune
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.pruning_pods import is_agent, prune_pod
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import condition
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_marks import without_foreign_fields
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.waiting import Clock
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.watched_lists import Collected, WatchedLists

#: Few and small: looked up each time. What these say about Cilium decides how the rest is understood.
_SETTINGS = ("daemonsets", "configmaps", "leases", "deployments", "clusterroles", "ciliumnodeconfigs")
_WATCHED = ("ciliumidentities", "ciliumendpointslices", "ciliumendpoints", "pods", "namespaces", "nodes")


def _pod(obj: Mapping[str, t.Any]) -> JsonObject:
    """As an audit keeps it, and of an agent whether it is Ready."""
    kept = prune_pod(obj)
    if is_agent(obj):
        kept["status"]["ready"] = condition(obj, "Ready") == "True"
    return kept


def _keep(resource: str) -> t.Callable[[JsonObject], JsonObject]:
    if resource == "ciliumidentities":
        return without_foreign_fields
    if resource == "pods":
        return _pod
    return lambda obj: prune(resource, obj)


class IdentityPicture:
    """Cilium's settings, its identities, and all that may use one. ``context`` is of the last ``refresh``."""

    def __init__(
        self,
        client: KubeClient,
        *,
        cilium_namespace: str = "",
        clock: Clock | None = None,
        relist_seconds: float | None = None,
    ) -> None:
        """Nothing is read before the first ``refresh``; ``relist_seconds`` as WatchedList takes it."""
        self._client = client
        self._options = live.LiveOptions(resources=_SETTINGS, cilium_namespace=cilium_namespace)
        chosen = {} if relist_seconds is None else {"relist_seconds": relist_seconds}
        collections = {
            name: Collected(tuple(RESOURCES[name].path(one) for one in RESOURCES[name].versions), _keep(name))
            for name in _WATCHED
        }
        self.lists = WatchedLists(client, collections, clock=clock, **chosen)
        self._context: Context | None = None

    def refresh(self) -> None:
        """Read everything as it is now. Raises ApiError when a part cannot be read: then there is no picture."""
        self._context = None
        settings = live.collect(self._client, self._options)
        self.lists.refresh()
        watched = {name: tuple(one.objects) for name, one in self.lists.lists.items()}
        absent = {name for name, one in self.lists.lists.items() if not one.served}
        state = dataclasses.replace(
            settings, resources={**settings.resources, **watched}, absent=settings.absent | absent
        )
        self._context = Context(state)

    @property
    def context(self) -> Context:
        """The picture as checks take it."""
        if self._context is None:
            raise AssertionError("refresh first, and after a failure again")
        return self._context

    @property
    def view(self) -> IdentityView:
        """The identities in it."""
        return view_of(self.context)

    def identity(self, name: str) -> JsonObject | None:
        """One identity as the API gave it; None when there is none."""
        return self.lists["ciliumidentities"].get(name)
