#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: pod_cidr_rotation_info
short_description: Plan how the pod network gets another range, with every precondition tested
version_added: 0.1.0
description:
  - Says which way there is from the cluster CIDR in force to another one, what people change in which order, what they
    verify after each step, and which Nodes are registered anew afterwards with C(podnet.upkeep.reassign_pod_cidrs).
  - A range that contains the old one and has the same mask keeps every Node as it is.
  - With an allocator outside kube-controller-manager, a further ClusterCIDR takes Nodes over one by one.
  - For any other range there is no rolling way with the allocator of kube-controller-manager, because it exits when it starts
    and a Node has a block outside its range. The plan is a guided outage then.
  - Each precondition is tested against the live cluster. What cannot be tested is reported as unknown, never as passed.
  - Never writes to the cluster.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
options:
  cluster_cidrs:
    description:
      - The cluster CIDR that is wanted. In dual-stack clusters one of each family, in the order that Nodes have.
    type: list
    elements: str
  node_mask_size_ipv4:
    description: Prefix length of a Node's IPv4 block. Without it, that of the settings in force.
    type: int
  node_mask_size_ipv6:
    description: Prefix length of a Node's IPv6 block. Without it, that of the settings in force.
    type: int
  cluster_cidr_pool:
    description: A ClusterCIDR object that is wanted beside those that are there.
    type: dict
    suboptions:
      name:
        description: Name of the object.
        type: str
        required: true
      ipv4:
        description: Its IPv4 range.
        type: str
      ipv6:
        description: Its IPv6 range.
        type: str
      per_node_host_bits:
        description: How many bits of an address are for the pods of one Node. V(8) is a C(/24) in IPv4.
        type: int
        default: 8
      node_selector:
        description: Labels of the Nodes that it serves. Without any, it serves what no other pool does.
        type: dict
        default: {}
  reserved_networks:
    description: Networks of yours that pods must be able to reach, so that no pod may have an address of them.
    type: list
    elements: str
    default: []
  settle_seconds:
    description: How long kube-controller-manager must have been leading. A younger leader is watched until it is older.
    type: int
    default: 30
seealso:
  - module: podnet.upkeep.node_cidr_info
  - module: podnet.upkeep.reassignment_plan_info
"""

EXAMPLES = r"""
- name: What would it take to have more blocks
  podnet.upkeep.pod_cidr_rotation_info:
    cluster_cidrs: [10.244.0.0/15]
  register: rotation

- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ rotation.lines }}"

- name: And to move the workers into another pool
  podnet.upkeep.pod_cidr_rotation_info:
    cluster_cidr_pool:
      name: workers-2
      ipv4: 10.60.0.0/16
      node_selector:
        pool: workers
"""

RETURN = r"""
method:
  description:
    - V(unchanged), V(superset), V(cluster-cidr-pool), or why there is no rolling way, which is V(disjoint), V(overlapping),
      V(new-mask), V(new-families) or V(unknown).
  returned: success
  type: str
  sample: superset
rolling:
  description: Whether the cluster goes on working meanwhile.
  returned: success
  type: bool
  sample: true
feasible:
  description: Whether no precondition failed.
  returned: success
  type: bool
  sample: true
checks:
  description: The preconditions, with C(what), C(result) (V(passed), V(failed) or V(unknown)) and C(detail).
  returned: success
  type: list
  elements: dict
  sample: [{"what": "No service range is in the new range", "result": "passed", "detail": ""}]
refusals:
  description: Preconditions that failed, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
unknowns:
  description: Preconditions that could not be tested, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
steps:
  description: What people do, in this order, with C(title), C(acts), C(verify) and C(outage).
  returned: success
  type: list
  elements: dict
  sample: [{"title": "Look at the result", "acts": ["ansible-playbook podnet.upkeep.audit"], "verify": [], "outage": false}]
nodes:
  description: Nodes to register anew, with the reason. Those that only wait for a block are not among them.
  returned: success
  type: list
  elements: dict
  sample: []
allocator:
  description: The settings after the change, usable as option O(allocator) of the other modules.
  returned: success
  type: dict
  sample: {"allocate_node_cidrs": true, "cluster_cidrs": ["10.244.0.0/15"], "node_mask_size_ipv4": 24}
lines:
  description: The plan as text.
  returned: success
  type: list
  elements: str
  sample: ["Preconditions:", "  [passed] No service range is in the new range"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster.resources import NODE_CIDR_RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.cidr import CidrError, parse_networks
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.controller_manager import (
    AllocatorSettings,
    settings_from_options,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.checked_plan import RotationPlan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation import cidr_plan
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.rotation_pool import pool_plan
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

_ALSO = ("clustercidrs", "ippools")


def target_of(params: t.Mapping[str, t.Any], now: AllocatorSettings) -> AllocatorSettings:
    """The wanted settings; what is not named is as it is now. Raises InputError."""
    stated = {
        "cluster_cidrs": params["cluster_cidrs"],
        "node_mask_size_ipv4": params["node_mask_size_ipv4"] or now.mask_sizes[4],
        "node_mask_size_ipv6": params["node_mask_size_ipv6"] or now.mask_sizes[6],
        "service_ranges": [str(one) for one in now.service_ranges],
    }
    try:
        return settings_from_options(stated)
    except CidrError as error:
        raise InputError(f"cluster_cidrs: {error}.") from error


def result_of(plan: RotationPlan) -> dict[str, t.Any]:
    """A plan as the module returns it."""
    return {
        "changed": False,
        "method": plan.method,
        "rolling": plan.rolling,
        "feasible": plan.feasible,
        "checks": [one.to_dict() for one in plan.checks],
        "refusals": plan.refusals,
        "unknowns": plan.unknowns,
        "steps": [one.to_dict() for one in plan.steps],
        "nodes": plan.nodes,
        "allocator": plan.allocator,
        "lines": plan.lines(),
    }


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Make the plan."""
    params = module.params
    try:
        reserved = parse_networks(",".join(params["reserved_networks"]))
    except CidrError as error:
        raise InputError(f"reserved_networks: {error}.") from error
    pool = params["cluster_cidr_pool"]
    if pool and not (pool["ipv4"] or pool["ipv6"]):
        raise InputError("cluster_cidr_pool: it has neither ipv4 nor ipv6; give at least one range.")
    client = KubeClient.from_options(params)
    state = live.collect(client, live.LiveOptions(resources=(*NODE_CIDR_RESOURCES, *_ALSO)))
    if "nodes" in state.unknown:
        raise RefusedError(f"The cluster's nodes cannot be read: {state.unknown['nodes']}.")
    context = Context(state, audit_settings(params))
    settle = params["settle_seconds"]
    if pool:
        return result_of(pool_plan(client, context, pool, reserved=reserved, settle_seconds=settle))
    target = target_of(params, context.allocator)
    return result_of(cidr_plan(client, context, target, reserved=reserved, settle_seconds=settle))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            "cluster_cidrs": {"type": "list", "elements": "str"},
            "node_mask_size_ipv4": {"type": "int"},
            "node_mask_size_ipv6": {"type": "int"},
            "cluster_cidr_pool": {
                "type": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "ipv4": {"type": "str"},
                    "ipv6": {"type": "str"},
                    "per_node_host_bits": {"type": "int", "default": 8},
                    "node_selector": {"type": "dict", "default": {}},
                },
            },
            "reserved_networks": {"type": "list", "elements": "str", "default": []},
            "settle_seconds": {"type": "int", "default": 30},
        },
        mutually_exclusive=[("cluster_cidrs", "cluster_cidr_pool")],
        required_one_of=[("cluster_cidrs", "cluster_cidr_pool")],
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
