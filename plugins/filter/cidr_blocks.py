# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cidr_blocks
short_description: The blocks that a CIDR is cut into
description:
  - Cuts a CIDR into blocks of one size, as kube-controller-manager and Cilium do for Nodes, and returns them or their number.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
positional: mask_size
options:
  _input:
    description: An IPv4 or IPv6 CIDR. Bits behind the mask are cut off.
    type: str
    required: true
  mask_size:
    description: Prefix length of the blocks.
    type: int
    required: true
  count:
    description: Whether to return the number of blocks only.
    type: bool
    default: false
  limit:
    description:
      - At most so many blocks are returned, from the first on.
      - Without it, a CIDR of more than 65536 blocks is an error.
    type: int
seealso:
  - plugin: podnet.upkeep.free_blocks
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Blocks of a new cluster CIDR
  ansible.builtin.debug:
    msg: "{{ '10.244.0.0/22' | podnet.upkeep.cidr_blocks(24) }}"
  # => ['10.244.0.0/24', '10.244.1.0/24', '10.244.2.0/24', '10.244.3.0/24']

- name: How many Nodes it is enough for
  ansible.builtin.debug:
    msg: "{{ 'fd00:10:244::/48' | podnet.upkeep.cidr_blocks(64, count=true) }}"
  # => 65536
"""

RETURN = r"""
_value:
  description: The blocks in their order, or with O(count=true) their number.
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
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import text, whole_number

_MOST = 65536


def cidr_blocks(value: t.Any, mask_size: t.Any, count: bool = False, limit: t.Any = None) -> list[str] | int:
    """Blocks of a CIDR, or their number. Raises AnsibleFilterError with one sentence."""
    try:
        network = parse_network(text(value, "the CIDR", "10.244.0.0/16"))
        # the limit to IPv6 pools that kube-controller-manager has does not hold for a CIDR as such
        size = whole_number(mask_size, "mask_size", network.prefixlen, network.max_prefixlen)
        number = 1 << (size - network.prefixlen)
        if count:
            return number
        if limit is None and number > _MOST:
            raise InputError(f"{network} has {number} blocks of /{size}; give limit or count=true")
        wanted = number if limit is None else min(number, whole_number(limit, "limit", 0, _MOST))
        if not wanted:
            return []
        # the smallest network that holds all wanted blocks: a pool of it is never too large
        bits = (wanted - 1).bit_length()
        first = BlockPool(parse_network(f"{network.network_address}/{size - bits}"), size)
        return [str(first.block(index)) for index in range(wanted)]
    except (CidrError, InputError) as error:
        raise AnsibleFilterError(f"podnet.upkeep.cidr_blocks: {error}") from None


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"cidr_blocks": cidr_blocks}
