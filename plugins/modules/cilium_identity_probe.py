#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cilium_identity_probe
short_description: Prove that a new pod gets a Cilium identity
version_added: 0.1.0
description:
  - Creates a pod with a label value that no other pod has, waits until it has a security identity, and deletes it again,
    also when it waited in vain.
  - The pod has an identity when its CiliumEndpoint names one, or, where the operator manages identities, when there is a
    CiliumIdentity with its label.
  - Nothing stays behind but that identity, which the operator collects later.
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
    details:
      - No pod is created, and nothing is proved.
  diff_mode:
    support: N/A
    details:
      - The pod is gone in the end.
  idempotent:
    support: full
options:
  image:
    description:
      - Image of the pod, which must be one that Nodes can pull. What it runs does not matter, such as
        V(registry.k8s.io/pause:3.10).
    type: str
    required: true
  namespace:
    description: Namespace of the pod.
    type: str
    default: default
  node:
    description: Node to bind the pod to. Empty lets the scheduler choose.
    type: str
    default: ""
  timeout:
    description: Seconds to wait for the identity.
    type: int
    default: 120
seealso:
  - module: podnet.upkeep.cilium_identity_info
"""

EXAMPLES = r"""
- name: Make sure that new pods get an identity
  podnet.upkeep.cilium_identity_probe:
    image: registry.k8s.io/pause:3.10
"""

RETURN = r"""
identity:
  description: The identity that the pod got.
  returned: success, not in check mode
  type: int
  sample: 48213
new:
  description: Whether the identity was made for this pod. A label filter may leave the label out, so that the pod shares one.
  returned: success, not in check mode
  type: bool
  sample: true
seconds:
  description: How long it took.
  returned: success, not in check mode
  type: float
  sample: 1.5
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.identity_probe import IdentityProbe, ProbePod
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    heartbeat_of,
    progress_argument_spec,
    progress_of,
    run_argument_spec,
)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Probe."""
    params = module.params
    client = KubeClient.from_options(params)
    if module.check_mode:
        return {"changed": False}
    heartbeat = heartbeat_of(params, client)
    if heartbeat is not None:
        heartbeat()
    probe = IdentityProbe(
        client,
        ProbePod(params["namespace"], params["image"], params["node"]),
        timeout=params["timeout"],
        heartbeat=heartbeat,
        progress=progress_of(params),
    )
    return {"changed": False, **probe.run()}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **run_argument_spec(),
            **progress_argument_spec(),
            "image": {"type": "str", "required": True},
            "namespace": {"type": "str", "default": "default"},
            "node": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
