#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: cluster_health_gate
short_description: Go on only when the cluster is as healthy as before
version_added: 0.1.0
description:
  - O(state=captured) notes what is healthy. These are Deployments, StatefulSets and DaemonSets with all their pods ready,
    PodDisruptionBudgets that allow a disruption, and Ready Nodes; and it notes the critical findings of the audit.
  - O(state=recovered) waits until all of that is healthy again and there is no other critical finding, and fails naming what
    is worse than before. What was deleted meanwhile, or was not healthy before, does not count.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.auth
  - podnet.upkeep.allocator
  - podnet.upkeep.run
  - podnet.upkeep.run.progress
attributes:
  check_mode:
    support: full
    details:
      - Looks once and does not wait, because nothing was changed that could recover.
  diff_mode:
    support: N/A
    details:
      - Nothing is changed.
  idempotent:
    support: full
options:
  state:
    description:
      - V(captured) notes what is healthy now.
      - V(recovered) waits until it is so again.
    type: str
    choices: [captured, recovered]
    required: true
  baseline:
    description: What O(state=captured) has returned as RV(baseline).
    type: dict
  ignore:
    description:
      - Workloads, as C(Deployment default/web), and names of Nodes that are not waited for.
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds to wait until the cluster has recovered.
    type: int
    default: 600
  pause:
    description: Seconds to wait after it has.
    type: int
    default: 0
seealso:
  - module: podnet.upkeep.audit_info
  - module: podnet.upkeep.maintenance_run
"""

EXAMPLES = r"""
- name: Note what is healthy
  podnet.upkeep.cluster_health_gate:
    state: captured
  register: before

- name: Wait until everything is back
  podnet.upkeep.cluster_health_gate:
    state: recovered
    baseline: "{{ before.baseline }}"
    timeout: 900
"""

RETURN = r"""
baseline:
  description: What is healthy, or was when it was captured.
  returned: success
  type: dict
  sample:
    workloads: {"Deployment default/web": "5e3c7a8e-7c6e-4a0a-9e2b-0f1d2c3b4a59"}
    budgets: {"default/web": 1}
    nodes: [w1, w2]
    critical: ["node-cidr-out-of-range Node w3"]
problems:
  description: What is worse than before.
  returned: O(state=recovered), also on failure
  type: list
  elements: str
  sample: ["Deployment default/web: 3 of 4 pods are ready"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._client import KubeClient
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.health_baseline import Baseline
from ansible_collections.podnet.upkeep.plugins.module_utils._operations.health_gate import HealthGate
from ansible_collections.podnet.upkeep.plugins.module_utils._options import auth_argument_spec, run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._run_options import (
    heartbeat_of,
    progress_argument_spec,
    progress_of,
    run_argument_spec,
)


def baseline_of(option: t.Mapping[str, t.Any]) -> Baseline:
    """The option as the operation wants it."""
    try:
        return Baseline.from_dict(option)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError("baseline: it is not what state=captured returns; give its baseline as it is.") from error


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Capture, or wait."""
    params = module.params
    client = KubeClient.from_options(params)
    heartbeat = heartbeat_of(params, client, check_mode=module.check_mode)
    if heartbeat is not None:
        heartbeat()
    gate = HealthGate(
        client,
        audit_settings(params),
        ignore=params["ignore"],
        heartbeat=heartbeat,
        progress=progress_of(params, check_mode=module.check_mode),
    )
    if params["state"] == "captured":
        return {"changed": False, "baseline": gate.capture().to_dict()}
    baseline = baseline_of(params["baseline"])
    if module.check_mode:
        return {"changed": False, "baseline": baseline.to_dict(), "problems": gate.problems(baseline)}
    gate.wait(baseline, params["timeout"])
    gate.pause(params["pause"])
    return {"changed": False, "baseline": baseline.to_dict(), "problems": []}


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            **auth_argument_spec(),
            **allocator_argument_spec(),
            **run_argument_spec(),
            **progress_argument_spec(),
            "state": {"type": "str", "choices": ["captured", "recovered"], "required": True},
            "baseline": {"type": "dict"},
            "ignore": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 600},
            "pause": {"type": "int", "default": 0},
        },
        required_if=[("state", "recovered", ("baseline",))],
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
