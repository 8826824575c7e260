# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The IPAM model of each Node, for the checks and the page about models."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.endpoint_view import once
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import TERMINAL_PHASES, Object, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import IpamEvidence, IpamModel
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_of_node import model_of_node
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.provider_name import if_deleted, provider_of


def labels_of(obj: Mapping[str, t.Any]) -> Mapping[str, str]:
    """metadata.labels."""
    found: Mapping[str, str] = obj["metadata"].get("labels") or {}
    return found


def annotations_of(obj: Mapping[str, t.Any]) -> Mapping[str, str]:
    """metadata.annotations."""
    found: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return found


@dataclass(frozen=True)
class AgentPods:
    """Pods of DaemonSets: ``running`` {Node: names of DaemonSets with a pod that works}, ``bound`` with any pod there."""

    running: Mapping[str, frozenset[str]]
    bound: Mapping[str, frozenset[str]]

    @property
    def seen(self) -> frozenset[str]:
        """DaemonSets that have a pod anywhere."""
        return frozenset().union(*self.bound.values())


@once
def agent_pods(context: Context) -> AgentPods:
    """Which DaemonSets have a pod on which Node."""
    running: dict[str, set[str]] = {}
    bound: dict[str, set[str]] = {}
    for pod in context.state.of("pods"):
        node = (pod.get("spec") or {}).get("nodeName")
        owner = _daemon_set_of(pod)
        status = pod.get("status") or {}
        if not node or not owner or status.get("phase") in TERMINAL_PHASES:
            continue
        bound.setdefault(node, set()).add(owner)
        if status.get("phase") == "Running" and not status.get("waiting"):
            running.setdefault(node, set()).add(owner)
    return AgentPods(
        {node: frozenset(names) for node, names in running.items()},
        {node: frozenset(names) for node, names in bound.items()},
    )


def _daemon_set_of(pod: Object) -> str:
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("kind") == "DaemonSet":
            return str(owner.get("name") or "")
    return ""


@once
def models_of_nodes(context: Context) -> dict[str, IpamModel]:
    """{Node: its model}. Nodes that look alike are looked at once."""
    bound = agent_pods(context).bound
    state, cluster = context.state, context.ipam_model
    readable = "configmaps" not in state.unknown
    found = IpamEvidence(
        cilium_config=(state.config_map("cilium-config") or {}) if readable else None,
        calico_config=(state.config_map("calico-config") or {}) if readable else None,
        allocate_node_cidrs=context.allocator.allocate_node_cidrs,
    )
    known: dict[tuple[str, ...], IpamModel] = {}
    models: dict[str, IpamModel] = {}
    for node in state.nodes:
        labels, own = labels_of(node), bound.get(name_of(node), frozenset())
        alike = (*(labels.get(key, "") for key in _TELLING_LABELS), *sorted(own))
        if alike not in known:
            known[alike] = model_of_node(labels, own, cluster, found)
        models[name_of(node)] = known[alike]
    return models


_TELLING_LABELS: t.Final = ("type", "kubernetes.io/os", "eks.amazonaws.com/compute-type")


class NodeNotes(t.NamedTuple):
    """Who provides a Node's machine, and what happens when the Node is deleted."""

    provider: str
    if_deleted: str


@once
def notes_of_nodes(context: Context) -> dict[str, NodeNotes]:
    """{Node: its notes}."""
    return {name_of(node): NodeNotes(provider_of(node), if_deleted(node)) for node in context.state.nodes}


def named(names: t.Sequence[str], most: int = 10) -> str:
    """The first names of a list for a sentence, with how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def most_common(names: t.Iterable[str]) -> list[tuple[str, int]]:
    """(name, how often), most often first, then by name."""
    return sorted(Counter(names).items(), key=lambda entry: (-entry[1], entry[0]))
