# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of IPAM models other than Node.spec and Cilium's own, and of the machines' providers."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks import (
    ipam_aws,
    ipam_azure,
    ipam_calico,
    ipam_cluster_cidrs,
    ipam_node_annotations,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_nodes import (
    AgentPods,
    agent_pods,
    labels_of,
    models_of_nodes,
    most_common,
    named,
    notes_of_nodes,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_page import ipam_page
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import condition, name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import IpamModel
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_pages import page_of

# the two names that flannel's DaemonSet has had
_SAME: Mapping[str, tuple[str, ...]] = {"kube-flannel-ds": ("kube-flannel-ds", "kube-flannel")}
# its agents are looked at with the rest of Cilium
_CILIUM: t.Final = "cilium"


def check(context: Context) -> Iterator[Finding]:
    """Every model that the cluster has."""
    pods = agent_pods(context)
    models = models_of_nodes(context)
    yield from _mixed(models)
    yield from _agents(context, pods, models)
    yield from ipam_cluster_cidrs.check(context)
    yield from ipam_calico.check(context)
    yield from ipam_aws.check(context, models)
    yield from ipam_azure.check(context, models)
    yield from ipam_node_annotations.check(context, models)


def _title(model: IpamModel) -> str:
    return page_of(model.name, model.cni).title


def _mixed(models: Mapping[str, IpamModel]) -> Iterator[Finding]:
    counts = most_common(_title(model) for model in models.values())
    if len(counts) > 1:
        text = "Nodes have different IPAM models: " + "; ".join(f"{title}: {count}" for title, count in counts)
        yield Finding("ipam-models-mixed", Subject("Cluster", "cluster"), text, {"nodes_by_model": dict(counts)})


def _agents(context: Context, pods: AgentPods, models: Mapping[str, IpamModel]) -> Iterator[Finding]:
    """Nodes without a working pod of the DaemonSet that gives their pods addresses.

    Judged only where pods of that DaemonSet are to be seen at all: without their owners nothing is known. Windows Nodes have
    DaemonSets of other names.
    """
    missing: dict[str, list[str]] = {}
    for node in context.state.nodes:
        name = name_of(node)
        agent = page_of(models[name].name, models[name].cni).agent
        names = _SAME.get(agent, (agent,))
        if not agent or agent == _CILIUM or not pods.seen.intersection(names):
            continue
        if node["metadata"].get("deletionTimestamp") or labels_of(node).get("kubernetes.io/os") == "windows":
            continue
        if not pods.running.get(name, frozenset()).intersection(names):
            seen = next((one for one in names if one in pods.seen), "")
            missing.setdefault(seen, []).append(name)
    ready = {name_of(node): condition(node, "Ready") for node in context.state.nodes}
    for agent, nodes in sorted(missing.items()):
        text = f"{len(nodes)} Nodes have no running pod of DaemonSet {agent}: {named(nodes)}"
        evidence = {"nodes": [{"node": one, "ready": ready[one]} for one in nodes[:10]], "count": len(nodes)}
        yield Finding("cni-agent-missing", Subject("DaemonSet", agent), text, evidence)


def node_notes(context: Context) -> dict[str, dict[str, str]]:
    """{Node: its provider, what happens when it is deleted, and its IPAM model in words}."""
    models = models_of_nodes(context)
    titles = {model: _title(model) for model in set(models.values())}
    return {
        name: {"provider": one.provider, "if_deleted": one.if_deleted, "model": titles[models[name]]}
        for name, one in notes_of_nodes(context).items()
    }


def section(context: Context) -> dict[str, t.Any] | None:
    """The page "our IPAM model" of this cluster: title, paragraphs and a table of its Nodes."""
    return ipam_page(context, models_of_nodes(context))
