# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  allocator:
    description:
      - Settings of the pod CIDR allocator, where the cluster does not show them or shows them wrongly.
      - Without it they are read from the kube-controller-manager pods, from the arguments of k3s or RKE2 servers,
        or from the ConfigMap C(kubeadm-config), in this order.
    type: dict
    suboptions:
      allocate_node_cidrs:
        description: Whether kube-controller-manager allocates pod CIDRs.
        type: bool
        default: true
      cluster_cidrs:
        description: The cluster CIDR. In dual-stack clusters one of each family, in the order that Nodes have.
        type: list
        elements: str
        required: true
      node_mask_size_ipv4:
        description: Prefix length of a Node's IPv4 block.
        type: int
        default: 24
      node_mask_size_ipv6:
        description: Prefix length of a Node's IPv6 block.
        type: int
        default: 64
      service_ranges:
        description: The service ranges. The allocator gives out no block that they touch.
        type: list
        elements: str
        default: []
"""
