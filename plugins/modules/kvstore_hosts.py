#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kvstore_hosts
short_description: Put the hosts of an etcd's members into the order in which room is made in them
description:
  - Takes what M(podnet.upkeep.kvstore_member) found on the host of each member, and returns which host has which member and the
    order in which they are visited, the leader last.
  - Refuses when a host tells a problem, when a member has no host or two, and when the hosts have members of different etcds.
  - Where something is to be done, others on this machine are kept from that etcd until V(released), or until the
    ansible-playbook has ended.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description:
      - V(planned) plans, and claims the etcd for this ansible-playbook when O(claim) is set.
      - V(released) ends the claim.
    type: str
    choices: [planned, released]
    default: planned
  answers:
    description: What M(podnet.upkeep.kvstore_member) returned with C(state=inspected), by the name of the host.
    type: dict
    default: {}
  claim:
    description: Keep others on this machine from the etcd, when something is to be done.
    type: bool
    default: false
  cluster:
    description: ID of the etcd, for O(state=released), as RV(work) has it.
    type: str
    default: ""
  state_dir:
    description: Folder on this machine for the claim.
    type: path
    default: ~/.local/state/podnet-upkeep
seealso:
  - module: podnet.upkeep.kvstore_member
"""

EXAMPLES = r"""
- name: Put hosts into order
  podnet.upkeep.kvstore_hosts:
    answers:
      cp1: "{{ hostvars.cp1.asked }}"
      cp2: "{{ hostvars.cp2.asked }}"
      cp3: "{{ hostvars.cp3.asked }}"
  delegate_to: localhost
  run_once: true
  register: planned
"""

RETURN = r"""
due:
  description: Whether there is anything to do.
  returned: O(state=planned)
  type: bool
  sample: true
plan:
  description: What is to be done, as M(podnet.upkeep.kvstore_maintenance) returns it.
  returned: O(state=planned)
  type: dict
  sample: {"compact_to": 91823, "defragment": ["cp2", "cp3", "cp1"], "disarm": true, "reasons": {}}
work:
  description: The same for M(podnet.upkeep.kvstore_member).
  returned: O(state=planned)
  type: dict
  sample: {"cluster": "cdf818194e3a8c32", "compact_to": 91823, "defragment": ["8e9e05c52164694d"], "urgent": true}
order:
  description: Hosts whose member is to be defragmented, in order.
  returned: O(state=planned)
  type: list
  elements: str
  sample: [cp2, cp3, cp1]
first:
  description: The host from which snapshot, compaction and disarming are done.
  returned: O(state=planned)
  type: str
  sample: cp2
members:
  description: The ID of the member on each host.
  returned: O(state=planned)
  type: dict
  sample: {"cp1": "8e9e05c52164694d"}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._domain.etcd_members import member_name
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.etcd_hosts import assign, identifier
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.machine_lock import claim, give_back
from ansible_collections.podnet.upkeep.plugins.module_utils._options import run_module

Result = dict[str, t.Any]
_PLANNED = "planned"
_RELEASED = "released"


def _name(cluster: str) -> str:
    try:
        return f"kvstore-{member_name(identifier(cluster))}"
    except ValueError as error:
        raise InputError(f"cluster: '{cluster}' is no ID of an etcd; give the one that work has.") from error


def _run(module: AnsibleModule) -> Result:
    options = module.params
    if options["state"] == _RELEASED:
        if not module.check_mode:
            give_back(options["state_dir"], _name(options["cluster"]))
        return {"changed": False}
    assigned = assign(options["answers"])
    answer = assigned.answer
    if options["claim"] and answer["due"] and not module.check_mode:
        claim(options["state_dir"], _name(answer["work"]["cluster"]), "the maintenance of this etcd")
    return {
        "changed": bool(answer["due"]) and module.check_mode,
        "due": answer["due"],
        "plan": answer["plan"],
        "work": answer["work"],
        "order": list(assigned.order),
        "first": assigned.first,
        "members": {host: member for member, host in assigned.hosts.items()},
        "diff": answer["lines"],
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": [_PLANNED, _RELEASED], "default": _PLANNED},
            "answers": {"type": "dict", "default": {}},
            "claim": {"type": "bool", "default": False},
            "cluster": {"type": "str", "default": ""},
            "state_dir": {"type": "path", "default": "~/.local/state/podnet-upkeep"},
        },
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
