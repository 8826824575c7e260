# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# For internal use of this collection only; the interface may change in any release.
"""The numbers that one cluster may give to its security identities.

Source of the rules: GetMinimalAllocationIdentity and GetMaximumAllocationIdentity of pkg/identity/numericidentity.go of
cilium/cilium.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

_BITS = 24
# max-connected-clusters -> bits of a number that say which cluster it is of
_CLUSTER_BITS: t.Final = {255: 8, 511: 9}
_FIRST_OF_CLUSTER_0 = 256


class IdentityRangeError(ValueError):
    """Settings from which no range follows; the text names key, value and remedy."""


@dataclass(frozen=True)
class IdentityRange:
    """The numbers ``minimum`` to ``maximum``, both included. ``cluster_id`` is None where an agent told the range only."""

    minimum: int
    maximum: int
    cluster_id: int | None = None

    @property
    def capacity(self) -> int:
        """How many identities fit."""
        return self.maximum - self.minimum + 1

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.minimum <= number <= self.maximum


def identity_range(cluster_id: int = 0, max_connected_clusters: int = 255) -> IdentityRange:
    """The range of one cluster of a mesh. Raises IdentityRangeError.

    Cluster 0 leaves out 0 to 255 (reserved and well-known); others have no such part.
    """
    if max_connected_clusters not in _CLUSTER_BITS:
        raise IdentityRangeError(
            f"max-connected-clusters is {max_connected_clusters}; Cilium knows 255 and 511, and never another after installation"
        )
    if not 0 <= cluster_id <= max_connected_clusters:
        raise IdentityRangeError(f"cluster-id is {cluster_id}; give 0 to {max_connected_clusters}")
    size = 1 << (_BITS - _CLUSTER_BITS[max_connected_clusters])
    first = cluster_id * size
    return IdentityRange(first or _FIRST_OF_CLUSTER_0, first + size - 1, cluster_id)


def range_of_config(config: Mapping[str, str]) -> IdentityRange:
    """The range by the keys cluster-id and max-connected-clusters of cilium-config. Raises IdentityRangeError."""
    numbers = {}
    for key, default in (("cluster-id", "0"), ("max-connected-clusters", "255")):
        text = str(config.get(key) or default).strip()
        if not (text.isascii() and text.isdecimal()):
            raise IdentityRangeError(f"{key} is '{text}'; it must be a number")
        numbers[key] = int(text)
    return identity_range(numbers["cluster-id"], numbers["max-connected-clusters"])
