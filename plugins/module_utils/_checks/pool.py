# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of the pool that podCIDRs come from, and of the controller-manager's settings."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.allocator import disagreeing, kubeadm_flags
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import settings_from_flags

_CLUSTER = Subject("Cluster", "cluster")
# below this share of free blocks the pool is a matter for this week, not for planning
_URGENT_SHARE = 0.1


def check_pool(context: Context) -> Iterator[Finding]:
    """Exhaustion and headroom of each family; what the service range takes."""
    if not context.ipam_model.node_spec_is_truth:
        return
    nodes = len(context.node_cidrs)
    for summary in context.pool_summaries():
        pool = f"{summary['cluster_cidr']} (/{summary['node_mask_size']} blocks)"
        if summary["reserved_by_service_ranges"]:
            yield Finding(
                "service-range-inside-cluster-cidr",
                _CLUSTER,
                f"The service range takes {summary['reserved_by_service_ranges']} of {summary['capacity']} blocks of {pool}",
                summary,
            )
        if summary["free"] == 0:
            waiting = context.waiting
            yield Finding(
                "pod-cidr-pool-exhausted",
                _CLUSTER,
                f"All {summary['capacity']} blocks of {pool} are taken"
                + (f"; waiting Nodes ({len(waiting)}): {', '.join(waiting[:10])}" if waiting else ""),
                {**summary, "waiting": waiting[:10]},
                CRITICAL if waiting else WARNING,
            )
        elif summary["free"] < _URGENT_SHARE * summary["capacity"]:
            yield _headroom(summary, pool, WARNING)
        elif summary["capacity"] < context.settings.headroom_factor * nodes:
            yield _headroom(summary, pool, INFO)


def _headroom(summary: dict[str, object], pool: str, level: str) -> Finding:
    text = f"{summary['free']} of {summary['capacity']} blocks of {pool} are free"
    return Finding("pod-cidr-headroom-low", _CLUSTER, text, summary, level)


def check_settings(context: Context) -> Iterator[Finding]:
    """Where the settings come from, whether they are valid, and who disagrees with them."""
    allocator = context.allocator
    if not context.ipam_model.node_spec_is_truth:
        if context.ipam_model.name != "unknown":
            yield Finding(
                "ipam-model-not-node-spec",
                _CLUSTER,
                f"The IPAM model is {context.ipam_model.name} ({context.ipam_model.evidence})",
                {"model": context.ipam_model.name, "evidence": context.ipam_model.evidence},
            )
    elif allocator.allocate_node_cidrs is False:
        yield Finding("allocator-off", _CLUSTER, f"{allocator.source} does not allocate podCIDRs", allocator.to_dict())
    if not allocator.known and context.ipam_model.name in ("node-spec", "unknown"):
        yield Finding(
            "allocator-settings-unknown",
            _CLUSTER,
            "No source shows the cluster CIDR",
            {"unknown": dict(context.state.unknown)},
        )
    for problem in allocator.problems:
        yield Finding("allocator-settings-invalid", _CLUSTER, f"{allocator.source}: {problem}", allocator.to_dict())
    different = disagreeing(context.state)
    if different:
        names = ", ".join(sorted(different))
        yield Finding(
            "controller-manager-replicas-disagree",
            _CLUSTER,
            f"Node IPAM flags differ between {names}",
            {"replicas": different},
        )
    yield from _kubeadm(context)


def _kubeadm(context: Context) -> Iterator[Finding]:
    flags = kubeadm_flags(context.state)
    allocator = context.allocator
    if flags is None or not allocator.known or not allocator.source.startswith("pod "):
        return
    written, running = settings_from_flags(flags, "").to_dict(), allocator.to_dict()
    keys = ("allocate_node_cidrs", "cluster_cidrs", "node_mask_size_ipv4", "node_mask_size_ipv6", "service_ranges")
    different = {
        key: {"kubeadm_config": written[key], "running": running[key]} for key in keys if written[key] != running[key]
    }
    if different:
        key, values = sorted(different.items())[0]
        text = f"kubeadm-config says {key}={values['kubeadm_config']}, running is {values['running']}"
        yield Finding("kubeadm-config-differs", _CLUSTER, text, different)


def check_unknown(context: Context) -> Iterator[Finding]:
    """What could not be read."""
    for resource, reason in context.state.unknown.items():
        yield Finding("data-missing", Subject("Resource", resource), f"{resource}: {reason}", {"reason": reason})
