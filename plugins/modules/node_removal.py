#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_removal
short_description: Remove one Node whose machine is really gone, with its pods, volumes and blocks
version_added: 0.1.0
description:
  - Makes the plan of M(podnet.upkeep.unreachable_nodes_info) for one Node, and refuses where that refuses.
  - Then taints the Node with C(node.kubernetes.io/out-of-service), which tells the control plane that the machine is out of
    service. It removes the pods that do not tolerate the taint and detaches their volumes. Nothing is force-deleted here.
  - When pods and volumes are gone, the Node that was planned (its uid) is deleted.
  - When the kubelet comes back before that, the taint is taken back and the module fails.
  - A Node that is not there is no change.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
  - podnet.upkeep.removal
  - podnet.upkeep.run
attributes:
  check_mode:
    support: full
    details:
      - Makes the plan, watches the kubelet, and returns what would be done. A refusal fails in check mode as well.
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
  state_dir:
    description:
      - Folder on this machine in which the Node object is kept as JSON before anything is changed. Without it, it is not
        kept.
    type: path
  release_timeout:
    description: Seconds to wait until the control plane has removed the pods and detached the volumes.
    type: int
    default: 300
  delete_timeout:
    description: Seconds to wait until everything that belonged to the deleted Node is gone.
    type: int
    default: 180
seealso:
  - module: podnet.upkeep.unreachable_nodes_info
  - module: podnet.upkeep.node_registration
"""

EXAMPLES = r"""
- name: What would be removed
  podnet.upkeep.node_removal:
    name: w7
  check_mode: true
  diff: true

- name: Remove a Node whose machine is switched off
  podnet.upkeep.node_removal:
    name: w7
    powered_off: [w7]
    state_dir: /var/lib/podnet-upkeep/production/removed
"""

RETURN = r"""
uid:
  description: Uid of the Node; empty when there is none.
  returned: success
  type: str
  sample: 2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e
actions:
  description: What was done, or in check mode would be done, one line each.
  returned: success
  type: list
  elements: str
  sample: ["tainted Node w7 with node.kubernetes.io/out-of-service"]
plan:
  description: The plan of the Node, as M(podnet.upkeep.unreachable_nodes_info) gives it.
  returned: success
  type: dict
  sample: {"name": "w7", "silent_seconds": 7410}
saved_to:
  description: File with the Node object; empty without O(state_dir).
  returned: success
  type: str
  sample: /var/lib/podnet-upkeep/production/removed/w7-2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e.json
refusals:
  description: Why the Node must not be removed, one sentence each.
  returned: when the removal is refused
  type: list
  elements: str
  sample: ["Node w7 is not gone: its kubelet renews its Lease (at 2026-11-01T00:00:10Z)."]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.node_removal import ActOptions, NodeRemoval
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.removal_plan import (
    NodeRemovalPlan,
    make_removal_plan,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.scheduling import node_path, require_uid
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._removal_options import (
    removal_argument_spec,
    removal_options,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import heartbeat_of, run_argument_spec


def diff_of(plan: NodeRemovalPlan) -> dict[str, t.Any]:
    """The change as ``--diff`` shows it."""
    return {
        "before_header": f"Node {plan.name}",
        "after_header": f"Node {plan.name}",
        "before": {
            "uid": plan.uid,
            "podCIDRs": plan.pod_cidrs,
            "pods": sorted([*plan.pods["evicted"], *plan.pods["stay"]]),
            "volumes": plan.volumes,
        },
        "after": {},
    }


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Plan, and unless in check mode remove."""
    params = module.params
    options = removal_options(params, (params["name"],), 1)
    client = KubeClient.from_options(params)
    heartbeat = heartbeat_of(params, client, check_mode=module.check_mode)
    if heartbeat is not None:
        heartbeat()
    node = client.find(node_path(params["name"]))
    if node is None:
        return {"changed": False, "uid": "", "actions": [], "plan": {}, "saved_to": ""}
    require_uid(node, params["uid"])
    plan = make_removal_plan(client, read_context(client, audit_settings(params)), options)
    refusals = plan.all_refusals
    if refusals:
        raise RefusedError(f"Node {params['name']} is not removed: {' '.join(refusals)}", refusals)
    if not plan.nodes:
        return {"changed": False, "uid": "", "actions": [], "plan": {}, "saved_to": ""}
    planned = plan.nodes[0]
    result = {"changed": True, "uid": planned.uid, "plan": planned.to_dict(), "diff": diff_of(planned)}
    if module.check_mode:
        return {**result, "actions": planned.steps(), "saved_to": ""}
    act = ActOptions(
        state_dir=params["state_dir"] or "",
        release_timeout=params["release_timeout"],
        delete_timeout=params["delete_timeout"],
    )
    removed = NodeRemoval(client, planned.name, planned.uid, act, heartbeat=heartbeat).run()
    return {**result, "actions": removed.actions, "saved_to": removed.saved_to}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            **removal_argument_spec(),
            **run_argument_spec(),
            "name": {"type": "str", "required": True},
            "uid": {"type": "str"},
            "state_dir": {"type": "path"},
            "release_timeout": {"type": "int", "default": 300},
            "delete_timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
