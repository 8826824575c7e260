#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_pod_cidr
short_description: Give a Node without pod CIDRs free blocks, where no allocator runs
version_added: 0.1.0
description:
  - For clusters in which C(--allocate-node-cidrs) is off and the CNI takes the pod CIDR from the Node all the same, as with
    flannel. A Node without pod CIDR runs no pods there.
  - Chooses one free block of each family. It is held by no other Node, and no service range, no address of a Node and no
    address of a pod is in it. Blocks that you name are validated in the same way.
  - The API takes pod CIDRs once and never another value, so a Node that has some is no change. See
    M(podnet.upkeep.reassignment_plan_info) for those.
  - Refuses where an allocator runs, because that would serve the Node itself and might choose the same block.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
attributes:
  check_mode:
    support: full
    details:
      - Chooses and validates the blocks, and writes nothing. A refusal fails in check mode as well.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the Node.
    type: str
    required: true
  uid:
    description: Uid that the Node must have. Without it, any Node of this name is taken.
    type: str
  pod_cidrs:
    description:
      - Give the Node these pod CIDRs, in the order of the cluster's families. Without it, free blocks are chosen.
    type: list
    elements: str
    default: []
  accepted_risks:
    description: Names of risks to take. Each refusal that can be overridden names its own.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace of the Lease that keeps two such modules from choosing the same block.
    type: str
    default: kube-system
seealso:
  - module: podnet.upkeep.node_cidr_info
"""

EXAMPLES = r"""
- name: Which block would w5 get
  podnet.upkeep.node_pod_cidr:
    name: w5
    allocator:
      allocate_node_cidrs: false
      cluster_cidrs: [10.244.0.0/16]
  check_mode: true
  diff: true
"""

RETURN = r"""
uid:
  description: Uid of the Node.
  returned: success
  type: str
  sample: 2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e
pod_cidrs:
  description: Pod CIDRs that the Node has, or in check mode would get.
  returned: success
  type: list
  elements: str
  sample: [10.244.5.0/24]
free_blocks:
  description: Blocks of each family that are left after that; empty when nothing was chosen.
  returned: success
  type: dict
  sample: {"IPv4": 250}
refusals:
  description: Why the Node gets none, one sentence each.
  returned: when it is refused
  type: list
  elements: str
  sample: ["No block of 10.244.0.0/22 (/24 each) is free for Node w5"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.before_image import pod_cidrs_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cluster_preflight import standing
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_cidr_assignment import (
    Choice,
    PodCidrAssignment,
    choose,
    objections,
    validated,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import get_node, require_uid, uid_of
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def choice_of(context: Context, params: t.Mapping[str, t.Any]) -> Choice:
    """What the Node is to get. Raises RefusedError where nobody may hand out podCIDRs, or these are not fit."""
    refusals = [one.sentence for one in standing(objections(context), params["accepted_risks"])]
    if refusals:
        raise RefusedError(f"Node {params['name']} gets no podCIDRs: {' '.join(refusals)}", refusals)
    if params["pod_cidrs"]:
        return validated(context, params["name"], params["pod_cidrs"])
    return choose(context, params["name"])


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Choose, and unless in check mode write."""
    params = module.params
    settings = audit_settings(params)
    client = KubeClient.from_options(params)
    node = get_node(client, params["name"])
    require_uid(node, params["uid"])
    present = pod_cidrs_of(node)
    if present:
        if params["pod_cidrs"] and params["pod_cidrs"] != present:
            raise RefusedError(
                f"Node {params['name']} has podCIDRs {', '.join(present)} already, and the API takes no others; register "
                "it anew with the playbook podnet.upkeep.reassign_pod_cidrs."
            )
        return {"changed": False, "uid": uid_of(node), "pod_cidrs": present, "free_blocks": {}}
    choice = choice_of(read_context(client, settings), params)
    if not module.check_mode:
        # chosen again under the lock: another one may have taken the same block meanwhile
        with PodCidrAssignment(client, params["namespace"]) as assignment:
            context = read_context(client, settings)
            choice = choice_of(context, params)
            assignment.assign(params["name"], uid_of(node), choice.pod_cidrs, context.allocator)
    return {
        "changed": True,
        "uid": uid_of(node),
        "pod_cidrs": choice.pod_cidrs,
        "free_blocks": choice.left,
        "diff": {
            "before_header": f"Node {params['name']}",
            "after_header": f"Node {params['name']}",
            "before": {"podCIDRs": []},
            "after": {"podCIDRs": choice.pod_cidrs},
        },
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            "name": {"type": "str", "required": True},
            "uid": {"type": "str"},
            "pod_cidrs": {"type": "list", "elements": "str", "default": []},
            "accepted_risks": {"type": "list", "elements": "str", "default": []},
            "namespace": {"type": "str", "default": "kube-system"},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
