# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: run_summary
short_description: Short summary of a run for AWX and other callers, within a number of bytes
description:
  - Makes the summary that the playbooks of this collection hand over with M(ansible.builtin.set_stats). It has the same keys
    for every playbook.
  - Findings are told by kind, lists are cut until the whole is short enough, and C(omitted) says how much was cut.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
options:
  _input:
    description: Numbers of the run. What is no number is left out.
    type: dict
    required: true
  playbook:
    description: Name of the playbook, such as V(podnet.upkeep.audit).
    type: str
    required: true
  check_mode:
    description: Whether nothing was written.
    type: bool
    default: false
  findings:
    description: Findings as M(podnet.upkeep.audit_info) returns them.
    type: list
    elements: dict
    default: []
  findings_in_all:
    description: How many findings there were, when O(findings) is a part of them.
    type: int
    default: 0
  hosts:
    description: Names of the Nodes that the run is about.
    type: list
    elements: str
    default: []
  paths:
    description: Files that the run wrote, by what they are. Empty paths are left out.
    type: dict
    default: {}
  max_bytes:
    description: The summary as JSON is not longer than this.
    type: int
    default: 65536
  failure:
    description: Why the run failed. Empty when it did not. More than 1,000 characters are cut.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Hand counts to the next node of a workflow
  ansible.builtin.set_stats:
    data:
      podnet_upkeep: "{{ {'deleted': 12} | podnet.upkeep.run_summary('example.net.clean', hosts=['w1', 'w2']) }}"
"""

RETURN = r"""
_value:
  description:
    - C(playbook), C(check_mode), C(failure), C(counts), C(findings) (by kind, with C(id), C(severity), C(title), C(number), C(subjects) and
      C(playbook)), C(remedies) (by playbook, with C(findings) and C(hosts)), C(hosts), C(paths), and C(omitted) with the numbers of
      C(findings), C(hosts) and C(subjects) that were left out.
  type: dict
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.run_summary import SummaryError
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.run_summary import run_summary as summarise
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._filter_arguments import mapping, plain, text, whole_number

_LARGEST = 700_000


def run_summary(
    counts: t.Any,
    playbook: str,
    check_mode: bool = False,
    findings: t.Any = (),
    findings_in_all: int = 0,
    hosts: t.Any = (),
    paths: t.Any = None,
    max_bytes: int = 65536,
    failure: str = "",
) -> dict[str, t.Any]:
    """The summary. Raises AnsibleFilterError."""
    try:
        return summarise(
            text(playbook, "playbook", "podnet.upkeep.audit"),
            check_mode=bool(check_mode),
            counts=mapping(counts, "the argument of the filter"),
            findings=plain(list(findings)),
            findings_in_all=int(findings_in_all),
            hosts=plain(list(hosts)),
            paths=mapping(paths or {}, "paths"),
            max_bytes=whole_number(max_bytes, "max_bytes", 0, _LARGEST),
            failure=str(failure),
        )
    except (SummaryError, InputError) as error:
        raise AnsibleFilterError(f"podnet.upkeep.run_summary: {error}") from None


class FilterModule:
    """The filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name and function."""
        return {"run_summary": run_summary}
