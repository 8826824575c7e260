# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The present state of a forecast out of the JSON result of an audit, where neither cluster nor saved state is at hand."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._checks.capacity import Present
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.block_supply import NodeBlocks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, parse_network
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    RANGE_ALLOCATOR,
    settings_from_options,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_classes import IN_USE, PENDING
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.identity_garbage_collection import (
    INTERVAL,
    TIMEOUT,
    times_of_config,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import NODE_SPEC


def present_of_result(document: Mapping[str, t.Any]) -> Present:
    """What a result tells. It does not have the books of the cilium-operator, so its pools get no what-if.

    Raises ValueError when a part of it is not as audits write it.
    """
    why = {"cilium-pools-what-if": "a result has no CiliumNodes; give a saved state or the live cluster"}
    try:
        # an audit counts the blocks of the cluster CIDR also where the CNI keeps books of its own
        model = (document.get("ipam_model") or {}).get("name", NODE_SPEC)
        if model != NODE_SPEC:
            document = {**document, "pools": []}
            why["node-blocks"] = f"blocks of Node.spec do not decide here: the IPAM model is {model}"
        identities = document.get("identities") or {}
        classes, gc = identities.get("classes"), identities.get("gc") or {}
        timed = gc.get("interval") and gc.get("heartbeat_timeout")
        if not identities:
            why["identities"] = "the result says nothing about identities"
        nodes = _node_blocks(document)
        if nodes is None:
            why.setdefault("node-blocks", "the result does not tell of blocks that kube-controller-manager gives out")
        return Present(
            document=document,
            nodes=nodes,
            identities_in_use=None if classes is None else classes[IN_USE] + classes[PENDING],
            times=times_of_config({INTERVAL: gc["interval"], TIMEOUT: gc["heartbeat_timeout"]}) if timed else None,
            collects={"healthy": True, "slow": True, "off": False, "broken": False}.get(str(gc.get("verdict"))),
            turnover=identities.get("turnover"),
            single=identities.get("forecast"),
            why=why,
        )
    except (AttributeError, KeyError, TypeError, CidrError) as error:
        raise ValueError(f"it is not as an audit writes it ({type(error).__name__}: {error})") from error


def _node_blocks(document: Mapping[str, t.Any]) -> NodeBlocks | None:
    allocator = document.get("allocator") or {}
    decides = document.get("pools") and allocator.get("allocate_node_cidrs") is not False
    if not decides or not allocator.get("cluster_cidrs") or allocator.get("allocator_type") != RANGE_ALLOCATOR:
        return None
    settings = settings_from_options(allocator)
    held = [parse_network(cidr) for node in document.get("nodes") or () for cidr in node["pod_cidrs"]]
    waiting = max(pool["waiting_nodes"] for pool in document["pools"])
    pools = settings.pools()
    return NodeBlocks(pools, held, waiting, settings.service_ranges) if pools else None
