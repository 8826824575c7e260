#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_network_probe
short_description: Prove that pods on a node can be reached from another node
version_added: 0.1.0
description:
  - Starts a server pod on the node, and client pods on another Ready node and on the same one, all bound directly, so
    that neither the scheduler nor a cordon is in the way, and lets the clients connect to the server at each of its
    addresses. A further client on the node connects to a Service by its name, where the image can and the cluster has DNS.
  - Fails when the server's address is outside the Node's pod CIDRs, when a family is missing, or when a client cannot
    connect within O(timeout).
  - The pods carry the label C(app.kubernetes.io/managed-by=podnet.upkeep) and are always deleted. Those that a killed run
    left behind are deleted first.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.run
attributes:
  check_mode:
    support: full
    details:
      - Only chooses the node to probe from. No pod is started.
  diff_mode:
    support: N/A
    details:
      - Nothing is left in the cluster that could be compared.
  idempotent:
    support: full
    details:
      - The pods are gone when the module ends, so it never reports a change.
options:
  name:
    description: Name of the Node to probe.
    type: str
    required: true
  image:
    description:
      - Image of all pods. Nodes that have it do not pull it again.
      - Without it, an agnhost that the node has already, or else C(registry.k8s.io/e2e-test-images/agnhost:2.53).
    type: str
    default: ""
  server_args:
    description: Arguments that make the image a TCP server.
    type: list
    elements: str
    default: [netexec, --http-port=8080]
  client_args:
    description:
      - Arguments that make the image connect to the server and exit with 0 when that worked.
      - The word C(ADDRESS) becomes the server's address, in brackets for IPv6.
    type: list
    elements: str
    default: [connect, --timeout=5s, "ADDRESS:8080"]
  dns_args:
    description:
      - Arguments that make the image connect to a Service by its name.
      - Without them, an agnhost connects to C(kubernetes.default.svc:443) where the Service C(kube-system/kube-dns) has
        endpoints, and with another image Services are not tried.
    type: list
    elements: str
    default: []
  namespace:
    description: Namespace of the pods.
    type: str
    default: default
  peer:
    description: Node of the client pod. Without it, another Ready Node with pod CIDRs is chosen.
    type: str
    default: ""
  avoid_peers:
    description: Nodes that are chosen only when there is no other, because their own pod network is in question.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that starting and connecting may take, each.
    type: int
    default: 120
seealso:
  - module: podnet.upkeep.node_pod_replacement
"""

EXAMPLES = r"""
- name: Can pods on w1 be reached
  podnet.upkeep.node_network_probe:
    name: w1

- name: The same with an image of one's own
  podnet.upkeep.node_network_probe:
    name: w1
    image: registry.example.com/tools/busybox:1.37
    server_args: [nc, -lk, -p, "8080", -e, /bin/true]
    client_args: [nc, -z, -w, "5", ADDRESS, "8080"]
"""

RETURN = r"""
peer:
  description: Node of the client pod.
  returned: success
  type: str
  sample: w2
image:
  description: Image of the pods.
  returned: success
  type: str
  sample: registry.k8s.io/e2e-test-images/agnhost:2.53
addresses:
  description: Addresses of the server pod.
  returned: when pods were started, also on failure
  type: list
  elements: dict
  sample:
    - family: ipv4
      address: 10.244.3.7
      in_pod_cidr: true
connections:
  description:
    - What was to be reached from which node. C(kind) is V(other-node), V(same-node) or V(service-name).
  returned: when clients were started, also on failure
  type: list
  elements: dict
  sample:
    - kind: other-node
      family: ipv4
      from_node: w2
      target: 10.244.3.7
      reached: true
      attempts: 1
      detail: ""
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.network_probe import NetworkProbe, ProbeOptions
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import heartbeat_of, run_argument_spec


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Probe, or in check mode only choose the peer."""
    params = module.params
    client = KubeClient.from_options(params)
    heartbeat = heartbeat_of(params, client, check_mode=module.check_mode)
    if heartbeat is not None:
        heartbeat()
    probe = NetworkProbe(
        client,
        params["name"],
        ProbeOptions(
            image=params["image"],
            server_args=tuple(params["server_args"]),
            client_args=tuple(params["client_args"]),
            dns_args=tuple(params["dns_args"]),
            namespace=params["namespace"],
            peer=params["peer"],
            avoid_peers=tuple(params["avoid_peers"]),
            timeout=params["timeout"],
        ),
        heartbeat=heartbeat,
    )
    if module.check_mode:
        peer, warnings = probe.choose_peer()
        answer: dict[str, t.Any] = {"peer": peer, "image": probe.choose_image(peer), "addresses": [], "connections": []}
    else:
        result = probe.run()
        answer, warnings = result.to_dict(), result.warnings
    for warning in warnings:
        module.warn(warning)
    return {"changed": False, **answer}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **run_argument_spec(),
            "name": {"type": "str", "required": True},
            "image": {"type": "str", "default": ""},
            "server_args": {"type": "list", "elements": "str", "default": ["netexec", "--http-port=8080"]},
            "client_args": {
                "type": "list",
                "elements": "str",
                "default": ["connect", "--timeout=5s", "ADDRESS:8080"],
            },
            "dns_args": {"type": "list", "elements": "str", "default": []},
            "namespace": {"type": "str", "default": "default"},
            "peer": {"type": "str", "default": ""},
            "avoid_peers": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
