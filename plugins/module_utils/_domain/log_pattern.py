# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""What one text of a log or an event means: component, cause, meaning."""

from __future__ import annotations

from dataclasses import dataclass

CONTROLLER_MANAGER = "kube-controller-manager"
CILIUM_OPERATOR = "cilium-operator"
CILIUM_AGENT = "cilium-agent"
FLANNEL = "flannel"
KUBELET = "kubelet"

# what a line or a message gives as the cause of trouble; the checks connect causes with findings
POOL_EXHAUSTED = "pool-exhausted"
OUT_OF_RANGE = "out-of-range"
ASSIGNMENT_FAILED = "assignment-failed"
NO_POD_CIDR = "no-pod-cidr"
CNI_NETWORK_MISMATCH = "cni-network-mismatch"
CILIUM_POOL_EXHAUSTED = "cilium-pool-exhausted"
NODE_FULL = "node-full"
IDENTITIES_EXHAUSTED = "identities-exhausted"
IDENTITY_PENDING = "identity-pending"
LOCAL_LIMIT = "local-limit"
AGENT_DOWN = "agent-down"
CNI_MISSING = "cni-missing"
OLD_BRIDGE = "old-bridge"
CLOUD_ADDRESSES = "cloud-addresses"
NOT_NETWORK = "not-network"


@dataclass(frozen=True)
class LogPattern:
    """One text that matters: ``text`` and every one of ``also`` are in the line.

    ``component`` writes it; ``cause`` is one of the causes above; ``meaning`` is one sentence for an operator.
    """

    id: str
    component: str
    cause: str
    text: str
    meaning: str
    also: tuple[str, ...] = ()

    def matches(self, line: str) -> bool:
        """Whether the line has all texts."""
        return self.text in line and all(other in line for other in self.also)
