# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The page "our IPAM model": where pod addresses come from in this cluster, for whoever is on call.

Words are those of ``ipam_model_pages``, filled with the values of the cluster; what is not known is called so.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_aws import (
    aws_nodes,
    prefix_delegation_is_proven,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_azure import network_modes
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_calico import calico_blocks, calico_pools
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_cluster_cidrs import cluster_cidr_pools
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_nodes import most_common, named, notes_of_nodes
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import NODE_SPEC, IpamModel
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_page import ModelPage
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model_pages import page_of

_COLUMNS: t.Final = ("IPAM model", "Provider", "Nodes", "When the Node object is deleted")
_AZURE_MODES: Mapping[str, str] = {
    "vnet": "pod subnet, single addresses",
    "vnetblock": "pod subnet, blocks",
    "overlay": "overlay",
}


def ipam_page(context: Context, models: Mapping[str, IpamModel]) -> dict[str, t.Any]:
    """{"title", "paragraphs": [...], "table": {"columns", "rows"}}; ``models`` is {Node: its model}."""
    cluster = context.ipam_model
    page = page_of(cluster.name, cluster.cni)
    own = _pages_of(models)
    others = {title: one for title, one in own.items() if title != page.title}
    paragraphs = [f"The IPAM model of this cluster is {page.title}. {_sentence(cluster.evidence)}"]
    paragraphs += _words(page, "")
    paragraphs += _sizes(context)
    paragraphs += _allocator(context)
    for title, one in sorted(others.items()):
        paragraphs.append(f"Some Nodes have another model: {title}.")
        paragraphs += _words(one, f"{title}: ")
    return {
        "title": f"Our IPAM model: {page.title}",
        "paragraphs": paragraphs,
        "table": {"columns": list(_COLUMNS), "rows": _rows(context, models)},
    }


def _pages_of(models: Mapping[str, IpamModel]) -> dict[str, ModelPage]:
    pages = (page_of(name, cni) for name, cni in {(one.name, one.cni) for one in models.values()})
    return {page.title: page for page in pages}


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _words(page: ModelPage, prefix: str) -> list[str]:
    return [
        f"{prefix}Where the truth is: {page.truth}",
        f"{prefix}Who writes it: {page.writer}",
        f"{prefix}What deleting a Node does: {page.deletion}",
        f"{prefix}How to grow: {page.growth}",
        f"{prefix}What this audit does not judge: {page.not_judged}",
        f"{prefix}To see it by hand: {page.verify}",
    ]


def _sizes(context: Context) -> list[str]:
    """The real values of this cluster, model by model."""
    return [*_node_spec_sizes(context), *_cluster_cidr_sizes(context), *_cni_sizes(context)]


def _node_spec_sizes(context: Context) -> Iterator[str]:
    if context.ipam_model.name != NODE_SPEC:
        return
    for one in context.pool_summaries():
        text = (
            f"Size: {one['cluster_cidr']} is cut into {one['capacity']} blocks /{one['node_mask_size']}; {one['used']} are "
            f"used and {one['free']} free"
        )
        if one["reserved_by_service_ranges"]:
            text += f", {one['reserved_by_service_ranges']} of the used ones by the service range"
        yield f"{text}. {one['waiting_nodes']} Nodes wait for a block."


def _cluster_cidr_sizes(context: Context) -> Iterator[str]:
    for pool in cluster_cidr_pools(context):
        if pool.of.problem:
            yield f"ClusterCIDR {pool.of.name} ({pool.group}) cannot be used: {pool.of.problem}."
            continue
        ranges = " and ".join(str(one) for one in pool.of.networks)
        yield (
            f"Size: ClusterCIDR {pool.of.name} ({pool.group}) serves {pool.of.selector} from {ranges}: "
            f"{pool.of.capacity} blocks /{pool.of.pools[0].mask_size}, {pool.free} free."
        )


def _cni_sizes(context: Context) -> Iterator[str]:
    name = context.ipam_model.name
    if name.startswith("cilium-") and context.cilium.config is not None:
        yield from _cilium_sizes(context, name)
    if name == "calico":
        if not context.state.knows("ippools", "blockaffinities"):
            yield "Size: not known, because the IPPools and BlockAffinities of Calico could not be read."
        for pool in calico_pools(context, calico_blocks(context)):
            words = " It is disabled." if pool.disabled else ""
            yield (
                f"Size: IPPool {pool.name} {pool.network} is cut into {pool.capacity} blocks /{pool.block_size}; "
                f"{pool.used} are used and {pool.free} free; {pool.addresses} pods have an address of it.{words}"
            )
    if name == "azure":
        modes = [_AZURE_MODES.get(mode, mode) for mode in network_modes(context)]
        yield f"Mode of Azure CNI: {named(modes) or 'not known (no NodeNetworkConfig shows it; node subnet mode has none)'}."
    if name == "aws-vpc-cni":
        yield from _aws_sizes(context)


def _cilium_sizes(context: Context, name: str) -> Iterator[str]:
    cilium = context.cilium
    if name == "cilium-cluster-pool":
        for family, size in (("ipv4", "24"), ("ipv6", "120")):
            ranges = cilium.value(f"cluster-pool-{family}-cidr")
            if ranges:
                mask = cilium.value(f"cluster-pool-{family}-mask-size", size)
                yield f"Size: the operator cuts blocks /{mask} for Nodes out of {', '.join(ranges.split())}."
    for pool in context.state.of("ciliumpodippools") if name == "cilium-multi-pool" else ():
        for family in ("ipv4", "ipv6"):
            part = (pool.get("spec") or {}).get(family) or {}
            if part.get("cidrs"):
                ranges = ", ".join(map(str, part["cidrs"]))
                yield f"Size: CiliumPodIPPool {name_of(pool)} has {ranges} in blocks /{part.get('maskSize', '?')}."


def _aws_sizes(context: Context) -> Iterator[str]:
    nodes = aws_nodes(context, dict.fromkeys(map(name_of, context.state.nodes), context.ipam_model))
    proven = prefix_delegation_is_proven(nodes)
    yield (
        "Prefix delegation is on: a Node has more pods than single addresses."
        if proven
        else (
            "Whether prefix delegation is on is not known: it is an environment variable of DaemonSet aws-node, which the audit "
            "does not read."
        )
    )
    for kind, count in most_common(one.instance_type or "(no label)" for one in nodes)[:10]:
        limits = next((one.limits for one in nodes if (one.instance_type or "(no label)") == kind), None)
        if limits is None:
            yield f"Size: {count} Nodes {kind}: how many addresses they hold is not known."
            continue
        yield (
            f"Size: {count} Nodes {kind} with {limits.interfaces} interfaces of {limits.addresses_per_interface} addresses: "
            f"{limits.addresses()} for pods, {limits.addresses(prefix_delegation=True)} with prefix delegation."
        )


def _allocator(context: Context) -> Iterator[str]:
    """The settings of kube-controller-manager, whatever the model: on-call will look for them."""
    allocator = context.allocator
    if allocator.allocate_node_cidrs is None and not allocator.cluster_cidrs:
        yield "Flags of kube-controller-manager: not known; nothing in the cluster shows them."
        return
    on = {True: "on", False: "off", None: "not known"}[allocator.allocate_node_cidrs]
    words = [f"allocate-node-cidrs is {on}", f"cidr-allocator-type is {allocator.allocator_type}"]
    if allocator.cluster_cidrs:
        words.append(f"cluster-cidr is {', '.join(map(str, allocator.cluster_cidrs))}")
        sizes = [f"/{allocator.mask_sizes[family]} (IPv{family})" for family in sorted(set(allocator.families))]
        words.append(f"the node mask size is {' and '.join(sizes)}")
    if allocator.service_ranges:
        words.append(f"service-cluster-ip-range is {', '.join(map(str, allocator.service_ranges))}")
    yield f"Flags of kube-controller-manager ({allocator.source}): {'; '.join(words)}."


def _rows(context: Context, models: Mapping[str, IpamModel]) -> list[list[str]]:
    """Nodes by model, provider and what deleting them does; most Nodes first."""
    lines = [
        (page_of(model.name, model.cni).title, *notes)
        for name, notes in notes_of_nodes(context).items()
        for model in (models[name],)
    ]
    counted: dict[tuple[str, str, str], int] = {}
    for line in lines:
        counted[line] = counted.get(line, 0) + 1
    ordered = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    return [[title, provider, str(count), deleted] for (title, provider, deleted), count in ordered]
