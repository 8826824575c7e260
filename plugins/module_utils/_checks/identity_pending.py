# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What identities live pods without an endpoint wait for: an identity is there before the endpoint that names it."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.packed_endpoints import named_identities
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.label_filter import (
    LabelFilter,
    LabelFilterError,
    LabelFilterNotJudgedError,
    Version,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.security_labels import (
    NAMED_PORTS_SINCE,
    NAMESPACE,
    SecurityLabels,
    fingerprint,
)

# a default of 1.20 that patches of these have or have not: where the tag does not tell the patch, both are tried
_PERHAPS_TOPOLOGY: t.Final[tuple[Version, Version]] = ((1, 18), (1, 20))


def live_pods_without_endpoint(context: Context) -> Iterator[Object]:
    """Pods of the pod network that are not terminal and that no CiliumEndpoint or CiliumEndpointSlice names."""
    state = context.state
    named = {(namespace, name) for namespace, name, _number in named_identities(state.of("ciliumendpoints"))}
    for endpoint_slice in state.of("ciliumendpointslices"):
        namespace = endpoint_slice.get("namespace")
        named.update((namespace, one.get("name")) for one in endpoint_slice.get("endpoints") or ())
    for pod in state.of("pods"):
        metadata = pod["metadata"]
        if (metadata.get("namespace"), metadata["name"]) in named or (pod.get("spec") or {}).get("hostNetwork"):
            continue
        if (pod.get("status") or {}).get("phase") not in TERMINAL_PHASES:
            yield pod


def security_labels(context: Context) -> list[SecurityLabels]:
    """How security labels of pods may be made here, the likeliest first; empty where it cannot be told.

    Several, where versions that cannot be told apart differ. It cannot be told without the version, with defaults of a
    file (label-prefix-file), with a filter that differs between Nodes, or with one that cannot be simulated.
    """
    cilium, state = context.cilium, context.state
    version = cilium.full_version
    config = cilium.config
    if version is None or not config or config.get("label-prefix-file"):
        return []
    if any("labels" in ((one.get("spec") or {}).get("defaults") or {}) for one in state.of("ciliumnodeconfigs")):
        return []
    namespaces = {name_of(one): one["metadata"].get("labels") or {} for one in state.of("namespaces")}
    try:
        filters: list[tuple[LabelFilter, Version]] = [(LabelFilter(version, cilium.value("labels")), version)]
        if _PERHAPS_TOPOLOGY[0] <= version < _PERHAPS_TOPOLOGY[1]:
            filters += [(LabelFilter(one, cilium.value("labels")), version) for one in _PERHAPS_TOPOLOGY]
    except (LabelFilterError, LabelFilterNotJudgedError):
        return []
    if version >= NAMED_PORTS_SINCE:
        # endpoints that are older than the upgrade have no labels for named ports
        filters.append((filters[0][0], (1, 19)))
    return [SecurityLabels(namespaces, label_filter, cilium.cluster_name, since) for label_filter, since in filters]


class Awaited:
    """The label sets that live pods without an endpoint need, and the namespaces where that cannot be told."""

    def __init__(self, context: Context) -> None:
        self._by_fingerprint: dict[int, list[Mapping[str, str]]] = {}
        self.undecided_namespaces: set[str] = set()
        # one pod for each set, to name
        self._pods: dict[int, str] = {}
        makers = security_labels(context)
        for pod in live_pods_without_endpoint(context):
            namespace = pod["metadata"].get("namespace") or ""
            made = [maker.of(pod) for maker in makers]
            if not made or None in made:
                self.undecided_namespaces.add(namespace)
            for labels in made:
                if labels is not None:
                    self._add(labels, f"{namespace}/{name_of(pod)}")

    def _add(self, labels: Mapping[str, str], pod: str) -> None:
        number = fingerprint(labels)
        known = self._by_fingerprint.setdefault(number, [])
        if labels not in known:
            known.append(labels)
            self._pods[number] = pod

    def reason(self, labels: Mapping[str, str]) -> str:
        """Why an identity with these labels is awaited, in words; empty when it is not."""
        number = fingerprint(labels)
        if labels in self._by_fingerprint.get(number, ()):
            return f"pod {self._pods[number]} needs it"
        namespace = labels.get(NAMESPACE, "")
        if namespace in self.undecided_namespaces:
            return f"namespace {namespace} has pods without endpoint whose security labels cannot be told"
        return ""
