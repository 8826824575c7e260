#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: reassignment_plan_info
short_description: Plan which Nodes are registered anew for fresh pod CIDRs, and say what speaks against it
version_added: 0.1.0
description:
  - Looks at the whole cluster once and says which Nodes need fresh pod CIDRs and why, in which order they are best
    taken, what each of them keeps and loses, and which of its pods are evicted or replaced.
  - Says also why the run must not start, for the cluster and for each Node. Controllers that do not run, a blocked
    garbage collection, a missing permission, a Node whose deletion would destroy its machine, or a pool without a
    block for it are such reasons.
  - Never writes to the cluster. The questions about permissions are sent as SelfSubjectAccessReviews, which nothing
    stores.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
  - podnet.upkeep.run.journal
options:
  nodes:
    description:
      - Names of Nodes. Without any, every Node is planned that has a finding whose remedy is
        C(podnet.upkeep.reassign_pod_cidrs), and every Node on which an earlier run stopped half-way.
      - A named Node with nothing to mend is skipped. A named Node that must not be deleted is a refusal of the whole
        run, any other is skipped.
    type: list
    elements: str
    default: []
  run_nodes:
    description: All Nodes of the run that this plan is a part of. That they are cordoned or not Ready is no objection.
    type: list
    elements: str
    default: []
  control_plane:
    description: Whether Nodes of the control plane may be planned.
    type: bool
    default: false
  even_if_healthy:
    description: Plan named Nodes although nothing is wrong with their pod CIDRs.
    type: bool
    default: false
  accepted_risks:
    description:
      - Names of risks to take. Each refusal that can be overridden names its own.
    type: list
    elements: str
    default: []
  state_dir:
    description: Folder of before-images, see M(podnet.upkeep.node_registration). Unfinished Nodes are planned first.
    type: path
  settle_seconds:
    description:
      - How long kube-controller-manager must have been leading. A younger leader is watched until it is older, because
        one that restarts again and again looks healthy for some seconds.
    type: int
    default: 30
  wait_for_allocation:
    description: Seconds to wait for the allocator when a named Node has no pod CIDR, before the plan is made.
    type: int
    default: 0
  delete_emptydir_data:
    description: Plan the drain with this option of M(podnet.upkeep.node_drain).
    type: bool
    default: false
  force:
    description: Plan the drain with this option of M(podnet.upkeep.node_drain).
    type: bool
    default: false
  disable_eviction:
    description: Plan the drain with this option of M(podnet.upkeep.node_drain).
    type: bool
    default: false
  fail_on_refusal:
    description: Fail when there are refusals, instead of only returning them.
    type: bool
    default: false
seealso:
  - module: podnet.upkeep.audit_info
  - module: podnet.upkeep.node_registration
"""

EXAMPLES = r"""
- name: What would a repair do
  podnet.upkeep.reassignment_plan_info:
    state_dir: /var/lib/podnet-upkeep/production
  register: plan

- name: Show it
  ansible.builtin.debug:
    msg: "{{ plan.lines }}"
"""

RETURN = r"""
nodes:
  description: The Nodes to register anew, in their order.
  returned: success
  type: list
  elements: dict
  sample:
    - name: w1
      uid: 2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e
      resume_step: ""
      reasons:
        - id: node-cidr-out-of-range
          severity: critical
          summary: "Node w1 has 10.200.7.0/24, outside the cluster CIDR 10.244.0.0/16"
      pod_cidrs: [10.200.7.0/24]
      new_pod_cidrs_from: "the allocator, out of 10.244.0.0/16 (/24 each)"
      control_plane: false
      was_unschedulable: false
      frees_blocks: 0
      waits_for_block: false
      keeps:
        labels: [rack=r1]
        annotations: [example.com/note]
        taints: ["dedicated=x:PreferNoSchedule"]
        left_out: [node.alpha.kubernetes.io/ttl]
      pods:
        evict: [default/web-6f7c9d5b4-x2x7k]
        delete: [kube-system/kube-proxy-8rj2z]
        keep: []
      steps: [check that the host is this Node's machine]
      warnings: []
      refusals: []
node_names:
  description: Names of RV(nodes), in their order.
  returned: success
  type: list
  elements: str
  sample: [w1]
refusals:
  description: Why the run must not start, one sentence each, of the cluster and of its Nodes.
  returned: always
  type: list
  elements: str
  sample: []
warnings_of_plan:
  description: What to know although it does not stop the run.
  returned: success
  type: list
  elements: str
  sample: []
skipped_nodes:
  description: Nodes that are left alone, and why.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "cp1", "reason": "it belongs to the control plane; name it and allow that to include it"}]
