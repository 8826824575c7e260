# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of CiliumNodes against Nodes: without one another, of another Node object, without their CIDRs, drifted."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.catalogue import CRITICAL, INFO, WARNING
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_demand import (
    Lack,
    lacks,
    waiting_by_pool,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.cilium_ipam_view import (
    KUBERNETES,
    CiliumIpam,
    of,
    operator_error,
    shown,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, pod_cidrs
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cilium_pools import MULTI_POOL

_CLUSTER = Subject("Cluster", "cluster")
_SHOWN = 10
# an agent writes its CiliumNode within seconds of its start
_AGENT_START_SECONDS = 60
_KEEP = "cilium.io/do-not-gc"


def check(context: Context) -> Iterator[Finding]:
    """CiliumNodes of every mode; their CIDRs where the mode has CIDRs."""
    ipam = of(context)
    if not ipam.mode or not ipam.state.knows("ciliumnodes"):
        return
    found = lacks(ipam) if ipam.has_cidrs and (ipam.mode == KUBERNETES or ipam.has_pools) else []
    if ipam.state.knows("nodes"):
        yield from _dangling(ipam, found)
        yield from _owners(ipam)
        if ipam.state.knows("pods"):
            yield from _absent(ipam)
        if ipam.mode == KUBERNETES:
            yield from _drift(ipam)
    if ipam.has_cidrs:
        yield from _lacking(ipam, found)
        yield from _stale_errors(ipam, {one.node for one in found})


def _owner_nodes(cilium_node: Object) -> list[Object]:
    owners = cilium_node["metadata"].get("ownerReferences") or ()
    return [one for one in owners if one.get("kind") == "Node"]


def _held(ipam: CiliumIpam, names: list[str]) -> list[dict[str, t.Any]]:
    return [{"node": name, "cidrs": [str(cidr) for _pool, cidr in ipam.allocated[name]]} for name in names[:_SHOWN]]


def _dangling(ipam: CiliumIpam, found: list[Lack]) -> Iterator[Finding]:
    """One finding for each reason why nothing has deleted them; those that another object owns are its business."""
    causes: dict[str, list[str]] = {}
    for name, node in ipam.cilium_nodes.items():
        if name in ipam.nodes:
            continue
        annotations = node["metadata"].get("annotations") or {}
        if _owner_nodes(node):
            causes.setdefault("garbage-collector", []).append(name)
        elif node["metadata"].get("ownerReferences"):
            continue
        elif str(annotations.get(_KEEP, "")).lower() == "true":
            causes.setdefault("kept", []).append(name)
        else:
            causes.setdefault("operator", []).append(name)
    texts = {
        "garbage-collector": "their owner is a deleted Node, so the garbage collector of Kubernetes has to delete them",
        "operator": "they have no owner, so the cilium-operator has to delete them (nodes-gc-interval)",
        "kept": f"their annotation {_KEEP} keeps them",
    }
    pressing = bool(waiting_by_pool(found))
    for cause, names in sorted(causes.items()):
        blocks = sum(len(ipam.allocated[name]) for name in names) if ipam.has_cidrs else 0
        summary = f"{len(names)} CiliumNodes have no Node ({shown(names)}); {texts[cause]}"
        if blocks:
            summary += f"; they hold {blocks} CIDRs"
        level = INFO if cause == "kept" else CRITICAL if pressing and blocks else ""
        evidence = {"cause": cause, "count": len(names), "cidrs_held": blocks, "cilium_nodes": _held(ipam, names)}
        yield Finding("cilium-node-dangling", Subject("Cluster", cause), summary, evidence, level)


def _owners(ipam: CiliumIpam) -> Iterator[Finding]:
    for name, cilium_node in ipam.cilium_nodes.items():
        uid = ipam.nodes[name]["metadata"].get("uid") if name in ipam.nodes else None
        owners = [one.get("uid") for one in _owner_nodes(cilium_node)]
        if uid and owners and uid not in owners:
            yield Finding(
                "cilium-node-owner-differs",
                Subject("Node", name),
                f"The CiliumNode of {name} belongs to a Node object with uid {owners[0]}; the Node now has uid {uid}",
                {"owner_uids": owners, "node_uid": uid, "cidrs": [str(cidr) for _pool, cidr in ipam.allocated[name]]},
            )


def _absent(ipam: CiliumIpam) -> Iterator[Finding]:
    limit = ipam.older_than(_AGENT_START_SECONDS)
    for name, pod in sorted(ipam.agents.items()):
        started = str((pod.get("status") or {}).get("startTime") or pod["metadata"].get("creationTimestamp") or "")
        if name in ipam.nodes and name not in ipam.cilium_nodes and started < limit:
            yield Finding(
                "cilium-node-missing",
                Subject("Node", name),
                f"The agent {pod['metadata']['name']} runs on Node {name}, but there is no CiliumNode {name}",
                {"agent": pod["metadata"]["name"], "agent_started": started},
            )


def _drift(ipam: CiliumIpam) -> Iterator[Finding]:
    for name in ipam.cilium_nodes:
        if name not in ipam.nodes:
            continue
        wanted, copied = pod_cidrs(ipam.nodes[name]), [cidr for _pool, cidr in ipam.allocated[name]]
        if wanted and copied and set(wanted) != set(copied):
            texts = [[str(cidr) for cidr in one] for one in (wanted, copied)]
            yield Finding(
                "cilium-node-cidr-drift",
                Subject("Node", name),
                f"Node {name} has {', '.join(texts[0])}, but its agent started with {', '.join(texts[1])}",
                {"node_pod_cidrs": texts[0], "cilium_node_pod_cidrs": texts[1]},
            )


def _lacking(ipam: CiliumIpam, found: list[Lack]) -> Iterator[Finding]:
    """One finding for each Node, with the operator's own words: here they are a fault."""
    by_node: dict[str, list[Lack]] = {}
    for one in found:
        by_node.setdefault(one.node, []).append(one)
    for name, all_of in sorted(by_node.items()):
        parts, reasons = [], []
        for one in all_of:
            key = (one.pool, one.version)
            if ipam.mode == KUBERNETES:
                parts.append(f"IPv{one.version} podCIDR")
                reasons.append(f"enable-ipv{one.version} is on, but Node.spec.podCIDRs has none")
                continue
            parts.append(f"IPv{one.version} CIDR of pool {one.pool}")
            if one.blocks is None:
                reasons.append(f"there is no such pool for IPv{one.version}")
            elif not ipam.books.free(key):
                reasons.append("no block is free")
            else:
                reasons.append(
                    f"{ipam.books.free(key)} blocks are free, but the operator tries again only when spec or status "
                    "of the CiliumNode changes or when it starts"
                )
        error = operator_error(ipam.cilium_nodes[name])
        summary = f"Node {name} lacks an {' and an '.join(parts)}: {'; '.join(dict.fromkeys(reasons))}"
        # in multi-pool mode the Node still has the addresses of the CIDRs that it got before
        grows = ipam.mode == MULTI_POOL and all(one.has for one in all_of)
        yield Finding(
            "cilium-node-cidr-missing",
            Subject("Node", name),
            summary + (f" (operator: {error.splitlines()[0]})" if error else ""),
            {
                "missing": [
                    {"pool": one.pool, "family": f"IPv{one.version}", "blocks": one.blocks} for one in all_of[:_SHOWN]
                ],
                "cidrs": [str(cidr) for cidr in ipam.cidrs(name)],
                "operator_error": error,
            },
            WARNING if grows else "",
        )


def _stale_errors(ipam: CiliumIpam, lacking: set[str]) -> Iterator[Finding]:
    """An error stays in the status although a later attempt had success (issue 28758 of cilium/cilium)."""
    refused = ipam.books.refused if ipam.has_pools else {}
    stale = {
        name: operator_error(node)
        for name, node in ipam.cilium_nodes.items()
        if operator_error(node) and name not in lacking and name not in refused and ipam.cidrs(name)
    }
    if stale:
        yield Finding(
            "cilium-operator-error-stale",
            _CLUSTER,
            f"{len(stale)} CiliumNodes show an error of the operator although they have all their CIDRs: {shown(stale)}",
            {
                "count": len(stale),
                "errors": [{"node": name, "error": text} for name, text in sorted(stale.items())[:_SHOWN]],
            },
        )
