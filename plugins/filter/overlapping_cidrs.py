# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: overlapping_cidrs
short_description: Pairs of CIDRs that have addresses in common
description:
  - Returns every pair of a list of CIDRs that overlaps. CIDRs of different families never do; a CIDR that is twice in the
    list overlaps itself.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
options:
  _input:
    description: CIDRs of any family.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse ranges that collide
  ansible.builtin.assert:
    that: ranges | podnet.upkeep.overlapping_cidrs | length == 0
    fail_msg: "These overlap: {{ ranges | podnet.upkeep.overlapping_cidrs }}"
  vars:
    ranges: ["10.244.0.0/16", "10.96.0.0/12", "192.168.0.0/16", "10.100.0.0/16"]
  # => [['10.96.0.0/12', '10.100.0.0/16']]
"""

RETURN = r"""
_value:
  description: Pairs in the order of the list, each CIDR as it was given.
  type: list
  elements: list
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import (
    CidrError,
    overlapping,
    parse_network,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import texts


def overlapping_cidrs(value: t.Any) -> list[list[str]]:
    """Pairs that overlap. Raises AnsibleFilterError with one sentence."""
    try:
        given = texts(value, "the list of CIDRs", "10.244.0.0/16")
        found = overlapping((str(at), parse_network(one)) for at, one in enumerate(given))
    except (CidrError, InputError) as error:
        raise AnsibleFilterError(f"podnet.upkeep.overlapping_cidrs: {error}") from None
    pairs = {(int(one), int(other)) for one, others in found.items() for other, _own, _theirs in others}
    return [[given[one], given[other]] for one, other in sorted(pairs) if one < other]


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"overlapping_cidrs": overlapping_cidrs}
