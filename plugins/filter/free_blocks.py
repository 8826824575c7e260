# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: free_blocks
short_description: The blocks of a cluster CIDR that no Node has
description:
  - Returns blocks of a cluster CIDR that further Nodes can get, or their number, counted as kube-controller-manager does.
    A used CIDR of another size takes every block that it touches; a service range inside the cluster CIDR takes blocks too.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
positional: mask_size, used
options:
  _input:
    description: A cluster CIDR of one family.
    type: str
    required: true
  mask_size:
    description: Prefix length of the blocks (node mask size).
    type: int
    required: true
  used:
    description: CIDRs that Nodes have. Those of the other family and those outside the cluster CIDR take no block.
    type: list
    elements: str
    default: []
  service_ranges:
    description: Service ranges of the cluster.
    type: list
    elements: str
    default: []
  count:
    description: Whether to return the number of free blocks only.
    type: bool
    default: false
  limit:
    description: At most so many blocks are returned, from the lowest on.
    type: int
    default: 100
seealso:
  - module: podnet.upkeep.node_cidr_info
"""

EXAMPLES = r"""
- name: Is there room for ten more Nodes
  ansible.builtin.assert:
    that: "'10.244.0.0/16' | podnet.upkeep.free_blocks(24, cidrs, count=true) >= 10"
  vars:
    cidrs: "{{ query('kubernetes.core.k8s', kind='Node') | map(attribute='spec.podCIDR') }}"

- name: The next three blocks
  ansible.builtin.debug:
    msg: "{{ '10.244.0.0/16' | podnet.upkeep.free_blocks(24, ['10.244.0.0/24', '10.244.2.0/24'], limit=3) }}"
  # => ['10.244.1.0/24', '10.244.3.0/24', '10.244.4.0/24']
"""

RETURN = r"""
_value:
  description: Free blocks in their order, or with O(count=true) the number of all of them.
  type: raw
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    BlockPool,
    CidrError,
    parse_network,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import text, texts, whole_number


def free_blocks(
    value: t.Any,
    mask_size: t.Any,
    used: t.Any = (),
    service_ranges: t.Any = (),
    count: bool = False,
    limit: t.Any = 100,
) -> list[str] | int:
    """Free blocks of a cluster CIDR, or their number. Raises AnsibleFilterError with one sentence."""
    try:
        cluster = parse_network(text(value, "the cluster CIDR", "10.244.0.0/16"))
        size = whole_number(mask_size, "mask_size", cluster.prefixlen, cluster.max_prefixlen)
        services = [parse_network(one) for one in texts(service_ranges, "service_ranges", "10.96.0.0/12")]
        networks = [parse_network(one) for one in texts(used, "used", "10.244.1.0/24")]
        wanted = whole_number(limit, "limit", 0, 65536)
        pool = BlockPool(cluster, size, services)
        return pool.free(networks) if count else _lowest(pool, pool.occupied(networks), wanted)
    except (CidrError, InputError) as error:
        raise AnsibleFilterError(f"podnet.upkeep.free_blocks: {error}") from None


def _lowest(pool: BlockPool, occupied: list[tuple[int, int]], wanted: int) -> list[str]:
    """The first blocks in the gaps between the occupied ranges."""
    found: list[str] = []
    start = 0
    for first, last in [*occupied, (pool.capacity, pool.capacity)]:
        for index in range(start, first):
            if len(found) == wanted:
                return found
            found.append(str(pool.block(index)))
        start = last + 1
    return found


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"free_blocks": free_blocks}
