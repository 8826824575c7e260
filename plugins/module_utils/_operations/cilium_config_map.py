# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Read and write the ConfigMap cilium-config: one guarded request for data and memory together."""

from __future__ import annotations

import datetime
import typing as t
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import JsonObject, KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_change import Change, applied
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_config_overrides import (
    NodeOverride,
    selected_nodes,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.timestamps import moment
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import ApiError, InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_config_memory import (
    RESTORED,
    Memory,
    memory_of,
)

NAME = "cilium-config"
_ATTEMPTS = 10
_MOST_NODES = 10
_OPERATOR = "cilium-operator"


@dataclass(frozen=True)
class ConfigMap:
    """cilium-config as it was read."""

    obj: JsonObject

    @property
    def data(self) -> dict[str, str]:
        """Its data."""
        return dict(self.obj.get("data") or {})

    @property
    def memory(self) -> Memory:
        """What it had before we changed it. Raises RefusedError when that is damaged."""
        return memory_of(self.obj["metadata"])

    @property
    def restored_at(self) -> datetime.datetime | None:
        """When whoever has noted last which keys were put back has written last; None where nothing tells."""
        for one in self.obj["metadata"].get("managedFields") or ():
            fields = ((one.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
            if f"f:{RESTORED}" in fields:
                return moment(one.get("time"))
        return None

    def changed_at(self, keys: Collection[str] = ()) -> str:
        """When whoever owns ``keys`` has written last, in UTC; for no keys, or one that nobody owns, the last change at all.

        The operator's own writes do not count: it knows what it has written.
        """
        times: list[datetime.datetime] = []
        owned: set[str] = set()
        relevant: list[datetime.datetime] = []
        for one in self.obj["metadata"].get("managedFields") or ():
            time = moment(one.get("time"))
            if time is None or str(one.get("manager") or "").startswith(_OPERATOR):
                continue
            times.append(time)
            theirs = {key for key in keys if f"f:{key}" in ((one.get("fieldsV1") or {}).get("f:data") or {})}
            if theirs:
                owned |= theirs
                relevant.append(time)
        if not times:
            return str(self.obj["metadata"].get("creationTimestamp") or "")
        latest = max(relevant) if keys and owned >= set(keys) else max(times)
        return latest.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class CiliumConfigMap:
    """The ConfigMap of one namespace."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{NAME}"

    def read(self) -> ConfigMap:
        """As it is now. Raises InputError when there is none, ApiError."""
        found = self._client.find(self._path)
        if found is None:
            raise InputError(
                f"cilium_namespace: there is no ConfigMap {self._namespace}/{NAME}; name the namespace of Cilium."
            )
        return ConfigMap(found)

    def write(self, seen: ConfigMap, change: Change, memory: Memory, *, dry_run: bool = False) -> ConfigMap:
        """Change the keys of ``change`` and what is remembered, in one request; the ConfigMap afterwards.

        ``seen`` is what the change was judged by. Where others have written meanwhile, it is written all the same as long
        as data and memory are what was seen. Raises RefusedError otherwise, InputError when it is immutable, ApiError.
        """
        if seen.obj.get("immutable"):
            raise InputError(
                f"The ConfigMap {self._namespace}/{NAME} is immutable; make it anew by the tool that made it."
            )
        current = seen
        for _attempt in range(_ATTEMPTS):
            try:
                body = self._patch(current, change, memory)
                return ConfigMap(self._client.patch(self._path, body, dry_run=dry_run))
            except ApiError as error:
                if error.status != 409:
                    raise
            current = self.read()
            self._require_same(seen, current)
        raise RefusedError(f"The ConfigMap {self._namespace}/{NAME} changes all the time; nothing was written.")

    def _patch(self, current: ConfigMap, change: Change, memory: Memory) -> dict[str, t.Any]:
        metadata = current.obj["metadata"]
        guard = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        return {"metadata": {**guard, "annotations": memory.annotations()}, "data": dict(change)}

    def _require_same(self, seen: ConfigMap, current: ConfigMap) -> None:
        keys = sorted(key for key in {*seen.data, *current.data} if seen.data.get(key) != current.data.get(key))
        if keys or seen.memory != current.memory:
            which = f"its keys {', '.join(keys[:5])}" if keys else "what it remembers"
            raise RefusedError(
                f"Somebody else changed {which} in the ConfigMap {self._namespace}/{NAME} meanwhile; nothing was written. "
                "Look at it, and repeat the command."
            )


def real_changes(data: Mapping[str, str], wanted: Change) -> dict[str, str | None]:
    """The part of ``wanted`` that is not so already."""
    return {key: value for key, value in wanted.items() if data.get(key) != value}


def to_restore(
    config: ConfigMap, keys: Sequence[str] = (), spared: Collection[str] = ()
) -> tuple[dict[str, str | None], list[str], list[str]]:
    """(change that brings the remembered values back, keys that somebody changed after us, keys that are remembered).

    Keys that have their old value already are remembered, and no change. Empty ``keys`` means all.
    """
    memory, data = config.memory, config.data
    chosen = [key for key in sorted(memory.keys) if (not keys or key in keys) and key not in spared]
    change, foreign = {}, []
    for key in chosen:
        one, now = memory.keys[key], data.get(key)
        if now == one.before:
            continue
        change[key] = one.before
        if now != one.set_to:
            foreign.append(key)
    return change, foreign, chosen


def diff_of(namespace: str, before: Mapping[str, str], change: Change) -> dict[str, str]:
    """Before and after of the keys that change, a line each."""
    after = applied(before, change)
    header = f"ConfigMap {namespace}/{NAME}"

    def lines(data: Mapping[str, str]) -> str:
        return "".join(f"{key}: {data[key]!r}\n" for key in sorted(change) if key in data)

    return {"before_header": header, "after_header": header, "before": lines(before), "after": lines(after)}


def shadows(context: Context, keys: Collection[str]) -> list[dict[str, t.Any]]:
    """CiliumNodeConfigs that set one of ``keys``: for the Nodes that they select it is their value that holds."""
    objects = [
        NodeOverride(name_of(one), spec.get("defaults") or {}, spec.get("nodeSelector"))
        for one in context.state.of("ciliumnodeconfigs")
        if (one["metadata"].get("namespace") or context.cilium.namespace) == context.cilium.namespace
        for spec in (one.get("spec") or {},)
    ]
    nodes = {name_of(node): node["metadata"].get("labels") or {} for node in context.state.nodes}
    return [
        {
            "key": key,
            "node_config": name,
            "value": str(override.defaults[key]),
            "count": len(chosen),
            "nodes": list(chosen[:_MOST_NODES]),
        }
        for name, (override, chosen) in selected_nodes(objects, nodes).items()
        for key in sorted(set(keys) & set(override.defaults))
    ]
