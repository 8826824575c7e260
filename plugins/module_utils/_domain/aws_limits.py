# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""How many pods of the pod network the VPC CNI of Amazon can give an address on one instance.

Source: aws/amazon-vpc-cni-k8s, scripts/gen_vpc_ip_limits.go and misc/eni-max-pods.txt: the first address of each interface
is not for pods; the two more pods of eni-max-pods.txt are those with the host's network (aws-node and kube-proxy). With
custom networking the primary interface carries no pods; with prefix delegation a place for an address holds a /28.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.aws_limits_table import LIMITS

_HOST_NETWORK_PODS = 2
_ADDRESSES_OF_A_PREFIX = 16


@dataclass(frozen=True)
class InstanceLimits:
    """Interfaces of an instance type, and IPv4 addresses of each of them."""

    interfaces: int
    addresses_per_interface: int

    def addresses(self, *, custom_networking: bool = False, prefix_delegation: bool = False) -> int:
        """How many addresses for pods the instance can hold."""
        interfaces = self.interfaces - (1 if custom_networking else 0)
        places = max(0, interfaces) * (self.addresses_per_interface - 1)
        return places * (_ADDRESSES_OF_A_PREFIX if prefix_delegation else 1)

    def max_pods(self, *, custom_networking: bool = False, prefix_delegation: bool = False) -> int:
        """What eni-max-pods.txt says: addresses, and two pods with the host's network.

        Amazon advises to let no kubelet have more than 110 (up to 30 CPUs) or 250 pods with prefix delegation.
        """
        return (
            self.addresses(custom_networking=custom_networking, prefix_delegation=prefix_delegation)
            + _HOST_NETWORK_PODS
        )


@functools.cache
def _by_type() -> Mapping[str, InstanceLimits]:
    found: dict[str, InstanceLimits] = {}
    for (interfaces, addresses), text in LIMITS.items():
        limits = InstanceLimits(interfaces, addresses)
        for part in text.split("; "):
            size, _colon, families = part.partition(": ")
            for family in families.split():
                found[f"{family}.{size}"] = limits
    return found


def instance_limits(instance_type: str) -> InstanceLimits | None:
    """Limits of ``m5.large`` and the like (label node.kubernetes.io/instance-type); None for one that is not listed."""
    return _by_type().get(instance_type)


def known_instance_types() -> tuple[str, ...]:
    """All instance types of the table, in the order of their names."""
    return tuple(sorted(_by_type()))
