#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_pod_replacement
short_description: Replace pods of a node whose addresses are not of its pod CIDRs
version_added: 0.1.0
description:
  - Finds the live pods of a node that have an address outside the Node's pod CIDRs. Such pods are Running and Ready,
    and nobody on another node can reach them.
  - Deletes them by uid, so that their controllers start new ones, and waits until no such pod is left.
  - Pods of the node that make its pod network (the agent of Cilium, flannel, kube-router and others, and kube-proxy) are
    replaced before all others when they have started before the Node was registered, and waited for. Where Cilium takes its
    range from the Node, its agent is replaced until the CiliumNode has the Node's pod CIDRs.
  - Can also wait for DaemonSets to have a Ready pod on the node again.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.run
  - podnet.upkeep.run.progress
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the Node.
    type: str
    required: true
  expected_daemonsets:
    description: DaemonSets, as C(namespace/name), that must have a Ready pod on the node in the end.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait until the pods are in order.
    type: int
    default: 180
seealso:
  - module: podnet.upkeep.node_registration
"""

EXAMPLES = r"""
- name: Replace the pods of w1 that nobody can reach
  podnet.upkeep.node_pod_replacement:
    name: w1
    expected_daemonsets: [kube-system/kube-proxy]
"""

RETURN = r"""
pods:
  description: The pods that were replaced, or in check mode would be.
  returned: success
  type: list
  elements: dict
  sample:
    - namespace: default
      name: web-6f7c9d5b4-x2x7k
      uid: 5e3c7a8e-7c6e-4a0a-9e2b-0f1d2c3b4a59
      controller: ReplicaSet/web-6f7c9d5b4
      addresses: [10.200.7.9]
      reason: has 10.200.7.9, outside the Node's podCIDRs
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.pod_replacement import PodReplacement
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    heartbeat_of,
    progress_argument_spec,
    progress_of,
    run_argument_spec,
)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Find and replace."""
    params = module.params
    client = KubeClient.from_options(params)
    heartbeat = heartbeat_of(params, client, check_mode=module.check_mode)
    if heartbeat is not None:
        heartbeat()
    replacement = PodReplacement(
        client,
        params["name"],
        expected_daemonsets=params["expected_daemonsets"],
        timeout=params["timeout"],
        heartbeat=heartbeat,
        progress=progress_of(params, check_mode=module.check_mode),
    )
    plan = replacement.plan()
    if not module.check_mode:
        replacement.run(plan)
    lines = [f"{pod['namespace']}/{pod['name']} {pod['reason']}\n" for pod in plan]
    return {
        "changed": bool(plan),
        "pods": plan,
        "diff": {"before_header": f"foreign pods on {params['name']}", "before": "".join(lines), "after": ""},
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **run_argument_spec(),
            **progress_argument_spec(),
            "name": {"type": "str", "required": True},
            "expected_daemonsets": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
