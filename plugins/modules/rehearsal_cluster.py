#!/usr/bin/python
# Copyright: (c) 2026, podnet.upkeep contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
---
module: rehearsal_cluster
short_description: Start a control plane of its own with a snapshot of a cluster in it, or end it
version_added: 0.1.0
description:
  - Starts etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok on this machine, and the operator of Cilium
    where the snapshot has Cilium and the program is there. The objects of the snapshot are in them with their uids, each as
    old as it was when the snapshot was taken.
  - Never speaks to the cluster that the snapshot is of. Everything listens on loopback only, has credentials of its own, and
    is in one folder.
  - Nodes are simulated. What that means is said in the report that M(podnet.upkeep.rehearsal_run) writes.
  - Everything ends with the playbook that started it, also when that is killed. What a killed one has left nevertheless is
    ended by the next call.
author:
  - podnet.upkeep contributors (@podnet-upkeep)
extends_documentation_fragment:
  - podnet.upkeep.attributes
  - podnet.upkeep.attributes.actiongroup
  - podnet.upkeep.allocator
attributes:
  check_mode:
    support: full
    details:
      - Reads the snapshot and looks for the programs, and starts nothing.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - A second call with O(state=present) refuses while the rehearsal runs. With O(state=absent) it changes nothing.
options:
  state:
    description: Whether the rehearsal runs.
    type: str
    choices:
      present: Start it, with the snapshot in it.
      absent: End all of its processes and delete its folder.
    default: present
  name:
    description: Name of the rehearsal, that of its folder in O(work_dir).
    type: str
    required: true
  work_dir:
    description: Folder on this machine for the folders of rehearsals. It should not be on a network.
    type: path
    required: true
  snapshot:
    description:
      - What is loaded. A file that M(podnet.upkeep.rehearsal_snapshot) wrote, which has everything; or what
        M(podnet.upkeep.audit_info) takes as a snapshot. Required for O(state=present).
      - Folders, ZIP and tar files may have lists of PodDisruptionBudgets, Deployments, ReplicaSets, StatefulSets and DaemonSets
        too, as C(kubectl get -A -o json) prints them.
    type: path
  programs:
    description:
      - Folders that are searched for the programs before C(KUBEBUILDER_ASSETS) and C(PATH). Needed are C(etcd), C(kube-apiserver),
        C(kube-controller-manager), C(kube-scheduler) and C(kwok); C(cilium-operator) or C(cilium-operator-generic) is used where
        it is found.
      - The versions of Kubernetes and Cilium should be those of the cluster.
    type: list
    elements: path
    default: []
  keep:
    description: Let it run after the playbook has ended, until O(state=absent).
    type: bool
    default: false
seealso:
  - module: podnet.upkeep.rehearsal_snapshot
  - module: podnet.upkeep.rehearsal_run
requirements:
  - Linux with C(setsid)
  - kubernetes >= 31, != 36.0.0, != 36.0.1, < 38
"""

EXAMPLES = r"""
- name: Start a copy of the cluster
  podnet.upkeep.rehearsal_cluster:
    name: tuesday
    work_dir: /var/tmp/rehearsals
    snapshot: /var/tmp/cluster.state.json.gz
    programs: [/opt/kubernetes/bin]
  register: copy

- name: Look at it
  podnet.upkeep.audit_info:
    kubeconfig: "{{ copy.kubeconfig }}"

- name: End it
  podnet.upkeep.rehearsal_cluster:
    name: tuesday
    work_dir: /var/tmp/rehearsals
    state: absent
"""

RETURN = r"""
folder:
  description: Folder of the rehearsal.
  returned: success
  type: str
  sample: /var/tmp/rehearsals/tuesday
kubeconfig:
  description: Path of a kubeconfig of its administrator.
  returned: O(state=present)
  type: str
  sample: /var/tmp/rehearsals/tuesday/kubeconfig
counts:
  description: How many objects were loaded, by resource.
  returned: O(state=present)
  type: dict
  sample: {"nodes": 12, "pods": 240}
said:
  description: What of the cluster is not as it was, or had to be made up.
  returned: O(state=present)
  type: list
  elements: str
  sample: ["The snapshot has no PodDisruptionBudgets, so that none can block a drain here."]
timings:
  description: Seconds by step.
  returned: O(state=present)
  type: list
  elements: dict
  sample: [{"step": "load into etcd", "seconds": 0.6}]
findings_lost:
  description: Findings that an audit of the snapshot has and one of the loaded cluster has not.
  returned: O(state=present)
  type: list
  elements: dict
  sample: []
findings_made_up:
  description: Findings that only an audit of the loaded cluster has.
  returned: O(state=present)
  type: list
  elements: dict
  sample: []
blocked_budgets:
  description: PodDisruptionBudgets that let no pod go as the cluster is now.
  returned: O(state=present)
  type: list
  elements: dict
  sample: [{"namespace": "payments", "name": "ledger", "healthy": 1, "healthy_needed": 1, "pods": 1}]
ended:
  description: Names of the processes that were ended.
  returned: O(state=absent)
  type: list
  elements: str
  sample: [etcd, kube-apiserver]
"""

import gc
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.upkeep.plugins.module_utils._audit_options import (
    allocator_argument_spec,
    audit_settings,
)
from ansible_collections.podnet.upkeep.plugins.module_utils._options import run_module
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal import control_plane, source
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.bring_up import BroughtUp, bring_up
from ansible_collections.podnet.upkeep.plugins.module_utils._rehearsal.plane import programs


def _present(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    folder = control_plane.folder_of(options["work_dir"], options["name"])
    settings = audit_settings(options)
    found = programs(options["programs"])
    # a short life: looking for cycles among a million objects of a large cluster would double its time
    gc.disable()
    state = source.read(options["snapshot"])
    if module.check_mode:
        return {"changed": True, **_result(BroughtUp(folder, state.taken_at.isoformat()))}
    folder = control_plane.claim(options["work_dir"], options["name"], module.run_command, keep=options["keep"])
    try:
        made = bring_up(folder, state, found, settings, module.run_command)
    except BaseException:
        control_plane.end(folder, module.run_command)
        raise
    return {"changed": True, **_result(made)}


def _result(made: BroughtUp) -> dict[str, t.Any]:
    return {
        "folder": made.folder,
        "kubeconfig": made.kubeconfig,
        "counts": made.counts,
        "said": made.said,
        "timings": made.timings,
        "findings_lost": made.lost,
        "findings_made_up": made.made_up,
        "blocked_budgets": made.blocked_budgets,
    }


def _absent(module: AnsibleModule) -> dict[str, t.Any]:
    options = module.params
    folder = control_plane.folder_of(options["work_dir"], options["name"])
    there = control_plane.is_there(folder)
    if module.check_mode:
        return {"changed": there, "folder": folder, "ended": []}
    swept = control_plane.sweep(options["work_dir"], module.run_command)
    ended = control_plane.end(folder, module.run_command)
    return {"changed": there or bool(swept), "folder": folder, "ended": ended}


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **allocator_argument_spec(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "name": {"type": "str", "required": True},
            "work_dir": {"type": "path", "required": True},
            "snapshot": {"type": "path"},
            "programs": {"type": "list", "elements": "path", "default": []},
            "keep": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ("snapshot",))],
        supports_check_mode=True,
    )
    run_module(module, _present if module.params["state"] == "present" else _absent)


if __name__ == "__main__":
    main()
