#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rehearsal_run
short_description: Run a playbook against a copy of a cluster, and report what happened
version_added: 0.1.0
description:
  - Runs one playbook of this collection against the control plane that M(podnet.upkeep.rehearsal_cluster) has started, audits the
    copy afterwards, and writes a report with the plan, refusals, PodDisruptionBudgets that hold drains up, times by Node and by
    step, the last audit compared with the first, and what the rehearsal cannot prove.
  - The playbook runs with an environment and an inventory of its own. It can reach neither the cluster nor its hosts. Host steps
    run in stand-ins (see P(podnet.upkeep.rehearsal_host#connection)).
  - A playbook that fails or refuses is a result and not a failure of this module; see RV(outcome).
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.allocator
attributes:
  check_mode:
    support: none
    details:
      - Is skipped in check mode.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - A second run meets the copy as the first one has left it.
options:
  name:
    description: Name of the rehearsal.
    type: str
    required: true
  work_dir:
    description: Folder on this machine with the folders of rehearsals.
    type: path
    required: true
  playbook:
    description: The playbook, with or without the name of the collection.
    type: str
    required: true
  variables:
    description:
      - Variables of the playbook, as you would give them to the cluster itself.
      - Those that say how a cluster or a host is reached, where journals are kept, and which tasks of your own are to run, are
        set by the rehearsal.
    type: dict
    default: {}
  timeout:
    description: Seconds after which the playbook is ended.
    type: int
    default: 1800
  collections:
    description: Where C(ansible-playbook) finds collections, as in C(ANSIBLE_COLLECTIONS_PATH).
    type: str
    required: true
  output_path:
    description: Write the whole report as JSON to this file.
    type: path
  report_html:
    description: Write the report as one HTML file, which loads nothing from elsewhere.
    type: path
  report_markdown:
    description: Write the report as Markdown.
    type: path
seealso:
  - module: podnet.upkeep.rehearsal_cluster
requirements:
  - Linux with C(unshare) and C(mount) of util-linux, for playbooks that work on hosts; as root, or with user namespaces allowed
"""

EXAMPLES = r"""
- name: Rehearse a repair
  podnet.upkeep.rehearsal_run:
    name: tuesday
    work_dir: /var/tmp/rehearsals
    playbook: reassign_pod_cidrs
    variables:
      reassign_pod_cidrs_max_nodes: 3
    collections: "{{ lookup('ansible.builtin.config', 'COLLECTIONS_PATHS') | join(':') }}"
    report_html: /var/tmp/rehearsal.html
"""

RETURN = r"""
outcome:
  description: C(completed), C(failed), or C(ended by its time limit).
  returned: success
  type: str
  sample: completed
exit_code:
  description: Exit code of C(ansible-playbook). V(null) when it was ended.
  returned: success
  type: int
  sample: 0
lines:
  description: The rehearsal in a few lines for a terminal.
  returned: success
  type: list
  elements: str
  sample: ["podnet.upkeep.reassign_pod_cidrs on a copy with 12 nodes, 240 pods: completed after 31.2 s."]
refusals:
  description: Sentences by which a rule said no.
  returned: success
  type: list
  elements: str
  sample: []
blocked_budgets:
  description: PodDisruptionBudgets that let no pod go as the cluster is now.
  returned: success
  type: list
  elements: dict
  sample: [{"namespace": "payments", "name": "ledger", "healthy": 1, "healthy_needed": 1, "pods": 1}]
blocked_pods:
  description: Pods that held a drain up.
  returned: success
  type: list
  elements: dict
  sample:
    - {"node": "w3", "namespace": "payments", "pod": "ledger-0", "budget": "ledger", "result": "waiting", "detail": "waits", "seconds": 60.0}
nodes:
  description: Seconds and outcome by Node, for playbooks that work on hosts.
  returned: success
  type: list
  elements: dict
  sample: [{"node": "w7", "seconds": 14.2, "outcome": "done"}]
comparison:
  description:
    - Findings that are new and gone after the run, and how many are still there. V(null) without a last audit.
    - C(left_out) has those that are new only because no agent of Cilium ran, such as running pods without CiliumEndpoint,
      each with the C(reason). They are in no count of the report.
  returned: success
  type: dict
  sample: {"new": [], "gone": [], "still": 3, "left_out": []}
not_proven:
  description: What a rehearsal of this playbook cannot prove.
  returned: success
  type: list
  elements: str
  sample: ["The pod network: no pod ran, so that no packet was sent. The network probe was left out."]
output:
  description: The last lines of C(ansible-playbook).
  returned: success
  type: list
  elements: str
  sample: ["PLAY RECAP *****"]
report_paths:
  description: Files that were written, by option.
  returned: success
  type: dict
  sample: {"report_html": "/var/tmp/rehearsal.html"}
"""

import gc
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._errors import InputError
from ansible_collections.podnet.upkeep.plugins.module_utils._options import run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.changed_operator import look_at_operator
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.control_plane import folder_of
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.playbook_run import (
    RehearsalRun,
    brought_up,
    last_audit,
    report,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.playbooks import playbook_of
from ansible_collections.podnet.upkeep.plugins.module_utils._report.rehearsal import rehearsal_lines, write_rehearsal

_RETURNED = (
    *("outcome", "exit_code", "refusals", "blocked_budgets", "blocked_pods", "nodes", "comparison", "not_proven"),
)


def _run(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    settings = audit_settings(options)
    playbook = playbook_of(options["playbook"])
    if options["timeout"] < 1:
        raise InputError(f"timeout: {options['timeout']} leaves no time; give 1 or more seconds.")
    made = brought_up(folder_of(options["work_dir"], options["name"]))
    variables = playbook.variables(options["variables"], made.folder, made.kubeconfig, options["allocator"])
    gc.disable()
    run = RehearsalRun(made, playbook, module.run_command)
    exit_code, seconds = run.run(variables, sys.executable, options["collections"], options["timeout"])
    made.said += look_at_operator(made, module.run_command)
    after, problem = last_audit(made, settings)
    if problem:
        made.said.append(problem)
    output = run.output()
    document = report(made, playbook, run.lines(), after, exit_code=exit_code, seconds=seconds, output=output)
    paths = write_rehearsal(options, document)
    return {
        "changed": True,
        **{key: document[key] for key in _RETURNED},
        "lines": rehearsal_lines(document),
        "output": output,
        "report_paths": paths,
    }


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **allocator_argument_spec(),
            "name": {"type": "str", "required": True},
            "work_dir": {"type": "path", "required": True},
            "playbook": {"type": "str", "required": True},
            "variables": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 1800},
            "collections": {"type": "str", "required": True},
            "output_path": {"type": "path"},
            "report_html": {"type": "path"},
            "report_markdown": {"type": "path"},
        },
        supports_check_mode=False,
    )
    run_module(module, _run)


if __name__ == "__main__":
    main()
