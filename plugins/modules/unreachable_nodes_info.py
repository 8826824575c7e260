#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: unreachable_nodes_info
short_description: Say which Nodes are really gone and may be removed, and what goes with them
version_added: 0.1.0
description:
  - Looks at Nodes that are not Ready, and says which of them are silent for longer than a quarantine, what a removal
    would do to their pods and volumes, and how many blocks of the pod CIDR pool it would free.
  - Watches them for a while. A Node whose kubelet still renews its Lease is not gone, whatever its condition Ready says.
  - Says also why a Node must not be removed. Members of etcd, Nodes whose deletion would destroy a machine that may live,
    a cluster of which too many Nodes are unreachable, or controllers that do not run are such reasons.
  - Never writes to the cluster. Questions about permissions and the time are sent as requests that nothing stores.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
  - podnet.upkeep.removal
options:
  nodes:
    description:
      - Names of Nodes. Without any, all Nodes that are not Ready are looked at, and those that must not be removed are
        skipped. A named Node that must not be removed is a refusal of the whole run.
    type: list
    elements: str
    default: []
  max_nodes:
    description: How many Nodes are planned at most, those that are silent for longest first.
    type: int
    default: 3
seealso:
  - module: podnet.upkeep.node_removal
"""

EXAMPLES = r"""
- name: Which Nodes are gone for more than an hour
  podnet.upkeep.unreachable_nodes_info:
    quarantine: 3600
  register: unreachable

- name: Show it
  ansible.builtin.debug:
    msg: "{{ unreachable.lines }}"
"""

RETURN = r"""
nodes:
  description: The Nodes to remove, in their order.
  returned: success
  type: list
  elements: dict
  sample:
    - name: w7
      uid: 2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e
      provider: kubeadm
      ready: Unknown
      silent_seconds: 7410
      pod_cidrs: [10.244.7.0/24]
      frees_blocks: 1
      pods: {"evicted": ["default/web-6f7c9d5b4-x2x7k"], "stay": ["kube-system/kube-proxy-8rj2z"]}
      volumes: []
      refusals: []
      steps: [see once more that the kubelet is silent]
node_names:
  description: Names of RV(nodes), in their order.
  returned: success
  type: list
  elements: str
  sample: [w7]
refusals:
  description: Why the run must not start, one sentence each, of the cluster and of its Nodes.
  returned: always
  type: list
  elements: str
  sample: []
skipped_nodes:
  description: Nodes that are left alone, and why.
  returned: success
  type: list
  elements: dict
  sample: [{"name": "w9", "reason": "Node w9 is not gone: its kubelet renews its Lease (at 2026-11-01T00:00:10Z)."}]
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
  sample: ["Node w7 (kubeadm; 10.244.7.0/24) is silent for 2 h and will be removed; that frees 1 blocks"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.removal_plan import make_removal_plan
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._removal_options import (
    removal_argument_spec,
    removal_options,
)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Make the plan."""
    params = module.params
    options = removal_options(params, tuple(params["nodes"]), params["max_nodes"])
    client = KubeClient.from_options(params)
    plan = make_removal_plan(client, read_context(client, audit_settings(params)), options)
    return {
        "changed": False,
        "nodes": [node.to_dict() for node in plan.nodes],
        "node_names": [node.name for node in plan.nodes],
        "refusals": plan.all_refusals,
        "skipped_nodes": plan.skipped,
        "plan_digest": plan.digest(),
        "lines": plan.lines(),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            **removal_argument_spec(),
            "nodes": {"type": "list", "elements": "str", "default": []},
            "max_nodes": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
