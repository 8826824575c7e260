#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: pod_cidr_relief_info
short_description: Say which Nodes could be retired at once when no pod CIDR block is left
version_added: 0.1.0
description:
  - Looks for the least used Nodes, and says for each of them what retiring it would move, whether that fits on the other
    Nodes, and how many blocks of the pod CIDR pool it would free.
  - Whether pods fit is judged by taints, selectors, required affinity to Nodes, requests, number of pods, addresses left in
    pod CIDRs, host ports, required anti-affinity and volumes that are bound to Nodes. It is a simulation. What only the
    scheduler can know is reported as a warning.
  - PodDisruptionBudgets that allow no disruption now are named, because a drain would have to wait for them.
  - Chooses nothing and never writes to the cluster. Retire Nodes of your choice with C(podnet.upkeep.retire_nodes).
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
options:
  nodes:
    description: Names of Nodes to judge together, as if all of them were retired.
    type: list
    elements: str
    default: []
  candidates:
    description: How many of the least used Nodes are judged one by one. V(0) judges only O(nodes).
    type: int
    default: 10
  accepted_risks:
    description: Names of risks to take. Each refusal that can be overridden names its own.
    type: list
    elements: str
    default: []
  preflight:
    description:
      - Judge O(nodes) as well by whether the cluster is in a state in which Nodes may be deleted. Everything could be read,
        no API service stops the garbage collection, kube-controller-manager leads and does not restart again and again, and no
        other Node is out of service.
    type: bool
    default: false
  settle_seconds:
    description: With O(preflight), how long kube-controller-manager must have been leading.
    type: int
    default: 30
  host_reports:
    description:
      - What the role's C(read_host.sh) has printed on hosts that are taken for the machines of O(nodes). A host that is another
        machine, or whose kubelet could not be stopped for good, is a refusal.
    type: list
    elements: dict
    default: []
    suboptions:
      node:
        description: Name of the Node.
        type: str
        required: true
      host:
        description: Name of the host, for messages.
        type: str
        required: true
      text:
        description: The lines that were printed.
        type: str
        required: true
      unit:
        description: Systemd unit of the kubelet. V(auto) takes the one of the known distributions that is there.
        type: str
        default: auto
seealso:
  - module: podnet.upkeep.node_drain
  - module: podnet.upkeep.pod_cidr_rotation_info
"""

EXAMPLES = r"""
- name: Which Nodes could go
  podnet.upkeep.pod_cidr_relief_info:
  register: relief

- name: Would these two fit elsewhere
  podnet.upkeep.pod_cidr_relief_info:
    nodes: [w7, w9]
    candidates: 0
"""

RETURN = r"""
needed:
  description: Whether a pool is exhausted or has fewer blocks than Nodes wait for.
  returned: success
  type: bool
  sample: true
waiting_nodes:
  description: Nodes that wait for a pod CIDR.
  returned: success
  type: list
  elements: str
  sample: [w12]
pools:
  description: Use of each pool in blocks.
  returned: success
  type: list
  elements: dict
  sample: [{"family": "IPv4", "cluster_cidr": "10.244.0.0/22", "capacity": 4, "used": 4, "free": 0}]
candidates:
  description: The least used Nodes, each judged alone, those that help first.
  returned: success
  type: list
  elements: dict
  sample:
    - nodes: [w7]
      uids: [2b2ad0e4-0d0a-4f0a-8f0c-5b6d0f3f6d1e]
      machine_ids: [b8f3e2a1c4d54e6f8a9b0c1d2e3f4a5b]
      providers: [kubeadm]
      frees: {"IPv4": 1}
      frees_blocks: 1
      moves: [{"pod": "default/web-6f7c9d5b4-x2x7k", "to": "w3", "why": ""}]
      ends: []
      cpu_millis: 250
      memory_mib: 512
      fits: true
      helps: true
      budgets: []
      warnings: []
      refusals: []
      units: {}
choice:
  description: O(nodes) judged together; empty without any. C(units) has the unit of the kubelet of each host that was read.
  returned: success
  type: dict
  sample: {}
lines:
  description: The answer as text.
  returned: success
  type: list
  elements: str
  sample: ["w7: frees 1 blocks, moves 1 pods (250m CPU, 512 MiB requested), which fits"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.reassignment_plan import read_context
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.relief import Relief, ReliefOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.retirement import Retirement
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.retirement_preflight import LeavingHost
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def is_needed(context: Context) -> bool:
    """Whether some pool has no block left, or fewer than Nodes wait for."""
    free = min((pool.free(context.held(pool)) for pool in context.pools), default=0)
    return bool(context.pools) and (free == 0 or free < len(context.waiting))


def lines_of(context: Context, candidates: t.Sequence[Retirement], choice: Retirement | None) -> list[str]:
    """The answer as text."""
    lines = [
        f"{one['family']} {one['cluster_cidr']}: {one['free']} of {one['capacity']} blocks are free"
        for one in context.pool_summaries()
    ] or ["The blocks of the allocator are not known; state its settings with the option allocator."]
    lines.append(f"{len(context.waiting)} Nodes wait for one: {', '.join(context.waiting) or 'none'}")
    if candidates:
        lines.append("Least used Nodes, each alone:")
        lines += [line for one in candidates for line in one.lines()]
    if choice is not None:
        lines += ["Together:", *choice.lines()]
    return lines


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Look for relief."""
    params = module.params
    if params["candidates"] < 0:
        raise InputError(f"candidates: {params['candidates']} is no number of Nodes; give 0 or more.")
    client = KubeClient.from_options(params)
    context = read_context(client, audit_settings(params))
    options = ReliefOptions(
        nodes=tuple(params["nodes"]),
        candidates=params["candidates"],
        accepted_risks=tuple(params["accepted_risks"]),
        preflight=params["preflight"],
        settle_seconds=params["settle_seconds"],
        hosts=tuple(LeavingHost(**one) for one in params["host_reports"]),
    )
    relief = Relief(client, context, options)
    choice = relief.choice() if params["nodes"] else None
    candidates = relief.candidates()
    return {
        "changed": False,
        "needed": is_needed(context),
        "waiting_nodes": context.waiting,
        "pools": context.pool_summaries(),
        "candidates": [one.to_dict() for one in candidates],
        "choice": choice.to_dict() if choice is not None else {},
        "lines": lines_of(context, candidates, choice),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            "nodes": {"type": "list", "elements": "str", "default": []},
            "candidates": {"type": "int", "default": 10},
            "accepted_risks": {"type": "list", "elements": "str", "default": []},
            "preflight": {"type": "bool", "default": False},
            "settle_seconds": {"type": "int", "default": 30},
            "host_reports": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "node": {"type": "str", "required": True},
                    "host": {"type": "str", "required": True},
                    "text": {"type": "str", "required": True},
                    "unit": {"type": "str", "default": "auto"},
                },
            },
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