allocator:
  description: Settings of the allocator that the new pod CIDRs must fit, usable as option O(allocator).
  returned: success
  type: dict
  sample: {"allocate_node_cidrs": true, "cluster_cidrs": ["10.244.0.0/16"], "node_mask_size_ipv4": 24}
pools:
  description: Use of each pool in blocks.
  returned: success
  type: list
  elements: dict
  sample: [{"family": "IPv4", "cluster_cidr": "10.244.0.0/16", "capacity": 256, "used": 12, "free": 244}]
plan_digest:
  description: SHA-256 of what the plan rests on. It changes when the plan has to change.
  returned: success
  type: str
  sample: 4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
lines:
  description: The plan as text.
  returned: success
  type: list
  elements: str
  sample: ["1 Node is to be registered anew, one after the other:", "1. Node w1 (10.200.7.0/24)"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain import DrainOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.drain_filters import FilterOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import (
    Plan,
    PlanOptions,
    make_plan,
    read_context,
    wait_for_allocation,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import journal_argument_spec, journal_of


def plan_options(params: t.Mapping[str, t.Any], client: KubeClient) -> PlanOptions:
    """Module options as the operation wants them."""
    return PlanOptions(
        nodes=tuple(params["nodes"]),
        run_nodes=tuple(params["run_nodes"]),
        control_plane=params["control_plane"],
        even_if_healthy=params["even_if_healthy"],
        accepted_risks=tuple(params["accepted_risks"]),
        state_dir=params["state_dir"] or "",
        journal=journal_of(params, client),
        settle_seconds=params["settle_seconds"],
        drain=DrainOptions(
            filters=FilterOptions(
                ignore_daemonsets=True,
                delete_emptydir_data=params["delete_emptydir_data"],
                force=params["force"],
            ),
            disable_eviction=params["disable_eviction"],
        ),
    )


def result_of(plan: Plan) -> dict[str, t.Any]:
    """A plan as the module returns it."""
    return {
        "changed": False,
        "nodes": [node.to_dict() for node in plan.nodes],
        "node_names": [node.name for node in plan.nodes],
        "refusals": plan.all_refusals,
        "warnings_of_plan": plan.warnings,
        "skipped_nodes": plan.skipped,
        "allocator": plan.allocator,
        "pools": plan.pools,
        "plan_digest": plan.digest(),
        "lines": plan.lines(),
    }


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Make the plan."""
    params = module.params
    client = KubeClient.from_options(params)
    settings = audit_settings(params)
    if params["wait_for_allocation"]:
        wait_for_allocation(client, params["nodes"], params["wait_for_allocation"])
    plan = make_plan(client, read_context(client, settings), plan_options(params, client))
    refusals = plan.all_refusals
    if refusals and params["fail_on_refusal"]:
        raise RefusedError(f"The run must not start: {' '.join(refusals)}", refusals)
    return result_of(plan)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            **journal_argument_spec(),
            "nodes": {"type": "list", "elements": "str", "default": []},
            "run_nodes": {"type": "list", "elements": "str", "default": []},
            "control_plane": {"type": "bool", "default": False},
            "even_if_healthy": {"type": "bool", "default": False},
            "accepted_risks": {"type": "list", "elements": "str", "default": []},
            "state_dir": {"type": "path"},
            "settle_seconds": {"type": "int", "default": 30},
            "wait_for_allocation": {"type": "int", "default": 0},
            "delete_emptydir_data": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
            "disable_eviction": {"type": "bool", "default": False},
            "fail_on_refusal": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
