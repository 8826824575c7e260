#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rehearsal_snapshot
short_description: Save everything of a cluster that a rehearsal needs
version_added: 0.1.0
description:
  - Reads what M(podnet.upkeep.audit_info) saves as a state, and what decides about drains beside it, PodDisruptionBudgets,
    the selectors of workloads, and where pods may be and what they request.
  - The file holds no Secret, no environment variable, no command of an ordinary pod, and no image of one. It is a snapshot for
    M(podnet.upkeep.audit_info) as well.
  - Never writes to the cluster.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
attributes:
  check_mode:
    support: full
    details:
      - Reads the cluster and writes no file.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each call saves the cluster as it is then.
options:
  path:
    description: The file to write, compressed when its name ends in C(.gz).
    type: path
    required: true
requirements:
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38
seealso:
  - module: podnet.upkeep.rehearsal_cluster
"""

EXAMPLES = r"""
- name: Save the cluster of the current kubeconfig
  podnet.upkeep.rehearsal_snapshot:
    path: /var/tmp/cluster.state.json.gz
"""

RETURN = r"""
path:
  description: The file.
  returned: success
  type: str
  sample: /var/tmp/cluster.state.json.gz
counts:
  description: How many objects were read, by resource.
  returned: success
  type: dict
  sample: {"nodes": 12, "pods": 240, "rehearsal-budgets": 9}
unknown:
  description: What could not be read, and why.
  returned: success
  type: dict
  sample: {"rehearsal-budgets": "the permission to list poddisruptionbudgets is missing"}
"""

import gc
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._cluster import live, snapshot
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.further_lists import read_live


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    gc.disable()
    client = KubeClient.from_options(module.params)
    state = read_live(client, live.collect(client, live.LiveOptions()))
    path = module.params["path"]
    if not module.check_mode:
        path = snapshot.save(state, path)
    return {
        "changed": True,
        "path": path,
        "counts": {name: len(objects) for name, objects in sorted(state.resources.items()) if objects},
        "unknown": dict(state.unknown),
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={**auth_argument_spec(), "path": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
