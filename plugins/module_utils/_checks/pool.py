# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the pool that podCIDRs come from, and of the controller-manager's settings."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.allocator import (
    COMPARED,
    disagreeing,
    kubeadm_flags,
    replicas,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.permissions import (
    FEATURE_PERMISSIONS,
    PERMISSIONS,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import NODE_CIDR_RESOURCES, POLICIES
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    RANGE_ALLOCATOR,
    settings_from_flags,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import NODE_SPEC, UNKNOWN

_CLUSTER = Subject("Cluster", "cluster")
# below this share of free blocks the pool is a matter for this week, not for planning
_URGENT_SHARE = 0.1


def check_pool(context: Context) -> Iterator[Finding]:
    """Exhaustion and headroom of each family; what the service range takes."""
    if not context.ipam_model.node_spec_is_truth:
        return
    nodes = len(context.node_cidrs)
    for summary in context.pool_summaries():
        subject = Subject("Pool", summary["cluster_cidr"])
        pool = f"{summary['cluster_cidr']} (/{summary['node_mask_size']} blocks)"
        if summary["reserved_by_service_ranges"]:
            yield Finding(
                "service-range-inside-cluster-cidr",
                subject,
                f"The service range takes {summary['reserved_by_service_ranges']} of {summary['capacity']} blocks of {pool}",
                {**summary, "service_ranges": [str(one) for one in context.allocator.service_ranges]},
            )
        if summary["free"] == 0:
            waiting = context.waiting
            yield Finding(
                "pod-cidr-pool-exhausted",
                subject,
                f"All {summary['capacity']} blocks of {pool} are taken"
                + (f"; waiting Nodes ({len(waiting)}): {', '.join(waiting[:10])}" if waiting else ""),
                {**summary, "waiting": waiting[:10]},
                CRITICAL if waiting else WARNING,
            )
        elif summary["free"] < _URGENT_SHARE * summary["capacity"]:
            yield _headroom(summary, subject, pool, WARNING)
        elif summary["capacity"] < context.settings.headroom_factor * nodes:
            yield _headroom(summary, subject, pool, INFO)


def _headroom(summary: dict[str, t.Any], subject: Subject, pool: str, level: str) -> Finding:
    text = f"{summary['free']} of {summary['capacity']} blocks of {pool} are free"
    return Finding("pod-cidr-headroom-low", subject, text, summary, level)


def check_settings(context: Context) -> Iterator[Finding]:
    """Where the settings come from, whether they are valid, and who disagrees with them."""
    allocator = context.allocator
    model = context.ipam_model
    if not model.node_spec_is_truth:
        if model.name != UNKNOWN:
            yield Finding(
                "ipam-model-not-node-spec",
                _CLUSTER,
                f"The IPAM model is {model.name} ({model.evidence})",
                {"model": model.name, "evidence": model.evidence},
            )
    elif allocator.allocate_node_cidrs is False:
        yield _allocator_off(context)
    if not allocator.known and model.name in (NODE_SPEC, UNKNOWN):
        yield _allocator_unknown(context)
    for problem in allocator.problems:
        yield Finding("allocator-settings-invalid", _CLUSTER, f"{allocator.source}: {problem}", allocator.to_dict())
    different = disagreeing(context.state)
    if different:
        keys = [key for key in COMPARED if len({json.dumps(one[key]) for one in different.values()}) > 1]
        values = "; ".join(
            f"{name} has {', '.join(f'{key} {_words(one[key])}' for key in keys)}" for name, one in different.items()
        )
        yield Finding(
            "controller-manager-replicas-disagree",
            _CLUSTER,
            f"Node IPAM settings differ: {values}",
            {"replicas": {name: {key: one[key] for key in keys} for name, one in different.items()}},
        )
    yield from _kubeadm(context)


def _allocator_off(context: Context) -> Finding:
    """Where every Node has its podCIDRs all the same, another component may well allocate: no reason for an alarm."""
    allocator = context.allocator
    without = sum(1 for cidrs in context.node_cidrs.values() if not cidrs)
    text = f"{allocator.source} does not allocate podCIDRs"
    if without:
        text += f", and {without} of {len(context.node_cidrs)} Nodes have none"
    else:
        text += "; every Node has its podCIDRs, so another component does it or they are from before"
    return Finding(
        "allocator-off", _CLUSTER, text, {**allocator.to_dict(), "nodes_without": without}, "" if without else INFO
    )


def _allocator_unknown(context: Context) -> Finding:
    allocator = context.allocator
    if allocator.allocator_type != RANGE_ALLOCATOR:
        text = f"Blocks are given out by {allocator.allocator_type} ({allocator.source}), not cut from a cluster CIDR"
    elif hidden := [one.name for one in replicas(context.state) if one.flags is None]:
        text = f"No source shows the cluster CIDR; the command line of pod kube-system/{hidden[0]} shows no flags"
    else:
        text = "No source shows the cluster CIDR"
    evidence = {
        "source": allocator.source,
        "unknown": dict(context.state.unknown),
        "ipam_model": context.ipam_model.evidence,
    }
    return Finding("allocator-settings-unknown", _CLUSTER, text, evidence)


def _kubeadm(context: Context) -> Iterator[Finding]:
    flags = kubeadm_flags(context.state)
    allocator = context.allocator
    if flags is None or not allocator.known or not allocator.source.startswith("pod "):
        return
    written, running = settings_from_flags(flags, "").to_dict(), allocator.to_dict()
    different = {
        key: {"kubeadm_config": written[key], "running": running[key]}
        for key in COMPARED
        if written[key] != running[key]
    }
    if different:
        text = "; ".join(
            f"kubeadm-config stands for {key} {_words(values['kubeadm_config'])}, running is {_words(values['running'])}"
            for key, values in different.items()
        )
        yield Finding("kubeadm-config-differs", _CLUSTER, text, different)


def _words(value: t.Any) -> str:
    """A setting for a sentence."""
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


# resources that say nothing where their CNI does not run
_ONLY_WITH: t.Final = {
    "ippools": ("calico-node", "canal"),
    "blockaffinities": ("calico-node", "canal"),
    "cninodes": ("aws-node",),
    "nodenetworkconfigs": ("azure-cns",),
}
_OF_CILIUM: t.Final = ("deployments", "clusterroles")


def _matters(context: Context, resource: str) -> bool:
    """Whether anything is unknown without it: the objects of a CNI that does not run here say nothing."""
    if "daemonsets" in context.state.unknown:
        return resource in NODE_CIDR_RESOURCES or context.cilium.installed
    # a policy says nothing here unless Cilium makes identities of labels
    if resource.startswith("cilium") or resource in _OF_CILIUM or resource in POLICIES:
        return context.cilium.installed
    running = {name_of(one) for one in context.state.of("daemonsets")}
    if resource in _ONLY_WITH:
        return bool(running.intersection(_ONLY_WITH[resource]))
    # a controller-manager that cuts the cluster CIDR itself looks at no such object
    return not resource.startswith("clustercidrs") or context.allocator.allocate_node_cidrs is not True


def check_unknown(context: Context) -> Iterator[Finding]:
    """What could not be read, the RBAC rule that would allow it, and what is unknown without it."""
    for resource, reason in sorted(context.state.unknown.items()):
        if not _matters(context, resource):
            continue
        permission = PERMISSIONS.get(resource) or FEATURE_PERMISSIONS.get(resource)
        evidence: dict[str, t.Any] = {"reason": reason}
        summary = f"{resource}: {reason}"
        if permission is not None:
            evidence["rbac_rule"] = permission.rule()
            if permission.namespace:
                evidence["rbac_namespace"] = permission.namespace
            summary += f"; not known is {permission.without}"
        # without Nodes nothing at all was judged, which must not look like a clean result
        yield Finding(
            "data-missing", Subject("Resource", resource), summary, evidence, WARNING if resource == "nodes" else ""
        )
