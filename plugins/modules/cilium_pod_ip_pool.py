#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cilium_pod_ip_pool
short_description: Append CIDRs to a CiliumPodIPPool safely
version_added: 0.1.0
description:
  - Appends CIDRs to a C(CiliumPodIPPool), the pool of Cilium's multi-pool IPAM, after judging them against everything that
    has addresses. CIDRs that are there keep their place, and the mask size stays.
  - Refused where a CIDR overlaps another one of the pool, addresses and podCIDRs of Nodes, Services, load balancers, API
    servers, other pools or the range of the in-tree allocator, where it is smaller than a block, of a family that is off or
    that the pool does not have, or outside of the native routing CIDR.
  - Writes only over what it has judged. When somebody else changes the pool meanwhile, nothing is written.
  - Nothing has to restart. The operator hands out of a new CIDR at once, also to CiliumNodes that wait.
  - The pool of the mode cluster-pool is enlarged by O(podnet.upkeep.cilium_config#module:add_pool_cidrs).
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.cilium
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description: Name of the pool.
    type: str
    default: default
  add_cidrs:
    description: CIDRs that are to be in it, each by its family. Those that are there already change nothing.
    type: list
    elements: str
    required: true
  accepted_risks:
    description:
      - Names of risks to take. Each refusal that can be overridden names its own.
      - V(in-tree-cluster-cidr), V(native-routing-cidr) and V(unseen-addresses) are about the range, V(reverted-by-gitops) about
        a pool that Argo CD or Flux owns.
    type: list
    elements: str
    default: []
seealso:
  - module: podnet.upkeep.cilium_config
"""

EXAMPLES = r"""
- name: Enlarge the default pool
  podnet.upkeep.cilium_pod_ip_pool:
    name: default
    add_cidrs: [10.61.0.0/16]
"""

RETURN = r"""
change:
  description: For each family that changes, or in check mode would, all CIDRs of the pool before and afterwards.
  returned: success
  type: dict
  sample: {"ipv4": {"before": [10.60.0.0/16], "after": [10.60.0.0/16, 10.61.0.0/16]}}
pool_growth:
  description:
    - For each family of O(add_cidrs), the pool as it is, what is added, and how many blocks that gives. C(free) and C(waiting) are
      those of before, C(null) where they are not known. C(unchecked) is what no object of the cluster tells.
  returned: success
  type: list
  elements: dict
  sample:
    - pool: default
      family: IPv4
      mask_size: 27
      cidrs: [10.60.0.0/16]
      added: [10.61.0.0/16]
      capacity: 2048
      capacity_after: 4096
      blocks_added: 2048
      free: 0
      waiting: [w5]
      waiting_count: 1
      taken_over: []
      unchecked: ["routes, BGP peers and firewalls outside of the cluster"]
owned_by:
  description: The tools that own the pool, as M(podnet.upkeep.cilium_config) returns them.
  returned: success
  type: list
  elements: dict
  sample: []
made_by_operator:
  description:
    - Whether the key C(auto-create-cilium-pod-ip-pools) of cilium-config has this pool too. The operator makes it from that
      where it is absent, and changes nothing of one that is there; give the chart the new CIDRs as well
      (C(ipam.operator.autoCreateCiliumPodIPPools)).
  returned: success
  type: bool
  sample: false
refusals:
  description: Why nothing was written, one sentence for each reason.
  returned: failure by a safety rule
  type: list
  elements: str
  sample: ["CiliumPodIPPool default: 10.96.0.0/16 overlaps the service range 10.96.0.0/16 (ServiceCIDR kubernetes)."]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._cilium_config_options import (
    cilium_argument_spec,
    cilium_context,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._domain.config_owner import owners_of
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError, RefusedError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pod_ip_pool import (
    change_of,
    diff_of_pool,
    plan_pod_ip_pool,
    write_pod_ip_pool,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pool_growth import networks_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.cilium_pool_obstacles import RESOURCES
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module

_AUTO = "auto-create-cilium-pod-ip-pools"


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Judge, and write."""
    params = module.params
    cidrs = networks_of("add_cidrs", params["add_cidrs"])
    if not cidrs:
        raise InputError("add_cidrs: there is nothing to append; give at least one CIDR.")
    client = KubeClient.from_options(params)
    context = cilium_context(params, client, RESOURCES)
    plan = plan_pod_ip_pool(client, context, params["name"], cidrs)
    standing = [one for one in plan.objections if not one.risk or one.risk not in params["accepted_risks"]]
    if standing:
        sentences = [one.sentence for one in standing]
        raise RefusedError(f"Nothing was written: {' '.join(sentences)}", sentences)
    if plan.cidrs:
        write_pod_ip_pool(client, plan, dry_run=module.check_mode)
    automatic = context.cilium.value(_AUTO)
    made = any(part.strip().partition("=")[0].strip('{" ') == params["name"] for part in automatic.split(","))
    return {
        "changed": bool(plan.cidrs),
        "change": change_of(plan),
        "pool_growth": plan.report,
        "owned_by": [one.to_dict() for one in owners_of(plan.obj["metadata"])],
        "made_by_operator": made,
        "diff": diff_of_pool(plan),
    }


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **cilium_argument_spec(),
            "name": {"type": "str", "default": "default"},
            "add_cidrs": {"type": "list", "elements": "str", "required": True},
            "accepted_risks": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
