# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What a Node offers to pods that have to leave another one, and the claims that they take along."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.state import Object, condition, pod_cidrs
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.ipam_model import IpamModel
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import is_unschedulable

#: Of a block, what no pod gets: network, broadcast and gateway (host-local on a bridge).
_NOT_FOR_PODS = 3


def takes_pods(node: Object, model: IpamModel) -> bool:
    """Whether it is Ready, schedulable, not being deleted and, where Node.spec decides, has a podCIDR."""
    usable = condition(node, "Ready") == "True" and not is_unschedulable(node)
    has_addresses = bool(pod_cidrs(node)) or not model.node_spec_is_truth
    return usable and has_addresses and not node["metadata"].get("deletionTimestamp")


def addresses_for_pods(node: Object, model: IpamModel) -> int | None:
    """How many pods its podCIDRs have addresses for; None where they do not decide."""
    if not model.node_spec_is_truth:
        return None
    return min((max(0, cidr.num_addresses - _NOT_FOR_PODS) for cidr in pod_cidrs(node)), default=0)


def claims_of(pod: Mapping[str, t.Any]) -> list[str]:
    """Names of its PersistentVolumeClaims, those that are made for it included."""
    found = []
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if volume.get("ephemeral"):
            found.append(f"{pod['metadata']['name']}-{volume['name']}")
        elif (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            found.append(str(volume["persistentVolumeClaim"]["claimName"]))
    return found
