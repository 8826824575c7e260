# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""Sets of values of cilium-config that belong together.

A profile is data: what it is for, and the keys that it sets. Keys that a release does not have are left out of it there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """``purpose`` is one sentence; ``values`` are texts as cilium-config has them."""

    purpose: str
    values: Mapping[str, str]


PROFILES: Mapping[str, Profile] = {
    "faster_identity_gc": Profile(
        # two timeouts and two intervals: an unused identity goes after 40 minutes at most instead of 90
        "Unused identities are deleted sooner, for the time of an incident.",
        {
            "identity-gc-interval": "5m0s",
            "identity-heartbeat-timeout": "15m0s",
            "identity-gc-rate-interval": "1m0s",
            "identity-gc-rate-limit": "5000",
            "cilium-endpoint-gc-interval": "2m0s",
            "operator-k8s-client-qps": "200",
            "operator-k8s-client-burst": "400",
        },
    ),
    "default": Profile(
        "The values that Cilium has without being told.",
        {
            "identity-gc-interval": "15m0s",
            "identity-heartbeat-timeout": "30m0s",
            "identity-gc-rate-interval": "1m0s",
            "identity-gc-rate-limit": "2500",
            "cilium-endpoint-gc-interval": "5m0s",
            "operator-k8s-client-qps": "100",
            "operator-k8s-client-burst": "200",
        },
    ),
    "large_cluster": Profile(
        # each deletion is seen by every agent: many Nodes want a steady pace, and an operator that may ask more often
        "Thousands of Nodes: the same pace of collection, and an operator that may ask the API server more often.",
        {
            "identity-gc-interval": "10m0s",
            "identity-heartbeat-timeout": "30m0s",
            "identity-gc-rate-interval": "1m0s",
            "identity-gc-rate-limit": "2500",
            "cilium-endpoint-gc-interval": "10m0s",
            "operator-k8s-client-qps": "300",
            "operator-k8s-client-burst": "600",
        },
    ),
}
