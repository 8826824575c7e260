#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_verification_info
short_description: Prove that a Node which was registered anew is as it must be
version_added: 0.1.0
description:
  - Compares a Node with its before-image, see M(podnet.upkeep.node_registration), and looks at everything that could have
    gone wrong with its re-registration. Waits until every check holds, and fails naming those that do not.
  - The checks are C(identity) (a new uid), C(ready), C(network-available), C(pod-cidrs) (families, mask, range, overlap with
    other Nodes, Services and addresses of Nodes), C(cordon), C(lease), C(csi-node), C(metadata) (labels, annotations and taints
    are back), C(resources) (of device plugins), C(network-agents), C(cni-books) (the CiliumNode agrees), C(pod-addresses),
    C(daemonsets), C(events) (sandboxes and volumes of pods that wait), and with O(host_report) C(host-network).
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.attributes.info_module
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
  - podnet.upkeep.run
  - podnet.upkeep.run.journal
  - podnet.upkeep.run.progress
options:
  name:
    description: Name of the Node.
    type: str
    required: true
  state_dir:
    description: Folder of before-images.
    type: path
    required: true
  host_report:
    description:
      - What the role's C(read_host.sh) has printed on the Node's host, after its pods have started.
    type: dict
    suboptions:
      host:
        description: Name of the host, for messages.
        type: str
        required: true
      text:
        description: The lines that were printed.
        type: str
        required: true
  in_service:
    description: Whether the Node may have been made schedulable again already. Otherwise it must be cordoned.
    type: bool
    default: false
  timeout:
    description: Seconds to wait until every check holds.
    type: int
    default: 120
seealso:
  - module: podnet.upkeep.node_registration
  - module: podnet.upkeep.node_network_probe
"""

EXAMPLES = r"""
- name: May w1 get pods again
  podnet.upkeep.node_verification_info:
    name: w1
    state_dir: /var/lib/podnet-upkeep/production
"""

RETURN = r"""
checks:
  description: Every check and what is wrong by it.
  returned: success, and when a check does not hold
  type: list
  elements: dict
  sample:
    - check: pod-cidrs
      ok: true
      problem: ""
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    allocator_in_force,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.host_readiness import HostQuestion, report_of
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.image_store import ImageStore
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.node_verification import Verification
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    heartbeat_of,
    journal_argument_spec,
    journal_of,
    progress_argument_spec,
    progress_of,
    run_argument_spec,
)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Wait until every check holds."""
    params = module.params
    client = KubeClient.from_options(params)
    image = ImageStore(params["state_dir"], journal_of(params, client)).load(params["name"])
    if image is None:
        raise InputError(
            f"name: there is no before-image of Node {params['name']} in {params['state_dir']}, so there is nothing to "
            "compare it with."
        )
    allocator = allocator_in_force(params, client)
    heartbeat = heartbeat_of(params, client, check_mode=module.check_mode)
    if heartbeat is not None:
        heartbeat()
    report = params["host_report"]
    verification = Verification(
        client,
        image,
        allocator,
        report=report_of(HostQuestion(**report)) if report else None,
        in_service=params["in_service"],
        timeout=params["timeout"],
        heartbeat=heartbeat,
        progress=progress_of(params, check_mode=module.check_mode),
    )
    return {"changed": False, "checks": [check.to_dict() for check in verification.run()]}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            **run_argument_spec(),
            **progress_argument_spec(),
            **journal_argument_spec(),
            "name": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "host_report": {
                "type": "dict",
                "options": {
                    "host": {"type": "str", "required": True},
                    "text": {"type": "str", "required": True},
                },
            },
            "in_service": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
