# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  quarantine:
    description:
      - Seconds for which a Node must have been silent. Counted from the last change of its condition C(Ready) or the last
        renewal of its Lease, whichever is later, by the clock of the API server.
    type: int
    default: 1800
  settle_seconds:
    description:
      - Seconds for which the Node is watched. A kubelet that renews its Lease or writes its status meanwhile is not gone,
        and the Node is refused. It is watched at least for the time for which its Lease is valid.
    type: int
    default: 40
  controller_settle_seconds:
    description: How long kube-controller-manager must have been leading. A younger leader is watched until it is older.
    type: int
    default: 30
  max_share:
    description:
      - Share of the cluster's Nodes that may be unreachable at once, from V(0) to V(0.5). When more are, nothing is
        removed, because it is more likely that a network is cut off. A single Node is always allowed.
    type: float
    default: 0.2
  powered_off:
    description:
      - Names of Nodes whose machine is known to be switched off. Without that, a Node with attached volumes or with pods
        of StatefulSets is refused, because they would be in use twice should the machine still run.
    type: list
    elements: str
    default: []
  accepted_risks:
    description: Names of risks to take. Each refusal that can be overridden names its own.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace in which runs of this collection keep their Leases and journals.
    type: str
    default: kube-system
"""
