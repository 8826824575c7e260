# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Checks of NodeNetworkConfig objects (acn.azure.com), by which Azure gives Nodes their addresses.

Source: crd/nodenetworkconfig/api/v1alpha of Azure/azure-container-networking.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.finding import Finding, Subject
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.ipam_nodes import named
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import name_of
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cluster_cidr_objects import mappings
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import IpamModel

_SUBNET_FULL: t.Final = "NCUpdateSubnetFullError"
_WELL: t.Final = ("", "NCUpdateSuccess")
_CLUSTER: t.Final = Subject("Cluster", "cluster")


def network_modes(context: Context) -> list[str]:
    """Types of network containers that are in use: vnet (pod subnet), vnetblock, overlay; sorted."""
    containers = (container for _name, status in _statuses(context) for container in _containers(status))
    return sorted({str(one.get("type") or "vnet") for one in containers})


def _statuses(context: Context) -> list[tuple[str, Mapping[str, t.Any]]]:
    return [
        (name_of(one), one.get("status") or {}) for one in sorted(context.state.of("nodenetworkconfigs"), key=name_of)
    ]


def _containers(status: Mapping[str, t.Any]) -> list[Mapping[str, t.Any]]:
    return mappings(status.get("networkContainers"))


def check(context: Context, models: Mapping[str, IpamModel]) -> Iterator[Finding]:
    """Nothing where no Node has addresses of Azure, or where these objects are not used (node subnet mode)."""
    nodes = {name for name, model in models.items() if model.name == "azure"}
    statuses = dict(_statuses(context))
    if not nodes or not statuses:
        return
    full: dict[str, list[str]] = {}
    failed: dict[str, str] = dict.fromkeys(sorted(nodes - set(statuses)), "no NodeNetworkConfig")
    for name, status in statuses.items():
        for container in _containers(status):
            outcome = str(container.get("status") or "")
            if outcome == _SUBNET_FULL:
                full.setdefault(str(container.get("subnetName") or "(no name)"), []).append(name)
            elif outcome not in _WELL:
                failed[name] = outcome
        if status.get("status") == "Error":
            failed.setdefault(name, "Error")
        elif name in nodes and not _containers(status):
            failed.setdefault(name, "no network container")
    for subnet, names in sorted(full.items()):
        text = f"Subnet {subnet} has no address left for {len(names)} Nodes: {named(names)}"
        evidence = {"subnet": subnet, "nodes": names[:10], "count": len(names)}
        yield Finding("azure-subnet-full", Subject("Subnet", subnet), text, evidence)
    if failed:
        shown = [f"{name} ({why})" for name, why in sorted(failed.items())]
        text = f"{len(failed)} Nodes do not get what they need from Azure: {named(shown)}"
        yield Finding("azure-network-config-failed", _CLUSTER, text, {"nodes": shown[:10], "count": len(failed)})
