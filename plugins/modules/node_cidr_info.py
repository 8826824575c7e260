#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_cidr_info
short_description: Pod CIDRs of all Nodes and the blocks that are left
description:
  - Returns the IPAM model, the settings of the pod CIDR allocator, the pod CIDRs of every Node and the number of free
    blocks of each family, computed as kube-controller-manager does.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
version_added: 0.1.0
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38
seealso:
  - module: podnet.upkeep.audit_info
"""

EXAMPLES = r"""
- name: How many Nodes can still get a pod CIDR
  podnet.upkeep.node_cidr_info:
  register: cidrs

- name: Refuse to add ten Nodes when they would not fit
  ansible.builtin.assert:
    that: cidrs.pools | map(attribute='free') | min >= 10
    fail_msg: Only {{ cidrs.pools | map(attribute='free') | min }} blocks are free.
"""

RETURN = r"""
nodes:
  description:
    - Every Node with its pod CIDRs, the number of its pods that have addresses of the pod network, the worst severity of
      its findings (C(ok) without any) and their ids.
  returned: success
  type: list
  elements: dict
  sample:
    - name: w1
      pod_cidrs: ["10.244.1.0/24"]
      ready: "True"
      unschedulable: false
      pods: 17
      severity: ok
      findings: []
pools:
  description: Use of each pool in blocks, counted as kube-controller-manager does.
  returned: success
  type: list
  elements: dict
  sample:
    - family: IPv4
      cluster_cidr: 10.244.0.0/16
      node_mask_size: 24
      capacity: 256
      used: 12
      reserved_by_service_ranges: 0
      free: 244
      waiting_nodes: 0
ipam_model:
  description: Where the truth about pod CIDRs is, and how that was found.
  returned: success
  type: dict
  sample:
    name: node-spec
    evidence: DaemonSet kube-flannel-ds
    description: Pods get addresses out of Node.spec.podCIDRs.
allocator:
  description: Settings of the allocator and their source. C(null) and empty lists mean that they are not known.
  returned: success
  type: dict
  sample:
    allocate_node_cidrs: true
    cluster_cidrs: ["10.244.0.0/16"]
    node_mask_size_ipv4: 24
    node_mask_size_ipv6: 64
    service_ranges: ["10.96.0.0/12"]
    allocator_type: RangeAllocator
    source: pod kube-system/kube-controller-manager-cp1
    problems: []
unknown:
  description: What could not be read, and why.
  returned: success
  type: dict
  sample: {}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.context import Context
from ansible_collections.podnet.upkeep.plugins.module_utils._checks.run import document
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    settings = audit_settings(module.params)
    result = document(Context(live.collect(KubeClient.from_options(module.params)), settings))
    return {key: result[key] for key in ("nodes", "pools", "ipam_model", "allocator", "unknown")}


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={**auth_argument_spec(), **allocator_argument_spec()},
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
