# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What an inventory says about each Node: its variables and its groups, out of one audit.

Plain data, so that a cache of any kind can keep it.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_nodes import models_of_nodes
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    is_within,
    parse_address,
    parse_network,
    span,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import UNKNOWN
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError

Row = dict[str, t.Any]
#: Nodes that have a finding which this playbook mends.
DRIFTED: t.Final = "drifted"
REPAIR: t.Final = "podnet.upkeep.reassign_pod_cidrs"
_ROLE = "node-role.kubernetes.io/"
# what machine providers call the group of machines that a Node is of
NODE_POOL_LABELS: t.Final = (
    "eks.amazonaws.com/nodegroup",
    "karpenter.sh/nodepool",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "node.cluster.x-k8s.io/pool",
    "rke.cattle.io/rke-machine-pool-name",
)
_FAMILIES: t.Final = ("ipv4", "ipv6")


def picture(context: Context) -> Row:
    """``{"cluster": {...}, "nodes": [row, ...]}`` of an audited cluster, JSON values only."""
    result = document(context)
    models = models_of_nodes(context)
    found: dict[str, list[Row]] = {}
    for finding in result["findings"]:
        if finding["subject"]["kind"] == "Node":
            found.setdefault(finding["subject"]["name"], []).append(finding)
    rows = {row["name"]: row for row in result["nodes"]}
    pools = [pool["cluster_cidr"] for pool in result["pools"]]
    nodes = []
    for node in context.state.nodes:
        name = name_of(node)
        nodes.append(_row(node, rows[name], found.get(name, []), models[name].name, pools))
    cluster = {
        "taken_at": result["taken_at"],
        "origin": result["origin"],
        "server_version": result["server_version"],
        "ipam_model": result["ipam_model"]["name"],
        "unknown": result["unknown"],
    }
    return {"cluster": cluster, "nodes": nodes}


def _row(node: Mapping[str, t.Any], row: Row, findings: Sequence[Row], model: str, pools: Sequence[str]) -> Row:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    labels = dict(node["metadata"].get("labels") or {})
    addresses = [{"type": one.get("type"), "address": one.get("address")} for one in status.get("addresses") or ()]
    return {
        "name": row["name"],
        "labels": labels,
        "taints": [dict(one) for one in spec.get("taints") or ()],
        "addresses": addresses,
        "pod_cidrs": row["pod_cidrs"],
        "provider_id": spec.get("providerID") or "",
        "provider": row["provider"],
        "ready": row["ready"],
        "unschedulable": row["unschedulable"],
        # a Node without findings is well only where its podCIDRs could be judged at all
        "severity": row["severity"] if findings or model != UNKNOWN else UNKNOWN,
        "ipam_model": model,
        "pools": [pool for pool in pools if any(_within(cidr, pool) for cidr in row["pod_cidrs"])],
        "roles": sorted(key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE) and key != _ROLE),
        "node_pool": next((labels[key] for key in NODE_POOL_LABELS if labels.get(key)), ""),
        "drifted": any((one.get("remedy") or {}).get("playbook") == REPAIR for one in findings),
        "findings": [{key: one[key] for key in ("id", "severity", "summary")} for one in findings],
    }


def _within(cidr: str, pool: str) -> bool:
    first, last = span(parse_network(cidr))
    spans = (span(parse_network(pool)),)
    return is_within(first, spans) and is_within(last, spans)


def groups_of(row: Mapping[str, t.Any]) -> list[str]:
    """Names of the groups of one Node, not yet in the form that Ansible wants."""
    findings = sorted({one["id"] for one in row["findings"]})
    return [
        *(f"role_{role}" for role in row["roles"] or ("none",)),
        *((f"node_pool_{row['node_pool']}",) if row["node_pool"] else ()),
        *(f"pool_{pool}" for pool in row["pools"]),
        f"ipam_{row['ipam_model']}",
        f"severity_{row['severity']}",
        *(f"finding_{one}" for one in findings),
        *((DRIFTED,) if row["drifted"] else ()),
    ]


def variables_of(row: Mapping[str, t.Any], cluster: Mapping[str, t.Any]) -> Row:
    """Variables of the host of one Node, all but ``ansible_host``."""
    kept = {f"podnet_{key}": value for key, value in row.items() if key not in ("name", "findings")}
    return {
        "podnet_node_name": row["name"],
        **kept,
        "podnet_findings": row["findings"],
        "podnet_finding_ids": sorted({one["id"] for one in row["findings"]}),
        "podnet_cluster": dict(cluster),
    }


def address_of(row: Mapping[str, t.Any], types: Sequence[str], family: str) -> str:
    """The address to connect to: the first of the first type that is of this family; empty when there is none.

    ``family``: ipv4, ipv6 or any. Names (Hostname, ExternalDNS) are of every family.
    """
    for wanted in types:
        for one in row["addresses"]:
            if one["type"] == wanted and one["address"] and _is_of(str(one["address"]), family):
                return str(one["address"])
    return ""


def _is_of(address: str, family: str) -> bool:
    if family not in _FAMILIES:
        return True
    try:
        return f"ipv{parse_address(address).version}" == family
    except ValueError:
        return True  # a name


def check_types(types: Sequence[str], known: Sequence[str]) -> None:
    """Raises InputError for a type of address that Kubernetes does not have."""
    for one in types:
        if one not in known:
            raise InputError(f"address_types: '{one}' is no type of a Node's address; use {', '.join(known)}.")
    if not types:
        raise InputError(f"address_types: the list is empty; name at least one of {', '.join(known)}.")
